"""The load balancer at the left, and the lines from each of its frontends to the backends.

Lines are laid as on a circuit board: out of the frontend, along a lane above the hosts, down beside a host's
rows, into the backend. A frontend keeps one colour; a dot is where a line branches, lines that merely cross
have none. The uppermost backend has the outermost lane, so that lines cross only where they pass a host.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rookery.design.model import Design, Frontend
from rookery.projections.drawing import notices
from rookery.projections.drawing.cards import draw_notes
from rookery.projections.drawing.font import text_width
from rookery.projections.drawing.levels import Shelf, Spot
from rookery.projections.drawing.notices import Notice
from rookery.projections.drawing.palette import TRAFFIC
from rookery.projections.drawing.picture import Box, Text
from rookery.projections.drawing.sheet import Sheet, with_row
from rookery.projections.drawing.zones import LANE, PAD

CLIENTS = 66.0
BETWEEN = 34.0
CHIP, CHIP_PITCH = 24.0, 31.0
_HEAD = 62.0
_LEAST, _MOST = 128.0, 190.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A frontend's line: its colour, and where it runs up and down beside the load balancer."""

    frontend: Frontend
    tone: str
    trunk: float


def balancer_width(design: Design) -> float:
    """Return the width of the load balancer's box."""
    widths = [
        text_width(front.name, 11, bold=True) + text_width(f":{front.port}", 10) + 40
        for front in design.frontends
    ]
    return min(max(math.ceil(width) for width in (*widths, _LEAST)), _MOST)


def left_room(design: Design) -> float:
    """Return how much room clients, load balancer and its lines take, left of the zones."""
    if design.load_balancer is None:
        return 0.0
    return balancer_width(design) + 24 + LANE * len(design.frontends) + 6


def draw_balancer(
    sheet: Sheet, design: Design, shelves: Sequence[Shelf], left: float, found: tuple[Notice, ...]
) -> None:
    """Draw clients, the load balancer with its frontends, and the lines to their backends."""
    balancer = design.load_balancer
    if balancer is None:
        return
    width = balancer_width(design)
    top = shelves[0].levels.top
    fronts = _by_shelf(design, shelves)
    chips = _chip_places(fronts, shelves, top)
    tall = notices.height(found, width - 16)
    bottom = max([top + _HEAD, *(y + CHIP for y in chips.values())]) + PAD + (tall + 8 if tall else 0)
    box = Box(
        id=balancer.name,
        parent="network",
        x=left,
        y=top,
        width=width,
        height=bottom - top,
        style="host",
        texts=(
            Text(x=left + PAD, y=top + 19, text=balancer.name, size=13, bold=True),
            Text(x=left + PAD, y=top + 34, text="load balancer", size=10, tone="soft"),
            Text(x=left + PAD, y=top + 48, text=balancer.address, size=10, tone="soft"),
        ),
        leaf=False,
        stands_for=(balancer.name,),
    )
    sheet.add(box)
    if found:
        draw_notes(sheet, box, (left + 8, bottom - tall - 8), width - 16, found)
    _draw_clients(sheet, left, top, balancer.name)
    lanes = _draw_chips(sheet, chips, box)
    for shelf in shelves:
        _draw_lanes(sheet, shelf, lanes, shelves)


def _draw_chips(sheet: Sheet, chips: Mapping[Frontend, float], box: Box) -> list[Lane]:
    """Draw the frontends in the load balancer's box; return their lines' colours and places beside it."""
    lanes = []
    for number, (front, y) in enumerate(chips.items()):
        tone = TRAFFIC[number % len(TRAFFIC)]
        lanes.append(Lane(frontend=front, tone=tone, trunk=box.right + 12 + LANE * number))
        chip = Box(
            id=f"frontend/{front.name}",
            parent=box.id,
            x=box.x + 8,
            y=y,
            width=box.width - 16,
            height=CHIP,
            style=f"frontend-{tone.removeprefix('traffic-')}",
        )
        sheet.add(with_row(chip, front.name, f":{front.port}"))
    return lanes


def _by_shelf(design: Design, shelves: Sequence[Shelf]) -> list[list[Frontend]]:
    """Return the frontends of each shelf, those of several at the first; the last takes those of none."""
    rest = list(design.frontends)
    found = []
    for shelf in shelves:
        found.append([front for front in shelf.lanes if front in rest])
        rest = [front for front in rest if front not in found[-1]]
    found[-1] += rest
    return found


def _chip_places(fronts: list[list[Frontend]], shelves: Sequence[Shelf], top: float) -> dict[Frontend, float]:
    """Return each frontend's height: below the lanes that it leads to, so that lines turn one way only."""
    places: dict[Frontend, float] = {}
    y = top + _HEAD
    for group, shelf in zip(fronts, shelves, strict=True):
        y = max(y, shelf.levels.cards + 8)
        for front in group:
            places[front] = y
            y += CHIP_PITCH
    return places


def _draw_clients(sheet: Sheet, left: float, top: float, balancer: str) -> None:
    x = left - PAD - BETWEEN - CLIENTS
    y = top + 12
    text = Text(x=x + CLIENTS / 2, y=y + 21, text="Clients", bold=True, anchor="middle")
    box = sheet.add(
        Box(id="clients", x=x, y=y, width=CLIENTS, height=34, style="client", shape="pill", texts=(text,))
    )
    middle = y + 17
    sheet.arrow(box.id, balancer, ((box.right, middle), (left, middle)), "soft")


def _draw_lanes(sheet: Sheet, shelf: Shelf, lanes: Sequence[Lane], shelves: Sequence[Shelf]) -> None:
    """Draw the lines of one shelf; a frontend that leads to several shelves branches at its trunk."""
    for number, front in enumerate(shelf.lanes):
        lane = next(lane for lane in lanes if lane.frontend is front)
        chip = sheet.boxes[f"frontend/{front.name}"]
        height = shelf.levels.channel + 3 + LANE * number
        targets = [place for place in shelf.places if front.name in place.content.targets([front])]
        start = (chip.right, chip.middle[1])
        for place in targets:
            across = _beside(place, front)
            box, entry = _entry(sheet, place, front)
            points = (
                start,
                (lane.trunk, start[1]),
                (lane.trunk, height),
                (across, height),
                (across, entry),
                (box.x, entry),
            )
            sheet.arrow(chip.id, box.id, points, lane.tone)
        sheet.dots += [((_beside(place, front), height), lane.tone) for place in targets[:-1]]
        others = [one for one in shelves if front in one.lanes]
        if shelf is not others[-1]:
            branch = height if shelf is not others[0] else start[1]
            sheet.dots.append(((lane.trunk, branch), lane.tone))


def _beside(place: Spot, front: Frontend) -> float:
    """Return where a line runs down beside a host's rows: the topmost row's is the nearest to them."""
    return place.rows_left - 14 - LANE * place.zone.lanes.index(front)


def _entry(sheet: Sheet, place: Spot, front: Frontend) -> tuple[Box, float]:
    """Return the backend's box and the height at which the line enters it, beside others that do."""
    keys = place.content.targets(place.zone.lanes)
    row = next(row for row in (*place.content.upper, *place.content.lower) if row.key == keys[front.name])
    same = [one for one in place.zone.lanes if keys.get(one.name) == row.key]
    box = sheet.boxes[row.ids[0]]
    return box, box.y + box.height * (same.index(front) + 1) / (len(same) + 1)
