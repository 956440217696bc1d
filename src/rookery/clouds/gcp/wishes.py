"""What a design asks, in the words of Google's API: the bodies of the requests that make things."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rookery.clouds.cloud import Labels, There
from rookery.clouds.gcp.seen import INSIDE, OF_BALANCER, SSH_KEYS, description_of, labels_of, path_in
from rookery.plan.resources import (
    BalancerWish,
    FirewallWish,
    GroupWish,
    NetworkWish,
    Opening,
    ServerWish,
    VolumeWish,
    Wish,
)
from rookery.units import GIB

Json = dict[str, Any]

IMAGES, FAMILY = "ubuntu-os-cloud", "ubuntu-2204-lts"
SYSTEM_DISK = "pd-balanced"
DRIVES: Mapping[str, str] = {"ssd": "pd-balanced", "nvme": "pd-ssd", "hdd": "pd-standard"}
"""The drives of each device class, as the price book has them."""

SMALLEST = 10  # GiB, of a disk
_ANYWHERE = ["0.0.0.0/0"]
_INWARDS: Json = {"direction": "INGRESS", "priority": 1000}
_WAYS = {"": "EXTERNAL", INSIDE: "INTERNAL"}
_LOGIN = "ubuntu"


def gib(size: int) -> int:
    """Return the size of a disk in GiB that holds so many bytes."""
    return max(SMALLEST, math.ceil(size / GIB))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be made: its name and wish, with the labels that it gets and what is there that it needs."""

    name: str
    wish: Wish
    labels: Labels
    there: There

    @property
    def said(self) -> str:
        """The description, of what has no labels from the start."""
        return description_of(self.labels)

    def network(self, name: str) -> tuple[str, str]:
        """Return the path of a network by its resource's id, and that of its subnetwork."""
        made = self.there[name]
        assert isinstance(made.seen, Mapping)
        return made.id, subnetwork_of(made.seen)


def network_body(asked: Asked) -> Json:
    """Return a network without a subnetwork: those of Google's own choice are not wanted."""
    wish = asked.wish
    assert isinstance(wish, NetworkWish)
    return {
        "name": asked.name,
        "description": asked.said,
        "autoCreateSubnetworks": False,
        "mtu": wish.mtu,
        "routingConfig": {"routingMode": "REGIONAL"},
    }


def subnetwork_body(asked: Asked, network: str) -> Json:
    """Return the one subnetwork, which is all of the network."""
    wish = asked.wish
    assert isinstance(wish, NetworkWish)
    return {
        "name": asked.name,
        "description": asked.said,
        "network": network,
        "ipCidrRange": wish.cidr,
        "stackType": "IPV4_ONLY",
    }


def allowed(openings: tuple[Opening, ...]) -> list[Json]:
    """Return what a rule lets in."""
    ports = [str(one.port) for one in openings if one.port]
    tcp = [{"IPProtocol": "tcp", "ports": ports}] if ports else []
    return [*tcp, *({"IPProtocol": "icmp"} for one in openings if not one.port)]


def firewall_bodies(asked: Asked) -> tuple[Json, Json]:
    """Return the rules of a firewall: what servers send each other first, by which the second is the last."""
    wish = asked.wish
    assert isinstance(wish, FirewallWish)
    network = asked.there[wish.network]
    common = {**_INWARDS, "network": network.id, "description": asked.said}
    inside = {"sourceRanges": [network.private], "allowed": [{"IPProtocol": "all"}]}
    outside = {"sourceRanges": _ANYWHERE, "allowed": allowed(wish.openings)}
    return {"name": f"{asked.name}{INSIDE}", **inside, **common}, {"name": asked.name, **outside, **common}


def group_body(asked: Asked) -> Json:
    """Return a policy that spreads servers over so many of Google's domains of failure."""
    wish = asked.wish
    assert isinstance(wish, GroupWish)
    return {
        "name": asked.name,
        "description": asked.said,
        "groupPlacementPolicy": {"availabilityDomainCount": max(2, wish.servers)},
    }


def server_body(asked: Asked, zone: str) -> Json:
    """Return a server.

    It has no service account: nothing on it may ask Google for anything. Keys come with the instance, and
    none of the project's with them; OS Login, which a project may have, would leave those unread. Packets of
    pods travel inside those of servers, so none is forwarded.
    """
    wish = asked.wish
    assert isinstance(wish, ServerWish)
    network, subnetwork = asked.network(wish.network)
    metadata = {
        "user-data": wish.user_data,
        SSH_KEYS: f"{_LOGIN}:{wish.public_key}",
        "block-project-ssh-keys": "TRUE",
        "enable-oslogin": "FALSE",
    }
    nic = {
        "network": network,
        "subnetwork": subnetwork,
        "networkIP": wish.address,
        "accessConfigs": [{"type": "ONE_TO_ONE_NAT", "name": "External NAT", "networkTier": "PREMIUM"}],
    }
    return {
        "name": asked.name,
        "labels": labels_of(asked.labels),
        "machineType": f"zones/{zone}/machineTypes/{wish.machine}",
        "canIpForward": False,
        "disks": [_system_disk(asked, wish, zone)],
        "networkInterfaces": [nic],
        "metadata": {"items": [{"key": key, "value": value} for key, value in metadata.items()]},
        "resourcePolicies": [asked.there[wish.group].id] if wish.group else [],
        "scheduling": {"onHostMaintenance": "MIGRATE", "automaticRestart": True},
    }


