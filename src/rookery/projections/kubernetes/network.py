"""The stage after which nodes are Ready: what connects pods, and the cloud's own controller.

Cilium is installed here, with Gateway API's definitions. A plain bridge was laid by the bootstrap
(`bootstrap/roles/bridge`): nothing of it is an object in the cluster.
"""

from __future__ import annotations

from typing import Any

from rookery.apps.ground.names import SYSTEM
from rookery.apps.ground.pods import sized
from rookery.design.cluster import gateway_address, has_cilium
from rookery.design.model import Design
from rookery.design.pods import CILIUM_AGENT, CILIUM_OPERATOR, cilium_operators
from rookery.manifest import Item, Manifest, Objects, Release, Remote, Stage, Wait, manifest
from rookery.projections.kubernetes.controllers import CONTROLLERS
from rookery.versions import CILIUM, GATEWAY_API

_GATEWAY_API = "https://github.com/kubernetes-sigs/gateway-api"

_WHY = """\
Until a network plugin runs, nodes stay NotReady: that is the state in which kubeadm leaves them. Cilium takes
the part of kube-proxy too, so it must be told where the API server is. It also implements Gateway API, whose
definitions have to be there before it starts. Pods' traffic between nodes is encrypted (WireGuard); Ceph's
clients are the nodes' kernels and not pods, so Ceph's traffic is protected by its own protocol instead."""


_BRIDGE_WHY = """\
Pods are connected before this stage begins: by the bootstrap, with a bridge on each node and a route to every
other node's pods, or by the plugin that the cluster came with. kube-proxy leads Services' addresses to pods.
So all that is left is to wait for the nodes.

A bridge is light, has no pods of its own, and asks nothing of the kernel but bridges and nftables: it is what
the lab uses. What it does not do: nobody enforces the network policies that later stages apply, and pods'
traffic between nodes is not encrypted. It also takes servers that reach each other without a router between
them. `kubernetes.network: cilium` in the spec is the choice where others share the network or the cluster."""


def network_stage(design: Design) -> Stage:
    """Return the stage; the cloud's controller is part of it, because nodes wait for that as well."""
    cilium = has_cilium(design)
    items = _cilium(design) if cilium else []
    if design.provider in CONTROLLERS:
        items += CONTROLLERS[design.provider].items(design)
    items.append(Wait(kind="node", name="--all", condition="condition=Ready", seconds=600))
    if announces_addresses(design):
        items.append(_address_pool(design))
    why = _WHY if cilium else _BRIDGE_WHY
    return Stage(name="20-network", title="Network", why=why, items=tuple(items))


def _cilium(design: Design) -> list[Item]:
    return [
        Remote(
            name="gateway-api",
            why="Gateway API's custom resource definitions, standard channel.",
            url=f"{_GATEWAY_API}/releases/download/{GATEWAY_API}/standard-install.yaml",
            repository=_GATEWAY_API,
            tag=GATEWAY_API,
            path="./config/crd/standard",
        ),
        Release(
            name="cilium",
            why="The network of the pods, in place of kube-proxy, and the Gateway's implementation.",
            namespace=SYSTEM,
            chart=CILIUM,
            values=cilium_values(design),
            # Nodes that a cloud's controller has not met yet take no pods but Cilium's own.
            waits=False,
        ),
    ]


def announces_addresses(design: Design) -> bool:
    """Whether Cilium itself gives Services of type LoadBalancer their address: where no cloud does."""
    return has_cilium(design) and design.traits.balancer != "cloud"


def cilium_values(design: Design) -> dict[str, Any]:
    """Return the values of Cilium's chart."""
    cluster = design.kubernetes
    assert cluster is not None
    host, _, port = cluster.endpoint.rpartition(":")
    return {
        "kubeProxyReplacement": "true",
        "k8sServiceHost": host,
        "k8sServicePort": port,
        # Each node's part of the pods' network, as kubeadm's controller manager hands it out.
        "ipam": {"mode": "kubernetes"},
        "routingMode": "tunnel",
        "tunnelProtocol": "vxlan",
        # Of the network between the servers; Cilium takes its own headers off.
        "MTU": design.network.mtu,
        "encryption": {"enabled": True, "type": "wireguard"},
        "gatewayAPI": {"enabled": True},
        "operator": {"replicas": cilium_operators(design), "resources": sized(CILIUM_OPERATOR)},
        "hubble": {"enabled": True, "relay": {"enabled": False}, "ui": {"enabled": False}},
        "l2announcements": {"enabled": announces_addresses(design)},
        "resources": sized(CILIUM_AGENT),
    }


def _address_pool(design: Design) -> Objects:
    pool = {"blocks": [{"cidr": f"{gateway_address(design)}/32"}]}
    policy = {"loadBalancerIPs": True, "interfaces": ["^(eth|ens|enp).*"]}
    objects: tuple[Manifest, ...] = (
        manifest("cilium.io/v2", "CiliumLoadBalancerIPPool", "public", spec=pool),
        manifest("cilium.io/v2alpha1", "CiliumL2AnnouncementPolicy", "public", spec=policy),
    )
    return Objects(
        name="addresses",
        why="No cloud hands out addresses here: Cilium answers for the load balancer's one (ARP), from one "
        "node at a time.",
        objects=objects,
    )
