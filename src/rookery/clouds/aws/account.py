"""What an account of AWS has in one region, in few calls: every kind is listed once, by its tags.

Load balancers cannot be asked for by tags: all are listed, and their tags asked for, twenty at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from rookery.clouds.aws.api import AwsApi, GoneError, Thing
from rookery.clouds.aws.seen import (
    ALIVE,
    Balancer,
    Network,
    address_made,
    attachment_made,
    balancer_made,
    filters,
    firewall_made,
    group_made,
    is_attached,
    key_made,
    link_of,
    network_made,
    other_made,
    server_made,
    tagged,
    tags_of,
    target_group_made,
    target_made,
    volume_made,
)
from rookery.clouds.cloud import SYSTEM, Made

_AT_ONCE = 6
_TAGS_AT_ONCE = 20  # load balancers, that DescribeTags takes
_EC2: Mapping[str, tuple[str, str]] = {
    "vpcs": ("describe_vpcs", "Vpcs"),
    "subnets": ("describe_subnets", "Subnets"),
    "gateways": ("describe_internet_gateways", "InternetGateways"),
    "firewalls": ("describe_security_groups", "SecurityGroups"),
    "keys": ("describe_key_pairs", "KeyPairs"),
    "groups": ("describe_placement_groups", "PlacementGroups"),
    "instances": ("describe_instances", "Reservations"),
    "volumes": ("describe_volumes", "Volumes"),
    "addresses": ("describe_addresses", "Addresses"),
    "tables": ("describe_route_tables", "RouteTables"),
    "interfaces": ("describe_network_interfaces", "NetworkInterfaces"),
    "snapshots": ("describe_snapshots", "Snapshots"),
}
_BY_TAG = ("vpcs", "subnets", "gateways", "firewalls", "keys", "groups", "instances", "volumes", "addresses")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """What has a system's label, as AWS tells it, by what it is called here."""

    things: Mapping[str, Sequence[Thing]]
    networks: tuple[Network, ...]
    balancers: tuple[Balancer, ...]
    orphans: tuple[Made, ...]
    """Target groups that no load balancer has."""

    @property
    def servers(self) -> Mapping[str, str]:
        """The names of the servers by their ids."""
        return {str(one["InstanceId"]): server_made(one).name for one in self.things["instances"]}

    def all(self) -> Iterator[Made]:
        """Yield everything, attachments and targets beside what they are of."""
        names, things = self.servers, self.things
        yield from map(network_made, self.networks)
        yield from map(firewall_made, things["firewalls"])
        yield from map(key_made, things["keys"])
        yield from map(group_made, things["groups"])
        yield from map(server_made, things["instances"])
        for volume in things["volumes"]:
            yield volume_made(volume, names)
            if (link := link_of(volume)) and link.get("InstanceId") in names:
                yield attachment_made(volume, names[str(link["InstanceId"])])
        for balancer in self.balancers:
            yield from self._balancer(balancer, names)
        yield from (address_made(one, names) for one in things["addresses"])
        yield from self._alone()

    def _balancer(self, balancer: Balancer, names: Mapping[str, str]) -> Iterator[Made]:
        made = balancer_made(balancer)
        yield made
        yield from (target_made(made, names[one]) for one in balancer.targets() if one in names)

    def _alone(self) -> Iterator[Made]:
        """Yield parts of what is not there any more, or not yet."""
        attached = {one["InternetGatewayId"] for network in self.networks for one in network.gateways}
        for one in self.things["gateways"]:
            if one["InternetGatewayId"] not in attached:
                yield other_made(one, "InternetGatewayId")
        yield from self.orphans


