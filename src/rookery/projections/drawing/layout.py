"""From a design to a picture: where each zone, host and line stands.

The page is read as the system works: clients and the load balancer at the left, applications above the
dotted line of persistent volumes, storage below it. Widths come from the texts, heights from the contents;
nothing is placed by hand, so any design gets a page in which nothing overlaps.
"""

from __future__ import annotations

from collections.abc import Sequence

from rookery.design.model import Design
from rookery.projections.drawing import backups, balancer
from rookery.projections.drawing.cards import draw_card, draw_claims, draw_notices
from rookery.projections.drawing.folding import Marks, addresses_of
from rookery.projections.drawing.font import fit_text, text_width
from rookery.projections.drawing.levels import RAIL, Shelf, Spot, build_shelf, natural_width, place_cards
from rookery.projections.drawing.notices import Notices, build_notices
from rookery.projections.drawing.page import draw_footer, draw_header, pool_words
from rookery.projections.drawing.picture import Box, Line, Picture, Text
from rookery.projections.drawing.sheet import Sheet
from rookery.projections.drawing.zones import PAD, Zone, build_shelves

_MARGIN = 36.0
_LEAST_WIDTH = 780.0
_LINE_WORDS = "Persistent volumes"
_LINE_ROOM = 140.0
_UNDER = 18.0  # from one shelf to the next


def build_picture(design: Design, marks: Marks) -> Picture:
    """Lay the design out; what `marks` name gets a ring and a note."""
    sheet = Sheet()
    zones = build_shelves(design, marks)
    notices = build_notices(zones, design.load_balancer, marks)
    clients = balancer.CLIENTS + balancer.BETWEEN + PAD if design.load_balancer else 0.0
    network = _MARGIN + clients - (PAD if clients else 0.0)
    left = network + PAD + balancer.left_room(design)
    width = max(_LEAST_WIDTH, *(natural_width(shelf) for shelf in zones), 0.0)
    room = 0.0 if any(zone.kind == "control" for zone in zones[0]) else _LINE_ROOM
    right = left + width + room
    top = draw_header(sheet, design, _MARGIN, _MARGIN, right - _MARGIN) + 14
    shelves = _place_shelves(design, zones, place_cards(zones, left, width), top + 34, notices)
    below = shelves[-1].levels.end + (_UNDER if design.backup else 0.0)
    bottom = below + backups.height(design) + PAD
    sheet.add(_network(design, network, top, right + PAD, bottom))
    for shelf in shelves:
        _draw_shelf(sheet, design, shelf)
    for number, shelf in enumerate(shelves):
        _draw_contents(sheet, shelf, shelves[number + 1 :], notices)
        _draw_line(sheet, shelf, left, right)
    found = notices.of_card.get(design.load_balancer.name, ()) if design.load_balancer else ()
    balancer.draw_balancer(sheet, design, shelves, network + PAD, found)
    backups.draw_backups(sheet, design, (left, below), right - left)
    page = right + PAD + _MARGIN
    elsewhere = notices.elsewhere if marks else None
    under = bottom + backups.height_outside(design) + 14
    end = draw_footer(sheet, design, (_MARGIN, under), page - 2 * _MARGIN, elsewhere)
    return Picture(
        title=design.name,
        description=design.description,
        width=page,
        height=round(end + _MARGIN - 16),
        boxes=tuple(sheet.boxes.values()),
        arrows=tuple(sheet.arrows),
        lines=tuple(sheet.lines),
        dots=tuple(sheet.dots),
        rings=tuple(sheet.rings),
    )


def _place_shelves(
    design: Design,
    zones: Sequence[tuple[Zone, ...]],
    places_by_shelf: Sequence[tuple[Spot, ...]],
    top: float,
    notices: Notices,
) -> list[Shelf]:
    shelves: list[Shelf] = []
    for row, places in zip(zones, places_by_shelf, strict=True):
        rail = bool(design.network.cluster) and any(zone.stores for zone in row)
        shelf = build_shelf(row, places, top, notices, rail=rail)
        shelves.append(shelf)
        top = shelf.levels.end + _UNDER
    return shelves


def _network(design: Design, left: float, top: float, right: float, bottom: float) -> Box:
    words = f"Public network {design.network.public} · MTU {design.network.mtu}"
    return Box(
        id="network",
        x=left,
        y=top,
        width=right - left,
        height=bottom - top,
        style="network",
        texts=(Text(x=left + PAD, y=top + 21, text=words, size=11, bold=True, tone="soft"),),
        leaf=False,
    )


