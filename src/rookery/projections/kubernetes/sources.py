"""What a design needs from elsewhere, and where in a mirror's folder each of it lies.

Charts, others' objects, programs, Debian packages and images, each with its official place. The paths are
decided here because two need them: who fills a mirror, and the script that applies the tree out of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from rookery.design.model import Design
from rookery.errors import InputError
from rookery.manifest import Chart, Manifest, Objects, Release, Remote, Stage
from rookery.versions import CONTROL_PLANE_IMAGES, CRI_O, HELM, KUBERNETES, KUBERNETES_RELEASE

_KUBERNETES_PACKAGES = "https://pkgs.k8s.io/core:/stable:/v{version}/deb/"
_CRI_O_PACKAGES = "https://download.opensuse.org/repositories/isv:/cri-o:/stable:/v{version}/deb/"
_OWN_TAG = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
# Registry, path, tag or digest: `quay.io/ceph/ceph:v20.2.4`. Without a registry only where a key says image.
_REFERENCE = re.compile(
    r"[a-z0-9-]+(\.[a-z0-9-]+)*(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+"
    r"(:\w[\w.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)
_IMAGE_KEYS = ("image", "imageName")


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """A program. `checksum_url` has its publisher's SHA-256 of what is at `url`.

    `member` is its path where that is an archive; empty where it is the program itself.
    """

    name: str
    version: str
    url: str
    checksum_url: str
    member: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """Packages of a flat Debian repository: those named, and what they depend on in the same repository."""

    name: str
    version: str
    url: str
    packages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Everything that a design needs from elsewhere.

    `images` are those that our own objects name; the `releases` are there because their charts name further
    ones, which rendering them with their values tells. `control_plane` are those of kubeadm's that belong to
    the release `kubernetes` (`1.36.5`).
    """

    charts: tuple[Chart, ...]
    remotes: tuple[Remote, ...]
    binaries: tuple[Binary, ...]
    repositories: tuple[Repository, ...]
    images: tuple[str, ...]
    control_plane: tuple[str, ...]
    releases: tuple[Release, ...]
    kubernetes: str


def build_sources(design: Design, stages: Iterable[Stage], *, architecture: str = "amd64") -> Sources:
    """Return what a design on Kubernetes, with its stages, needs; InputError where nobody knows all of it."""
    cluster = design.kubernetes
    assert cluster is not None, "only a design on Kubernetes has sources"
    if cluster.version != KUBERNETES:
        raise InputError(
            f"kubernetes.version is {cluster.version}; what a mirror needs is known for {KUBERNETES} only",
            hint=f"Leave `version` out, or write {KUBERNETES}.",
        )
    if cluster.bootstrap != "kubeadm":
        raise InputError(
            "kubernetes.bootstrap is kubeone, which fetches what it installs by itself",
            hint="Write `bootstrap: kubeadm` for a network without internet.",
        )
    items = [item for stage in stages for item in stage.items]
    releases = tuple(item for item in items if isinstance(item, Release))
    objects = [one for item in items if isinstance(item, Objects) for one in item.objects]
    return Sources(
        charts=tuple(dict.fromkeys(release.chart for release in releases)),
        remotes=tuple(item for item in items if isinstance(item, Remote)),
        binaries=tools(architecture),
        repositories=node_repositories(cluster.version),
        images=images_of(objects),
        control_plane=_control_plane_images(KUBERNETES_RELEASE),
        releases=releases,
        kubernetes=KUBERNETES_RELEASE,
    )


def _control_plane_images(release: str) -> tuple[str, ...]:
    own = (f"registry.k8s.io/{name}:v{release}" for name in _OWN_TAG)
    return (*own, *CONTROL_PLANE_IMAGES)


