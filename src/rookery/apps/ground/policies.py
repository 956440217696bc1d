"""Who may speak to whom in the applications' namespace: nobody, and then what each component needs.

What is allowed stands with the application that needs it. A policy is Kubernetes' own NetworkPolicy where
that can say it. It knows pods and addresses only: what comes from the Gateway, or goes to Kubernetes' API
server, is neither, so there it is Cilium's. Without Cilium it is the port alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rookery.apps.ground.names import MONITORING, NAMESPACE, PART_OF, ROOK, S3_PODS, S3_PORT, SYSTEM
from rookery.design.cluster import API_PORT, has_cilium
from rookery.design.model import Design
from rookery.manifest import Item, Manifest, Objects, common_labels, manifest, selector

_LABELS = common_labels("network", part_of=PART_OF)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The other side of what is allowed: pods with these labels, and the TCP ports of whoever is asked."""

    labels: tuple[tuple[str, str], ...]
    ports: tuple[int, ...]
    namespace: str = NAMESPACE


GATEWAYS = Peer(labels=S3_PODS, ports=(S3_PORT,), namespace=ROOK)
# Who makes load: a pod that is there while it does.
LOAD_LABELS = common_labels("load", component="generator", part_of=PART_OF)


def instances(app: str, component: str, *ports: int) -> Peer:
    """Return the pods of an application's component."""
    names = (("app.kubernetes.io/name", app), ("app.kubernetes.io/component", component))
    return Peer(labels=names, ports=ports)


def prometheus(*ports: int) -> Peer:
    """Return who collects figures."""
    return Peer(labels=(("app.kubernetes.io/name", "prometheus"),), ports=ports, namespace=MONITORING)


def network_policy(
    name: str,
    pod_labels: Mapping[str, str],
    *,
    of: Mapping[str, str] | None = None,
    incoming: Sequence[Peer] = (),
    outgoing: Sequence[Peer] = (),
) -> Manifest:
    """Return what the pods with the labels `of` may do, by default those of `pod_labels`."""
    spec: dict[str, Any] = {
        "podSelector": selector(pod_labels if of is None else of),
        "policyTypes": ["Ingress", "Egress"],
    }
    # An empty list means the same as none; the API server drops it, and each apply would be a change.
    if incoming:
        spec["ingress"] = [{"from": [_pods(peer)], "ports": _ports(peer)} for peer in incoming]
    if outgoing:
        spec["egress"] = [{"to": [_pods(peer)], "ports": _ports(peer)} for peer in outgoing]
    return manifest(
        "networking.k8s.io/v1", "NetworkPolicy", name, namespace=NAMESPACE, labels=pod_labels, spec=spec
    )


def from_outside(design: Design, name: str, pod_labels: Mapping[str, str], port: int) -> Manifest:
    """Return the policy that lets in what comes from outside: the Gateway, which is Cilium's own proxy and no
    pod, or whoever came through a node's port."""
    if not has_cilium(design):
        return _by_port(name, pod_labels, pod_labels, "ingress", port)
    rule = {"fromEntities": ["ingress"], "toPorts": [_cilium_port(port)]}
    return _cilium(name, pod_labels, pod_labels, {"ingress": [rule]})


def to_api_server(
    design: Design, name: str, pod_labels: Mapping[str, str], *, of: Mapping[str, str] | None = None
) -> Manifest:
    """Return the policy that lets pods ask Kubernetes' API server, which runs on hosts and is no pod."""
    chosen = pod_labels if of is None else of
    if not has_cilium(design):
        return _by_port(name, pod_labels, chosen, "egress", API_PORT)
    rule = {"toEntities": ["kube-apiserver"], "toPorts": [_cilium_port(API_PORT)]}
    return _cilium(name, pod_labels, chosen, {"egress": [rule]})


def policy_items(design: Design) -> tuple[Item, ...]:
    """Return what holds for every pod of the namespace; nothing where there are no applications."""
    if not design.apps:
        return ()
    nothing = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    names = {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [
            {
                "to": [_pods(Peer(labels=(("k8s-app", "kube-dns"),), ports=(), namespace=SYSTEM))],
                "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")],
            }
        ],
    }
    # It comes to the site and to S3 as their users do, from outside, and asks Ceph how full it is.
    anywhere = {
        "podSelector": selector(LOAD_LABELS),
        "policyTypes": ["Ingress", "Egress"],
        "egress": [{}],
    }
    objects = tuple(
        manifest(
            "networking.k8s.io/v1", "NetworkPolicy", name, namespace=NAMESPACE, labels=_LABELS, spec=spec
        )
        for name, spec in (("default-deny", nothing), ("dns", names), ("load", anywhere))
    )
    why = (
        "Nothing comes in and nothing goes out, but questions for names; a load that is started may go"
        " anywhere, as users do. What else is allowed comes with each application."
    )
    return (Objects(name="default-deny", why=why, objects=objects),)


def _pods(peer: Peer) -> dict[str, Any]:
    pods: dict[str, Any] = {"podSelector": {"matchLabels": dict(peer.labels)}}
    if peer.namespace == NAMESPACE:
        return pods
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": peer.namespace}}, **pods}


def _ports(peer: Peer) -> list[dict[str, Any]]:
    return [{"protocol": "TCP", "port": port} for port in peer.ports]


def _by_port(
    name: str, pod_labels: Mapping[str, str], of: Mapping[str, str], direction: str, port: int
) -> Manifest:
    """Return the policy that lets everybody through at one port."""
    spec = {
        "podSelector": selector(of),
        "policyTypes": [direction.capitalize()],
        direction: [{"ports": [{"protocol": "TCP", "port": port}]}],
    }
    return manifest(
        "networking.k8s.io/v1", "NetworkPolicy", name, namespace=NAMESPACE, labels=pod_labels, spec=spec
    )


def _cilium(
    name: str, pod_labels: Mapping[str, str], of: Mapping[str, str], rules: Mapping[str, Any]
) -> Manifest:
    spec = {"endpointSelector": selector(of), **rules}
    return manifest(
        "cilium.io/v2", "CiliumNetworkPolicy", name, namespace=NAMESPACE, labels=pod_labels, spec=spec
    )


def _cilium_port(port: int) -> dict[str, Any]:
    return {"ports": [{"port": str(port), "protocol": "TCP"}]}
