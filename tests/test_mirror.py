"""Mirrors: filled from a small internet on this machine, checked, repaired, and used."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import rookery
from rookery.cli.main import cli
from rookery.errors import InputError, NotPossibleError, RookeryError
from rookery.mirror.folder import Mirror
from rookery.mirror.pull import check_mirror
from rookery.mirror.registry import NAME, Layout
from rookery.projections.kubernetes.sources import archive_url
from tests.kit.mirror_filling import (
    CONTROLLER,
    HELM,
    KUBECTL,
    RELEASE_PACKAGES,
    SHARED,
    SNAPSHOTS,
    Silent,
    fill,
    needs,
    pod,
    pull,
)
from tests.kit.mirror_world import OCI, Says, World, archive_of, served


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    made = World()
    with served(made):
        yield made


@pytest.fixture
def filled(world: World) -> World:
    fill(world, needs())
    world.with_tokens |= {"quay.io"}
    return world


def check(folder: Path) -> tuple[str, ...]:
    return check_mirror(folder, needs(), watcher=Silent())


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words), standalone_mode=False)


def blob(world: World, name: str, layer: int) -> tuple[str, bytes]:
    """Return URL and content of a layer of an image in the world."""
    registry, _, rest = name.partition("/")
    repository, _, tag = rest.partition(":")
    base = f"https://{registry}/v2/{repository}"
    top = json.loads(world.files[f"{base}/manifests/{tag}"])
    manifest = json.loads(world.files[f"{base}/manifests/{top['manifests'][-1]['digest']}"])
    url = f"{base}/blobs/{manifest['layers'][layer]['digest']}"
    return url, world.files[url]


# --- what a pull makes


def test_everything_comes_once_and_a_second_pull_asks_for_nothing(filled: World, tmp_path: Path) -> None:
    folder = tmp_path / "mirror"
    words = ("mirror", "pull", str(folder), "production-minimum", "--provider", "existing", "--no-journal")
    first = run(*words, "--through", filled.url)
    assert first.exception is None
    things = json.loads((folder / "index.json").read_text())["things"]
    assert first.stdout == f"{len(things)} things fetched, 0.0 MB; {len(things)} are in {folder}\n"
    # Of each layer there is one, whoever has it.
    layers = [one.url for one in filled.asked if "/blobs/" in one.path and one.host != "quay.io"]
    assert len(layers) == len(set(layers))
    assert {asked.host for asked in filled.asked} == {
        *(
            "auth.quay.io",
            "ceph.github.io",
            "charts.jetstack.io",
            "charts.rook.io",
            "cloudnative-pg.github.io",
        ),
        *(
            "codeload.github.com",
            "dl.k8s.io",
            "download.opensuse.org",
            "get.helm.sh",
            "ghcr.io",
            "github.com",
        ),
        *("helm.cilium.io", "pkgs.k8s.io", "prometheus-community.github.io", "quay.io", "registry.k8s.io"),
    }
    filled.asked.clear()
    second = run(*words, "--through", filled.url)
    assert second.stdout == f"nothing was missing: {len(things)} things, 0.0 MB, are in {folder}\n"
    assert filled.asked == []
    assert check(folder) == ()
    assert not [path for path in folder.rglob("*") if path.name.endswith((".part", ".archive"))]
    assert filled.asked == []


def test_the_index_names_each_file_with_its_digest(filled: World, tmp_path: Path) -> None:
    pull(filled, tmp_path)
    index = json.loads((tmp_path / "index.json").read_text())
    assert (index["format"], index["architecture"]) == (1, "amd64")
    named = {file["path"]: file for thing in index["things"] for file in thing["files"]}
    for path, file in named.items():
        content = (tmp_path / path).read_bytes()
        assert (file["size"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    there = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert there - set(named) == {".lock", "index.json", "images/index.json", "images/oci-layout"}
    cilium = next(
        thing for thing in index["things"] if thing["kind"] == "chart" and thing["name"] == "cilium"
    )
    assert cilium["source"] == "https://helm.cilium.io/archives/cilium-1.20.0.tgz"
    assert [file["path"] for file in cilium["files"]] == ["charts/cilium-1.20.0.tgz"]
    order = [(thing["kind"], thing["name"], thing["version"]) for thing in index["things"]]
    assert order == sorted(order)


def test_things_are_found_by_what_they_are(filled: World, tmp_path: Path) -> None:
    sources = needs()
    mirror = pull(filled, tmp_path).mirror
    helm, kubectl = (mirror.binary(binary) for binary in sources.binaries)
    assert (helm.read_bytes(), kubectl.read_bytes()) == (HELM, KUBECTL)
    assert os.access(helm, os.X_OK)
    assert os.access(kubectl, os.X_OK)
    for chart in sources.charts:
        assert f"quay.io/charts/{chart.name}:".encode() in mirror.chart(chart).read_bytes()
    one, *trees = (mirror.remote(remote) for remote in sources.remotes)
    assert one == tmp_path / "remotes/kubernetes-sigs/gateway-api/v1.6.1/standard-install.yaml"
    assert [sorted(path.name for path in tree.iterdir()) for tree in trees] == [
        ["kustomization.yaml"],
        ["kustomization.yaml", "setup.yaml"],
    ]
    debs = mirror.packages(sources.repositories[0])
    assert sorted(path.relative_to(debs).as_posix() for path in debs.rglob("*") if path.is_file()) == [
        *("InRelease", "Packages", "Packages.gz", "Release.key", "amd64/cri-tools_1.36.0-1.1_amd64.deb"),
        *(f"amd64/{name}_1.36.5-1.1_amd64.deb" for name in ("kubeadm", "kubectl", "kubelet")),
        "amd64/kubernetes-cni_1.9.1-1.1_amd64.deb",
    ]
    assert mirror.missing(sources) == ()
    names = mirror.image_names()
    assert {*sources.images, *sources.control_plane} < set(names)
    assert [name for name in names if "cilium:" in name or "snapshot-controller" in name] == [
        f"quay.io/charts/cilium:1.20.0@{mirror.image_digest(names[names.index(name)])}"
        if "cilium" in name
        else name
        for name in names
        if "cilium:" in name or "snapshot-controller" in name
    ]


def test_what_a_mirror_lacks_is_said_with_what_to_do(filled: World, tmp_path: Path) -> None:
    pull(filled, tmp_path)
    mirror = Mirror.open(tmp_path)
    others = needs("hetzner")
    assert mirror.missing(others) == ("chart hcloud-cloud-controller-manager 1.35.0",)
    hetzner = next(chart for chart in others.charts if chart.name.startswith("hcloud"))
    with pytest.raises(InputError) as caught:
        mirror.chart(hetzner)
    assert str(caught.value) == (
        f"the mirror {tmp_path} has no chart hcloud-cloud-controller-manager 1.35.0\n"
        "  `rookery mirror pull` with the same spec adds it where there is internet."
    )
    mirror.chart(others.charts[0]).unlink()
    with pytest.raises(InputError) as caught:
        mirror.chart(others.charts[0])
    assert str(caught.value) == (
        f"{tmp_path}/charts/cilium-1.20.0.tgz is missing, though the mirror's index has it\n"
        f"  `rookery mirror pull {tmp_path}` fetches it again."
    )


def test_a_second_spec_adds_to_the_same_folder(filled: World, tmp_path: Path) -> None:
    pull(filled, tmp_path)
    fill(filled, needs("hetzner"))
    filled.asked.clear()
    new = pull(filled, tmp_path, needs("hetzner")).new
    assert [thing.title for thing in new] == [
        "chart hcloud-cloud-controller-manager 1.35.0",
        "image quay.io/charts/hcloud-cloud-controller-manager:1.35.0",
    ]
    # A layer that another image has is there already.
    assert sum("authorization" in one.headers for one in filled.asked if "/blobs/" in one.path) == 2
    assert check(tmp_path) == ()


# --- images


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


# --- what goes wrong on the way


def test_what_breaks_off_goes_on_from_where_it_was(filled: World, tmp_path: Path) -> None:
    url, content = blob(filled, "ghcr.io/cloudnative-pg/postgresql:17", 1)
    filled.once(url, Says(body=content, cut=20))
    pull(filled, tmp_path)
    asked = [one.headers.get("range") for one in filled.asked if one.url == url]
    assert asked == [None, "bytes=20-"]
    assert check(tmp_path) == ()


def test_what_is_not_what_was_announced_is_thrown_away(filled: World, tmp_path: Path) -> None:
    url, content = blob(filled, "quay.io/charts/cert-manager:v1.21.1", 1)
    wrong = b"x" * len(content)
    filled.files[url] = wrong
    digest = url.rpartition(":")[2]
    with pytest.raises(RookeryError) as caught:
        pull(filled, tmp_path)
    count = len({one.path for one in filled.asked if "/blobs/" in one.path})
    assert str(caught.value) == (
        f"1 of {count} could not be fetched\n"
        f"    {url} is not what was announced; expected sha256:{digest}; "
        f"received sha256:{hashlib.sha256(wrong).hexdigest()}\n"
        "  What arrived is kept: the same command goes on. What arrived was thrown away. A proxy may change "
        "files on the way, or it was replaced where it is published."
    )
    assert not (tmp_path / "index.json").exists()
    blobs = tmp_path / "images/blobs/sha256"
    assert not (blobs / digest).exists()
    assert not (blobs / f".{digest}.part").exists()
    # All else is there: only this one and the manifests are asked for again.
    filled.files[url] = content
    filled.asked.clear()
    pull(filled, tmp_path)
    assert set(filled.urls("/blobs/")) - set(filled.urls("auth.")) == {url}
    assert check(tmp_path) == ()


def test_all_that_fails_is_said_at_once(filled: World, tmp_path: Path) -> None:
    sources = needs()
    kubectl = sources.binaries[1].url
    del filled.files[kubectl]
    filled.always("charts.jetstack.io/index.yaml", Says(status=403))
    filled.always("get.helm.sh", Says(status=503))
    filled.files["https://helm.cilium.io/index.yaml"] = b"<html>log in</html>"
    with pytest.raises(RookeryError) as caught:
        pull(filled, tmp_path)
    assert type(caught.value) is RookeryError
    assert caught.value.what == "4 of 14 could not be fetched"
    assert sorted(caught.value.details) == [
        "charts.jetstack.io refuses https://charts.jetstack.io/index.yaml (403)",
        f"get.helm.sh answered 503 to {sources.binaries[0].checksum_url}; tried 3 times",
        f"{kubectl} is not there (404)",
        "https://helm.cilium.io/index.yaml is no index of charts",
    ]
    assert caught.value.hint == "What arrived is kept: the same command goes on."


def test_a_chart_that_was_withdrawn(filled: World, tmp_path: Path) -> None:
    filled.files["https://helm.cilium.io/index.yaml"] = b"entries: {cilium: [{version: 1.19.0, urls: [x]}]}"
    with pytest.raises(RookeryError) as caught:
        pull(filled, tmp_path)
    assert str(caught.value) == (
        "1 of 14 could not be fetched\n"
        "    https://helm.cilium.io has no chart cilium 1.20.0\n"
        "  What arrived is kept: the same command goes on. It may have been withdrawn. Versions are pinned "
        "in src/rookery/versions.py."
    )


def test_a_package_that_is_not_what_its_signed_list_says(filled: World, tmp_path: Path) -> None:
    url = f"{needs().repositories[0].url}amd64/kubelet_1.36.5-1.1_amd64.deb"
    filled.files[url] = b"evil"
    with pytest.raises(RookeryError, match="1 of 14 could not be fetched") as caught:
        pull(filled, tmp_path)
    assert caught.value.details[0].startswith(f"{url} is not what was announced; expected sha256:")
    assert not (tmp_path / "debs/kubernetes-1.36/InRelease").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_pull_that_was_ended_goes_on(filled: World, tmp_path: Path, number: int) -> None:
    folder = tmp_path / "mirror"
    url, content = blob(filled, "ghcr.io/cloudnative-pg/postgresql:17", 1)
    filled.always(url, Says(body=content, stalls=30))
    words = ("production-minimum", "--provider", "existing", "--no-journal", "--through", filled.url)
    with subprocess.Popen(
        [sys.executable, "-m", "rookery", "mirror", "pull", str(folder), *words],
        env=os.environ | {"PYTHONPATH": str(Path(rookery.__file__).parents[1])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        part = folder / "images/blobs/sha256" / f".{url.rpartition(':')[2]}.part"
        deadline = time.monotonic() + 60
        while not (part.exists() and part.stat().st_size == 30) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        # A server that is silent holds up neither.
        assert process.wait(30) == {signal.SIGKILL: -9, signal.SIGINT: 130}[signal.Signals(number)]
    assert part.stat().st_size == 30
    assert not (folder / "index.json").exists()
    filled.trouble.clear()
    filled.asked.clear()
    pull(filled, folder)
    assert [one.headers.get("range") for one in filled.asked if one.url == url] == ["bytes=30-"]
    assert filled.urls(".deb") == []
    assert filled.urls(".tgz") == []
    assert check(folder) == ()


# --- what becomes of it


def test_what_is_missing_or_damaged_is_said_and_repaired(filled: World, tmp_path: Path) -> None:
    sources = needs()
    mirror = pull(filled, tmp_path).mirror
    mirror.chart(sources.charts[0]).unlink()
    mirror.binary(sources.binaries[0]).write_bytes(b"not helm")
    digest = mirror.image_digest("ghcr.io/cloudnative-pg/postgresql:17")
    layer = json.loads(Layout(mirror.images).blob_path(digest).read_bytes())["layers"][1]["digest"]
    Layout(mirror.images).blob_path(layer).write_bytes(b"damaged")
    words = ("production-minimum", "--provider", "existing", "--no-journal")
    result = run("mirror", "pull", str(tmp_path), *words, "--check")
    assert result.return_value == 4
    assert result.stdout.splitlines() == [
        "damaged: bin/helm-3.21.4/helm of binary helm 3.21.4",
        "missing: charts/cilium-1.20.0.tgz of chart cilium 1.20.0",
        f"damaged: images/blobs/sha256/{layer[7:]} of image ghcr.io/cloudnative-pg/postgresql:17",
    ]
    # The tag means another image by now: what is repaired stays what it was.
    filled.image("ghcr.io/cloudnative-pg/postgresql:17", b"a newer one")
    assert [thing.title for thing in pull(filled, tmp_path).new] == [
        "binary helm 3.21.4",
        "chart cilium 1.20.0",
        "image ghcr.io/cloudnative-pg/postgresql:17",
    ]
    assert Mirror.open(tmp_path).image_digest("ghcr.io/cloudnative-pg/postgresql:17") == digest
    result = run("mirror", "pull", str(tmp_path), *words, "--check")
    assert (result.return_value, result.stdout) == (0, "everything is there, and whole\n")


def test_an_image_that_a_chart_needs_and_nobody_fetched_is_missing(filled: World, tmp_path: Path) -> None:
    pull(filled, tmp_path)
    index = json.loads((tmp_path / "index.json").read_text())
    index["things"] = [one for one in index["things"] if one["name"] != "quay.io/charts/rook-ceph:v1.20.6"]
    (tmp_path / "index.json").write_text(json.dumps(index))
    assert check(tmp_path) == ("missing: image quay.io/charts/rook-ceph:v1.20.6",)


def test_a_published_version_that_changed_is_refused(filled: World, tmp_path: Path) -> None:
    sources = needs()
    mirror = pull(filled, tmp_path).mirror
    (mirror.remote(sources.remotes[1]) / "kustomization.yaml").unlink()
    url = archive_url(sources.remotes[1])
    files = {f"x/{SNAPSHOTS}": b"kind: Other\n", f"x/{CONTROLLER}/kustomization.yaml": b""}
    filled.files[url] = archive_of(files)
    with pytest.raises(RookeryError) as caught:
        pull(filled, tmp_path)
    assert str(caught.value) == (
        "1 of 14 could not be fetched\n"
        f"    {url} is not what it was when the mirror was filled; differs: remotes/kubernetes-csi/"
        "external-snapshotter/v8.5.0/client/config/crd/kustomization.yaml\n"
        "  What arrived is kept: the same command goes on. What is published should not change. To take it "
        "all the same, fill an empty folder."
    )


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="there is no dpkg-deb: apt-get install dpkg")
def test_a_newer_kubeadm_says_itself_which_images_it_uses(filled: World, tmp_path: Path) -> None:
    root = tmp_path / "kubeadm"
    (root / "usr/bin").mkdir(parents=True)
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN/control").write_text(
        "Package: kubeadm\nVersion: 1.36.10-1.1\nArchitecture: amd64\nMaintainer: x\nDescription: x\n"
    )
    program = root / "usr/bin/kubeadm"
    program.write_text('#!/bin/sh\nimage=registry.k8s.io/kube-apiserver:${4#*=}\necho "$image"\n')
    program.chmod(0o755)
    subprocess.run(["dpkg-deb", "-b", root, tmp_path / "kubeadm.deb"], check=True, capture_output=True)
    deb = (tmp_path / "kubeadm.deb").read_bytes()
    packages = {**RELEASE_PACKAGES, "kubeadm": ("1.36.10-1.1", "cri-tools", deb)}
    filled.packages(needs().repositories[0].url, packages)
    filled.image("registry.k8s.io/kube-apiserver:v1.36.10", b"newer", docker=True)
    mirror = pull(filled, tmp_path / "mirror").mirror
    assert [name for name in mirror.image_names() if "kube-" in name.partition("/")[2]] == [
        "quay.io/charts/kube-prometheus-stack:88.5.3",
        "registry.k8s.io/kube-apiserver:v1.36.10",
    ]


# --- what is refused


def test_a_folder_that_is_no_mirror(tmp_path: Path) -> None:
    error = run("mirror", "show", str(tmp_path)).exception
    assert isinstance(error, InputError)
    assert str(error) == (
        f"{tmp_path} is no mirror: it has no index.json\n"
        f"  `rookery mirror pull {tmp_path}` fills it where there is internet; one that was broken off "
        "goes on."
    )
    for text in (
        "{}",
        '{"format": 2, "architecture": "amd64", "things": []}',
        _outside("../x"),
        _outside("/x"),
    ):
        (tmp_path / "index.json").write_text(text)
        error = run("mirror", "show", str(tmp_path)).exception
        assert isinstance(error, InputError)
        assert str(error) == (
            f"{tmp_path}/index.json is not an index of this version\n"
            "  Use the version of rookery that filled the folder, or fill another one."
        )


def _outside(path: str) -> str:
    file = {"path": path, "sha256": "0", "size": 1}
    thing = {"kind": "chart", "name": "x", "version": "1", "source": "x", "files": [file]}
    return json.dumps({"format": 1, "architecture": "amd64", "things": [thing]})


def test_a_full_disk_is_said_before_anything_comes(
    filled: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rookery.mirror.pull.free_space", lambda _: 300 * 10**6)
    with pytest.raises(NotPossibleError) as caught:
        pull(filled, tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} has 300.0 MB free, and needs 1.00 GB\n"
        "  Free some room, or name a folder on a larger disk. What arrived is kept."
    )
    assert filled.asked == []


def test_a_folder_that_cannot_be_written(filled: World) -> None:
    with pytest.raises(NotPossibleError, match=r"^/proc/mirror cannot be written: "):
        pull(filled, Path("/proc/mirror"))


def test_one_command_fills_a_folder_at_a_time(filled: World, tmp_path: Path) -> None:
    from rookery.mirror.pull import _alone

    with _alone(tmp_path), pytest.raises(NotPossibleError) as caught:
        pull(filled, tmp_path)
    assert str(caught.value) == (
        f"another command fills {tmp_path}\n  Wait until it ends, or end it, then run this again."
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "kubernetes: {version: '1.35'}",
            (
                "kubernetes.version is 1.35; what a mirror needs is known for 1.36 only\n"
                "  Leave `version` out, or write 1.36."
            ),
        ),
        (
            "kubernetes: {bootstrap: kubeone}",
            (
                "kubernetes.bootstrap is kubeone, which fetches what it installs by itself\n"
                "  Write `bootstrap: kubeadm` for a network without internet."
            ),
        ),
    ],
)
def test_designs_that_no_mirror_serves(tmp_path: Path, text: str, said: str) -> None:
    spec = tmp_path / "demo.yaml"
    spec.write_text(f"apiVersion: rookery/v1\nprovider: existing\n{text}\n")
    error = run("mirror", "pull", str(tmp_path / "mirror"), str(spec), "--no-journal").exception
    assert isinstance(error, InputError)
    assert str(error) == said


# --- what is shown


def test_show_counts_what_is_there(filled: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    pull(filled, tmp_path)
    lines = [line.split() for line in run("mirror", "show", str(tmp_path)).stdout.splitlines()]
    counted = {" ".join(line[:-3]): line[-3] for line in lines[1:]}
    assert counted == {
        "programs": "2",
        "charts": "8",
        "others' objects": "3",
        "package repositories": "2",
        "images": "18",
        "in all": "33",
    }
    data = json.loads(run("mirror", "show", str(tmp_path), "-o", "json").stdout)
    assert data["kinds"]["image"]["count"] == 18
    assert data["size"] == sum(kind["size"] for kind in data["kinds"].values())
    kubectl = next(thing for thing in data["things"] if thing["name"] == "kubectl")
    assert kubectl == {
        "kind": "binary",
        "name": "kubectl",
        "version": "1.36.5",
        "source": "https://dl.k8s.io/release/v1.36.5/bin/linux/amd64/kubectl",
        "path": "bin/kubectl-1.36.5/kubectl",
        "sha256": hashlib.sha256(KUBECTL).hexdigest(),
        "size": len(KUBECTL),
    }
    assert "chart cilium 1.20.0  0.0 MB  https://helm.cilium.io/archives/cilium-1.20.0.tgz" in (
        run("mirror", "show", str(tmp_path), "--all").stdout.splitlines()
    )
