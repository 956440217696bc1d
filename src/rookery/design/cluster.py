"""The Kubernetes cluster of a design: its networks, its API's address, the domain of its services."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address

from rookery.design.model import Cluster, Design, Frontend, Host, Role
from rookery.design.stored import Claim
from rookery.providers import PROVIDERS
from rookery.spec.model import Spec
from rookery.units import GIB

API_PORT = 6443
# Each node gets a /24 of the pods' network: 256 of them fit the usual one, 4,096 the larger one.
_PODS = "10.244.0.0/16"
_MANY_PODS = "10.64.0.0/12"
_FEW_NODES = 250


# What monitoring keeps its figures on: volumes of these sizes in bytes.
PROMETHEUS_VOLUME, ALERTMANAGER_VOLUME = 10 * GIB, GIB


def monitoring_storage(design: Design) -> str:
    """Return what monitoring's volumes are on: rbd, where there is none cephfs, or nothing."""
    if any(pool.application == "rbd" for pool in design.pools):
        return "rbd"
    return "cephfs" if design.file_system is not None else ""


def monitoring_claims(design: Design) -> tuple[Claim, ...]:
    """Return what monitoring on Kubernetes asks for; nothing where there is none."""
    kept = monitoring_storage(design)
    if design.kubernetes is None or not design.kubernetes.monitoring or not kept:
        return ()
    sizes = (("Prometheus", PROMETHEUS_VOLUME), ("Alertmanager", ALERTMANAGER_VOLUME))
    return tuple(
        Claim(what=f"{name}'s volume", path="kubernetes.monitoring", size=size, application=kept)
        for name, size in sizes
    )


def build_cluster(spec: Spec, hosts: tuple[Host, ...]) -> Cluster:
    """Return the cluster that runs on `hosts`, the load balancer among them where there is one.

    Where the load balancer is the user's own, the API is reached at the first control plane: it need not be
    there before the cluster.
    """
    chosen = spec.kubernetes
    servers = [host for host in hosts if Role.LOAD_BALANCER not in host.roles]
    balancer = next((host for host in hosts if Role.LOAD_BALANCER in host.roles), None)
    first = next(host for host in servers if Role.CONTROL_PLANE in host.roles)
    door = first if balancer is None or PROVIDERS[spec.provider].balancer == "user" else balancer
    return Cluster(
        version=chosen.version,
        bootstrap=chosen.bootstrap,
        network=pod_network(spec),
        endpoint=f"{door.address}:{API_PORT}",
        pods=chosen.pods or (_PODS if len(servers) <= _FEW_NODES else _MANY_PODS),
        services=chosen.services,
        domain=chosen.domain or f"{spec.name}.internal",
        monitoring=chosen.monitoring,
    )


# The minor version of Kubernetes 1 that brought kubeadm.k8s.io/v1beta4 (doc.go of that package), in which
# kubeadm is told everything here.
KUBEADM_SINCE = 31
# That which lets a container sleep before it is stopped without a program of its own
# (PodLifecycleSleepAction, on by default since then).
SLEEP_SINCE = 30


def minor_version(cluster: Cluster) -> int:
    """Return the minor version of Kubernetes 1."""
    return int(cluster.version.partition(".")[2])


def pod_network(spec: Spec) -> str:
    """Return who connects the pods of a spec: cilium or bridge."""
    return spec.kubernetes.network or PROVIDERS[spec.provider].pod_network


def has_cilium(design: Design) -> bool:
    """Whether Cilium connects the pods: it knows who its own proxy and the API server are, has a Gateway, and
    needs no kube-proxy."""
    return design.kubernetes is not None and design.kubernetes.network == "cilium"


def gateway_address(design: Design) -> str:
    """Return the address that the Gateway gets where no cloud gives it one.

    On servers that are there already it is the load balancer's, which nobody else has. In a lab the load
    balancer is a server, and whoever makes load stands right behind it: it is the first free one after both.
    """
    balancer = design.load_balancer
    if balancer is None or design.traits.balancer != "server":
        return (balancer or design.servers[0]).address
    taken = {host.address for host in design.hosts}
    address = IPv4Address(balancer.address) + 2
    while str(address) in taken:
        address += 1
    return str(address)


# What is reached from outside, each by a name of its own below the domain, all at one port: clients say the
# name before TLS begins. The database and the catalogue are reached inside; the site has the catalogue's API.
GATEWAY_PORT = 443
OUTSIDE = ("site", "s3", "dashboard")


def cluster_frontends(frontends: Sequence[Frontend], hosts: tuple[Host, ...]) -> tuple[Frontend, ...]:
    """Return what a load balancer leads to on Kubernetes, of what it would lead to elsewhere: the Gateway's
    services, and the API servers."""
    outside = (replace(front, port=GATEWAY_PORT) for front in frontends if front.name in OUTSIDE)
    return (*outside, api_frontend(hosts))


def api_frontend(hosts: tuple[Host, ...]) -> Frontend:
    """Return the load balancer's port for the API servers of the control planes."""
    return Frontend(
        name="api",
        port=API_PORT,
        backends=tuple((host.name, host.address) for host in hosts if Role.CONTROL_PLANE in host.roles),
        backend_port=API_PORT,
        check="/readyz",
    )
