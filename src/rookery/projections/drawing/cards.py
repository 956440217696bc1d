"""Draws a host's box: its heading, its programs, its claims on the line, its OSDs above their drives."""

from __future__ import annotations

from rookery.projections.drawing import notices
from rookery.projections.drawing.contents import Row, Stack
from rookery.projections.drawing.font import fit_text, text_width
from rookery.projections.drawing.levels import DRIVE, FALL, OSD, PITCH, TICKET, Levels, Spot
from rookery.projections.drawing.notices import Notice
from rookery.projections.drawing.picture import Box, Point, Ring, Text
from rookery.projections.drawing.sheet import ROW, Sheet, with_lines, with_row
from rookery.projections.drawing.zones import LANE, PAD, TICKET_GAP


def draw_card(sheet: Sheet, place: Spot, levels: Levels) -> None:
    """Draw a host's box with everything in it but its notes and lines."""
    content, zone = place.content, place.zone
    end = levels.cards_end if zone.stores else levels.outside_end - PAD
    sheet.add(
        Box(
            id=place.id,
            parent=zone.id,
            x=place.x,
            y=levels.cards,
            width=place.width,
            height=end - levels.cards,
            style="host",
            texts=_heading(place, levels.cards),
            leaf=False,
            stands_for=tuple(host.name for host in content.card.hosts),
            sheets=2 if content.card.folded else 0,
        )
    )
    for row in content.upper:
        _draw_row(sheet, place, row, levels.rows + zone.upper_slots[row.key] * PITCH, place.id)
    if not zone.stores:
        return
    inside = place.id
    if zone.spans:
        inside = _draw_inside(sheet, place, levels)
    for row in content.lower:
        _draw_row(sheet, place, row, levels.lower + zone.lower_slots[row.key] * PITCH, inside)
    _draw_stacks(sheet, place, levels.osds, inside)


def _heading(place: Spot, top: float) -> tuple[Text, ...]:
    # Lines that come in pass at the left of it.
    content, left, right = place.content, place.rows_left, place.x + place.width - PAD
    inner = right - left
    room = inner - text_width(content.badge, 10) - 10
    texts = [
        Text(x=left, y=top + 19, text=fit_text(content.name, room, 13, bold=True), size=13, bold=True),
        Text(x=right, y=top + 19, text=content.badge, size=10, anchor="end", tone="soft"),
        Text(x=left, y=top + 34, text=fit_text(content.machine, inner, 10), size=10, tone="soft"),
    ]
    if content.addresses:
        words = fit_text(content.addresses, inner, 10)
        texts.append(Text(x=left, y=top + 48, text=words, size=10, tone="soft"))
    return tuple(texts)


def _draw_row(sheet: Sheet, place: Spot, row: Row, y: float, parent: str) -> None:
    box = Box(
        id=row.ids[0],
        parent=parent,
        x=place.rows_left,
        y=y,
        width=place.rows_right - place.rows_left,
        height=ROW,
        style=row.style,
        stands_for=row.ids,
    )
    sheet.add(with_row(box, row.label, row.note))


def _draw_inside(sheet: Sheet, place: Spot, levels: Levels) -> str:
    """Draw the part of a box below the line, for hosts that work and store."""
    top = levels.lower - 10
    name = f"{place.id}/ceph"
    sheet.add(
        Box(
            id=name,
            parent=place.id,
            x=place.x + 6,
            y=top,
            width=place.width - 12,
            height=levels.cards_end - levels.notes - top - 6,
            style="inside",
            leaf=False,
        )
    )
    return name


def _draw_stacks(sheet: Sheet, place: Spot, top: float, parent: str) -> None:
    content = place.content
    if content.osds:
        words = fit_text(content.osds, place.width - 2 * PAD, 9.5)
        text = Text(x=place.x + PAD, y=top - 4, text=words, size=9.5, tone="soft")
        sheet.words(f"{place.id}/osds", [text], parent)
    count, gap = len(content.stacks), 8.0
    width = (place.width - 2 * PAD - gap * (count - 1)) / count
    for number, stack in enumerate(content.stacks):
        _draw_stack(sheet, stack, (place.x + PAD + number * (width + gap), top), width, parent)


def _draw_stack(sheet: Sheet, stack: Stack, at: Point, width: float, parent: str) -> None:
    x, y = at
    osd = Box(
        id=stack.osd_ids[0] if stack.osd_ids else f"{stack.drive_ids[0]}/no-osd",
        parent=parent,
        x=x,
        y=y,
        width=width,
        height=OSD,
        style="osd",
        stands_for=stack.osd_ids,
    )
    drive = Box(
        id=stack.drive_ids[0],
        parent=parent,
        x=x,
        y=y + OSD + FALL,
        width=width,
        height=DRIVE,
        style="drive",
        shape="drive",
        stands_for=stack.drive_ids,
    )
    sheet.add(with_lines(osd, (stack.osd,), size=10.5))
    sheet.add(with_lines(drive, _drive_lines(stack.drive, width)))
    if stack.osd_ids:
        middle = x + width / 2
        sheet.arrow(osd.id, drive.id, ((middle, osd.bottom), (middle, drive.y)), "data")


