"""What is left of a system in a project: by its label, by name, and by what hangs on its network and servers.

The cluster's own controllers label what they make with labels of theirs. A load balancer of theirs is known
by the network that it is in, a volume of theirs by the server that has it.
"""

from __future__ import annotations

from collections.abc import Iterator

from rookery.clouds.cloud import SYSTEM, Made
from rookery.clouds.hetzner.seen import CSI, Lists, Thing, networks_of
from rookery.plan.resources import Kind


def left_of(lists: Lists, system: str, names: frozenset[str]) -> tuple[Made, ...]:
    """Return everything of a system; what has another system's label is that one's."""
    ours = frozenset(_numbers(lists, Kind.SERVER, system, names))
    networks = frozenset(_numbers(lists, Kind.NETWORK, system, names))

    def belongs(made: Made) -> bool:
        if made.system:
            return made.system == system
        thing = made.seen
        assert isinstance(thing, dict)
        return made.name in names or _hangs(made, thing, networks, ours)

    return tuple(made for made in lists.all() if belongs(made))


def _numbers(lists: Lists, kind: Kind, system: str, names: frozenset[str]) -> Iterator[int]:
    for one in lists.of(kind):
        label = (one.get("labels") or {}).get(SYSTEM, "")
        if label == system or (not label and one["name"] in names):
            yield int(one["id"])


def _hangs(made: Made, thing: Thing, networks: frozenset[int], servers: frozenset[int]) -> bool:
    """Whether something without a label of ours is there for a system's sake.

    A volume that somebody attached by hand has somebody's data, and stays.
    """
    if made.kind is Kind.BALANCER:
        return bool(networks_of(thing) & networks)
    if made.kind in (Kind.VOLUME, Kind.ATTACHMENT):
        return made.maker == CSI and thing.get("server") in servers
    if made.kind is Kind.ADDRESS:
        # It was made with its server, and is to go with it.
        return bool(thing.get("auto_delete")) and thing.get("assignee_id") in servers
    return False
