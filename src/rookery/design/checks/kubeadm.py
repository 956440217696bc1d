"""Checks against bounds of the programs that make a cluster: kubeadm, the API server, what it is told in."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from rookery.design.checks.finding import Remark, Subject, error
from rookery.design.checks.free import free_network, set_to, taken_networks_of
from rookery.design.cluster import KUBEADM_SINCE, minor_version
from rookery.design.model import Cluster, Design
from rookery.versions import KUBEONE, KUBERNETES

# kubeadm's validation of its configuration, and the API server's of --service-cluster-ip-range: at most 20
# bits for Services' addresses (`maxBits` in cmd/kube-apiserver/app/options), at least 10 addresses
# (`MinimumAddressesInServiceSubnet` of kubeadm's constants); at most 16 bits between the pods' network and a
# node's part of it, a /24 (`PodSubnetNodeMaskMaxDiff`).
SERVICES = (12, 28)
PODS = (8, 24)
_BOUNDS = {"kubernetes.services": SERVICES, "kubernetes.pods": PODS}
_FIRST = {"kubernetes.pods": "10.244.0.0", "kubernetes.services": "10.96.0.0"}


def _networks(cluster: Cluster) -> tuple[tuple[str, IPv4Network], ...]:
    named = (("kubernetes.pods", cluster.pods), ("kubernetes.services", cluster.services))
    return tuple((path, IPv4Network(text)) for path, text in named)


def sizes_of_cluster_networks(subject: Subject) -> Iterator[Remark]:
    cluster = subject.design.kubernetes
    for path, network in _networks(cluster) if cluster else ():
        largest, smallest = _BOUNDS[path]
        if largest <= network.prefixlen <= smallest:
            continue
        word = "large" if network.prefixlen < largest else "small"
        prefix = 16 if path == "kubernetes.pods" else largest
        yield error(
            path,
            f"{network} is too {word}: kubeadm and the API server take a /{largest} to /{smallest} there.",
            set_to(_free(subject.design, path, prefix)),
        )


def unfit_cluster_networks(subject: Subject) -> Iterator[Remark]:
    cluster = subject.design.kubernetes
    for path, network in _networks(cluster) if cluster else ():
        if network.is_loopback or network.is_multicast or network.is_link_local or network.is_reserved:
            largest, smallest = _BOUNDS[path]
            yield error(
                path,
                f"{network} is set aside for other uses (loopback, link-local, multicast). Neither pods nor"
                " Services can have its addresses.",
                set_to(_free(subject.design, path, min(max(network.prefixlen, largest), smallest))),
            )


def _free(design: Design, path: str, prefix: int) -> IPv4Network | None:
    return free_network(prefix, taken_networks_of(design, path), _FIRST[path])


def unreadable_configuration(subject: Subject) -> Iterator[Remark]:
    cluster = subject.design.kubernetes
    if cluster is None or cluster.bootstrap == "none" or minor_version(cluster) >= KUBEADM_SINCE:
        return
    reason = (
        f"Here kubeadm is told everything in v1beta4, which came with Kubernetes 1.{KUBEADM_SINCE}: that of"
        f" {cluster.version} cannot read it."
        if cluster.bootstrap == "kubeadm"
        else f"KubeOne {KUBEONE} makes clusters of versions that were maintained when it came, and"
        f" {cluster.version} was not."
    )
    yield error(
        "kubernetes.bootstrap",
        reason,
        f"Set it to none for a cluster of {cluster.version} that is there already; or set"
        f' kubernetes.version to "{KUBERNETES}", and storage.distribution to rook.',
    )