def _drive_lines(drive: tuple[str, ...], width: float) -> tuple[str, ...]:
    name, size, kind = drive
    joined = f"{size} {kind}"
    return (name, joined) if text_width(joined, 9.5) <= width - 10 else drive


def draw_claims(sheet: Sheet, place: Spot, levels: Levels, below: tuple[str, float] | None) -> None:
    """Draw a host's claims on the line, and the arrows down to them from the instances that use them.

    `below` is the box under the line that the claims lead to, and its upper edge.
    """
    content, zone = place.content, place.zone
    tickets = content.tickets
    if not tickets:
        return
    width = zone.ticket_width
    end = place.x + place.width - PAD if zone.spans else place.rows_right
    room = end - place.rows_left - width
    step = min(room / max(len(tickets) - 1, 1), width + 4 * TICKET_GAP)
    step = max(step, width + TICKET_GAP)
    for number, claim in enumerate(tickets):
        ticket = Box(
            id=f"{place.id}/claim/{claim.kind}-{claim.name}",
            x=round(place.rows_left + number * step, 1),
            y=levels.tickets,
            width=width,
            height=TICKET,
            style=claim.kind,
            shape="pill",
        )
        box = sheet.add(with_lines(ticket, (claim.name, claim.note), size=9.0))
        target, edge = (f"{place.id}/ceph", levels.lower - 10) if zone.spans else below or ("", 0.0)
        if target:
            middle = box.middle[0]
            sheet.arrow(box.id, target, ((middle, box.bottom), (middle, edge)), "claim")
    _draw_uses(sheet, place, levels)


def _draw_uses(sheet: Sheet, place: Spot, levels: Levels) -> None:
    uses = place.content.uses
    users = [row.key for row, _ in uses]
    claimed = [claim for _, claim in uses]
    entries: list[float] = []
    for number, (_, claim) in enumerate(uses):
        box = sheet.boxes[f"{place.id}/claim/{claim.kind}-{claim.name}"]
        nth, of = claimed[:number].count(claim), claimed.count(claim)
        entries.append(box.x + box.width * (nth + 1) / (of + 1))
    exits = [place.rows_right + 9 + LANE * number for number in range(len(uses))]
    for number, (row, claim) in enumerate(uses):
        source = sheet.boxes[row.ids[0]]
        nth, of = users[:number].count(row.key), users.count(row.key)
        # The inner line leaves lowest, as it has to turn first.
        leave = source.bottom - source.height * (nth + 1) / (of + 1)
        rank = _rank(number, exits, entries)
        turn = levels.band + 4 + LANE * rank
        ticket = f"{place.id}/claim/{claim.kind}-{claim.name}"
        points: tuple[Point, ...] = (
            (source.right, leave),
            (exits[number], leave),
            (exits[number], turn),
            (entries[number], turn),
            (entries[number], levels.tickets),
        )
        sheet.arrow(source.id, ticket, points, "claim")


def _rank(number: int, exits: list[float], entries: list[float]) -> int:
    """Return which line turns first: of those that turn left the innermost, of those that turn right the
    outermost; so that lines to different claims do not cross."""
    if entries[number] <= exits[number]:
        return number
    return len(exits) - 1 - number


def draw_notices(sheet: Sheet, place: Spot, levels: Levels, found: tuple[Notice, ...]) -> None:
    """Draw what differs from the design at this host: rings around the elements, notes at the box's foot."""
    if not found:
        return
    end = levels.cards_end if place.zone.stores else levels.outside_end - PAD
    left, width = place.notes
    top = end - notices.height(found, width) - 8
    draw_notes(sheet, sheet.boxes[place.id], (left, top), width, found)


def draw_notes(sheet: Sheet, around: Box, at: Point, width: float, found: tuple[Notice, ...]) -> None:
    """Draw a box with notes at that place, and a ring for each note that has an element."""
    x, y = at
    words = notices.lines(found, width - 16)
    texts = tuple(
        Text(x=x + 8, y=y + 15 + number * notices.LEADING, text=line, size=notices.SIZE)
        for number, line in enumerate(words)
    )
    tall = notices.height(found, width)
    sheet.add(
        Box(
            id=f"{around.id}/differs",
            parent=around.id,
            x=x,
            y=y,
            width=width,
            height=tall,
            style="marks",
            texts=texts,
        )
    )
    sheet.rings += [Ring(box=n.box, kind=n.kind, number=n.number) for n in found if n.box]
