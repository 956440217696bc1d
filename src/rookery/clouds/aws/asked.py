"""What AWS is asked for each wish."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from rookery.clouds.aws.api import Thing
from rookery.clouds.aws.seen import cluster_tag
from rookery.clouds.cloud import SYSTEM, Labels
from rookery.plan.resources import FirewallWish, KeyWish, Opening, Service, VolumeWish
from rookery.units import GIB

VOLUME_TYPE = "gp3"
_ANYWHERE = "0.0.0.0/0"
_LONGEST_NAME = 32  # of load balancers and target groups
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
# Of the names that AWS leaves for data volumes, those that no instance store has.
_DEVICES = tuple(f"/dev/sd{letter}" for letter in "fghijklmnop") + tuple(
    f"/dev/xvd{first}{second}" for first in "bc" for second in _LETTERS
)

Rule = tuple[str, int, int, str]
"""Protocol, first and last port (of ICMP, type and code), and from where."""


def tag_list(name: str, labels: Labels, *, cluster: bool = False) -> list[dict[str, str]]:
    """Return a thing's tags; of the `cluster` are those that its controllers must know for its own."""
    tags = {"Name": name, **labels, **({cluster_tag(labels[SYSTEM]): "owned"} if cluster else {})}
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def specified(kinds: Iterable[str], tags: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Return tags as they go along with a creation."""
    return [{"ResourceType": kind, "Tags": tags} for kind in kinds]


def short_name(name: str) -> str:
    """Return a name as load balancers may have it: of at most 32 characters, and still one's own."""
    if len(name) <= _LONGEST_NAME and not name.startswith("internal-"):
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name.removeprefix('internal-')[: _LONGEST_NAME - 9].rstrip('-')}-{digest}"


def client_token(asked: Mapping[str, Any], number: int) -> str:
    """Return the token of a request, by all that is asked: the same request is made once, whoever sends it.

    `number` counts what was made by it and is dead: AWS would go on answering with that one for a day.
    """
    text = json.dumps(asked, sort_keys=True)
    return f"{hashlib.sha256(text.encode()).hexdigest()[:56]}-{number}"


def rules_asked(wish: FirewallWish, cidr: str) -> dict[Rule, str]:
    """Return what is let in, and why: everything from the servers' own network, and the openings."""
    return {
        ("-1", -1, -1, cidr): "servers among each other, and load balancers",
        **{_rule(opening): opening.why for opening in wish.openings},
    }


def _rule(opening: Opening) -> Rule:
    if opening.port:
        return ("tcp", opening.port, opening.port, _ANYWHERE)
    return ("icmp", -1, -1, _ANYWHERE)


def rules_seen(group: Thing) -> set[Rule]:
    """Return what a security group lets in from addresses."""
    return {
        (
            str(one["IpProtocol"]),
            int(one.get("FromPort", -1)),
            int(one.get("ToPort", -1)),
            str(source["CidrIp"]),
        )
        for one in group.get("IpPermissions") or ()
        for source in one.get("IpRanges") or ()
    }


def permissions(rules: Mapping[Rule, str]) -> list[dict[str, Any]]:
    """Return rules as AWS wants them."""
    found = []
    for (protocol, first, last, source), why in rules.items():
        ports = {} if protocol == "-1" else {"FromPort": first, "ToPort": last}
        ranges = [{"CidrIp": source, **({"Description": _described(why)} if why else {})}]
        found.append({"IpProtocol": protocol, **ports, "IpRanges": ranges})
    return found


def _described(why: str) -> str:
    """Return a rule's description with only what AWS takes there."""
    return "".join(letter for letter in why if letter.isalnum() or letter in " ._-:/()#,@[]+=&;{}!$*")[:255]


def is_same_key(key: Thing, wish: KeyWish) -> bool:
    """Whether a key of the account is the one of this machine; AWS puts the key's name for its comment."""
    public = str(key.get("PublicKey") or "")
    return not public or public.split()[:2] == wish.public.split()[:2]


def size_asked(wish: VolumeWish) -> int:
    """Return the whole GiB that are ordered for a volume."""
    return max(1, math.ceil(wish.size / GIB))


def device_of(drive: str) -> str:
    """Return the name that a volume is attached under: `vdb` is the first. On the server NVMe has its own."""
    number = 0
    for letter in drive.removeprefix("vd"):
        number = 26 * number + _LETTERS.index(letter) + 1
    return _DEVICES[number - 2]


def group_asked(name: str, service: Service, vpc: str, tags: list[dict[str, str]]) -> dict[str, Any]:
    """Return the target group of a load balancer's port."""
    path = {"HealthCheckPath": service.check} if service.check else {}
    return {
        "Name": name,
        "Protocol": "TCP",
        "Port": service.port,
        "VpcId": vpc,
        "TargetType": "instance",
        "HealthCheckProtocol": "HTTPS" if service.check else "TCP",
        "HealthCheckPort": "traffic-port",
        # The timeout, 10 s unless told otherwise, has to be less than the interval.
        "HealthCheckIntervalSeconds": 10,
        "HealthCheckTimeoutSeconds": 5,
        "HealthyThresholdCount": 2,
        "UnhealthyThresholdCount": 2,
        **path,
        "Tags": tags,
    }


# A server that asks for its own API at the load balancer would meet its own address as a client's, and drop
# it (docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-troubleshooting.html).
ATTRIBUTES = [
    {"Key": "preserve_client_ip.enabled", "Value": "false"},
    {"Key": "deregistration_delay.timeout_seconds", "Value": "0"},
]
