"""Downloads that meet every kind of trouble, and what is read of the places that they come from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from rookery.errors import InputError, NotPossibleError, RookeryError, WaitError
from rookery.mirror.debian_repository import (
    Package,
    choose_packages,
    compare_versions,
    parse_packages,
    parse_signed,
)
from rookery.mirror.downloads import Digest, Patience, Web, published_digest
from rookery.mirror.helm_charts import read_objects
from rookery.mirror.registry import parse_reference
from rookery.projections.kubernetes.sources import full_reference, images_of
from tests.kit.mirror_world import Says, World, served

URL = "https://files.example.org/a/file"
CONTENT = bytes(range(256)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUICK = Patience(pauses=(0, 0))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    made = World(files={URL: CONTENT})
    with served(made):
        yield made


def save(world: World, path: Path, *, sha256: str = SHA256, patience: Patience = QUICK) -> Digest:
    with Web(through=world.url, patience=patience) as web:
        return web.save(URL, path, sha256=sha256)


def ranges(world: World) -> list[str | None]:
    return [asked.headers.get("range") for asked in world.asked]


def test_a_file_arrives_whole_and_is_not_fetched_again(world: World, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    assert save(world, path) == save(world, path) == Digest(sha256=SHA256, size=len(CONTENT))
    assert path.read_bytes() == CONTENT
    assert ranges(world) == [None]
    assert list(path.parent.iterdir()) == [path]


def test_bytes_are_counted_once_whatever_happens(world: World, tmp_path: Path) -> None:
    world.once(URL, Says(body=CONTENT, cut=5000))
    counted: list[int] = []
    with Web(through=world.url, patience=QUICK) as web:
        web.save(URL, tmp_path / "file", sha256=SHA256, arrived=counted.append)
    assert sum(counted) == len(CONTENT)
    assert ranges(world) == [None, "bytes=5000-"]


def test_what_was_there_and_wrong_is_fetched_anew(world: World, tmp_path: Path) -> None:
    (tmp_path / ".file.part").write_bytes(b"wrong")
    assert save(world, tmp_path / "file").sha256 == SHA256
    assert ranges(world) == ["bytes=5-", None]
    (tmp_path / "file").unlink()
    (tmp_path / ".file.part").write_bytes(b"x" * len(CONTENT))
    assert save(world, tmp_path / "file").sha256 == SHA256
    assert ranges(world)[2:] == [f"bytes={len(CONTENT)}-", None]
    (tmp_path / "file").unlink()
    (tmp_path / ".file.part").write_bytes(CONTENT)
    assert save(world, tmp_path / "file").sha256 == SHA256
    assert len(ranges(world)) == 4


def test_a_server_that_knows_no_ranges_sends_all_of_it(world: World, tmp_path: Path) -> None:
    (tmp_path / ".file.part").write_bytes(CONTENT[:100])
    world.once(URL, Says(body=CONTENT))
    assert save(world, tmp_path / "file").sha256 == SHA256
    assert ranges(world) == ["bytes=100-"]


def test_without_a_digest_nothing_is_gone_on_with(world: World, tmp_path: Path) -> None:
    world.once(URL, Says(body=CONTENT, cut=5000))
    assert save(world, tmp_path / "file", sha256="").sha256 == SHA256
    assert ranges(world) == [None, None]


@pytest.mark.parametrize(
    ("says", "kind", "said"),
    [
        (
            Says(status=404),
            RookeryError,
            f"{URL} is not there (404)\n  Was it renamed or withdrawn there?",
        ),
        (
            Says(status=403),
            NotPossibleError,
            f"files.example.org refuses {URL} (403)\n  It may not be public, or a proxy stands between.",
        ),
        (
            Says(status=400),
            RookeryError,
            f"files.example.org answered 400 to {URL}\n  Run it again later; what has arrived is kept.",
        ),
        (
            Says(status=502),
            RookeryError,
            (
                f"files.example.org answered 502 to {URL}; tried 3 times\n"
                "  Run it again later; what has arrived is kept."
            ),
        ),
        (
            Says(body=CONTENT, cut=0),
            RookeryError,
            (
                f"files.example.org broke off {URL}: peer closed connection without sending complete message"
                " body (received 0 bytes, expected 10240); tried 3 times\n"
                "  Is the internet reachable from here? HTTPS_PROXY names a proxy."
            ),
        ),
        (
            Says(status=302, headers=(("Location", URL),)),
            RookeryError,
            (
                f"{URL} leads from one address to the next without an end\n"
                "  Run it again later; what has arrived is kept."
            ),
        ),
    ],
)
def test_each_trouble_has_its_error(
    world: World, tmp_path: Path, says: Says, kind: type[RookeryError], said: str
) -> None:
    world.always(URL, says)
    with pytest.raises(RookeryError) as caught:
        save(world, tmp_path / "file")
    assert (type(caught.value), str(caught.value)) == (kind, said)
    assert not (tmp_path / "file").exists()


def test_trouble_that_passes_is_not_noticed(world: World, tmp_path: Path) -> None:
    world.once(URL, Says(status=429, headers=(("Retry-After", "0"),)))
    world.once(URL, Says(status=500))
    assert save(world, tmp_path / "file").sha256 == SHA256


def test_silence_has_a_limit(world: World, tmp_path: Path) -> None:
    world.always(URL, Says(body=CONTENT, stalls=100))
    with pytest.raises(WaitError) as caught:
        save(world, tmp_path / "file", patience=Patience(pauses=(), silence=0.2))
    assert str(caught.value) == (
        f"waited 0.2 s for files.example.org to send {URL}, in vain\n"
        "  Is the internet reachable from here? HTTPS_PROXY names a proxy."
    )
    assert (tmp_path / ".file.part").read_bytes() == CONTENT[:100]


def test_a_file_that_never_ends_has_a_limit(world: World, tmp_path: Path) -> None:
    with pytest.raises(WaitError) as caught:
        save(world, tmp_path / "file", patience=Patience(whole=-1))
    said = str(caught.value).splitlines()
    assert said[0] == f"{URL} had not arrived after -1 s"
    assert said[1].startswith("    seen last: ")
    assert said[2] == "  Run it again to go on from there."


def test_a_host_that_is_not_reached_is_not_tried_again_and_again(tmp_path: Path) -> None:
    with Web(through="http://127.0.0.1:9", patience=QUICK) as web:
        said = (
            f"files.example.org cannot be reached for {URL}: [Errno 111] Connection refused; tried 3 times\n"
            "  Is the internet reachable from here? HTTPS_PROXY names a proxy."
        )
        for path in ("", "/another"):
            with pytest.raises(RookeryError) as caught:
                web.save(f"{URL}{path}", tmp_path / "file")
            assert str(caught.value) == said


def test_a_checksum_is_the_first_in_its_file(world: World) -> None:
    world.files[f"{URL}.sha256"] = SHA256.encode()
    world.files[f"{URL}.sha256sum"] = f"{SHA256}  file\n".encode()
    world.files[f"{URL}.html"] = b"<html>log in</html>"
    with Web(through=world.url, patience=QUICK) as web:
        assert published_digest(web, f"{URL}.sha256") == published_digest(web, f"{URL}.sha256sum") == SHA256
        with pytest.raises(RookeryError, match=f"^{URL}.html has no SHA-256 in it"):
            published_digest(web, f"{URL}.html")
        with pytest.raises(RookeryError) as caught:
            web.read(URL, most=100)
    assert caught.value.what == f"{URL} is larger than 100 bytes"


# --- Debian's repositories


def test_versions_are_ordered_as_dpkg_orders_them() -> None:
    ordered = [
        *("1.0~bpo1-1", "1.0-1", "1.0-1.1", "1.0-2", "1.0-10", "1.0a-1", "1.0+b1-1", "1.0.1-1"),
        *("1.36.0~rc1-1", "1.36.0-1.1", "1.36.2-1.1", "1.36.2-2.1", "1.36.10-1.1", "1:0.1-1"),
    ]
    for place, version in enumerate(ordered):
        for other_place, other in enumerate(ordered):
            order = compare_versions(version, other)
            assert (order > 0) - (order < 0) == (place > other_place) - (place < other_place), (
                version,
                other,
            )
    assert compare_versions("1.0-1", "0:1.0-1") == compare_versions("1.0-1", "1.00-1") == 0
    assert compare_versions("1.0-1", "1.00-2") < 0


def package(name: str, version: str, *depends: str) -> Package:
    digest = Digest(sha256="0" * 64, size=1)
    return Package(name=name, version=version, path=f"{name}-{version}", digest=digest, depends=depends)


def test_the_newest_packages_come_with_what_they_need_from_the_same_place() -> None:
    listed = (
        package("kubeadm", "1.36.9-1.1", "cri-tools", "iproute2"),
        package("kubeadm", "1.36.10-1.1", "cri-tools", "libc6"),
        package("cri-tools", "1.36.0-1.1", "kubeadm"),
        package("kubelet", "1.36.10-1.1"),
    )
    chosen = choose_packages(listed, ("kubeadm",), where="https://example.org/")
    assert [one.path for one in chosen] == ["cri-tools-1.36.0-1.1", "kubeadm-1.36.10-1.1"]
    with pytest.raises(RookeryError) as caught:
        choose_packages(listed, ("kubeadm", "crio", "cri-o"), where="https://example.org/")
    assert str(caught.value) == (
        "https://example.org/ has no package crio, cri-o\n  Is it the right processor and version?"
    )


def test_lists_of_packages_are_read() -> None:
    text = (
        "Package: a\nVersion: 1:2.0-1\nArchitecture: amd64\nPre-Depends: dpkg (>= 1)\n"
        f"Depends: b (>= 1), c | d, e:any\nFilename: ./amd64/a.deb\nSize: 7\nSHA256: {SHA256}\n"
        "Description: one\n Filename: of a description\n\n"
        "Package: a\nVersion: 2.0-1\nArchitecture: arm64\nFilename: arm64/a.deb\n"
    )
    assert parse_packages(text, architecture="amd64") == (
        Package(
            name="a",
            version="1:2.0-1",
            path="amd64/a.deb",
            digest=Digest(sha256=SHA256, size=7),
            depends=("dpkg", "b", "c", "d", "e"),
        ),
    )
    with pytest.raises(RookeryError, match=r"names a file outside its repository: amd64/../../a.deb"):
        parse_packages(text.replace("./amd64", "amd64/../.."), architecture="amd64")
    signed = f"Origin: x\nMD5Sum:\n {'0' * 32} 7 Packages\nSHA256:\n {SHA256}     7 ./Packages\nSHA512:\n"
    assert parse_signed(f"{signed} {'1' * 128} 7 Packages\n") == {"Packages": Digest(sha256=SHA256, size=7)}


# --- images


def test_images_are_found_wherever_an_operator_is_told_of_them() -> None:
    text = f"""
