"""The doors from outside where no Gateway is: a port of its own for each, the same on every node.

TLS is passed through there too: whoever stands in front of the nodes looks at the name that is asked for
(`balancer.py` is what ours does), and kube-proxy leads what comes to a node's port to the pods, wherever they
are.
"""

from __future__ import annotations

from rookery.apps.ground.names import PART_OF
from rookery.design.model import Design
from rookery.manifest import Item, Manifest, Objects, common_labels, manifest
from rookery.projections.kubernetes.doors import Door, doors_of

_LABELS = common_labels("node-ports", part_of=PART_OF)


def node_port_items(design: Design) -> tuple[Item, ...]:
    """Return a Service with a node port for each door; nothing where nothing is reached from outside."""
    doors = doors_of(design)
    if not doors:
        return ()
    listed = ", ".join(f"{door.node_port} {door.name}" for door in doors)
    return (
        Objects(
            name="node-ports",
            why=f"A port on every node for each name: {listed}. Each Service is where its pods are.",
            objects=tuple(_service(door) for door in doors),
        ),
    )


def _service(door: Door) -> Manifest:
    port = {"name": "https", "port": door.port, "targetPort": door.target, "nodePort": door.node_port}
    spec = {"type": "NodePort", "selector": dict(door.pods), "ports": [port]}
    return manifest(
        "v1", "Service", f"{door.name}-outside", namespace=door.namespace, labels=_LABELS, spec=spec
    )
