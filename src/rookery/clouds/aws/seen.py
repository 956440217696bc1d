"""What AWS' answers say of things, as values that all clouds share.

A name is the tag `Name`, which need not be unique; of what AWS itself calls by a name, that one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rookery.clouds.aws.api import Thing
from rookery.clouds.cloud import SYSTEM, UNTIL, Made
from rookery.plan.resources import Kind
from rookery.units import GIB

CONTROLLER, CSI = "cloud-provider-aws", "ebs.csi.aws.com"
_CSI_TAGS = ("CSIVolumeName", "ebs.csi.aws.com/cluster", "kubernetes.io/created-for/pvc/name")
ALIVE = ("pending", "running", "shutting-down", "stopping", "stopped")
NLB, CLASSIC = "nlb", "classic"
_MOST_VALUES = 100


def cluster_tag(system: str) -> str:
    """Return the tag by which a cluster's controllers know what is the cluster's, and mark what they make."""
    return f"kubernetes.io/cluster/{system}"


def tags_of(thing: Thing) -> Mapping[str, str]:
    return {str(one["Key"]): str(one["Value"]) for one in thing.get("Tags") or thing.get("TagSet") or ()}


def filters(**wanted: str | Iterable[str]) -> list[dict[str, Any]]:
    """Return what a list is to have, as AWS wants it said; `_` in a name stands for `-`."""
    return [
        {"Name": name.replace("_", "-"), "Values": [value] if isinstance(value, str) else list(value)}
        for name, value in wanted.items()
    ]


def batched(values: Sequence[str]) -> Iterator[list[str]]:
    """Yield values in parts that one filter may have (200 of them)."""
    for start in range(0, len(values), _MOST_VALUES):
        yield list(values[start : start + _MOST_VALUES])


def tagged(system: str) -> list[dict[str, Any]]:
    """Return the filter for what has a system's label, or with an empty one, any system's."""
    if not system:
        return [{"Name": "tag-key", "Values": [SYSTEM]}]
    return [{"Name": f"tag:{SYSTEM}", "Values": [system]}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A VPC and what belongs to it; an internet gateway may be there before it is attached."""

    vpc: Thing
    subnets: tuple[Thing, ...] = ()
    gateways: tuple[Thing, ...] = ()
    tables: tuple[Thing, ...] = ()

    @property
    def id(self) -> str:
        return str(self.vpc["VpcId"])

    @property
    def main_table(self) -> Thing | None:
        """The route table of all subnets that have none of their own; it comes and goes with the VPC."""
        tables = (
            one for one in self.tables if any(link.get("Main") for link in one.get("Associations") or ())
        )
        return next(tables, None)

    def lacks(self, cidr: str) -> str:
        if not any(one["CidrBlock"] == cidr for one in self.subnets):
            return "without its subnet"
        attached = [one for one in self.gateways if is_attached(one, self.id)]
        if not attached:
            return "without a gateway to the internet"
        return "" if self.leads_out(str(attached[0]["InternetGatewayId"])) else "without a way out"

    def leads_out(self, gateway: str) -> bool:
        routes = (self.main_table or {}).get("Routes") or ()
        return any(one.get("GatewayId") == gateway and one.get("State") != "blackhole" for one in routes)


