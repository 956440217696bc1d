"""Zones: the groups of hosts with one role, with what is in each host's box and how wide it must be.

A zone has no place yet; `layout` gives it one. Zones stand on shelves, one above the other: workers and the
control plane on the first, storage nodes below the line of persistent volumes. Hosts that work and store
span that line.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rookery.design.model import Design, Frontend, Host, Role
from rookery.projections.drawing.contents import (
    Claim,
    Row,
    Stack,
    claims,
    lower_rows,
    osd_range,
    slots,
    stacks,
    target_key,
    upper_rows,
)
from rookery.projections.drawing.folding import Card, Marks, addresses_of, fold_hosts, names_of
from rookery.projections.drawing.font import text_width
from rookery.units import format_size

PAD = 12.0  # between a box and what is in it
GAP = 16.0  # between two boxes side by side
LANE = 7.0  # from one line to the next
HEADING = 28.0  # a zone's title
TICKET_GAP = 6.0
_LEAST_ROW, _MOST_ROW = 150.0, 230.0
_LEAST_TICKET, _MOST_TICKET = 54.0, 96.0
_MOST_NAME = 200.0
# How many hosts of a zone are drawn each for itself, and how many boxes stand side by side.
_UNFOLDED = {"control": 3, "worker": 4, "storage": 6, "both": 5}
_ABREAST = {"storage": 6, "both": 5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What one card holds, ready to be drawn."""

    card: Card
    name: str
    badge: str
    machine: str
    addresses: str
    upper: tuple[Row, ...]
    lower: tuple[Row, ...]
    stacks: tuple[Stack, ...]
    osds: str
    claims: tuple[Claim, ...]

    def targets(self, frontends: Iterable[Frontend]) -> dict[str, str]:
        """Return the key of the row that each frontend leads to here, by the frontend's name."""
        keys = {frontend.name: target_key(frontend, self.card.sample) for frontend in frontends}
        known = {row.key for row in (*self.upper, *self.lower)}
        return {name: key for name, key in keys.items() if key in known}

    @property
    def uses(self) -> tuple[tuple[Row, Claim], ...]:
        """Return who claims what, the lowest row first.

        In this order lines cross only where two instances share two claims, which no order avoids.
        """
        rows = {row.key: (place, row) for place, row in enumerate(self.upper)}
        pairs = [
            (-rows[key][0], number, rows[key][1], claim)
            for number, claim in enumerate(self.claims)
            for key in claim.users
            if key in rows
        ]
        return tuple((row, claim) for _, _, row, claim in sorted(pairs, key=lambda pair: pair[:2]))

    @property
    def tickets(self) -> tuple[Claim, ...]:
        return tuple(dict.fromkeys(claim for _, claim in self.uses))


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """Hosts of one kind on one shelf.

    The slots say at which height a row stands by its key; `lanes` are the frontends that lead here, that of
    the topmost row first.
    """

    id: str
    kind: str
    title: str
    contents: tuple[Content, ...]
    upper_slots: Mapping[str, int]
    lower_slots: Mapping[str, int]
    lanes: tuple[Frontend, ...]

    @property
    def spans(self) -> bool:
        return self.kind == "both"

    @property
    def stores(self) -> bool:
        return self.kind in ("both", "storage")

    @property
    def head(self) -> float:
        """The height of a card's heading: a third line where addresses are many."""
        return 58.0 if any(content.card.folded for content in self.contents) else 44.0

    @property
    def left(self) -> float:
        """From a card's edge to its rows: room for the lines that come in."""
        return PAD if not self.lanes else PAD + LANE * (len(self.lanes) - 1) + 14

    @property
    def right(self) -> float:
        """From a card's rows to its edge: room for the lines that lead to claims."""
        count = max(len(content.uses) for content in self.contents)
        return PAD if not count else PAD + LANE * (count - 1) + 9

    @property
    def ticket_width(self) -> float:
        words = [text for c in self.contents for claim in c.claims for text in (claim.name, claim.note)]
        widest = max((text_width(word, 9.5, bold=True) for word in words), default=0.0)
        return min(max(math.ceil(widest) + 12, _LEAST_TICKET), _MOST_TICKET)

    @property
    def natural_width(self) -> float:
        """The width that a card needs for its rows, its claims and its heading."""
        rows = [row for content in self.contents for row in (*content.upper, *content.lower)]
        row = max((_row_width(row) for row in rows), default=_LEAST_ROW)
        inner = self.left + min(max(row, _LEAST_ROW), _MOST_ROW) + self.right
        tickets = max(len(content.tickets) for content in self.contents)
        claimed = self.left + tickets * (self.ticket_width + TICKET_GAP) + PAD if tickets else 0.0
        drives = max(len(content.stacks) for content in self.contents) * 60 + 2 * PAD
        heading = self.left + PAD + max(_heading_width(content) for content in self.contents)
        return math.ceil(max(inner, claimed, drives, heading))

    def width(self, card: float) -> float:
        """The zone's width with cards of that width."""
        return len(self.contents) * (card + GAP) - GAP + 2 * PAD