def _draw_shelf(sheet: Sheet, design: Design, shelf: Shelf) -> None:
    """Draw the zones' grounds, with the pools in the heading of those that store."""
    levels = shelf.levels
    for zone in shelf.zones:
        places = shelf.of_zone(zone)
        x, right = places[0].x - PAD, places[-1].x + places[-1].width + PAD
        end = levels.end if zone.stores else levels.outside_end
        ground = sheet.add(
            Box(
                id=zone.id,
                parent="network",
                x=x,
                y=levels.top,
                width=right - x,
                height=end - levels.top,
                style="zone-storage" if zone.stores else f"zone-{zone.kind}",
                texts=(Text(x=x + PAD, y=levels.top + 19, text=zone.title, size=12, bold=True),),
                leaf=False,
            )
        )
        if zone.stores:
            _draw_pools(sheet, design, ground)
            _draw_rail(sheet, design, shelf, ground)


def _draw_pools(sheet: Sheet, design: Design, ground: Box) -> None:
    """Draw a chip for each pool that holds data, from the right; those without room are left out."""
    x = ground.right - PAD
    start = ground.texts[0].left + ground.texts[0].width + 16
    if ground.texts[0].text.endswith("continued"):
        return
    for kind, name, kept in reversed(pool_words(design)):
        words = f"{name} · {kept}"
        wide = text_width(words, 9.5) + 18
        if x - wide < start:
            return
        x -= wide
        text = Text(x=x + wide / 2, y=ground.y + 18, text=words, size=9.5, anchor="middle")
        sheet.add(
            Box(
                id=f"pool/{name}",
                parent=ground.id,
                x=x,
                y=ground.y + 5,
                width=wide,
                height=18,
                style=kind,
                shape="pill",
                texts=(text,),
            )
        )
        x -= 8


def _draw_rail(sheet: Sheet, design: Design, shelf: Shelf, ground: Box) -> None:
    """Draw the cluster network under the storage nodes, with each one's address at its cable."""
    if not design.network.cluster:
        return
    y = shelf.levels.cards_end + RAIL - 16
    words = f"Cluster network {design.network.cluster}, replication between OSDs"
    sheet.lines.append(
        Line(
            id=f"{ground.id}/rail",
            points=((ground.x + PAD, y), (ground.right - PAD, y)),
            tone="cluster",
            width=2.5,
        )
    )
    text = Text(x=ground.x + PAD, y=y + 14, text=words, size=10, tone="soft")
    sheet.words(f"{ground.id}/rail-words", [text], ground.id)
    for place in shelf.places:
        if place.zone.id != ground.id or not place.content.card.sample.cluster_address:
            continue
        x = place.x + 24
        start = shelf.levels.cards_end + (8 if place.content.card.folded else 0)
        sheet.lines.append(
            Line(id=f"{place.id}/cable", points=((x, start), (x, y)), tone="cluster", width=2.5)
        )
        address = fit_text(addresses_of(place.content.card, cluster=True), place.width - 40, 10)
        text = Text(x=x + 8, y=y - 8, text=address, size=10, tone="soft")
        sheet.words(f"{place.id}/cable-words", [text], ground.id)


def _draw_contents(sheet: Sheet, shelf: Shelf, below: Sequence[Shelf], notices: Notices) -> None:
    next_zone = (below[0].zones[0].id, below[0].levels.top) if below else None
    for place in shelf.places:
        draw_card(sheet, place, shelf.levels)
        draw_claims(sheet, place, shelf.levels, next_zone)
        draw_notices(sheet, place, shelf.levels, notices.of_card.get(place.id, ()))


def _draw_line(sheet: Sheet, shelf: Shelf, left: float, right: float) -> None:
    """Draw the dotted line of the persistent volumes; its name stands at the right, where no claim is."""
    y = shelf.levels.line
    if y is None:
        return
    words = Text(x=right, y=y - 6, text=_LINE_WORDS, size=11, bold=True, anchor="end", tone="claim")
    sheet.lines.append(Line(id=f"volumes-{y:g}", points=((left, y), (right, y)), tone="claim", dotted=True))
    sheet.words(f"volumes-{y:g}-words", [words], "network")
