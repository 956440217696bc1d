"""`up` for servers of one's own with a mirror that is served: who is asked, and what servers are told."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rookery.design.model import Design
from rookery.errors import InputError, RookeryError
from rookery.mirror.folder import Index, KeptFile, Mirror, Thing, render_index
from rookery.mirror.serving.bounded import Listening
from rookery.mirror.serving.server import MirrorServer
from rookery.mirror.serving.shelf import Shelf
from rookery.mirror.serving.url import parse_mirror_url, require_served
from rookery.projections.kubernetes.bootstrap.inventory import node_labels, node_taints
from rookery.projections.kubernetes.sources import tools
from rookery.run.mirror_url import UNSERVED, serving_advice, settle_mirror_url
from rookery.run.systems import find_system, require_machine
from rookery.run.workspace import Workspace, note_system, noted_mirror_url, open_spec
from rookery.systems import pod_image
from rookery.systems.existing.servers import ExistingServers
from rookery.systems.kubernetes.bootstrap import Bootstrap
from rookery.systems.kubernetes.system import KubernetesSystem
from rookery.systems.servers import Servers
from tests.kit.fake_cluster import FakeKubectl

URL = "http://10.0.0.5:5080"
IMAGES = ("docker.io/library/nginx:1", "quay.io/ceph/ceph:v20", "quay.io/charts/cilium:1")


@cache
def workspace(provider: str = "existing") -> Workspace:
    return open_spec("production-minimum", as_new=True, provider=provider)


def design(provider: str = "existing") -> Design:
    return workspace(provider).design


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROOKERY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A mirror with helm, kubectl and three images of two registries."""
    folder = tmp_path / "mirror"
    things: list[Thing] = []

    def thing(kind: Any, name: str, version: str, content: bytes) -> None:
        path = f"files/{len(things)}"
        (folder / "files").mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
        kept = KeptFile(path=path, sha256=f"{len(things):064}", size=len(content))
        things.append(Thing(kind=kind, name=name, version=version, source="", files=(kept,)))

    for one in tools("amd64"):
        thing("binary", one.name, one.version, b"#!/bin/sh\nexit 1\n")
    for name in IMAGES:
        thing("image", name, name.rpartition(":")[2], b"{}")
    (folder / "index.json").write_bytes(render_index(Index(architecture="amd64", things=tuple(things))))
    return folder


def variables(servers: Servers) -> dict[str, Any]:
    return dict(servers.told().variables)


# --- what servers are told


def test_servers_are_told_of_a_served_mirror(mirror: Path) -> None:
    told = variables(ExistingServers(design(), mirror=Mirror.open(mirror), mirror_url=URL))
    assert told["kubernetes_packages"] == "http://10.0.0.5:5080/debs/kubernetes-1.36/"
    assert told["crio_packages"] == "http://10.0.0.5:5080/debs/cri-o-1.36/"
    assert told["registry_mirrors"] == [
        {"registry": "docker.io", "mirror": "10.0.0.5:5080/docker.io", "insecure": True},
        {"registry": "quay.io", "mirror": "10.0.0.5:5080/quay.io", "insecure": True},
    ]


def test_behind_tls_nothing_is_insecure(mirror: Path) -> None:
    servers = ExistingServers(design(), mirror=Mirror.open(mirror), mirror_url="https://mirror.example")
    assert variables(servers)["registry_mirrors"][0] == {
        "registry": "docker.io",
        "mirror": "mirror.example/docker.io",
        "insecure": False,
    }


