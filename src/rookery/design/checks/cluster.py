"""Checks of a design that runs on Kubernetes: versions that fit each other, networks, backups."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from rookery.design.checks.finding import Remark, Subject, error, info, warning
from rookery.design.checks.free import free_network, set_to, taken_networks_of
from rookery.design.cluster import has_cilium
from rookery.design.model import Cluster
from rookery.versions import DISTRIBUTIONS, KUBERNETES

_NODE_PREFIX = 24
# Where a free network is looked for first: at the defaults.
_FIRST = {"kubernetes.pods": "10.244.0.0", "kubernetes.services": "10.96.0.0"}


def _minor(version: str) -> int:
    return int(version.partition(".")[2])


def _named(cluster: Cluster) -> tuple[tuple[str, IPv4Network], ...]:
    pods, services = IPv4Network(cluster.pods), IPv4Network(cluster.services)
    return (("kubernetes.pods", pods), ("kubernetes.services", services))


def unfit_distribution(subject: Subject) -> Iterator[Remark]:
    cluster = subject.design.kubernetes
    if cluster is None:
        return
    distribution = DISTRIBUTIONS[subject.design.distribution]
    oldest, newest = distribution.kubernetes
    if not oldest <= _minor(cluster.version) <= newest:
        others = " No release of it is newer." if subject.design.distribution == "ksd" else ""
        yield error(
            "storage.distribution",
            f"{distribution.title} supports Kubernetes 1.{oldest} to 1.{newest}, and this is"
            f" {cluster.version}.{others}",
            _other_version(subject.design.distribution, _minor(cluster.version), newest),
        )


def unfit_release(subject: Subject) -> Iterator[Remark]:
    design = subject.design
    distribution = DISTRIBUTIONS[design.distribution]
    if design.kubernetes is not None and design.ceph != distribution.ceph:
        image = distribution.ceph_image.rpartition(":v")[2]
        older = distribution.oldest_ceph and int(design.ceph) < int(
            distribution.oldest_ceph.partition(".")[0]
        )
        least = f" It takes nothing below {distribution.oldest_ceph}." if older else ""
        yield error(
            "storage.ceph",
            f"{distribution.title} comes with Ceph {image}, and this is {design.ceph}.{least}",
            "Leave it out.",
        )


def _other_version(distribution: str, minor: int, newest: int) -> str:
    """Return what to set where a distribution does not know a version: whatever else is set must fit too."""
    if distribution != "ksd":
        return f'Set kubernetes.version to "1.{newest}".'
    first, last = DISTRIBUTIONS["rook"].kubernetes
    also = "" if first <= minor <= last else f', and kubernetes.version to "1.{last}"'
    return f"Set storage.distribution to rook{also}."


def unproven_version(subject: Subject) -> Iterator[Remark]:
    cluster = subject.design.kubernetes
    if cluster is not None and cluster.version != KUBERNETES:
        yield warning(
            "kubernetes.version",
            f"The charts, images and CRI-O that are pinned were chosen for Kubernetes {KUBERNETES}; with"
            f" {cluster.version} some may not start.",
            f"Leave it out, which is {KUBERNETES}.",
        )


def overlapping_cluster_networks(subject: Subject) -> Iterator[Remark]:
    cluster, network = subject.design.kubernetes, subject.design.network
    if cluster is None:
        return
    servers = [("network.public", network.public), ("network.cluster", network.cluster)]
    known = [(path, IPv4Network(text)) for path, text in servers if text]
    for path, inner in _named(cluster):
        first = _FIRST[path]
        for other, outer in known:
            if inner.overlaps(outer):
                yield error(
                    path,
                    f"{inner} overlaps {other} ({outer}). Packets for one would go to the other.",
                    set_to(free_network(inner.prefixlen, taken_networks_of(subject.design, path), first)),
                )
        known.append((path, inner))


def _prefix_for(nodes: int) -> int:
    """Return the prefix of the smallest network that has a part for each of so many nodes."""
    return _NODE_PREFIX - (nodes - 1).bit_length()


def small_pod_network(subject: Subject) -> Iterator[Remark]:
    cluster = subject.design.kubernetes
    if cluster is None:
        return
    pods = IPv4Network(cluster.pods)
    room = 2 ** (_NODE_PREFIX - pods.prefixlen) if pods.prefixlen <= _NODE_PREFIX else 0
    nodes = len(subject.design.servers)
    if room < nodes:
        path = "kubernetes.pods"
        yield error(
            path,
            f"Each of {nodes} nodes gets a /{_NODE_PREFIX} of {pods}, which has {room} of them.",
            set_to(free_network(_prefix_for(nodes), taken_networks_of(subject.design, path), _FIRST[path])),
        )


def no_cloud_controller(subject: Subject) -> Iterator[Remark]:
    design, traits = subject.design, subject.design.traits
    if design.kubernetes is not None and traits.balancer == "cloud" and not traits.controller:
        yield warning(
            "provider",
            f"No cloud controller is installed for {design.provider}: the Gateway's Service gets no"
            " address of a load balancer there.",
            "Install the provider's own, or reach the Gateway by its node port.",
        )


def backups_beside_data(subject: Subject) -> Iterator[Remark]:
    """The database's own backups; where `backup` is on, RK001 says it of those of everything."""
    design = subject.design
    if design.kubernetes is None or design.backup is not None:
        return
    if design.database is not None and design.object_store is not None:
        yield info(
            "apps.database",
            "The database's backups go to a bucket of the same Ceph that holds the database: they help"
            " against mistakes, not against the loss of Ceph; and nothing else is backed up.",
            "Write `backup: {}`, which can copy every kind of backup elsewhere.",
        )


def private_site(subject: Subject) -> Iterator[Remark]:
    """Rook before 1.17 gives a claimed bucket no policy, and the edges read without credentials."""
    design = subject.design
    if design.kubernetes is not None and design.distribution == "ksd" and design.buckets:
        names = ", ".join(bucket.name for bucket in design.buckets)
        yield warning(
            "storage.distribution",
            f"{DISTRIBUTIONS['ksd'].title} gives claimed buckets no policy, so the edges may not read"
            f" {names}: the site answers 404.",
            "Set the buckets' policy by hand once they are there, or set storage.distribution to rook.",
        )


def open_pod_network(subject: Subject) -> Iterator[Remark]:
    design = subject.design
    if design.kubernetes is not None and not has_cilium(design):
        yield info(
            "kubernetes.network",
            "Pods are connected by a plain bridge: network policies are applied and nobody enforces them, and"
            " pods' traffic is not encrypted between nodes.",
            "Set kubernetes.network to cilium where others share the network or the cluster.",
        )


def bridge_on_a_cloud(subject: Subject) -> Iterator[Remark]:
    design = subject.design
    if design.kubernetes is not None and not has_cilium(design) and not design.traits.network.carries_pods:
        yield error(
            "kubernetes.network",
            f"The network between servers of {design.provider} carries packets of servers only: with a plain"
            " bridge, pods do not reach those of other nodes.",
            "Set kubernetes.network to cilium, or leave it out.",
        )


def other_bootstrap_on_a_lab(subject: Subject) -> Iterator[Remark]:
    cluster, design = subject.design.kubernetes, subject.design
    if cluster is not None and cluster.bootstrap not in design.traits.bootstraps:
        yield error(
            "kubernetes.bootstrap",
            f"The lab's servers are made for kubeadm with CRI-O, and this is {cluster.bootstrap}.",
            "Leave it out; for others, use servers of your own (`provider: existing`).",
        )