def _system_disk(asked: Asked, wish: ServerWish, zone: str) -> Json:
    """Return the disk that a server starts from, and takes with it when it goes."""
    return {
        "boot": True,
        "autoDelete": True,
        "deviceName": "system",
        "initializeParams": {
            "diskName": asked.name,
            "diskSizeGb": str(gib(wish.disk)),
            "diskType": f"zones/{zone}/diskTypes/{SYSTEM_DISK}",
            "sourceImage": f"projects/{IMAGES}/global/images/family/{FAMILY}",
            "labels": labels_of(asked.labels),
        },
    }


def volume_body(asked: Asked, zone: str) -> Json:
    """Return a raw drive."""
    wish = asked.wish
    assert isinstance(wish, VolumeWish)
    return {
        "name": asked.name,
        "labels": labels_of(asked.labels),
        "sizeGb": str(gib(wish.size)),
        "type": f"zones/{zone}/diskTypes/{DRIVES.get(wish.device_class, SYSTEM_DISK)}",
    }


def balancer_stages(asked: Asked, place: Mapping[str, str]) -> Iterator[list[tuple[str, Json]]]:
    """Yield the parts of a load balancer, those together that can be made side by side.

    One forwarding rule answers at a public address that is kept, and one at the address in the network.
    Neither changes addresses: servers see the client's own, so the firewall lets in whoever asks.
    """
    wish = asked.wish
    assert isinstance(wish, BalancerWish)
    yield _before_services(asked, wish)
    yield [("regionBackendServices", _service(asked, place, end)) for end in _WAYS]
    yield [("forwardingRules", _forwarding_rule(asked, wish, place, end)) for end in _WAYS]


def _before_services(asked: Asked, wish: BalancerWish) -> list[tuple[str, Json]]:
    network, _ = asked.network(wish.network)
    common = {"name": asked.name, "description": asked.said}
    address = {"addressType": "EXTERNAL", "networkTier": "PREMIUM"}
    lets_in = [{"IPProtocol": "tcp", "ports": _ports(wish)}]
    rule = {"network": network, "sourceRanges": _ANYWHERE, "allowed": lets_in, **_INWARDS}
    return [
        ("addresses", {**common, **address}),
        ("regionHealthChecks", {**common, **_health(wish)}),
        ("instanceGroups", {**common, "network": network}),
        ("firewalls", {**common, **rule, "description": f"{asked.said} {OF_BALANCER}"}),
    ]


def _service(asked: Asked, place: Mapping[str, str], end: str) -> Json:
    group = f"zones/{place['zone']}/instanceGroups/{asked.name}"
    return {
        "name": f"{asked.name}{end}",
        "description": asked.said,
        "protocol": "TCP",
        "loadBalancingScheme": _WAYS[end],
        "healthChecks": [f"regions/{place['region']}/healthChecks/{asked.name}"],
        "backends": [{"group": group, "balancingMode": "CONNECTION"}],
    }


def _forwarding_rule(asked: Asked, wish: BalancerWish, place: Mapping[str, str], end: str) -> Json:
    region = f"regions/{place['region']}"
    network, subnetwork = asked.network(wish.network)
    outside = {"IPAddress": f"{region}/addresses/{asked.name}", "networkTier": "PREMIUM"}
    inside = {"IPAddress": wish.address, "network": network, "subnetwork": subnetwork}
    return {
        "name": f"{asked.name}{end}",
        "description": asked.said,
        "IPProtocol": "TCP",
        "ports": _ports(wish),
        "loadBalancingScheme": _WAYS[end],
        "backendService": f"{region}/backendServices/{asked.name}{end}",
        **(inside if end else outside),
    }


def _ports(wish: BalancerWish) -> list[str]:
    return [str(service.port) for service in wish.services]


def _health(wish: BalancerWish) -> Json:
    """Return when a target is healthy: by a path over TLS where one is asked, else by a connection."""
    service = wish.services[0]
    often = {"checkIntervalSec": 5, "timeoutSec": 5, "healthyThreshold": 1, "unhealthyThreshold": 2}
    if service.check:
        return {
            "type": "HTTPS",
            "httpsHealthCheck": {"port": service.port, "requestPath": service.check},
            **often,
        }
    return {"type": "TCP", "tcpHealthCheck": {"port": service.port}, **often}


def parts_of(name: str) -> list[tuple[str, str]]:
    """Return the collections and names of all that a load balancer consists of."""
    doubled = [
        (one, f"{name}{end}") for one in ("backendServices", "forwardingRules") for end in ("", INSIDE)
    ]
    return [*((one, name) for one in ("addresses", "healthChecks", "instanceGroups", "firewalls")), *doubled]


def subnetwork_of(network: Mapping[str, Any]) -> str:
    """Return the path of a network's subnetwork, as it was seen; empty without."""
    return next((path_in(one["selfLink"]) for one in network.get("subnetworks", ())), "")
