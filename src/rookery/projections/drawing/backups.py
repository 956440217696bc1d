"""Backups, below the storage nodes: the kinds that are taken, the bucket they go to, the places outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from rookery.apps.backup.config import kept_buckets, settings_of, taken_kinds
from rookery.apps.backup.places import BLOCK, BUCKET, DATABASE, FILES, OBJECTS, SYSTEM
from rookery.apps.backup.settings import BackupSettings, seconds
from rookery.design.model import Design
from rookery.projections.drawing.picture import Box, Point, Text
from rookery.projections.drawing.sheet import ROW, Sheet, with_lines, with_row
from rookery.projections.drawing.zones import HEADING, PAD
from rookery.units import format_period

_CHIP, _FALL, _GAP = 34.0, 22.0, 12.0
_OUT = 40.0  # from the bucket to the places outside, across the network's edge
_MOST = 210.0
_STYLES: Mapping[str, str] = {
    DATABASE: "app",
    OBJECTS: "object",
    FILES: "file",
    BLOCK: "block",
    SYSTEM: "part",
}


def height(design: Design) -> float:
    """Return how much room backups take within the network; 0 for a design that takes none."""
    return HEADING + _CHIP + _FALL + ROW + PAD if design.backup is not None else 0.0


def height_outside(design: Design) -> float:
    """Return how much room the places outside take below the network."""
    return _OUT - PAD + _CHIP if design.backup is not None and settings_of(design).copies else 0.0


def draw_backups(sheet: Sheet, design: Design, at: Point, width: float) -> None:
    """Draw each kind with an arrow to the bucket, and from there one to each place outside; nothing for a
    design that takes no backups."""
    if design.backup is None:
        return
    x, y = at
    settings = settings_of(design)
    ground = sheet.add(
        Box(
            id="zone-backup",
            parent="network",
            x=x,
            y=y,
            width=width,
            height=height(design),
            style="zone-backup",
            texts=_heading(design, settings, (x + PAD, y + 19)),
            leaf=False,
        )
    )
    kinds = [(f"backup/{kind}", _STYLES[kind], (kind, _what(design, kind))) for kind in taken_kinds(design)]
    inner = (x + PAD, y + HEADING), width - 2 * PAD
    chips = _draw_chips(sheet, kinds, *inner, parent=ground.id)
    bucket = Box(
        id=f"backup/bucket/{BUCKET}",
        parent=ground.id,
        x=x + PAD,
        y=y + HEADING + _CHIP + _FALL,
        width=chips[-1].right - x - PAD,
        height=ROW,
        style="object",
        shape="pill",
    )
    bucket = sheet.add(with_row(bucket, BUCKET, _kept(settings)))
    for chip in chips:
        middle = chip.middle[0]
        sheet.arrow(chip.id, bucket.id, ((middle, chip.bottom), (middle, bucket.y)), "backup")
    _draw_copies(sheet, settings, bucket)


def _draw_copies(sheet: Sheet, settings: BackupSettings, bucket: Box) -> None:
    places = [
        (f"copy/{copy.name}", "client", (copy.name, urlsplit(copy.endpoint).netloc))
        for copy in settings.copies
    ]
    for chip in _draw_chips(sheet, places, (bucket.x, bucket.bottom + _OUT), bucket.width):
        middle = chip.middle[0]
        sheet.arrow(bucket.id, chip.id, ((middle, bucket.bottom), (middle, chip.y)), "backup")


def _draw_chips(
    sheet: Sheet, kinds: Sequence[tuple[str, str, tuple[str, str]]], at: Point, width: float, parent: str = ""
) -> list[Box]:
    """Draw chips side by side, each by its id, its style and its words."""
    if not kinds:
        return []
    each = min((width - _GAP * (len(kinds) - 1)) / len(kinds), _MOST)
    return [
        sheet.add(
            with_lines(
                Box(
                    id=name,
                    parent=parent,
                    x=round(at[0] + number * (each + _GAP), 1),
                    y=at[1],
                    width=round(each, 1),
                    height=_CHIP,
                    style=style,
                    shape="pill",
                ),
                words,
            )
        )
        for number, (name, style, words) in enumerate(kinds)
    ]


def _heading(design: Design, settings: BackupSettings, at: Point) -> tuple[Text, ...]:
    title = Text(x=at[0], y=at[1], text="Backups", size=12, bold=True)
    every = format_period(seconds(settings.schedules.sets))
    words = f"a set of all kinds at one moment, every {every}"
    if design.platform == "kubernetes":
        words = f"each kind by its operator, the database all the time, others every {every}"
    return (title, Text(x=title.left + title.width + 12, y=at[1], text=words, size=10, tone="soft"))


def _kept(settings: BackupSettings) -> str:
    lock = f"locked for {format_period(seconds(settings.lock))}" if settings.lock else "not locked"
    return f"S3 bucket, {lock}, kept for {format_period(seconds(settings.retention.sets))}"


def _what(design: Design, kind: str) -> str:
    """Return what a kind has, in a few words."""
    count = len(design.volumes)
    words = {
        DATABASE: "log and base backups",
        OBJECTS: ", ".join(kept_buckets(design)),
        FILES: design.file_system.name if design.file_system is not None else "",
        BLOCK: f"{count} RBD volume{'s' * (count > 1)}",
        SYSTEM: "etcd and its keys" if design.platform == "kubernetes" else "spec, keys, maps, etcd",
    }
    return words[kind]