def is_attached(gateway: Thing, vpc: str) -> bool:
    return any(one.get("VpcId") == vpc for one in gateway.get("Attachments") or ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Balancer:
    """A network load balancer with its ports, and each port's targets with their health."""

    thing: Thing
    tags: Mapping[str, str]
    groups: tuple[Thing, ...] = ()
    listeners: tuple[Thing, ...] = ()
    health: Mapping[str, tuple[Thing, ...]] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        return str(self.thing["LoadBalancerArn"])

    @property
    def name(self) -> str:
        return self.tags.get("Name", str(self.thing["LoadBalancerName"]))

    @property
    def ports(self) -> frozenset[int]:
        return frozenset(int(one["Port"]) for one in self.listeners)

    @property
    def state(self) -> str:
        return str((self.thing.get("State") or {}).get("Code", ""))

    def targets(self) -> Iterator[str]:
        """Yield the ids of the servers behind every port of it."""
        behind = [
            frozenset(
                str(one["Target"]["Id"])
                for one in found
                if (one.get("TargetHealth") or {}).get("State") != "draining"
            )
            for found in self.health.values()
        ]
        if behind and len(behind) >= len(self.ports):
            yield from sorted(frozenset.intersection(*behind))


# --- Things as values


def network_made(network: Network) -> Made:
    return _made(Kind.NETWORK, network.vpc, "VpcId", seen=network, private=str(network.vpc["CidrBlock"]))


def firewall_made(group: Thing) -> Made:
    return _made(Kind.FIREWALL, group, "GroupId", name=str(group["GroupName"]))


def key_made(key: Thing) -> Made:
    return _made(Kind.KEY, key, "KeyPairId", unique=str(key["KeyName"]), since=_since(key.get("CreateTime")))


def group_made(group: Thing) -> Made:
    """Return a placement group; before October 2019 they had no ids of their own."""
    name = str(group["GroupName"])
    return _made(
        Kind.GROUP, {"GroupId": name, **group}, "GroupId", unique=name, state=str(group.get("State", ""))
    )


def server_made(instance: Thing) -> Made:
    zone = str((instance.get("Placement") or {}).get("AvailabilityZone", ""))
    return _made(
        Kind.SERVER,
        instance,
        "InstanceId",
        since=_since(instance.get("LaunchTime")),
        product=str(instance.get("InstanceType", "")),
        public=str(instance.get("PublicIpAddress") or ""),
        private=str(instance.get("PrivateIpAddress") or ""),
        state=state_of(instance),
        node_id=f"aws:///{zone}/{instance['InstanceId']}",
    )


def volume_made(volume: Thing, names: Mapping[str, str]) -> Made:
    """Return a volume; `names` are servers' by their ids."""
    link = link_of(volume)
    on = str(link.get("InstanceId", ""))
    return _made(
        Kind.VOLUME,
        volume,
        "VolumeId",
        since=_since(volume.get("CreateTime")),
        product=str(volume.get("VolumeType", "")),
        size=int(volume.get("Size") or 0) * GIB,
        state=str(volume.get("State", "")),
        on=names.get(on, on),
    )


def attachment_made(volume: Thing, server: str) -> Made:
    """Return a volume's attachment; its path is by the volume's id, which NVMe has for its serial number.

    udev makes it of model and serial number (docs.aws.amazon.com/ebs/latest/userguide/nvme-ebs-volumes.html).
    """
    volume_id = str(volume["VolumeId"])
    return Made(
        kind=Kind.ATTACHMENT,
        id=volume_id,
        name=tags_of(volume).get("Name", volume_id),
        system=tags_of(volume).get(SYSTEM, ""),
        state=str(link_of(volume).get("State", "")),
        on=server,
        device=f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{volume_id.replace('-', '')}",
        seen=volume,
    )


def balancer_made(balancer: Balancer) -> Made:
    """Return a load balancer. One inside a network has addresses there, one outside a name of DNS."""
    zones = balancer.thing.get("AvailabilityZones") or ()
    addresses = [one for zone in zones for one in zone.get("LoadBalancerAddresses") or ()]
    outside = balancer.thing.get("Scheme") == "internet-facing"
    return Made(
        kind=Kind.BALANCER,
        id=balancer.arn,
        name=balancer.name,
        system=balancer.tags.get(SYSTEM, ""),
        until=balancer.tags.get(UNTIL, ""),
        maker=_maker(balancer.tags),
        since=_since(balancer.thing.get("CreatedTime")),
        product=NLB,
        public=str(balancer.thing.get("DNSName", "")) if outside else "",
        private=next((str(one.get("PrivateIPv4Address") or "") for one in addresses), ""),
        state=balancer.state,
        seen=balancer,
    )


def target_made(balancer: Made, server: str) -> Made:
    return Made(
        kind=Kind.TARGET,
        id=balancer.id,
        name=server,
        system=balancer.system,
        on=balancer.name,
        seen=balancer.seen,
    )


def classic_made(thing: Thing, tags: Mapping[str, str]) -> Made:
    """Return a load balancer of the older kind, which the cloud's controller makes unless told otherwise."""
    name = str(thing["LoadBalancerName"])
    return Made(
        kind=Kind.BALANCER,
        id=f"{CLASSIC}/{name}",
        name=name,
        system=tags.get(SYSTEM, ""),
        until=tags.get(UNTIL, ""),
        maker=_maker(tags) or CONTROLLER,
        since=_since(thing.get("CreatedTime")),
        product=CLASSIC,
        public=str(thing.get("DNSName", "")),
        seen=thing,
    )


def address_made(address: Thing, names: Mapping[str, str]) -> Made:
    on = str(address.get("InstanceId") or "")
    public = str(address.get("PublicIp", ""))
    return _made(
        Kind.ADDRESS,
        address,
        "AllocationId",
        name=public,
        product="IPv4 address",
        public=public,
        on=names.get(on, on),
    )


def target_group_made(group: Thing, tags: Mapping[str, str]) -> Made:
    """Return a target group that no load balancer has."""
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    thing = {**group, "Tags": listed}
    return _made(Kind.OTHER, thing, "TargetGroupArn", unique=str(group["TargetGroupName"]))


def other_made(thing: Thing, key: str, *, name: str = "", state: str = "") -> Made:
    """Return what no design asks for, and is left all the same: an interface, a snapshot, a target group."""
    return _made(Kind.OTHER, thing, key, name=name, state=state)


def state_of(instance: Thing) -> str:
    return str((instance.get("State") or {}).get("Name", ""))


def link_of(volume: Thing) -> Thing:
    """Return a volume's attachment, empty where it has none."""
    return next((one for one in volume.get("Attachments") or () if one.get("State") != "detached"), {})


def _made(
    kind: Kind, thing: Thing, key: str, *, name: str = "", unique: str = "", seen: object = None, **more: Any
) -> Made:
    """Return a thing with what its tags say; `name` is its name where it has no tag, `unique` in any case."""
    tags = tags_of(thing)
    return Made(
        kind=kind,
        id=str(thing[key]),
        name=unique or tags.get("Name") or name or str(thing[key]),
        system=tags.get(SYSTEM, ""),
        until=tags.get(UNTIL, ""),
        maker=_maker(tags),
        seen=thing if seen is None else seen,
        **more,
    )


def _maker(tags: Mapping[str, str]) -> str:
    if any(name in tags for name in _CSI_TAGS):
        return CSI
    made_here = SYSTEM in tags and "Name" in tags
    if made_here:
        return ""
    return CONTROLLER if any(name.startswith("kubernetes.io/") for name in tags) else ""


def _since(moment: object) -> float | None:
    return moment.timestamp() if isinstance(moment, datetime) else None
