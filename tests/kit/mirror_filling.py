"""A mirror's sources as files of a small internet: what a design needs is published there, and pulled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rookery.cli.main import cli
from rookery.mirror.downloads import Patience, Web
from rookery.mirror.pull import Pulled, check_mirror, pull_mirror
from rookery.projections.kubernetes import build_stages
from rookery.projections.kubernetes.sources import Sources, archive_url, build_sources, is_tree
from rookery.run.workspace import open_spec
from tests.kit.mirror_world import World, archive_of, served

SHARED = b"a layer that all images have" * 50
HELM = b'#!/bin/sh\ncat "$3"\n'
KUBECTL = b"#!/bin/sh\necho kubectl\n"
RELEASE_PACKAGES = {
    "kubeadm": ("1.36.5-1.1", "cri-tools (>= 1.30.0), iproute2", b"kubeadm"),
    "kubectl": ("1.36.5-1.1", "", b"kubectl"),
    "kubelet": ("1.36.5-1.1", "kubernetes-cni (>= 1.2.0), mount | util-linux", b"kubelet"),
    "cri-tools": ("1.36.0-1.1", "", b"cri-tools"),
    "kubernetes-cni": ("1.9.1-1.1", "", b"cni"),
    "unwanted": ("1.0", "", b"nobody asked for this"),
}
SNAPSHOTS = "client/config/crd/kustomization.yaml"
CONTROLLER = "deploy/kubernetes/snapshot-controller"


class Silent:
    """Hears what happens."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def done(self, text: str) -> None:
        self.said.append(text)

    def under_way(self, text: str) -> None:
        """Nobody looks."""


def pod(image: str) -> bytes:
    spec = {"containers": [{"name": "one", "image": image}]}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": spec}).encode()


@cache
def needs(provider: str = "existing") -> Sources:
    design = open_spec("production-minimum", as_new=True, provider=provider).design
    return build_sources(design, build_stages(design))


def fill(world: World, sources: Sources) -> None:
    """Publish everything that a design needs, and the images that its charts name."""
    for chart in sources.charts:
        image = f"quay.io/charts/{chart.name}:{chart.version}"
        digest = world.image(image, SHARED, chart.name.encode())
        # One chart pins its image, as Cilium does; another one's is on Docker Hub.
        named = f"{image}@{digest}" if chart.name == "cilium" else image
        world.chart(chart.repository, chart.name, chart.version, pod(named))
    for binary in sources.binaries:
        content = archive_of({binary.member: HELM}) if binary.member else KUBECTL
        world.checksummed(binary.url, content, binary.checksum_url.removeprefix(binary.url))
    for remote in sources.remotes:
        if is_tree(remote):
            top = "external-snapshotter-8.5.0"
            files = {
                f"{top}/{SNAPSHOTS}": b"kind: Kustomization\n",
                f"{top}/{CONTROLLER}/kustomization.yaml": b"kind: Kustomization\n",
                f"{top}/{CONTROLLER}/setup.yaml": pod("registry.k8s.io/sig-storage/snapshot-controller:v8"),
                f"{top}/README.md": b"not wanted",
            }
            world.files[archive_url(remote)] = archive_of(files)
        else:
            world.files[remote.url] = b"kind: CustomResourceDefinition\n"
    kubernetes, cri_o = sources.repositories
    world.packages(kubernetes.url, RELEASE_PACKAGES)
    world.packages(cri_o.url, {"cri-o": ("1.36.3-1.1", "iptables", b"cri-o")})
    for name in (*sources.images, *sources.control_plane):
        world.image(name, SHARED, name.encode(), docker=name.startswith("registry.k8s.io"))
    world.image("registry.k8s.io/sig-storage/snapshot-controller:v8", b"snapshots", single=True)


@contextmanager
def filled_world() -> Iterator[World]:
    """Serve a world that has everything, whatever proxies this machine has; some of it is for tokens only."""
    made = World()
    with pytest.MonkeyPatch.context() as environment, served(made):
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            environment.delenv(name, raising=False)
        fill(made, needs())
        made.with_tokens |= {"quay.io"}
        yield made


def pull(world: World, folder: Path, sources: Sources | None = None) -> Pulled:
    with Web(through=world.url, patience=Patience(pauses=(0, 0))) as web:
        return pull_mirror(folder, sources or needs(), web=web, watcher=Silent())


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
