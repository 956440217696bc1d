"""Where the parts of a shelf stand: widths first, because notes wrap by them, then heights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rookery.design.model import Frontend
from rookery.projections.drawing.notices import Notices, height
from rookery.projections.drawing.sheet import ROW
from rookery.projections.drawing.zones import GAP, HEADING, LANE, PAD, Content, Zone

PITCH = ROW + 6
TICKET = 34.0
OSD, FALL, DRIVE = 24.0, 22.0, 56.0
RAIL = 46.0
_STRETCH = 1.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A card's place from left to right."""

    zone: Zone
    content: Content
    x: float
    width: float

    @property
    def id(self) -> str:
        return self.content.card.sample.name

    @property
    def rows_left(self) -> float:
        return self.x + self.zone.left

    @property
    def rows_right(self) -> float:
        return self.x + self.width - self.zone.right

    @property
    def notes(self) -> tuple[float, float]:
        """The place of a note at the box's foot, its left edge and width: beside the lines to claims."""
        right = self.rows_right if not self.zone.stores else self.x + self.width - PAD
        return self.x + PAD, right - self.x - PAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """A shelf's heights, from top to bottom.

    `line` is the height of the persistent volumes' line, None on a shelf without it; `lower` that of the
    first row below it; `notes` is how much the tallest note of differences takes.
    """

    top: float
    channel: float
    cards: float
    rows: float
    upper_end: float
    outside_end: float
    band: float
    tickets: float
    line: float | None
    lower: float
    osds: float
    cards_end: float
    notes: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Zones side by side, with the place of each card and the heights that all share."""

    zones: tuple[Zone, ...]
    places: tuple[Spot, ...]
    lanes: tuple[Frontend, ...]
    levels: Levels

    def of_zone(self, zone: Zone) -> tuple[Spot, ...]:
        return tuple(place for place in self.places if place.zone is zone)


def natural_width(zones: Sequence[Zone]) -> float:
    return sum(zone.width(zone.natural_width) + GAP for zone in zones) - GAP


def place_cards(shelves: Sequence[Sequence[Zone]], left: float, width: float) -> tuple[tuple[Spot, ...], ...]:
    """Return the cards' places on each shelf.

    What `width` leaves over is shared out, and what would make cards too wide stays at the right. A zone that
    goes on on the next shelf keeps its cards' width.
    """
    widest: dict[str, float] = {}
    for zones in shelves:
        spare = max(width - natural_width(zones), 0.0) / sum(len(zone.contents) for zone in zones)
        for zone in zones:
            card = min(zone.natural_width + spare, zone.natural_width * _STRETCH)
            widest[zone.kind] = max(min(widest.get(zone.kind, card), card), zone.natural_width)
    found = []
    for zones in shelves:
        x = left
        places: list[Spot] = []
        spare = sum((widest[zone.kind] % 1) * len(zone.contents) for zone in zones) + 0.01
        for zone in zones:
            x += PAD
            for content in zone.contents:
                # Widths are whole pixels; what rounding leaves goes to the first cards.
                card = widest[zone.kind] // 1 + (1 if spare >= 1 else 0)
                spare -= 1
                places.append(Spot(zone=zone, content=content, x=x, width=card))
                x += card + GAP
            x += PAD
        found.append(tuple(places))
    return tuple(found)


def _slots(heights: Mapping[str, int]) -> int:
    return max(heights.values(), default=-1) + 1


def build_shelf(
    zones: tuple[Zone, ...], places: tuple[Spot, ...], top: float, notices: Notices, *, rail: bool
) -> Shelf:
    """Return a shelf at its height; `rail` leaves room for the cluster network under storage nodes."""
    lanes = tuple(dict.fromkeys(lane for zone in zones for lane in zone.lanes))
    notes = max(height(notices.of_card.get(p.id, ()), p.notes[1]) for p in places)
    levels = _levels(zones, top, len(lanes), notes + 6 if notes else 0.0, rail=rail)
    return Shelf(zones=zones, places=places, lanes=lanes, levels=levels)


def _levels(zones: Sequence[Zone], top: float, lanes: int, notes: float, *, rail: bool) -> Levels:
    channel = top + HEADING
    cards = channel + (LANE * lanes + 7 if lanes else 0.0)
    rows = cards + max(zone.head for zone in zones)
    upper = max(_slots(zone.upper_slots) for zone in zones)
    upper_end = rows + upper * PITCH - (6 if upper else 0)
    outside = [zone for zone in zones if not zone.stores]
    outside_end = upper_end + notes + 2 * PAD
    spanning = any(zone.spans for zone in zones)
    uses = max(len(content.uses) for zone in zones for content in zone.contents)
    band = (outside_end if outside else upper_end) + 8
    tickets = band + (LANE * uses + 8 if uses else 0.0)
    has_line = spanning or bool(outside)
    below = tickets + TICKET if uses else tickets + 12
    lower = rows if not spanning else below + 18 + 10
    stored = max((_slots(zone.lower_slots) for zone in zones if zone.stores), default=0)
    osds = lower + stored * PITCH + 14
    cards_end = osds + OSD + FALL + DRIVE + PAD + (6 if spanning else 0) + notes
    end = cards_end + PAD + (RAIL if rail else 0.0)
    return Levels(
        top=top,
        channel=channel,
        cards=cards,
        rows=rows,
        upper_end=upper_end,
        outside_end=outside_end,
        band=band,
        tickets=tickets,
        line=(tickets + TICKET / 2 if uses else tickets) if has_line else None,
        lower=lower,
        osds=osds,
        cards_end=cards_end,
        notes=notes,
        end=end if any(zone.stores for zone in zones) else below,
    )
