"""The look before the first cent: all that AWS tells beforehand of what would be in the way.

Rights are tried by calls that AWS goes through without doing them (`DryRun`), which load balancers do not
have. Quotas are told by a service of their own; an account that is new has small ones. Whether servers of a
type are free nobody is told before asking for one, only which zones have it at all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any

from rookery.clouds.aws.account import Account
from rookery.clouds.aws.api import GoneError, TakenError, Thing, WouldError
from rookery.clouds.aws.asked import VOLUME_TYPE, short_name, size_asked
from rookery.clouds.aws.images import Images
from rookery.clouds.aws.seen import tags_of
from rookery.clouds.aws.zones import Zones
from rookery.clouds.cloud import (
    SYSTEM,
    BusyError,
    CloudError,
    Preflight,
    Problem,
    TokenError,
    UnsureError,
)
from rookery.plan.resources import BalancerWish, KeyWish, Kind, NetworkWish, Resource, ServerWish, VolumeWish
from rookery.units import GIB

_KEY_TYPES = ("ssh-ed25519", "ssh-rsa")
_STANDARD = "acdhimrtz"  # families of machine types that share one quota
_FREE = "Whether servers of a type are free now AWS tells only when one is made"
_BALANCERS = "Whether these credentials may make load balancers AWS tells only when one is made"


@dataclass(slots=True, kw_only=True)
class _Looked:
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def problem(self, what: str, hint: str = "") -> None:
        self.problems.append(Problem(what=what, hint=hint))


def look_before(
    account: Account, images: Images, zones: Zones, system: str, resources: Sequence[Resource]
) -> Preflight:
    """Return all that is in the way of these resources; raises TokenError where nothing lets one in."""
    account.api.call("sts", "get_caller_identity", "whose the credentials are")
    looker = _Looker(account, images, zones, system, resources)
    for look in (looker.names, looker.network, looker.keys, looker.machines, looker.rights, looker.quotas):
        look()
    return Preflight(problems=tuple(looker.found.problems), notes=tuple(looker.found.notes))


class _Looker:
    def __init__(
        self, account: Account, images: Images, zones: Zones, system: str, resources: Sequence[Resource]
    ) -> None:
        self._account = account
        self._images = images
        self._zones = zones
        self._system = system
        self._resources = resources
        self.found = _Looked()

    def _wishes(self, kind: type[Any]) -> list[Any]:
        return [one.wish for one in self._resources if isinstance(one.wish, kind)]

    def _named(self, kind: Kind) -> list[str]:
        return [one.name for one in self._resources if one.kind is kind]

    # --- Names that AWS has but once

    def names(self) -> None:
        for kind, key, wanted in (("keys", "KeyName", Kind.KEY), ("groups", "GroupName", Kind.GROUP)):
            names = self._named(wanted)
            for thing in self._account.each(kind) if names else ():
                if thing[key] in names:
                    self._whose(wanted, str(thing[key]), tags_of(thing))
        for name in self._named(Kind.BALANCER):
            if (balancer := self._account.balancer(short_name(name))) is not None:
                self._whose(Kind.BALANCER, name, balancer.tags)

    def _whose(self, kind: Kind, name: str, tags: Mapping[str, str]) -> None:
        if tags.get(SYSTEM) != self._system:
            self.found.problem(
                f"the {kind} {name} is there, and is not this system's",
                "Give the system another name, or remove it where it was made",
            )

    def network(self) -> None:
        """Say which networks have the same addresses: nothing is in the way, but they cannot be connected."""
        for wish in self._wishes(NetworkWish):
            wanted = IPv4Network(wish.cidr)
            for vpc in self._account.each("vpcs"):
                same = wanted.overlaps(IPv4Network(vpc["CidrBlock"]))
                if same and tags_of(vpc).get(SYSTEM) != self._system:
                    self.found.notes.append(
                        f"{vpc['VpcId']} has addresses of {wish.cidr} too: the two cannot be connected"
                    )

    def keys(self) -> None:
        for wish in self._wishes(KeyWish):
            if wish.public.split()[0] not in _KEY_TYPES:
                self.found.problem(
                    f"AWS takes no SSH key of the type {wish.public.split()[0]}",
                    f"Use one of {' or '.join(_KEY_TYPES)}",
                )

    # --- Machine types and the image

    def machines(self) -> None:
        types = sorted({wish.machine for wish in self._wishes(ServerWish)})
        known = [one for one in types if self._is_known(one)]
        if not known:
            return
        self.found.notes.append(_FREE)
        if lacking := self._zones.lacking(self._system, known):
            self.found.problem(
                f"{self._zones.zone(self._system)} has no {', '.join(lacking)}", "Name other machine types"
            )
        for name in known:
            try:
                self._images.image(name)
            except (BusyError, UnsureError):
                raise
            except CloudError as error:
                self.found.problem(error.what)

    def _is_known(self, name: str) -> bool:
        try:
            machine = self._images.machine(name)
        except (BusyError, UnsureError):
            raise
        except CloudError:
            self.found.problem(f"{self._account.api.region} has no machine type {name}", "Name another one")
            return False
        if machine.get("Hypervisor") == "xen":
            self.found.problem(
                f"{name} is of an older kind, on which drives have no names that last",
                "Name one of the Nitro system, such as m7i or t3",
            )
        return True

    # --- Rights

    def rights(self) -> None:
        for operation, asked in self._trials():
            try:
                self._account.api.call("ec2", operation, operation, **asked, DryRun=True)
            except TokenError:
                self.found.problem(
                    f"these credentials may not {operation.replace('_', ' ')}",
                    "Give their user or role the right; docs/decisions/0066-aws.md has all that are needed",
                )
            except (BusyError, UnsureError):
                raise
            except (WouldError, TakenError, GoneError, CloudError):
                continue
        if self._named(Kind.BALANCER):
            self.found.notes.append(_BALANCERS)

    def _trials(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the calls that can be tried before anything is there."""
        for network in self._wishes(NetworkWish)[:1]:
            yield "create_vpc", {"CidrBlock": network.cidr}
            yield "create_internet_gateway", {}
        for key in self._wishes(KeyWish)[:1]:
            yield (
                "import_key_pair",
                {"KeyName": f"{self._system}-trial", "PublicKeyMaterial": key.public.encode()},
            )
        if self._named(Kind.GROUP):
            yield "create_placement_group", {"GroupName": f"{self._system}-trial", "Strategy": "spread"}
        yield from self._trials_in_zone()

    def _trials_in_zone(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for volume in self._wishes(VolumeWish)[:1]:
            zone = self._zones.zone(self._system)
            yield (
                "create_volume",
                {"AvailabilityZone": zone, "Size": size_asked(volume), "VolumeType": VOLUME_TYPE},
            )
        for server in self._wishes(ServerWish)[:1]:
            with contextlib.suppress(CloudError):
                image = self._images.image(server.machine)
                yield (
                    "run_instances",
                    {"ImageId": image.id, "InstanceType": server.machine, "MinCount": 1, "MaxCount": 1},
                )

    # --- Quotas

    def quotas(self) -> None:
        unread: list[str] = []
        for quota in _QUOTAS:
            needed = quota.needed(self)
            if not needed:
                continue
            limit = self._limit(quota)
            if limit is None:
                unread.append(quota.title)
                continue
            used = quota.used(self)
            if used + needed > limit:
                self.found.problem(
                    f"{needed:g} {quota.title} are needed, and {self._account.api.region} has {used:g} of"
                    f" {limit:g} in use",
                    "Ask for more: `aws service-quotas request-service-quota-increase --service-code"
                    f" {quota.service} --quota-code {quota.code} --desired-value {used + needed:g}`,"
                    " which may take a day",
                )
        if unread:
            self.found.notes.append(
                f"The limits of {', '.join(unread)} could not be read: see AWS Console, Service Quotas"
            )

    def _limit(self, quota: _Quota) -> float | None:
        """Return a limit as it was raised for the account; of some AWS tells only what all accounts have."""
        for operation in ("get_service_quota", "get_aws_default_service_quota"):
            try:
                answer = self._account.api.call(
                    "service-quotas",
                    operation,
                    f"the quota of {quota.title}",
                    ServiceCode=quota.service,
                    QuotaCode=quota.code,
                )
            except (BusyError, UnsureError):
                raise
            except (CloudError, TokenError):
                continue
            return float(answer["Quota"]["Value"])
        return None

    def cpus_needed(self) -> float:
        return self._cpus(wish.machine for wish in self._wishes(ServerWish))

    def cpus_used(self) -> float:
        return self._cpus(str(one["InstanceType"]) for one in self._account.each("instances"))

    def _cpus(self, types: Iterable[str]) -> float:
        total = 0.0
        for name in types:
            if name[0] in _STANDARD:
                with contextlib.suppress(CloudError):
                    total += float(self._images.machine(name)["VCpuInfo"]["DefaultVCpus"])
        return total

    def networks_needed(self) -> float:
        return len(self._wishes(NetworkWish))

    def networks_used(self) -> float:
        return len(self._account.each("vpcs"))

    def balancers_needed(self) -> float:
        return len(self._wishes(BalancerWish))

    def balancers_used(self) -> float:
        api = self._account.api
        seen = api.pages("elbv2", "describe_load_balancers", "LoadBalancers", "the list of load balancers")
        return len([one for one in seen if one.get("Type") == "network"])

    def storage_needed(self) -> float:
        disks = sum(wish.disk for wish in self._wishes(ServerWish))
        return _tib(disks + sum(wish.size for wish in self._wishes(VolumeWish)))

    def storage_used(self) -> float:
        volumes: list[Thing] = self._account.each("volumes")
        return _tib(sum(int(one["Size"]) * GIB for one in volumes if one["VolumeType"] == VOLUME_TYPE))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Quota:
    """A limit of the account: how much more is needed, and how much is in use."""

    service: str
    code: str
    title: str
    needed: Callable[[_Looker], float]
    used: Callable[[_Looker], float]


def _tib(size: int) -> float:
    return round(size / (1024 * GIB), 2)


# `aws service-quotas list-service-quotas` lists them with their codes, which are the same in all accounts.
_QUOTAS = (
    _Quota(
        service="ec2",
        code="L-1216C47A",
        title="vCPUs of running standard instances",
        needed=_Looker.cpus_needed,
        used=_Looker.cpus_used,
    ),
    _Quota(
        service="vpc",
        code="L-F678F1CE",
        title="VPCs",
        needed=_Looker.networks_needed,
        used=_Looker.networks_used,
    ),
    _Quota(
        service="elasticloadbalancing",
        code="L-69A177A2",
        title="network load balancers",
        needed=_Looker.balancers_needed,
        used=_Looker.balancers_used,
    ),
    _Quota(
        service="ebs",
        code="L-7A658B76",
        title="TiB of gp3 volumes",
        needed=_Looker.storage_needed,
        used=_Looker.storage_used,
    ),
)
