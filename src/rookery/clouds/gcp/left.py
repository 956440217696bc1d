"""What is left of a system in a project: by its labels, by its names, and by what hangs on its network.

A name proves something only of what can lose its label: servers, volumes and forwarding rules. All else says
whose it is in a description that nobody can change, so another's network of the same name is never taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rookery.clouds.cloud import SYSTEM, Made
from rookery.clouds.gcp import seen
from rookery.clouds.gcp.seen import Balancer, Json, Lists, label, last, maker_of, path_in
from rookery.plan.resources import Kind

_NAMED = (Kind.SERVER, Kind.VOLUME, Kind.BALANCER)


def left_of(lists: Lists, system: str, names: frozenset[str]) -> tuple[Made, ...]:
    """Return all that is left of a system; `names` are what its things are called."""
    every = list(seen.all_made(lists, {}))
    own = [
        one
        for one in every
        if one.system == system or (not one.system and one.kind in _NAMED and one.name in names)
    ]
    network = next((one.id for one in own if one.kind is Kind.NETWORK), "")
    servers = {one.id for one in own if one.kind is Kind.SERVER}
    hanging = _Hanging(lists=lists, network=network, servers=servers, names=names)
    beside = [one for one in every if not one.system and one not in own and hanging.has(one)]
    return (*own, *beside, *hanging.routes())


class _Hanging:
    """What the cluster's controllers made on a network and its servers."""

    def __init__(self, *, lists: Lists, network: str, servers: set[str], names: frozenset[str]) -> None:
        self._lists = lists
        self._network = network
        self._servers = servers
        self._names = names

    def has(self, one: Made) -> bool:
        """Whether a thing that no system's label says anything of is one of those."""
        if not one.maker:
            return False
        thing: Any = one.seen
        if isinstance(thing, Balancer):
            return any(self._is_reached(part) for part in thing.all)
        if one.kind is Kind.VOLUME:
            return any(path_in(user) in self._servers for user in thing.get("users", ()))
        return one.kind is Kind.FIREWALL and self._is_on_network(thing)

    def _is_on_network(self, thing: Json) -> bool:
        return bool(self._network) and path_in(thing.get("network")) == self._network

    def _is_reached(self, part: Json) -> bool:
        """Whether a part of a load balancer is on the network, or leads to servers, gone ones among them."""
        ends = [path_in(one) for one in part.get("instances", ())]
        return self._is_on_network(part) or any(
            one in self._servers or last(one) in self._names for one in ends
        )

    def routes(self) -> Iterator[Made]:
        """Yield the routes that a controller laid to servers; those of the network itself go with it."""
        for one in self._lists.get("routes", ()):
            is_theirs = one.get("nextHopInstance") or maker_of(one)
            if self._is_on_network(one) and is_theirs and not label(one, SYSTEM):
                yield seen.plain_made(Kind.OTHER, one)
