"""The look before the first cent at Google: all that is in the way, at once.

A network of Google's is alone with itself: its addresses overlap with nobody's unless somebody connects two.
So that is not looked for. Rights are told by another API than the rest, which a project may have closed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rookery.clouds.cloud import SYSTEM, BusyError, CloudError, Preflight, Problem, TokenError, UnsureError
from rookery.clouds.gcp import wishes
from rookery.clouds.gcp.account import Account
from rookery.clouds.gcp.refusals import GoneError
from rookery.clouds.gcp.seen import Lists, knows_key, label, last
from rookery.plan.resources import BalancerWish, NetworkWish, Resource, ServerWish, VolumeWish

Json = Mapping[str, Any]

_MTU = range(1300, 8897)
_X86 = ("", "X86_64", "ARCHITECTURE_UNSPECIFIED")
PERMISSIONS = (
    "compute.addresses.create",
    "compute.backendServices.create",
    "compute.disks.create",
    "compute.disks.delete",
    "compute.firewalls.create",
    "compute.forwardingRules.create",
    "compute.instanceGroups.create",
    "compute.instances.create",
    "compute.instances.delete",
    "compute.instances.attachDisk",
    "compute.instances.setLabels",
    "compute.instances.setMetadata",
    "compute.healthChecks.create",
    "compute.networks.create",
    "compute.networks.delete",
    "compute.resourcePolicies.create",
    "compute.subnetworks.create",
    "compute.subnetworks.use",
    "compute.subnetworks.useExternalIp",
)
# Which list has what a resource is called by, beside its own: a server's disk is called as the server.
_COLLECTIONS: Mapping[type, tuple[str, ...]] = {
    NetworkWish: ("networks", "subnetworks"),
    ServerWish: ("instances", "disks"),
    VolumeWish: ("disks",),
    BalancerWish: (
        "forwardingRules",
        "backendServices",
        "instanceGroups",
        "healthChecks",
        "addresses",
        "firewalls",
    ),
}
_WHERE_QUOTAS = "Quotas are raised in Google's console, IAM & Admin, Quotas; a smaller design fits sooner"


def look_before(
    account: Account, system: str, resources: Sequence[Resource], *, lists: Lists, place: str, zone: str
) -> Preflight:
    """Return what is in the way of these resources, in a project that has `lists`."""
    look = _Look(account, resources, place=place, zone=zone)
    problems = [
        *_taken(lists, system, resources),
        *_other_key(lists, system, resources),
        *_mtu(resources),
        *look.types(),
        *look.quotas(),
        *look.image(),
    ]
    notes: list[str] = []
    problems += look.rights(notes)
    if any(isinstance(one.wish, ServerWish) for one in resources):
        notes.append(
            "the tree installs no controller of Google's: `up` waits for the Gateway's address in vain"
            " (`public gateway: Programmed`) unless one is installed meanwhile; what comes before that stands"
        )
    targets = sum(one.kind == "target" for one in resources)
    if targets > 1:
        notes.append(
            "Google leads a server that asks its own load balancer to itself: whether a second control plane"
            " joins through it was never tried"
        )
    return Preflight(problems=tuple(problems), notes=tuple(notes))


def _taken(lists: Lists, system: str, resources: Sequence[Resource]) -> Iterator[Problem]:
    """Yield what is called as something that is to be made, and is not the system's."""
    for resource in resources:
        for collection in _COLLECTIONS.get(type(resource.wish), ()):
            for one in lists.get(collection, ()):
                if one.get("name") == resource.name and label(one, SYSTEM) != system:
                    what = f"{resource.name}, one of the project's {collection}, is not this system's"
                    yield Problem(what=what, hint="Give the system another name")


def _other_key(lists: Lists, system: str, resources: Sequence[Resource]) -> Iterator[Problem]:
    """Yield that the system's servers let somebody else in, where they do."""
    keys = {one.name: one.wish.public_key for one in resources if isinstance(one.wish, ServerWish)}
    own = (one for one in lists.get("instances", ()) if label(one, SYSTEM) == system and one["name"] in keys)
    others = sorted(str(one["name"]) for one in own if not knows_key(one, keys[str(one["name"])]))
    if others:
        yield Problem(
            what=f"{', '.join(others)}: made from another machine, whose key alone logs in there",
            hint="Go on from that machine, or take the system down from here and make it anew",
        )


def _mtu(resources: Sequence[Resource]) -> Iterator[Problem]:
    for one in resources:
        if isinstance(one.wish, NetworkWish) and one.wish.mtu not in _MTU:
            what = (
                f"Google's networks carry packets of {_MTU[0]} to {_MTU[-1]} bytes, and not of {one.wish.mtu}"
            )
            yield Problem(what=what, hint="Set network.mtu so")