kind: Deployment
spec:
  template:
    spec:
      initContainers: [{{image: busybox}}]
      containers:
        - image: "grafana/grafana:12.0"
          args:
            - --prometheus-config-reloader=quay.io/prometheus-operator/prometheus-config-reloader:v0.90
            - --listen=example.com/path:8080x/
            - --url=https://quay.io/not/an/image:v1
          env:
            - {{name: OPERATOR_IMAGE_NAME, value: "ghcr.io/cloudnative-pg/cloudnative-pg:1.30.0"}}
            - {{name: ADDRESS, value: "monitoring.svc:9090"}}
            - {{name: NAME, value: "rbd.csi.ceph.com/node"}}
---
kind: List
items:
  - kind: ConfigMap
    data:
      plugin: quay.io/cephcsi/cephcsi:v3.17.0
      pinned: quay.io/cilium/cilium:v1.20.0@sha256:{SHA256}
      config: "image: quay.io/in/a/text:v1\\nother: 1"
  - kind: Cluster
    spec: {{imageName: "ghcr.io/cloudnative-pg/postgresql:17"}}
  - kind: Pod
    spec: {{containers: [{{image: "localhost/rookery/apps:0123"}}]}}
---
kind: CustomResourceDefinition
spec: {{description: "quay.io/an/example:v1", image: "quay.io/an/example:v1"}}
"""
    assert images_of(read_objects(text, what="a text")) == (
        "docker.io/grafana/grafana:12.0",
        "docker.io/library/busybox:latest",
        "ghcr.io/cloudnative-pg/cloudnative-pg:1.30.0",
        "ghcr.io/cloudnative-pg/postgresql:17",
        "quay.io/cephcsi/cephcsi:v3.17.0",
        f"quay.io/cilium/cilium:v1.20.0@sha256:{SHA256}",
        "quay.io/prometheus-operator/prometheus-config-reloader:v0.90",
    )


def test_objects_that_are_none_are_named() -> None:
    with pytest.raises(RookeryError) as caught:
        read_objects("a: b: c", what="what helm makes of x")
    assert str(caught.value) == (
        "what helm makes of x is no YAML\n"
        "    mapping values are not allowed in this context\n"
        '      in "<unicode string>", line 1, column 5'
    )


def test_names_of_images_are_taken_apart() -> None:
    found = parse_reference(f"docker.io/rook/ceph:v1.20.6@sha256:{SHA256}")
    assert (found.registry, found.repository, found.tag) == ("docker.io", "rook/ceph", "v1.20.6")
    assert found.digest == f"sha256:{SHA256}"
    assert found.url == "https://registry-1.docker.io/v2/rook/ceph"
    assert parse_reference("127.0.0.1:5000/a/b:1").url == "http://127.0.0.1:5000/v2/a/b"
    assert full_reference("127.0.0.1:5000/a/b") == "127.0.0.1:5000/a/b:latest"
    for name in ("busybox", "quay.io/ceph/ceph", "quay.io/ceph/ceph@sha256:12", "quay.io/:1"):
        with pytest.raises(InputError) as caught:
            parse_reference(name)
        assert str(caught.value) == (
            f"{name} is no full name of an image\n"
            "  It has a registry, a path, and a tag or a digest: quay.io/ceph/ceph:v20.2.4."
        )
