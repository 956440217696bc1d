"""The look before the first cent: all that is in the way at Hetzner, at once, and what nobody can tell.

Nothing is changed by it. Whether a token may write, it shows by the answer to a request that is no good: to
make a key without a name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from ipaddress import IPv4Network
from typing import Any

from rookery.clouds.cloud import SYSTEM, CloudError, Preflight, Problem, TokenError
from rookery.clouds.hetzner.account import Account
from rookery.clouds.hetzner.asked import is_same_key
from rookery.clouds.hetzner.seen import PATHS, Thing
from rookery.plan.resources import AttachmentWish, KeyWish, Kind, NetworkWish, Resource, ServerWish, many

_MTU = 1450  # bytes that Hetzner's private networks carry
_MOST_VOLUMES = 16  # of one server
_MOST_GROUPS = 50  # of a project
_NEW_ACCOUNT = 5  # servers that a new account may have; older ones had 10
_NAMED = (*(Kind.NETWORK, Kind.FIREWALL, Kind.KEY, Kind.GROUP, Kind.SERVER, Kind.VOLUME, Kind.BALANCER),)
_LOOKS_AT_ONCE = 4
_MOST_ALIKE = 3  # lines about things that have the same trouble


def look_before(
    account: Account, system: str, resources: Sequence[Resource], *, place: str, image: str
) -> Preflight:
    """Return what is in the way of making these resources, which are not there yet or not whole."""
    refused = tuple(_refusals(account))
    with ThreadPoolExecutor(max_workers=_LOOKS_AT_ONCE) as pool:
        lists = {kind: pool.submit(account.all, PATHS[kind]) for kind in _NAMED}
        locations = pool.submit(account.all, "locations")
        types = pool.submit(account.all, "server_types")
        images = pool.submit(account.all, "images", name=image, architecture="x86", type="system")
        there = {kind: one.result() for kind, one in lists.items()}
        look = _Look(system=system, resources=resources, there=there, place=place)
        problems = (
            *refused,
            *look.location(locations.result()),
            *look.stock(types.result()),
            *look.image(images.result(), image),
            *look.names(),
            *look.key(),
            *look.sizes(),
        )
        return Preflight(problems=problems, notes=(*look.limits(), *look.networks()))


def _refusals(account: Account) -> Iterator[Problem]:
    """Yield that the token may not write; one that is unknown ends every other look as well."""
    try:
        account.call("POST", "/ssh_keys", "a look at the token's rights", json={})
    except TokenError as error:
        yield Problem(what=error.what, hint=error.hint)
    except CloudError:
        # The request is no good, and was refused for that: the token may write.
        return


class _Look:
    """Looks at what a project has, for what some resources want."""

    def __init__(
        self,
        *,
        system: str,
        resources: Sequence[Resource],
        there: Mapping[Kind, Sequence[Thing]],
        place: str,
    ) -> None:
        self._system = system
        self._resources = resources
        self._there = there
        self._place = place

    def _of(self, thing: Thing) -> str:
        return str((thing.get("labels") or {}).get(SYSTEM, ""))

    def location(self, locations: Sequence[Thing]) -> Iterator[Problem]:
        if not any(one["name"] == self._place for one in locations):
            known = ", ".join(sorted(str(one["name"]) for one in locations))
            yield Problem(what=f"Hetzner has no location {self._place}", hint=f"It has: {known}")

    def stock(self, types: Sequence[Thing]) -> Iterator[Problem]:
        """Yield the types that cannot be ordered at the location, each with the next that fits."""
        wanted = Counter(one.wish.machine for one in self._resources if isinstance(one.wish, ServerWish))
        known = {str(one["name"]): one for one in types}
        for name, count in wanted.items():
            servers = "a server" if count == 1 else f"{count} servers"
            if name not in known:
                yield Problem(
                    what=f"{name}, for {servers}: Hetzner has no such type any more",
                    hint="`rookery prices refresh --provider hetzner` reads today's types",
                )
            elif not _is_in_stock(known[name], self._place):
                yield Problem(
                    what=f"{name}, for {servers}, is sold out in {self._place}",
                    hint=self._next(known[name], types),
                )

    def _next(self, sold_out: Thing, types: Sequence[Thing]) -> str:
        fitting = [
            one
            for one in types
            if one["architecture"] == sold_out["architecture"]
            and _is_in_stock(one, self._place)
            and all(Decimal(str(one[size])) >= Decimal(str(sold_out[size])) for size in _SIZES)
            and _hourly(one, self._place) is not None
        ]
        refresh = (
            "`rookery prices refresh --provider hetzner` reads the stock, and `rookery up` then takes it"
        )
        if not fitting:
            return "No type that is as large is in stock there; smaller servers, or waiting, are what is left"
        best = min(fitting, key=lambda one: (_hourly(one, self._place), str(one["name"])))
        price = _hourly(best, self._place)
        assert price is not None
        more = price - (_hourly(sold_out, self._place) or price)
        return (
            f"The next that fits is {best['name']} ({best['cores']} CPU, {best['memory']:g} GB) for"
            f" {price:f} an hour, {more:f} more, net: {refresh}"
        )

    def image(self, images: Sequence[Thing], name: str) -> Iterator[Problem]:
        if not images:
            yield Problem(what=f"Hetzner has no image {name} for x86 any more")

    def names(self) -> Iterator[Problem]:
        """Yield the names that somebody else's things have."""
        taken = [
            (one, self._of(thing))
            for one in self._resources
            for thing in self._there.get(one.kind, ())
            if thing["name"] == one.name and self._of(thing) != self._system
        ]
        for one, whose in taken[:_MOST_ALIKE]:
            owner = f"is of the system {whose}" if whose else "was made by somebody else"
            yield Problem(
                what=f"the {one.kind} {one.name} is there already, and {owner}",
                hint="Give the system another name, or use another project of Hetzner's",
            )
        if len(taken) > _MOST_ALIKE:
            yield Problem(what=f"{len(taken) - _MOST_ALIKE} more names are taken like these")

    def key(self) -> Iterator[Problem]:
        """Yield what is in the way of the SSH key: it is known by what it is, too."""
        for one in self._resources:
            if not isinstance(one.wish, KeyWish):
                continue
            for thing in self._there.get(Kind.KEY, ()):
                same = is_same_key(thing, one.wish)
                if thing["name"] == one.name and self._of(thing) == self._system and not same:
                    yield Problem(
                        what=f"the SSH key {one.name} in the account is another machine's",
                        hint="Work from the machine that made the system, or take it down from any",
                    )
                elif same and thing["name"] != one.name:
                    yield Problem(
                        what=f"this machine's SSH key is in the account as {thing['name']}, and Hetzner takes"
                        " a key once",
                        hint="Remove it there: Hetzner Console, Security, SSH keys",
                    )

    def sizes(self) -> Iterator[Problem]:
        """Yield what Hetzner never does, however often it is asked."""
        for one in self._resources:
            if isinstance(one.wish, NetworkWish) and one.wish.mtu > _MTU:
                yield Problem(
                    what=f"packets have {one.wish.mtu} bytes, and Hetzner's networks carry {_MTU}",
                    hint=f"Set `network.mtu: {_MTU}`, or leave it out",
                )
        volumes = Counter(one.wish.server for one in self._resources if isinstance(one.wish, AttachmentWish))
        for server, count in volumes.items():
            if count > _MOST_VOLUMES:
                yield Problem(
                    what=f"{server} wants {count} volumes, and Hetzner gives one {_MOST_VOLUMES} at most",
                    hint="Use fewer and larger drives: hosts.storage.drives",
                )
        groups = len(self._there.get(Kind.GROUP, ())) + self._asked(Kind.GROUP)
        if groups > _MOST_GROUPS:
            yield Problem(what=f"{groups} placement groups are more than the {_MOST_GROUPS} of a project")

    def limits(self) -> Iterator[str]:
        """Yield what the account may refuse, which no call of the API tells."""
        servers = len(self._there.get(Kind.SERVER, ()))
        asked = self._asked(Kind.SERVER)
        if asked and servers + asked > _NEW_ACCOUNT:
            yield (
                f"the project will have {many(servers + asked, Kind.SERVER)},"
                f" {many(self._count(Kind.VOLUME), Kind.VOLUME)} and"
                f" {many(self._count(Kind.BALANCER), Kind.BALANCER)}; a new account may have {_NEW_ACCOUNT},"
                " and no call tells what yours may have: Hetzner Console, Limits, says it and takes requests"
            )

    def networks(self) -> Iterator[str]:
        """Yield other networks of the project with the same addresses: no server could be in both."""
        for one in self._resources:
            if not isinstance(one.wish, NetworkWish):
                continue
            ours = IPv4Network(one.wish.cidr)
            for thing in self._there.get(Kind.NETWORK, ()):
                other = IPv4Network(str(thing["ip_range"]), strict=False)
                if thing["name"] != one.name and ours.overlaps(other):
                    yield (
                        f"the network {thing['name']} ({other}) of the project has addresses of {ours}, too:"
                        " no server can be in both, and no vSwitch connect them"
                    )

    def _asked(self, kind: Kind) -> int:
        names = {str(one["name"]) for one in self._there.get(kind, ())}
        return sum(one.kind is kind and one.name not in names for one in self._resources)

    def _count(self, kind: Kind) -> int:
        return len(self._there.get(kind, ())) + self._asked(kind)


_SIZES = ("cores", "memory", "disk")


def _is_in_stock(kind: Mapping[str, Any], place: str) -> bool:
    found = next((one for one in kind.get("locations") or () if one["name"] == place), None)
    return found is not None and found.get("available") is not False


def _hourly(kind: Mapping[str, Any], place: str) -> Decimal | None:
    found = next((one for one in kind.get("prices") or () if one["location"] == place), None)
    return Decimal(str(found["price_hourly"]["net"])).normalize() if found is not None else None