class _Look:
    """What is asked of Google beside lists; each way to say no that is about one thing only is a problem."""

    def __init__(self, account: Account, resources: Sequence[Resource], *, place: str, zone: str) -> None:
        self._account = account
        self._place = place
        self._zone = zone
        self._servers = [one.wish for one in resources if isinstance(one.wish, ServerWish)]
        self._volumes = [one.wish for one in resources if isinstance(one.wish, VolumeWish)]
        self._has = {type(one.wish) for one in resources}
        self._types: dict[str, Json] = {}

    def types(self) -> Iterator[Problem]:
        """Yield the machine types that the zone does not have."""
        if not self._servers:
            return
        there = {str(one["name"]): one for one in self._account.all("machineTypes", zone=self._zone)}
        for name in sorted({one.machine for one in self._servers}):
            if name not in there:
                yield Problem(
                    what=f"{self._zone} has no servers of type {name}", hint=self._elsewhere(name, there)
                )
                continue
            self._types[name] = there[name]
            if there[name].get("architecture", "") not in _X86:
                yield Problem(
                    what=f"{name} is no x86 machine, and what is installed is", hint="Choose another type"
                )

    def _elsewhere(self, name: str, there: Mapping[str, Json]) -> str:
        """Return where there is such a type, or which ones of its family there are."""
        found = []
        for zone in self._account.all("zones"):
            if last(zone.get("region")) == self._place and zone["name"] != self._zone:
                types = self._account.all("machineTypes", zone=str(zone["name"]))
                found += [str(zone["name"])] if any(one["name"] == name for one in types) else []
        if found:
            return f"CLOUDSDK_COMPUTE_ZONE={min(found)} has it"
        family = name.partition("-")[0]
        alike = sorted(one for one in there if one.partition("-")[0] == family)
        return f"There are {', '.join(alike)}" if alike else "`rookery cost` shows the types that are known"

    def quotas(self) -> Iterator[Problem]:
        """Yield what goes over the limits of the region and of the project."""
        try:
            region = self._account.get("regions", region=self._place)
        except GoneError:
            yield Problem(what=f"Google has no region {self._place}")
            return
        limits = {str(one["metric"]): one for one in region.get("quotas", ())}
        yield from _over(self._wanted(limits), limits, f"in {self._place}")
        whole = {str(one["metric"]): one for one in self._account.get("projects").get("quotas", ())}
        network = int(NetworkWish in self._has)
        balancer = int(BalancerWish in self._has)
        wanted = {"NETWORKS": network, "FIREWALLS": 2 * network + balancer, "FORWARDING_RULES": 2 * balancer}
        yield from _over(Counter(wanted), whole, f"in project {self._account.project}")

    def _wanted(self, limits: Mapping[str, Json]) -> Counter[str]:
        """Return what is wanted of each quota of the region; some families of machines have their own."""
        wanted: Counter[str] = Counter()
        for server in self._servers:
            own = f"{server.machine.partition('-')[0].upper()}_CPUS"
            cpus = int(self._types.get(server.machine, {}).get("guestCpus", 0))
            wanted[own if own in limits else "CPUS"] += cpus
            wanted["INSTANCES"] += 1
            wanted["IN_USE_ADDRESSES"] += 1
            wanted["SSD_TOTAL_GB"] += wishes.gib(server.disk)
        for volume in self._volumes:
            is_slow = wishes.DRIVES.get(volume.device_class) == "pd-standard"
            wanted["DISKS_TOTAL_GB" if is_slow else "SSD_TOTAL_GB"] += wishes.gib(volume.size)
        wanted["STATIC_ADDRESSES"] += int(BalancerWish in self._has)
        return wanted

    def image(self) -> Iterator[Problem]:
        if not self._servers:
            return
        try:
            found = self._account.ask(
                "images", "get_from_family", project=wishes.IMAGES, family=wishes.FAMILY
            )
        except GoneError:
            yield Problem(what=f"Google has no image of the family {wishes.FAMILY} any more")
            return
        least = int(found.get("diskSizeGb", 0))
        small = sorted(one.host for one in self._servers if wishes.gib(one.disk) < least)
        if small:
            yield Problem(what=f"the image needs {least} GiB, and the disk of {', '.join(small)} is smaller")

    def rights(self, notes: list[str]) -> Iterator[Problem]:
        """Yield the rights that are missing; where nobody tells, that is noted."""
        try:
            given = self._account.rights(list(PERMISSIONS))
        except (BusyError, UnsureError):
            raise
        except (CloudError, TokenError) as error:
            notes.append(
                "whether these credentials may make and remove all this, only making tells: the project's"
                f" Cloud Resource Manager API says no ({error.what})"
            )
            return
        if missing := [one for one in PERMISSIONS if one not in given]:
            what = f"the credentials may not {', '.join(missing)} in project {self._account.project}"
            yield Problem(what=what, hint="The role Compute Admin (roles/compute.admin) has these rights")


def _over(wanted: Counter[str], limits: Mapping[str, Json], where: str) -> Iterator[Problem]:
    for metric, number in sorted(wanted.items()):
        about = limits.get(metric)
        if about is None or not number:
            continue
        free = float(about.get("limit", 0)) - float(about.get("usage", 0))
        if number > free:
            of = f"{free:.0f} of {float(about.get('limit', 0)):.0f} are free"
            yield Problem(what=f"{number} more of {metric} are wanted {where}, and {of}", hint=_WHERE_QUOTAS)
