"""A mirror that is served: what clients get of it, what they do not get, and who is told where it is."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import jinja2
import pytest

import rookery
from rookery.design.model import Design
from rookery.errors import InputError
from rookery.mirror.downloads import Web
from rookery.mirror.folder import Index, KeptFile, Mirror, Thing, render_index
from rookery.mirror.registry import Layout, Registries
from rookery.mirror.serving.shelf import Shelf
from rookery.projections.kubernetes import build_stages
from rookery.projections.kubernetes.sources import build_sources
from rookery.run.workspace import open_spec
from rookery.systems.remote_variables import mirror_variables
from tests.kit.mirror_filling import fill, pull
from tests.kit.mirror_serving import plain_mirror, running
from tests.kit.mirror_world import World, served

TAGGED = "quay.io/charts/cert-manager:v1.21.1"
ROLE = Path(rookery.__file__).parent / "projections/kubernetes/bootstrap/roles/crio"


@dataclass(slots=True)
class Served:
    """A mirror with the server before it."""

    mirror: Mirror
    pinned: str
    port: int = 0
    lines: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", headers=headers, trust_env=False)

    def raw(self, text: bytes) -> bytes:
        """Send bytes as they are, and return everything until the connection ends."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(text)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def blob(self, name: str = TAGGED) -> tuple[str, bytes]:
        """Return path and content of the last layer of an image."""
        layout = Layout(self.mirror.images)
        manifest = json.loads(layout.blob_path(self.mirror.image_digest(name)).read_bytes())
        digest = manifest["layers"][-1]["digest"]
        repository = name.rpartition(":")[0]
        return f"/v2/{repository}/blobs/{digest}", layout.blob_path(digest).read_bytes()


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A mirror of everything that a design needs, and an image that is pinned by the digest of a list."""
    folder = tmp_path_factory.mktemp("mirror")
    with served(World()) as world:
        sources = build_sources(design(), build_stages(design()))
        fill(world, sources)
        digest = world.image("docker.io/old/list:1", b"one", b"two", docker=True)
        pinned = f"docker.io/old/list:1@{digest}"
        mirror = pull(world, folder, replace(sources, images=(*sources.images, pinned))).mirror
    made = Served(mirror=mirror, pinned=pinned)
    with running(folder, lines=made.lines) as server:
        made.port = server.port
        yield made


def design(provider: str = "existing") -> Design:
    return open_spec("production-minimum", as_new=True, provider=provider).design


# --- a registry


@pytest.mark.parametrize("which", ["tag", "pinned"])
def test_our_own_client_pulls_an_image_completely(full: Served, tmp_path: Path, which: str) -> None:
    name = TAGGED if which == "tag" else full.pinned
    layout = Layout(tmp_path)
    with Web() as web:
        registries = Registries(web)
        image = registries.resolve(f"127.0.0.1:{full.port}/{name}")
        for blob in image.blobs:
            registries.fetch(image, blob, layout.blob_path(blob.digest), lambda _: None)
    assert image.top.digest == full.mirror.image_digest(name)
    texts = {blob.digest: content for blob, content in image.texts}
    things = full.mirror.things.values()
    kept = next(one for one in things if one.kind == "image" and one.name == name).files
    for file in kept:
        digest = f"sha256:{file.sha256}"
        there = texts.get(digest) or layout.blob_path(digest).read_bytes()
        assert there == (full.mirror.folder / file.path).read_bytes()


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="there is no skopeo: apt-get install skopeo")
def test_skopeo_copies_an_image(full: Served, tmp_path: Path) -> None:
    skopeo(
        *("copy", "--src-tls-verify=false"),
        *(f"docker://127.0.0.1:{full.port}/{TAGGED}", f"oci:{tmp_path}/copy:one"),
    )
    listed = json.loads((tmp_path / "copy/index.json").read_bytes())["manifests"]
    assert [one["digest"] for one in listed] == [full.mirror.image_digest(TAGGED)]


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="there is no skopeo: apt-get install skopeo")
def test_what_cri_o_is_told_leads_there_by_tag_and_by_digest(full: Served, tmp_path: Path) -> None:
    variables = mirror_variables(full.url, full.mirror, "1.36")
    template = (ROLE / "templates/registries.conf.j2").read_text()
    conf = tmp_path / "registries.conf"
    conf.write_text(jinja2.Template(template).render(variables))
    by_digest = full.pinned.replace(":1@", "@")
    for number, name in enumerate((TAGGED, by_digest, "registry.k8s.io/pause:3.10.2")):
        copy = tmp_path / str(number)
        skopeo("--registries-conf", str(conf), "copy", f"docker://{name}", f"dir:{copy}")
        assert len(json.loads((copy / "manifest.json").read_bytes())["layers"]) == 2
    assert any(f"/v2/{TAGGED.replace(':', '/manifests/')} 200" in line for line in full.lines)


def skopeo(*words: str) -> None:
    subprocess.run(["skopeo", "--insecure-policy", *words], check=True, timeout=60, capture_output=True)


def test_a_manifest_says_its_kind_and_its_digest(full: Served) -> None:
    assert full.get("/v2/").json() == {}
    digest = full.mirror.image_digest(TAGGED)
    name = f"/v2/{TAGGED.rpartition(':')[0]}/manifests"
    for which in ("v1.21.1", digest):
        answer = full.get(f"{name}/{which}?ns=quay.io")
        assert answer.status_code == 200
        assert answer.headers["Docker-Content-Digest"] == digest
        assert f"sha256:{hashlib.sha256(answer.content).hexdigest()}" == digest
        assert answer.headers["Content-Type"] == "application/vnd.oci.image.manifest.v1+json"
        head = httpx.head(f"{full.url}{name}/{which}", trust_env=False)
        assert head.content == b""
        assert head.headers["Content-Length"] == str(len(answer.content))
    # The list that a digest pins is Docker's, and keeps its own kind.
    listed = full.get(f"/v2/docker.io/old/list/manifests/{full.pinned.rpartition('@')[2]}")
    assert listed.headers["Content-Type"] == "application/vnd.docker.distribution.manifest.list.v2+json"
    single = listed.json()["manifests"][-1]["digest"]
    assert full.get(f"/v2/docker.io/old/list/manifests/{single}").status_code == 200


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v2/quay.io/nobody/knows/manifests/1", "NAME_UNKNOWN"),
        ("/v2/quay.io/charts/cert-manager/manifests/v0", "MANIFEST_UNKNOWN"),
        (f"/v2/quay.io/charts/cert-manager/manifests/sha256:{'0' * 64}", "MANIFEST_UNKNOWN"),
        (f"/v2/quay.io/charts/cert-manager/blobs/sha256:{'0' * 64}", "BLOB_UNKNOWN"),
        ("/v2/quay.io/charts/cert-manager/tags/list", "UNSUPPORTED"),
        ("/v2/_catalog", "UNSUPPORTED"),
    ],
)
def test_what_a_registry_does_not_have(full: Served, path: str, code: str) -> None:
    answer = full.get(path)
    assert answer.status_code == 404
    assert [one["code"] for one in answer.json()["errors"]] == [code]
    assert answer.headers["Content-Type"] == "application/json"


def test_a_blob_is_had_of_its_own_image_only(full: Served) -> None:
    path, content = full.blob()
    assert full.get(path).content == content
    digest = path.rpartition("/")[2]
    other = full.get(f"/v2/registry.k8s.io/pause/blobs/{digest}")
    assert other.json()["errors"][0]["code"] == "BLOB_UNKNOWN"


@pytest.mark.parametrize(
    ("wanted", "begin", "end"),
    [("bytes=5-", 5, None), ("bytes=0-0", 0, 1), ("bytes=3-9", 3, 10), ("bytes=-4", -4, None)],
)
def test_a_part_of_a_blob(full: Served, wanted: str, begin: int, end: int | None) -> None:
    path, content = full.blob()
    answer = full.get(path, Range=wanted)
    assert (answer.status_code, answer.content) == (206, content[begin:end])
    first = begin % len(content)
    last = (end or len(content)) - 1
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(content)}"


def test_a_part_that_is_not_there_or_of_something_else(full: Served) -> None:
    path, content = full.blob()
    beyond = full.get(path, Range=f"bytes={len(content)}-")
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(content)}")
    for headers in (
        {"Range": "bytes=1-2,4-5"},
        {"Range": "lines=1-2"},
        {"Range": "bytes=9-3"},
        {"Range": "bytes=5-", "If-Range": '"another"'},
    ):
        whole = full.get(path, **headers)
        assert (whole.status_code, whole.content) == (200, content)
    tag = f'"{path.rpartition("/")[2]}"'
    assert full.get(path).headers["ETag"] == tag
    same = full.get(path, **{"Range": "bytes=5-", "If-Range": tag})
    assert (same.status_code, same.content) == (206, content[5:])


# --- files


def test_apt_finds_its_lists_and_packages(full: Served) -> None:
    base = "/debs/kubernetes-1.36"
    for name in ("InRelease", "Release.key", "Packages.gz", "amd64/kubeadm_1.36.5-1.1_amd64.deb"):
        answer = full.get(f"{base}/{name}")
        assert answer.content == (full.mirror.folder / base[1:] / name).read_bytes()
    # It writes what is not a letter as it likes.
    assert full.get(f"{base}/amd64/kubeadm%5f1.36.5-1.1_amd64.deb").status_code == 200
    # Two requests in one go, on one connection.
    line = f"GET {base}/Release.key HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    assert full.raw(line * 2).count(b"a public key") == 2


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/debs/", "/debs/kubernetes-1.36", "/images/index.json", "/images/oci-layout", "/.lock"),
        *("/../../../../etc/passwd", "/debs/../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd"),
        *("//etc/passwd", "/debs/kubernetes-1.36/%2e./kubernetes-1.36/InRelease", "/debs%00"),
        *("/v2/../etc/passwd", "/v2/quay.io/charts/cert-manager/blobs/../../../../etc/passwd"),
    ],
)
def test_nothing_else_is_there(full: Served, path: str) -> None:
    answer = full.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"root:" not in answer


def test_a_link_that_leads_out_of_the_mirror_is_not_followed(tmp_path: Path) -> None:
    folder = plain_mirror(tmp_path / "mirror", {"charts/one.tgz": 3, "charts/two.tgz": 3})
    outside = tmp_path / "secret"
    outside.write_text("secret")
    (folder / "charts/one.tgz").unlink()
    (folder / "charts/one.tgz").symlink_to(outside)
    (folder / "charts/two.tgz").unlink()
    os.mkfifo(folder / "charts/two.tgz")
    with running(folder) as server:
        for path in ("charts/one.tgz", "charts/two.tgz"):
            answer = httpx.get(f"http://127.0.0.1:{server.port}/{path}", trust_env=False)
            assert (answer.status_code, answer.text) == (404, "the mirror has no such file\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "MKCOL"])
def test_nothing_can_be_written(full: Served, method: str) -> None:
    path = "/v2/quay.io/charts/cert-manager/blobs/uploads/"
    body = "GET /index.json HTTP/1.1\r\nHost: x\r\n\r\n"
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = full.raw(f"{head}{body}".encode())
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"Allow: GET, HEAD\r\n" in answer
    assert json.loads(answer.rpartition(b"\r\n\r\n")[2])["errors"][0]["code"] == "UNSUPPORTED"
    assert answer.count(b"HTTP/1.1 ") == 1  # a body is no further request
    assert httpx.request(method, f"{full.url}/index.json", trust_env=False).status_code == 405


def test_what_was_added_to_the_mirror_is_there_at_once(tmp_path: Path) -> None:
    folder = plain_mirror(tmp_path, {"charts/one.tgz": 3})
    with running(folder) as server, httpx.Client(trust_env=False) as client:
        url = f"http://127.0.0.1:{server.port}/charts"
        assert client.get(f"{url}/two.tgz").status_code == 404
        plain_mirror(folder, {"charts/two.tgz": 3})
        assert client.get(f"{url}/two.tgz").content == b"\0\0\0"
        (folder / "index.json").write_text("{}")
        assert client.get(f"{url}/two.tgz").status_code == 200


def test_an_image_whose_manifest_is_missing_is_said_at_once(tmp_path: Path) -> None:
    kept = KeptFile(path="images/blobs/sha256/x", sha256="0" * 64, size=1)
    thing = Thing(kind="image", name="quay.io/x/y:1", version="1", source="", files=(kept,))
    (tmp_path / "index.json").write_bytes(render_index(Index(architecture="amd64", things=(thing,))))
    with pytest.raises(InputError) as caught:
        Shelf(tmp_path)
    assert str(caught.value) == (
        f"images/blobs/sha256/x of image quay.io/x/y:1 is missing in {tmp_path}, or damaged\n"
        f"  `rookery mirror pull {tmp_path}` fetches it again where there is internet."
    )