def test_without_one_they_are_told_of_our_own_image_only(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "an archive.tar"
    monkeypatch.setattr("rookery.systems.remote_variables.archive_path", lambda: archive)
    assert variables(ExistingServers(design(), mirror=Mirror.open(mirror))) == {}
    archive.touch()
    assert variables(ExistingServers(design())) == {"apps_image_archive": str(archive)}


def test_servers_that_were_told_something_else_are_told_again(mirror: Path) -> None:
    opened = Mirror.open(mirror)

    def bootstrap(url: str) -> Bootstrap:
        servers = ExistingServers(design(), mirror=opened, mirror_url=url)
        system = KubernetesSystem(design(), servers, mirror=opened)
        kubectl = FakeKubectl()
        for host in design().servers:
            labels = node_labels(host)
            taints = [{"key": key, "effect": "NoSchedule"} for key in node_taints(host)]
            meta = {"name": host.name, "labels": labels}
            kubectl.put({"kind": "Node", "metadata": meta, "spec": {"taints": taints}})
        return replace(system._bootstrap, kubectl=kubectl)

    def done() -> tuple[bool, ...]:
        return tuple(bootstrap(url).is_done() for url in ("", URL, "http://10.0.0.6:5080"))

    assert done() == (False, False, False)
    bootstrap(URL).note()
    assert done() == (False, True, False)
    bootstrap("").note()
    assert done() == (True, False, False)


def test_later_commands_know_it(mirror: Path) -> None:
    name = design().name
    note_system(workspace(), mirror=mirror, mirror_url=URL)
    assert noted_mirror_url(name) == URL
    found = find_system(design())
    assert isinstance(found, KubernetesSystem)
    assert "registry_mirrors" in variables(found.servers)
    note_system(workspace(), mirror_url="")
    assert noted_mirror_url(name) == ""
    found = find_system(design())
    assert isinstance(found, KubernetesSystem)
    assert "registry_mirrors" not in variables(found.servers)


def test_helm_and_kubectl_need_not_be_here_with_a_mirror(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    (tmp_path / "archive.tar").touch()
    monkeypatch.setattr(pod_image, "archive_path", lambda: tmp_path / "archive.tar")
    with pytest.raises(RookeryError, match="this machine lacks kubectl and helm"):
        require_machine(design())
    require_machine(design(), mirror=mirror)
    note_system(workspace(), mirror=mirror)
    require_machine(design())


# --- whether it is the one


def test_the_mirror_is_asked_whether_it_is_the_one(mirror: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "index.json").write_bytes((mirror / "index.json").read_bytes())
    with MirrorServer(Shelf(mirror), Listening(host="127.0.0.1", port=0), log=lambda _: None) as server:
        url = f"http://127.0.0.1:{server.port}"
        require_served(url, copy)
        (copy / "index.json").write_text('{"architecture": "amd64", "things": []}')
        with pytest.raises(InputError) as caught:
            require_served(url, copy)
        assert str(caught.value) == (
            f"{url} serves another mirror than {copy}: their indexes differ\n"
            "  Name the folder that is served there, or a copy of it as it is now."
        )
        (mirror / "index.json").unlink()
        with pytest.raises(InputError) as caught:
            require_served(url, copy)
        assert str(caught.value) == (
            f"{url} serves no mirror: it answered 404 to /index.json\n"
            f"  `rookery mirror serve {copy}` serves one."
        )
    with pytest.raises(RookeryError) as refused:
        require_served(url, copy)
    assert str(refused.value) == (
        f"no mirror answers at {url}: [Errno 111] Connection refused\n"
        f"  Let `rookery mirror serve {copy}` run where servers reach it, as long as they do."
    )


def test_urls_of_mirrors() -> None:
    assert parse_mirror_url("http://10.0.0.5:5080/") == URL
    assert parse_mirror_url("https://mirror.example") == "https://mirror.example"
    for text in (
        *("10.0.0.5:5080", "ftp://10.0.0.5", "http://", "http://x/path", "http://x?y", "http://x:99999"),
        *("http://user:secret@x", "http://[x"),
    ):
        with pytest.raises(InputError, match="is no URL of a mirror"):
            parse_mirror_url(text)
    with pytest.raises(InputError, match="has an IPv6 address, which names of images cannot have"):
        parse_mirror_url("http://[fd00::5]:5080")
    for host in ("localhost", "127.0.0.1", "0.0.0.0"):
        with pytest.raises(InputError, match="leads each server to itself"):
            parse_mirror_url(f"http://{host}:5080")


def test_where_it_means_something(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, Path]] = []
    monkeypatch.setattr("rookery.run.mirror_url.require_served", lambda *words: asked.append(words))
    assert settle_mirror_url(design(), None, mirror) == ""
    assert asked == []
    assert settle_mirror_url(design(), URL, mirror) == URL
    with pytest.raises(InputError, match="says where a mirror is served, and not which"):
        settle_mirror_url(design(), URL, None)
    note_system(workspace(), mirror=mirror, mirror_url=URL)
    assert settle_mirror_url(design(), None, None) == URL
    assert asked == [(URL, mirror)] * 2
    # Given empty, servers ask the internet again.
    assert settle_mirror_url(design(), "", None) == ""
    for provider in ("lab", "hetzner"):  # the first is the native lab
        assert settle_mirror_url(design(provider), None, mirror) == ""
        with pytest.raises(InputError, match="--mirror-url is for servers of one's own"):
            settle_mirror_url(design(provider), URL, mirror)


def test_who_brings_a_mirror_for_half_of_it_is_told(mirror: Path) -> None:
    assert serving_advice(design(), mirror, "") == UNSERVED
    assert "\n" not in UNSERVED
    assert serving_advice(design(), mirror, URL) == ""
    assert serving_advice(design(), None, "") == ""
    assert serving_advice(design("lab"), mirror, "") == ""
