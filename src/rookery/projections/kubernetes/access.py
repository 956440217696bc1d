"""The stage before the applications: who may speak to whom, and the one door from outside."""

from __future__ import annotations

from rookery.apps.ground.policies import policy_items
from rookery.design.cluster import has_cilium
from rookery.design.model import Design
from rookery.manifest import Item, Stage
from rookery.projections.kubernetes.doors import doors_of
from rookery.projections.kubernetes.gateway import gateway_items
from rookery.projections.kubernetes.node_ports import node_port_items

_WHY = """\
Nothing may speak to anything in the applications' namespace, and then exactly what each part needs is
allowed. The Gateway is the only way in from outside. It looks at the name that a client asks for (SNI) and
passes TLS through, so TLS ends where the data is: at the edges, at the S3 gateways, at Ceph's dashboard."""

_INSIDE_WHY = """\
Nothing may speak to anything in the applications' namespace, and then exactly what each part needs is
allowed. Nothing of this system is reached from outside."""

_NODE_PORTS_WHY = """\
Nothing may speak to anything in the applications' namespace but what each part needs: that is written down
here, and holds where a network plugin enforces it, which a bridge does not. From outside each service has a
port of its own, the same on every node. A load balancer in front of the nodes looks at the name that a client
asks for (SNI) and passes TLS through to that port, so TLS ends where the data is: at the edges, at the S3
gateways, at Ceph's dashboard."""


def access_stage(design: Design) -> Stage:
    """Return the stage."""
    doors: tuple[Item, ...]
    if not doors_of(design):
        title, why, doors = "Policies", _INSIDE_WHY, ()
    elif has_cilium(design):
        title, why, doors = "Policies and the Gateway", _WHY, gateway_items(design)
    else:
        title, why, doors = "Policies and node ports", _NODE_PORTS_WHY, node_port_items(design)
    return Stage(name="70-access", title=title, why=why, items=(*policy_items(design), *doors))
