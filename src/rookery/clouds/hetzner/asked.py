"""What Hetzner's API is asked for each wish, and what of it a thing that is there does not have."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from rookery.clouds.hetzner.seen import Thing
from rookery.plan.resources import (
    BalancerWish,
    FirewallWish,
    KeyWish,
    NetworkWish,
    Opening,
    Service,
    VolumeWish,
)
from rookery.units import GB

SMALLEST_VOLUME = 10  # GB
_ANYWHERE = ["0.0.0.0/0", "::/0"]


def asked_subnet(wish: NetworkWish, zone: str) -> dict[str, Any]:
    """Return the one subnet of a network, which is all of it."""
    return {"type": "cloud", "ip_range": wish.cidr, "network_zone": zone}


def has_subnet(thing: Thing, wish: NetworkWish) -> bool:
    return any(one.get("ip_range") == wish.cidr for one in thing.get("subnets") or ())


def asked_rules(wish: FirewallWish) -> list[dict[str, Any]]:
    """Return a firewall's rules: what is let in, from anywhere. Servers' own network is not filtered."""
    return [_rule(opening) for opening in wish.openings]


def _rule(opening: Opening) -> dict[str, Any]:
    port = {"port": str(opening.port)} if opening.port else {}
    protocol = "tcp" if opening.port else "icmp"
    return {
        "direction": "in",
        "protocol": protocol,
        "source_ips": _ANYWHERE,
        "description": opening.why,
        **port,
    }


def rules_in_short(rules: Iterable[Thing]) -> frozenset[tuple[str, str, str]]:
    """Return what rules let through, to compare them by."""
    return frozenset((one["direction"], one["protocol"], str(one.get("port") or "")) for one in rules)


def is_same_key(thing: Thing, wish: KeyWish) -> bool:
    """Whether a key of the account is the one of this machine, whatever its comment is."""
    return str(thing["public_key"]).split()[:2] == wish.public.split()[:2]


def asked_size(wish: VolumeWish) -> int:
    """Return the whole GB that are ordered for a volume."""
    return max(SMALLEST_VOLUME, math.ceil(wish.size / GB))


def asked_service(service: Service) -> dict[str, Any]:
    """Return a port of a load balancer, passed through; targets are asked often: somebody waits for them."""
    check: dict[str, Any] = {
        "protocol": "http" if service.check else "tcp",
        "port": service.port,
        "interval": 5,
        "timeout": 3,
        "retries": 2,
    }
    if service.check:
        check["http"] = {"path": service.check, "tls": True, "status_codes": ["200"]}
    return {
        "protocol": "tcp",
        "listen_port": service.port,
        "destination_port": service.port,
        "proxyprotocol": False,
        "health_check": check,
    }


def missing_services(thing: Thing, wish: BalancerWish) -> list[Service]:
    ports = {int(one["listen_port"]) for one in thing.get("services") or ()}
    return [service for service in wish.services if service.port not in ports]
