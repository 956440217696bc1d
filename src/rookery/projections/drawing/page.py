"""What stands around the servers: the system's name and figures above, legend and notes below."""

from __future__ import annotations

from rookery.design.model import DaemonKind, Design, Role
from rookery.projections.drawing.font import text_width, wrap_text
from rookery.projections.drawing.notices import Notice
from rookery.projections.drawing.picture import Line, Point, Text
from rookery.projections.drawing.sheet import Sheet
from rookery.units import TB, format_size

_DESCRIPTION_WIDTH = 820.0
_NOTES = (
    "Deviations start as changes to this design: change the spec, then draw it again.",
    "CephFS needs MDS daemons and object storage needs RGW daemons, at least two of each.",
)


def draw_header(sheet: Sheet, design: Design, left: float, top: float, width: float) -> float:
    """Draw the title; return where it ends."""
    texts = [Text(x=left, y=top + 22, text=design.name, size=25, bold=True)]
    y = top + 44
    for line in shortened(design.description, min(width, _DESCRIPTION_WIDTH), 12, 2):
        texts.append(Text(x=left, y=y, text=line, size=12, tone="soft"))
        y += 17
    for line in wrap_text(figures(design), width, 12, bold=True):
        texts.append(Text(x=left, y=y + 5, text=line, size=12, bold=True))
        y += 17
    sheet.words("title", texts)
    return y


def shortened(text: str, width: float, size: float, most: int) -> tuple[str, ...]:
    """Return the text in at most so many lines: whole sentences while they fit, else cut with an ellipsis."""
    sentences = [f"{part}." for part in text.rstrip(".").split(". ") if part]
    kept = ""
    for sentence in sentences:
        longer = f"{kept} {sentence}".strip()
        if len(wrap_text(longer, width, size)) > most:
            break
        kept = longer
    if kept or not text:
        return wrap_text(kept, width, size)
    lines = list(wrap_text(text, width, size)[:most])
    while text_width(f"{lines[-1]}…", size) > width:
        lines[-1] = lines[-1].rpartition(" ")[0]
    return (*lines[:-1], f"{lines[-1]}…")


def figures(design: Design) -> str:
    """Return the system in one line: platform, servers by role, OSDs, raw capacity."""
    drives = [drive for host in design.servers for drive in host.drives]
    words = [
        f"{design.platform} on {design.provider}",
        design.ceph_title,
        _count(len(design.servers), "server"),
    ]
    for role, name in (
        (Role.CONTROL_PLANE, "control plane"),
        (Role.WORKER, "worker"),
        (Role.STORAGE, "storage node"),
    ):
        count = len(design.with_role(role))
        if count and count != len(design.servers):
            words.append(_count(count, name))
    osds = len(design.with_daemon(DaemonKind.OSD))
    words.append(f"{_count(osds, 'OSD')} on {_raw(sum(drive.size for drive in drives))} raw")
    if design.network.encryption:
        words.append("Ceph traffic encrypted")
    return " · ".join(words)


def _raw(size: int) -> str:
    """Return a capacity of any size; a petabyte is 1000 TB."""
    return format_size(size) if size < 1000 * TB else f"{size / (1000 * TB):,.4g} PB"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def pool_words(design: Design) -> tuple[tuple[str, str, str], ...]:
    """Return the pools that hold data, as (kind of storage, name, how it is kept)."""
    files = design.file_system.data_pools if design.file_system else ()
    objects = (design.object_store.data_pool,) if design.object_store else ()
    found = []
    for pool in design.pools:
        kind = "block" if pool.application == "rbd" else "file" if pool.name in files else ""
        kind = "object" if pool.name in objects else kind
        code = pool.erasure_code
        kept = f"{code.k}+{code.m} chunks" if code else f"{pool.size} copies"
        if kind:
            found.append((kind, pool.name, kept))
    return tuple(found)


def draw_footer(
    sheet: Sheet, design: Design, at: Point, width: float, elsewhere: tuple[Notice, ...] | None
) -> float:
    """Draw legend and notes; return where they end.

    `elsewhere` are differences of no host that is drawn, None where the drawing is of the design alone.
    """
    left, x, y = at[0], at[0], at[1] + 14
    for number, (sign, words) in enumerate(_legend(design, marked=elsewhere is not None)):
        wide = 34 + text_width(words, 10.5) + 26
        if x + wide > left + width:
            x, y = left, y + 20
        _draw_sign(sheet, f"legend-{number}", sign, x, y - 4)
        sheet.words(f"legend-{number}", [Text(x=x + 34, y=y, text=words, size=10.5, tone="soft")])
        x += wide
    y += 26
    notes = [*_notes(design), *(f"{notice.number}  {notice.text}" for notice in elsewhere or ())]
    texts = []
    for note in notes:
        for line in wrap_text(note, width, 10.5):
            texts.append(Text(x=left, y=y, text=line, size=10.5, tone="soft"))
            y += 16
    sheet.words("note", texts)
    return y


def _notes(design: Design) -> tuple[str, ...]:
    return _NOTES if design.file_system or design.object_store else _NOTES[:1]


def _legend(design: Design, *, marked: bool) -> tuple[tuple[str, str], ...]:
    found = []
    if design.frontends:
        found.append(("traffic-1", "a frontend's traffic to its backends, passed through; TLS ends there"))
    if any(app.volumes or app.shares or app.buckets for app in design.apps):
        found.append(("claim", "an instance claims a volume, a share or a bucket"))
    found.append(("data", "an OSD owns its drive"))
    if design.backup is not None:
        found.append(("backup", "backups: each kind to a bucket here, what is there to places outside"))
    if marked:
        found.append(("mark", "differs from the design"))
    return tuple(found)


def _draw_sign(sheet: Sheet, name: str, tone: str, x: float, y: float) -> None:
    sheet.lines.append(Line(id=f"{name}-sign", points=((x, y), (x + 26, y)), tone=tone, width=2))
