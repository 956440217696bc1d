"""AWS, as every cloud is seen from above: things are found, made, finished and removed.

A system is in one zone of one region: a VPC of its own with one subnet, servers with public addresses in it,
and volumes. Its load balancer is inside the network, for only there can its address be chosen; from outside
the API is reached at a server.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence

from rookery.clouds.aws.account import Account
from rookery.clouds.aws.api import AwsApi, GoneError, Thing
from rookery.clouds.aws.asked import is_same_key, rules_asked, rules_seen
from rookery.clouds.aws.images import Images
from rookery.clouds.aws.job import Waiting
from rookery.clouds.aws.left import left_of
from rookery.clouds.aws.making import Maker
from rookery.clouds.aws.preflight import look_before
from rookery.clouds.aws.removing import Remover
from rookery.clouds.aws.seen import CLASSIC, Balancer, Network, state_of
from rookery.clouds.aws.zones import Zones
from rookery.clouds.cloud import Labels, Made, Preflight, Reporter, There
from rookery.plan.resources import (
    AttachmentWish,
    BalancerWish,
    FirewallWish,
    KeyWish,
    Kind,
    NetworkWish,
    Resource,
    ServerWish,
    TargetWish,
    VolumeWish,
)
from rookery.providers import Provider


class AwsCloud:
    """One account at AWS, in one region. `machines` are the types that there are to choose from there,
    `zone` is where a new system is made, where somebody says so."""

    provider: Provider = "aws"
    title = "AWS"

    def __init__(
        self,
        api: AwsApi,
        *,
        machines: Callable[[], Iterable[str]] = tuple,
        zone: str = "",
        waiting: Waiting | None = None,
    ) -> None:
        waiting = waiting or Waiting()
        self._account = Account(api)
        self._zones = Zones(self._account, machines, zone)
        self._images = Images(self._account)
        self._maker = Maker(self._account, self._zones, self._images, waiting)
        self._remover = Remover(self._account, waiting)

    @property
    def place(self) -> str:
        return self._account.api.region

    def preflight(self, system: str, resources: Sequence[Resource]) -> Preflight:
        return look_before(self._account, self._images, self._zones, system, resources)

    def found(self, system: str) -> tuple[Made, ...]:
        return tuple(self._account.lists(system).all())

    def systems(self) -> tuple[Made, ...]:
        return tuple(self._account.lists().all())

    def left(self, system: str, names: frozenset[str]) -> tuple[Made, ...]:
        return left_of(self._account, system, names)

    def make(self, resource: Resource, labels: Labels, there: There, report: Reporter) -> Made:
        del report  # AWS tells of nothing how far it is
        return self._maker.make(resource, labels, there)

    def secrets(self, there: There) -> tuple[tuple[str, Mapping[str, str]], ...]:
        del there
        return ()  # the tree installs no controller of AWS'

    def lacks(self, resource: Resource, made: Made, there: There) -> str:
        seen = made.seen
        match resource.wish:
            case NetworkWish() as wish:
                assert isinstance(seen, Network)
                return seen.lacks(wish.cidr)
            case BalancerWish() as wish:
                assert isinstance(seen, Balancer)
                missing = [one.name for one in wish.services if one.port not in seen.ports]
                return f"without {missing[0]}" if missing else "" if seen.state == "active" else seen.state
            case AttachmentWish() | TargetWish() as link:
                return _elsewhere(link, made, there)
            case _:
                assert isinstance(seen, dict)
                return _lacks(resource, seen, there)

    def mark(self, made: Made, labels: Labels) -> None:
        tags = [{"Key": key, "Value": value} for key, value in labels.items()]
        api, what = self._account.api, f"{made.kind} {made.name}"
        with contextlib.suppress(GoneError):
            if made.id.startswith("arn:"):
                groups = made.seen.groups if isinstance(made.seen, Balancer) else ()
                arns = [made.id, *(str(one["TargetGroupArn"]) for one in groups)]
                api.call("elbv2", "add_tags", what, ResourceArns=arns, Tags=tags)
            elif made.id.startswith(f"{CLASSIC}/"):
                api.call("elb", "add_tags", what, LoadBalancerNames=[made.name], Tags=tags)
            else:
                api.call("ec2", "create_tags", what, Resources=_parts(made), Tags=tags)

    def remove(self, made: Made, report: Reporter) -> None:
        del report
        self._remover.remove(made)


def _parts(made: Made) -> list[str]:
    """Return the ids of all that a thing consists of."""
    if isinstance(made.seen, dict) and made.kind is Kind.SERVER:
        disks = (one.get("Ebs") or {} for one in made.seen.get("BlockDeviceMappings") or ())
        return [made.id, *(str(one["VolumeId"]) for one in disks if one.get("DeleteOnTermination"))]
    if not isinstance(made.seen, Network):
        return [made.id]
    subnets = [str(one["SubnetId"]) for one in made.seen.subnets]
    return [made.id, *subnets, *(str(one["InternetGatewayId"]) for one in made.seen.gateways)]


def _lacks(resource: Resource, seen: Thing, there: There) -> str:
    match resource.wish:
        case FirewallWish() as wish:
            network = there.get(wish.network)
            if network is None or network.id != seen.get("VpcId"):
                return "in another network"
            same = rules_seen(seen) == set(rules_asked(wish, network.private))
            return "" if same else "has other rules"
        case KeyWish() as wish:
            return "" if is_same_key(seen, wish) else "another machine's"
        case ServerWish():
            state = state_of(seen)
            return "" if state == "running" else state
        case VolumeWish():
            return "being made" if seen.get("State") == "creating" else ""
        case _:
            return ""


def _elsewhere(wish: AttachmentWish | TargetWish, made: Made, there: There) -> str:
    """Return where something between two things is, if that is not where it is asked to be."""
    if isinstance(wish, AttachmentWish):
        server = there.get(wish.server)
        if server is None or made.on != server.name:
            return "attached elsewhere"
        return "" if made.state in ("attached", "") else made.state
    balancer = there.get(wish.balancer)
    return "" if balancer is not None and made.on == balancer.name else "behind another"
