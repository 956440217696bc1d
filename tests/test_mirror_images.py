"""Images in a mirror: a layout of one processor, fetched as nobody."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rookery.errors import RookeryError
from rookery.mirror.registry import NAME, Layout
from tests.kit.mirror_filling import (
    SHARED,
    blob,
    filled_world,
    needs,
    pod,
    pull,
)
from tests.kit.mirror_world import OCI, World


@pytest.fixture(name="filled")
def _filled() -> Iterator[World]:
    with filled_world() as world:
        yield world


def test_images_are_a_layout_of_one_processor_in_ocis_words(filled: World, tmp_path: Path) -> None:
    mirror = pull(filled, tmp_path).mirror
    assert json.loads((mirror.images / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((mirror.images / "index.json").read_text())
    listed = {one["annotations"][NAME]: one for one in index["manifests"]}
    assert tuple(sorted(listed)) == mirror.image_names()
    layout = Layout(mirror.images)
    for name, one in listed.items():
        assert one["mediaType"] == (f"{OCI}index.v1+json" if "@" in name else f"{OCI}manifest.v1+json")
        assert one["digest"] == mirror.image_digest(name)
        top = json.loads(layout.blob_path(one["digest"]).read_bytes())
        if "@" in name:
            assert name.endswith(one["digest"])
            top = json.loads(layout.blob_path(top["manifests"][-1]["digest"]).read_bytes())
        for part in (top["config"], *top["layers"]):
            assert part["mediaType"].startswith(OCI)
            assert layout.blob_path(part["digest"]).stat().st_size == part["size"]


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="there is no skopeo: apt-get install skopeo")
def test_skopeo_reads_the_layout(filled: World, tmp_path: Path) -> None:
    """By tag and by digest, whatever words the registry used; the digest of a list stays what it was."""
    digest = filled.image("quay.io/old/list:1", SHARED, b"old", docker=True)
    chart = needs().charts[0]
    filled.files.pop(f"{chart.repository}/index.yaml")
    filled.chart(chart.repository, chart.name, chart.version, pod(f"quay.io/old/list:1@{digest}"))
    mirror = pull(filled, tmp_path / "mirror").mirror
    for name in (
        *(
            "registry.k8s.io/pause:3.10.2",
            "ghcr.io/cloudnative-pg/postgresql:17",
            f"quay.io/old/list:1@{digest}",
        ),
    ):
        copy = tmp_path / name.replace("/", "-")
        subprocess.run(
            ["skopeo", "--insecure-policy", "copy", "-q", f"oci:{mirror.images}:{name}", f"dir:{copy}"],
            check=True,
            timeout=60,
        )
        manifest = json.loads((copy / "manifest.json").read_bytes())
        assert len(manifest["layers"]) == 2
    assert mirror.image_digest(f"quay.io/old/list:1@{digest}") == digest


def test_a_token_is_asked_for_as_nobody_and_not_passed_on(filled: World, tmp_path: Path) -> None:
    url, content = blob(filled, "quay.io/charts/cert-manager:v1.21.1", 1)
    filled.redirects[url] = "https://storage.example.net/content"
    filled.files["https://storage.example.net/content"] = content
    pull(filled, tmp_path)
    asked = next(one for one in filled.asked if one.host == "storage.example.net")
    assert "authorization" not in asked.headers
    tokens = [one for one in filled.asked if one.host == "auth.quay.io"]
    assert {one.path for one in tokens} >= {
        "/token?service=quay.io&scope=repository%3Acharts%2Fcert-manager%3Apull"
    }
    assert not any("authorization" in one.headers for one in tokens)


def test_a_registry_may_lead_to_another_that_wants_a_token(filled: World, tmp_path: Path) -> None:
    for url in list(filled.files):
        if "registry.k8s.io/v2/pause/" in url:
            moved = url.replace("registry.k8s.io/v2/", "europe.pkg.example/v2/images/")
            filled.files[moved] = filled.files.pop(url)
            filled.redirects[url] = moved
    filled.with_tokens.add("europe.pkg.example")
    assert "registry.k8s.io/pause:3.10.2" in pull(filled, tmp_path).mirror.image_names()
    scopes = [one.path for one in filled.asked if one.host == "auth.europe.pkg.example"]
    assert set(scopes) == {"/token?service=europe.pkg.example&scope=repository%3Aimages%2Fpause%3Apull"}


def test_an_image_for_other_processors_only(filled: World, tmp_path: Path) -> None:
    name = "https://ghcr.io/v2/cloudnative-pg/postgresql/manifests/17"
    listed = json.loads(filled.files[name])
    listed["manifests"] = listed["manifests"][:2]
    filled.files[name] = json.dumps(listed).encode()
    with pytest.raises(RookeryError) as caught:
        pull(filled, tmp_path)
    assert str(caught.value).splitlines()[1] == (
        "    ghcr.io/cloudnative-pg/postgresql:17 is not made for linux/amd64; it is there for: linux/arm64"
    )


def test_a_manifest_cannot_name_files_outside(filled: World, tmp_path: Path) -> None:
    name = "https://ghcr.io/v2/cloudnative-pg/postgresql/manifests/"
    digest = json.loads(filled.files[f"{name}17"])["manifests"][-1]["digest"]
    manifest = json.loads(filled.files[f"{name}{digest}"])
    manifest["config"]["digest"] = "sha256:../../../../tmp/evil"
    filled.files[f"{name}17"] = json.dumps(manifest).encode()
    with pytest.raises(RookeryError) as caught:
        pull(filled, tmp_path)
    assert str(caught.value).splitlines()[1] == (
        "    the manifest of ghcr.io/cloudnative-pg/postgresql:17 names its parts in no known way"
    )