def tools(architecture: str) -> tuple[Binary, ...]:
    """Return the programs that the machine which applies things needs."""
    helm = f"https://get.helm.sh/helm-v{HELM}-linux-{architecture}.tar.gz"
    kubectl = f"https://dl.k8s.io/release/v{KUBERNETES_RELEASE}/bin/linux/{architecture}/kubectl"
    return (
        Binary(
            name="helm",
            version=HELM,
            url=helm,
            checksum_url=f"{helm}.sha256sum",
            member=f"linux-{architecture}/helm",
        ),
        Binary(name="kubectl", version=KUBERNETES_RELEASE, url=kubectl, checksum_url=f"{kubectl}.sha256"),
    )


def node_repositories(version: str) -> tuple[Repository, ...]:
    """Return where nodes of a minor version of Kubernetes have their packages from."""
    return (
        Repository(
            name="kubernetes",
            version=version,
            url=_KUBERNETES_PACKAGES.format(version=version),
            packages=("kubeadm", "kubectl", "kubelet"),
        ),
        Repository(
            name="cri-o", version=CRI_O, url=_CRI_O_PACKAGES.format(version=CRI_O), packages=("cri-o",)
        ),
    )


def chart_path(chart: Chart) -> str:
    """Return where a mirror has a chart, relative to its folder."""
    return f"charts/{chart.name}-{chart.version}.tgz"


def binary_path(binary: Binary) -> str:
    """Return where a mirror has a program."""
    return f"bin/{binary.name}-{binary.version}/{binary.name}"


def repository_path(repository: Repository) -> str:
    """Return the folder that takes the place of a Debian repository's URL."""
    return f"debs/{repository.name}-{repository.version}"


def remote_path(remote: Remote) -> str:
    """Return where a mirror has others' objects: a file, or a folder for kustomize."""
    place = remote.path.removeprefix("./") if is_tree(remote) else remote.url.rpartition("/")[2]
    return f"remotes/{_project(remote)}/{remote.tag}/{place}"


def is_tree(remote: Remote) -> bool:
    """Whether others' objects are a folder of a git repository, which kustomize makes one of."""
    return "?ref=" in remote.url


def archive_url(remote: Remote) -> str:
    """Return where the whole repository of a tree comes as an archive, at its tag."""
    return f"https://codeload.github.com/{_project(remote)}/tar.gz/refs/tags/{remote.tag}"


def _project(remote: Remote) -> str:
    owner, name = remote.repository.removesuffix(".git").split("/")[-2:]
    return f"{owner}/{name}"


def images_of(documents: Iterable[Manifest]) -> tuple[str, ...]:
    """Return every image that objects name, sorted: in pods, in variables, in arguments, in ConfigMaps.

    Operators are told of images in many ways, so any whole text that is a registry's name, a path and a tag
    counts, also behind the `=` of an argument. Definitions of custom resources name examples only. What has
    no registry is Docker Hub's; our own images come from no registry.
    """
    found = set()
    for document in documents:
        if document.get("kind") != "CustomResourceDefinition":
            found |= {full_reference(text) for text in _mentioned(document)}
    return tuple(sorted(image for image in found if not image.startswith("localhost/")))


def _mentioned(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, str):
        text = value.rpartition("=")[2] if value.startswith("-") else value
        if _is_image(text, certain=key in _IMAGE_KEYS):
            yield text
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _mentioned(inner, str(name))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _mentioned(inner)


def _is_image(text: str, *, certain: bool) -> bool:
    """Tell an image's name from other texts; where it is `certain` that it is one, any form of it counts."""
    if certain and text and "/" not in text:
        text = f"library/{text}"
    if not _REFERENCE.fullmatch(text):
        return False
    registry, _, rest = text.partition("/")
    return certain or ("." in registry and ":" in rest)


def full_reference(text: str) -> str:
    """Return an image's name with its registry and its tag, which short names leave out."""
    registry, slash, _ = text.partition("/")
    if not slash:
        text = f"docker.io/library/{text}"
    elif "." not in registry and ":" not in registry and registry != "localhost":
        text = f"docker.io/{text}"
    last = text.rpartition("/")[2]
    return text if ":" in last or "@" in last else f"{text}:latest"