def _row_width(row: Row) -> float:
    return text_width(row.label, 11, bold=True) + text_width(row.note, 9.5) + 28


def _heading_width(content: Content) -> float:
    name = min(text_width(content.name, 13, bold=True), _MOST_NAME)
    return max(name + text_width(content.badge, 10) + 14, text_width(content.machine, 10))


def build_shelves(design: Design, marks: Marks) -> tuple[tuple[Zone, ...], ...]:
    """Return the zones of each shelf from top to bottom, on a shelf from left to right."""
    kinds: dict[str, list[Host]] = {"worker": [], "both": [], "control": [], "storage": []}
    for host in design.servers:
        kinds[_kind(host)].append(host)
    contents = {
        kind: tuple(_content(design, card) for card in fold_hosts(hosts, _UNFOLDED[kind], marks))
        for kind, hosts in kinds.items()
    }
    both, storage = (_chunks(contents[kind], _ABREAST[kind]) for kind in ("both", "storage"))
    first = [
        _zone(design, "worker", contents["worker"]),
        *(_zone(design, "both", chunk) for chunk in both[:1]),
        _zone(design, "control", contents["control"]),
    ]
    shelves = [first] if any(zone.contents for zone in first) else []
    shelves += [[_zone(design, "both", chunk, number)] for number, chunk in enumerate(both[1:], start=1)]
    shelves += [[_zone(design, "storage", chunk, number)] for number, chunk in enumerate(storage)]
    found = [tuple(zone for zone in shelf if zone.contents) for shelf in shelves]
    return tuple(found)


def _kind(host: Host) -> str:
    if Role.STORAGE in host.roles:
        return "both" if Role.WORKER in host.roles else "storage"
    return "worker" if Role.WORKER in host.roles else "control"


def _chunks(contents: Sequence[Content], most: int) -> tuple[tuple[Content, ...], ...]:
    """Return the cards in as few rows as hold them, evenly filled."""
    rows = max(math.ceil(len(contents) / most), 1)
    length = max(math.ceil(len(contents) / rows), 1)
    return tuple(tuple(contents[at : at + length]) for at in range(0, len(contents), length))


def _zone(design: Design, kind: str, contents: tuple[Content, ...], number: int = 0) -> Zone:
    upper = slots([content.upper for content in contents])
    lower = slots([content.lower for content in contents])
    places = upper | {key: len(upper) + height for key, height in lower.items()}
    first: dict[str, int] = {}
    for content in contents:
        for name, key in content.targets(design.frontends).items():
            first[name] = min(first.get(name, places[key]), places[key])
    lanes = sorted((f for f in design.frontends if f.name in first), key=lambda f: first[f.name])
    return Zone(
        id=f"zone-{kind}" + (f"-{number + 1}" if number else ""),
        kind=kind,
        title=_title(kind, contents) + (", continued" if number else ""),
        contents=contents,
        upper_slots=upper,
        lower_slots=lower,
        lanes=tuple(lanes),
    )


def _title(kind: str, contents: Sequence[Content]) -> str:
    if kind in ("worker", "control") or not contents:
        return {"worker": "Workers"}.get(kind, "Control plane")
    roles = contents[0].card.sample.roles
    names = ((Role.CONTROL_PLANE, "control plane"), (Role.WORKER, "workers"), (Role.STORAGE, "storage nodes"))
    words = [name for role, name in names if role in roles]
    text = f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]
    return text[0].upper() + text[1:]


def _content(design: Design, card: Card) -> Content:
    host = card.sample
    upper, lower = upper_rows(design, card), lower_rows(design, card)
    if _kind(host) == "storage":
        upper, lower = (), (*upper, *lower)
    disk = f" · {format_size(host.disk)} disk" if host.disk else ""
    return Content(
        card=card,
        name=names_of(card),
        badge=f"{len(card.hosts)} identical" if card.folded else host.address,
        machine=f"{host.cpus} CPU · {format_size(host.memory)} RAM{disk}",
        addresses=addresses_of(card) if card.folded else "",
        upper=upper,
        lower=lower,
        stacks=stacks(card),
        osds=osd_range(card),
        claims=claims(design, host),
    )