class Account:
    """Looks at an account."""

    def __init__(self, api: AwsApi) -> None:
        self.api = api

    def each(self, kind: str, wanted: Iterable[Mapping[str, Any]] = (), **more: Any) -> list[Thing]:
        """Return the things of a kind of EC2's that pass some filters; of instances those that are alive."""
        operation, key = _EC2[kind]
        asked = [dict(one) for one in wanted]
        if kind == "instances":
            asked += filters(instance_state_name=ALIVE)
        if kind == "keys":
            more["IncludePublicKey"] = True
        if asked:
            more["Filters"] = asked
        found = self.api.pages("ec2", operation, key, f"the list of {kind}", **more)
        if kind == "instances":
            return [one for reservation in found for one in reservation["Instances"]]
        return list(found)

    def lists(self, system: str = "") -> Lists:
        """Return what has a system's label; without one, what has any system's."""
        wanted = tagged(system)
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            balancing = pool.submit(self._balancing, system)
            found = dict(zip(_BY_TAG, pool.map(lambda kind: self.each(kind, wanted), _BY_TAG), strict=True))
            networks = tuple(pool.map(lambda vpc: self._network(vpc, found), found["vpcs"]))
            balancers, orphans = balancing.result()
        return Lists(things=found, networks=networks, balancers=balancers, orphans=orphans)

    def network(self, vpc: Thing) -> Network:
        """Return a VPC with what is in it now."""
        inside = filters(vpc_id=str(vpc["VpcId"]))
        attached = filters(**{"attachment.vpc-id": str(vpc["VpcId"])})
        return Network(
            vpc=vpc,
            subnets=tuple(self.each("subnets", inside)),
            gateways=tuple(self.each("gateways", attached)),
            tables=tuple(self.each("tables", inside)),
        )

    def _network(self, vpc: Thing, found: Mapping[str, Sequence[Thing]]) -> Network:
        """Return a VPC with those of the things found that are its own."""
        inside = str(vpc["VpcId"])
        return Network(
            vpc=vpc,
            subnets=tuple(one for one in found["subnets"] if one["VpcId"] == inside),
            gateways=tuple(one for one in found["gateways"] if is_attached(one, inside)),
            tables=tuple(self.each("tables", filters(vpc_id=inside))),
        )

    # --- Load balancers

    def _balancing(self, system: str) -> tuple[tuple[Balancer, ...], tuple[Made, ...]]:
        """Return the load balancers with a system's label, and what is left of such: ports without one."""
        seen = list(self._elb("describe_load_balancers", "LoadBalancers"))
        groups = list(self._elb("describe_target_groups", "TargetGroups"))
        arns = [str(one["LoadBalancerArn"]) for one in seen] + [str(one["TargetGroupArn"]) for one in groups]
        tags = self.tags(arns)

        def is_ours(arn: str) -> bool:
            label = tags.get(arn, {}).get(SYSTEM, "")
            return label == system if system else bool(label)

        ours = [one for one in seen if is_ours(str(one["LoadBalancerArn"]))]
        balancers = tuple(self.whole(one, tags.get(str(one["LoadBalancerArn"]), {}), groups) for one in ours)
        used = {str(one["TargetGroupArn"]) for balancer in balancers for one in balancer.groups}
        orphans = tuple(
            target_group_made(one, tags[arn])
            for one in groups
            if (arn := str(one["TargetGroupArn"])) not in used and is_ours(arn)
        )
        return balancers, orphans

    def _elb(self, operation: str, key: str, **asked: Any) -> Iterator[Thing]:
        return self.api.pages("elbv2", operation, key, "the list of load balancers", **asked)

    def tags(self, arns: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return the tags of load balancers and of their parts, by their ARNs; of one that is gone none."""
        found: dict[str, dict[str, str]] = {}
        for start in range(0, len(arns), _TAGS_AT_ONCE):
            some = list(arns[start : start + _TAGS_AT_ONCE])
            found.update(self._some_tags(some))
        return found

    def _some_tags(self, arns: list[str]) -> dict[str, dict[str, str]]:
        try:
            answer = self.api.call("elbv2", "describe_tags", "tags of load balancers", ResourceArns=arns)
        except GoneError:
            # One that goes in between takes the answer for all with it.
            parts = ([one] for one in arns) if len(arns) > 1 else ()
            return {arn: tags for one in parts for arn, tags in self._some_tags(one).items()}
        return {str(one["ResourceArn"]): dict(tags_of(one)) for one in answer["TagDescriptions"]}

    def whole(self, thing: Thing, tags: Mapping[str, str], groups: Iterable[Thing]) -> Balancer:
        """Return a load balancer with its ports, and who is behind them."""
        arn = str(thing["LoadBalancerArn"])
        mine = tuple(one for one in groups if arn in (one.get("LoadBalancerArns") or ()))
        try:
            listeners = tuple(self._elb("describe_listeners", "Listeners", LoadBalancerArn=arn))
            health = {str(one["TargetGroupArn"]): self.health(str(one["TargetGroupArn"])) for one in mine}
        except GoneError:
            return Balancer(thing=thing, tags=tags)
        return Balancer(thing=thing, tags=tags, groups=mine, listeners=listeners, health=health)

    def health(self, group: str) -> tuple[Thing, ...]:
        answer = self.api.call(
            "elbv2", "describe_target_health", "targets of a load balancer", TargetGroupArn=group
        )
        return tuple(answer["TargetHealthDescriptions"])

    def balancer(self, name: str) -> Balancer | None:
        """Return the load balancer that AWS has under a name, whosever it is."""
        try:
            thing = next(self._elb("describe_load_balancers", "LoadBalancers", Names=[name]))
        except (GoneError, StopIteration):
            return None
        arn = str(thing["LoadBalancerArn"])
        groups = list(self._elb("describe_target_groups", "TargetGroups", LoadBalancerArn=arn))
        return self.whole(thing, self.tags([arn]).get(arn, {}), groups)

    def target_group(self, name: str) -> Thing | None:
        """Return the target group of a name, with its tags."""
        try:
            found = next(self._elb("describe_target_groups", "TargetGroups", Names=[name]))
        except (GoneError, StopIteration):
            return None
        tags = self.tags([str(found["TargetGroupArn"])]).get(str(found["TargetGroupArn"]), {})
        return {**found, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
