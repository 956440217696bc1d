"""What things at Google still lack of what a design asks, by what was seen of them; nothing is asked here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rookery.clouds.cloud import Made, There
from rookery.clouds.gcp import wishes
from rookery.clouds.gcp.making import rules_of
from rookery.clouds.gcp.seen import knows_key
from rookery.plan.resources import Kind, Resource


def lacks(resource: Resource, made: Made, there: There) -> str:
    """Return in a few words what a thing lacks; empty where it is whole."""
    look = _LOOKS.get(resource.kind)
    if look is None:
        return ""
    return look(_Pair(name=resource.name, wish=resource.wish, thing=made.seen, made=made, there=there))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """What is asked beside what was seen, both of one kind: the table below says which."""

    name: str
    wish: Any
    thing: Any
    made: Made
    there: There


def _server(pair: _Pair) -> str:
    if not knows_key(pair.thing, pair.wish.public_key):
        return "another machine's"
    return _state(pair.made, "RUNNING")


def _volume(pair: _Pair) -> str:
    return _state(pair.made, "READY")


def _state(made: Made, wanted: str) -> str:
    return "" if made.state == wanted else made.state.lower() or "being made"


def _network(pair: _Pair) -> str:
    return "" if wishes.subnetwork_of(pair.thing) else "without its subnetwork"


def _firewall(pair: _Pair) -> str:
    is_same = rules_of(pair.thing) == rules_of({"allowed": wishes.allowed(pair.wish.openings)})
    return "" if is_same else "has other rules"


def _balancer(pair: _Pair) -> str:
    parts = wishes.parts_of(pair.name)
    return next(
        (f"without {name} of its {what}" for what, name in parts if not pair.thing.has(what, name)), ""
    )


def _attachment(pair: _Pair) -> str:
    return _elsewhere(pair.made, pair.there.get(pair.wish.server))


def _target(pair: _Pair) -> str:
    return _elsewhere(pair.made, pair.there.get(pair.wish.balancer))


def _elsewhere(made: Made, wanted: Made | None) -> str:
    return "" if wanted is not None and wanted.name == made.on else "elsewhere"


_LOOKS: Mapping[Kind, Callable[[_Pair], str]] = {
    Kind.SERVER: _server,
    Kind.VOLUME: _volume,
    Kind.NETWORK: _network,
    Kind.FIREWALL: _firewall,
    Kind.BALANCER: _balancer,
    Kind.ATTACHMENT: _attachment,
    Kind.TARGET: _target,
}
