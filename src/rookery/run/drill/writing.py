"""What every drill does before it loses anything: entries, a set while more are written, and some more."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rookery import __version__
from rookery.apps.backup.config import kinds_of, settings_of
from rookery.apps.backup.model import BackupSet
from rookery.apps.backup.places import BLOCK, DATABASE, FILES, OBJECTS
from rookery.apps.backup.settings import seconds
from rookery.design.model import Design
from rookery.errors import InputError, RookeryError
from rookery.run.backup import take_set
from rookery.run.drill.inside import Inside, Shape
from rookery.run.drill.ledger import STEADY_SIZE, Ledger, build_ledger
from rookery.run.drill.patience import Patience
from rookery.run.drill.times import Times
from rookery.systems.protocol import Report, System
from rookery.units import MB
from rookery.versions import POSTGRES_MAJOR

LOSSES = {
    DATABASE: "the database `drill`: its table dropped",
    OBJECTS: "the bucket `drill`: emptied, with all versions",
    FILES: "the tree `/drill` of CephFS: removed",
    BLOCK: "the RBD image `drill`: overwritten",
}
"""What the drill destroys of each kind, all of it its own."""

_ENTRY = MB  # bytes of an entry, where as much is asked for
_FEWEST = 8
_STEADY = 600  # entries that may follow the first ones
_BEFORE, _AFTER = 2.0, 5.0  # seconds of writing before the set, and after it


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What is to be drilled: the kinds (none: all that the system has), and bytes for each."""

    kinds: tuple[str, ...]
    size: int


def drilled_kinds(design: Design, wishes: Wishes) -> tuple[str, ...]:
    """Return the kinds that a drill loses and brings back; raises InputError for one that is none of them."""
    possible = tuple(kind for kind in kinds_of(design) if kind in LOSSES)
    unknown = sorted(set(wishes.kinds) - set(possible))
    if unknown:
        raise InputError(
            f"{design.name} has no {', '.join(unknown)} for a drill", hint=f"It has: {', '.join(possible)}."
        )
    return tuple(kind for kind in possible if not wishes.kinds or kind in wishes.kinds)


def build_shape(drill: str, size: int) -> Shape:
    """Return what a drill writes, of so many bytes for each kind."""
    each = min(_ENTRY, max(1, size // _FEWEST))
    count = max(_FEWEST, round(size / each))
    return Shape(drill=drill, count=count, size=each, most=count + _STEADY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """What a drill writes by, and to which kinds; whether its set is `of_all` that the system has, or of
    these kinds; `note` hears what it is at."""

    system: System
    inside: Inside
    shape: Shape
    kinds: Sequence[str]
    of_all: bool
    times: Times
    report: Report
    note: Callable[[str], None]


def write_and_keep(by: Writing) -> tuple[BackupSet, Ledger]:
    """Write the ledger's entries, take a set while more are written, and write on."""
    with by.times.event("entries written to every kind"):
        bulk = by.inside.ask("write", by.kinds)
    by.note("taking a set")
    by.report("writing on while the set is taken, and after it")
    writer = by.inside.write_steadily(by.kinds, first=by.shape.count + 1, size=STEADY_SIZE)
    try:
        time.sleep(_BEFORE)
        wanted = () if by.of_all else by.kinds
        with by.times.event(f"a set of {'all' if by.of_all else 'these'} kinds, while writing goes on"):
            made = Patience(by.report).do(lambda: take_set(by.system, wanted, by.report))
        with by.times.event("writing goes on after the set"):
            time.sleep(_AFTER)
    finally:
        steady = writer.stop()
    return made, build_ledger(bulk, steady, size=by.shape.size)


def schedule_of(design: Design) -> int:
    """Return the seconds between two sets by schedule."""
    return seconds(settings_of(design).schedules.sets)


def load_words(system: System) -> str:
    """Return what load runs on the system, in words; empty for none."""
    with contextlib.suppress(RookeryError):
        figures = system.load.figures()
        if figures is not None and figures.running:
            return ", ".join(f"{name} {value:g}" for name, value in figures.settings if value)
    return ""


def versions_of(design: Design) -> tuple[tuple[str, str], ...]:
    """Return the versions of what a drill is about."""
    found = [("rookery", __version__), ("Ceph", design.ceph_title)]
    return (*found, ("PostgreSQL", str(POSTGRES_MAJOR))) if design.database is not None else tuple(found)
