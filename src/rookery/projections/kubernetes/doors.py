"""What is reached from outside, each by a name of its own below the domain, and the pods that end its TLS.

A Gateway leads there through Services (`gateway.py`); without one, a load balancer in front of the nodes does
through ports of theirs (`node_ports.py`, `balancer.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from rookery.apps.ground.names import DASHBOARD_SERVICE, NAMESPACE, ROOK, S3_PODS, S3_PORT, S3_SERVICE, STORE
from rookery.apps.ground.pods import labels
from rookery.design.cluster import OUTSIDE
from rookery.design.model import Design
from rookery.manifest import selector

_DASHBOARD_PORT = 8443


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What is reached from outside as NAME.DOMAIN, and the Service that ends its TLS.

    `pods` are the labels of the Service's pods, `target` the port or its name in them; `node_port` is the one
    on every node where no Gateway is: fixed, because a load balancer outside is told of it.
    """

    name: str
    service: str
    port: int
    namespace: str
    pods: tuple[tuple[str, str], ...]
    target: int | str
    node_port: int


def doors_of(design: Design) -> tuple[Door, ...]:
    """Return the doors of a design: the site, S3 and the dashboard, where each is there."""
    found = list(_sites(design))
    if design.object_store is not None:
        found.append(
            Door(
                name="s3",
                service=S3_SERVICE,
                port=S3_PORT,
                namespace=ROOK,
                pods=(*S3_PODS, ("rook_object_store", STORE)),
                target=S3_PORT,
                node_port=30444,
            )
        )
    if design.dashboard:
        found.append(
            Door(
                name="dashboard",
                service=DASHBOARD_SERVICE,
                port=_DASHBOARD_PORT,
                namespace=ROOK,
                # Rook's managers label themselves: only the active one has the dashboard.
                pods=(("app", "rook-ceph-mgr"), ("mgr_role", "active")),
                target=_DASHBOARD_PORT,
                node_port=30445,
            )
        )
    return tuple(found)


def _sites(design: Design) -> tuple[Door, ...]:
    """Return the door of the website, where there is one: to the Service of whoever answers it."""
    return tuple(
        Door(
            name=front.name,
            service=app.placements[0][1].name,
            port=443,
            namespace=NAMESPACE,
            pods=tuple(selector(labels(app.placements[0][1]))["matchLabels"].items()),
            target="https",
            node_port=30443,
        )
        for app in design.apps
        for front in app.frontends
        if front.name in OUTSIDE
    )
