"""Clouds' own controllers: they say which server a node is, and make load balancers for Services.

A row for each cloud whose controller the tree installs; its `controller` in `providers.py` says so as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rookery.apps.ground.names import SYSTEM
from rookery.apps.ground.pods import sized
from rookery.design.model import Design
from rookery.design.pods import CLOUD_CONTROLLER
from rookery.manifest import Item, Release, Wait
from rookery.providers import Provider
from rookery.versions import HCLOUD_CLOUD_CONTROLLER

# Where Hetzner's load balancer is: in the network zone of the servers, hence where the price book has them.
_HETZNER_LOCATION = "hel1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """A cloud's controller: the items that install it, and what a load balancer's Service is noted with, by
    the name that the load balancer is to have."""

    items: Callable[[Design], tuple[Item, ...]]
    balancer: Callable[[str], dict[str, str]]


def _hetzner_items(design: Design) -> tuple[Item, ...]:
    return (_hetzner_secret(), _hetzner(design))


def _hetzner_balancer(name: str) -> dict[str, str]:
    prefix = "load-balancer.hetzner.cloud"
    return {
        f"{prefix}/name": name,
        f"{prefix}/location": _HETZNER_LOCATION,
        f"{prefix}/use-private-ip": "true",
    }


def _hetzner_secret() -> Wait:
    """Return the wait for what only the account's owner has: it ends at once where it is there."""
    opaque = "jsonpath={.type}=Opaque"
    return Wait(kind="secret", name="hcloud", condition=opaque, seconds=10, namespace=SYSTEM)


def _hetzner(design: Design) -> Release:
    assert design.kubernetes is not None
    values = {
        "networking": {"enabled": True, "clusterCIDR": design.kubernetes.pods},
        "env": {
            "HCLOUD_TOKEN": {"valueFrom": {"secretKeyRef": {"name": "hcloud", "key": "token"}}},
            # Set where the account is asked at another address than Hetzner's own.
            "HCLOUD_ENDPOINT": {
                "valueFrom": {"secretKeyRef": {"name": "hcloud", "key": "endpoint", "optional": True}}
            },
            # Cilium's tunnel needs no routes in Hetzner's network.
            "HCLOUD_NETWORK_ROUTES_ENABLED": {"value": "false"},
            "HCLOUD_LOAD_BALANCERS_USE_PRIVATE_IP": {"value": "true"},
            # At Hetzner zone and region have the same name, and a new Rook cluster refuses that: "topology
            # conflict detected" (rook issue 16557).
            "HCLOUD_INSTANCES_ZONE_LABEL_ENABLED": {"value": "false"},
        },
        "resources": sized(CLOUD_CONTROLLER),
    }
    return Release(
        name="hcloud-cloud-controller-manager",
        why="Says which server of Hetzner's a node is, and makes load balancers for Services that ask for "
        "one. It reads the token and the network's name from the secret `hcloud`. `rookery up` makes that "
        "where it makes the servers; otherwise it is yours to make: `kubectl create secret generic hcloud "
        "--namespace kube-system --from-file=token --from-literal=network=NAME`, with the token in the file "
        "`token`.",
        namespace=SYSTEM,
        chart=HCLOUD_CLOUD_CONTROLLER,
        values=values,
    )


CONTROLLERS: Mapping[Provider, Controller] = {
    "hetzner": Controller(items=_hetzner_items, balancer=_hetzner_balancer),
}
