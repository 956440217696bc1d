"""The drill: a ledger over every kind of storage, a set, more writing, a loss on purpose, what came back.

It works with data of its own on a system that serves meanwhile. A drill that was killed leaves that data, and
a note of it; the next one removes what it left and begins anew.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rookery import __version__
from rookery.apps.backup.config import kinds_of
from rookery.apps.backup.model import BackupSet
from rookery.apps.backup.places import BLOCK, DATABASE, FILES, OBJECTS
from rookery.apps.backup.settings import BackupSettings, seconds
from rookery.design.model import Design
from rookery.errors import InputError, RookeryError
from rookery.run.backup import backups_of, take_set
from rookery.run.drill.back import Back, Ways, bring_back
from rookery.run.drill.compare import unfit
from rookery.run.drill.inside import Inside, Shape
from rookery.run.drill.judge import judge
from rookery.run.drill.ledger import STEADY_SIZE, Ledger, build_ledger, moment
from rookery.run.drill.model import DrillOutcome, Event
from rookery.run.drill.patience import Patience
from rookery.run.drill.record import Record, drilling
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


def run_drill(system: System, wishes: Wishes, report: Report) -> DrillOutcome:
    """Hold a drill, and return what it found; raises RookeryError where it could not be held.

    What it made is removed at its end, however it ends; where that fails too, the next drill removes it.
    """
    kinds = drilled_kinds(system.design, wishes)
    backups_of(system)
    with drilling(system) as record:
        if left := record.read():
            report(f"an earlier drill, {left['id']}, did not end: what it left goes first")
        drill = _Drill(system, kinds, wishes, report)
        record.note(id=drill.id, kinds=list(kinds), began=drill.began)
        try:
            outcome = drill.hold(record)
        except BaseException:
            with contextlib.suppress(RookeryError):
                drill.clear()
                record.end()
            raise
        drill.clear()
        record.end()
        return outcome


class _Drill:
    """One drill, from its first entry to its last comparison."""

    def __init__(self, system: System, kinds: Sequence[str], wishes: Wishes, report: Report) -> None:
        self.id = f"{time.strftime('%Y%m%dt%H%M%Sz', time.gmtime())}-{os.urandom(2).hex()}"
        self.began = dt.datetime.fromtimestamp(time.time(), tz=dt.UTC).isoformat(timespec="seconds")
        self._system = system
        self._kinds = tuple(kinds)
        self._report = report
        size = min(_ENTRY, max(1, wishes.size // _FEWEST))
        count = max(_FEWEST, round(wishes.size / size))
        self._shape = Shape(drill=self.id, count=count, size=size, most=count + _STEADY)
        self._inside = Inside(system, self._shape, report)
        self._events: list[Event] = []
        self._start = time.monotonic()

    def hold(self, record: Record) -> DrillOutcome:
        load = _load_words(self._system)
        with self._timed("room made, and what was left removed"):
            self._inside.ask("prepare", self._kinds)
        made, ledger = self._write_and_keep(record)
        record.note(at="losing", set=made.label)
        lost_at, lost = self._now(), self._lose()
        record.note(at="restoring")
        ways = Ways(
            system=self._system,
            inside=self._inside,
            label=made.label,
            start=self._start,
            report=self._report,
        )
        back = {kind: bring_back(ways, kind) for kind in self._kinds}
        rto = self._now() - lost_at
        kinds = tuple(judge(kind, ledger[kind], made, lost[kind], back[kind]) for kind in self._kinds)
        return DrillOutcome(
            id=self.id,
            system=self._system.design.name,
            began=self.began,
            seconds=round(self._now(), 3),
            label=made.label,
            lost_at=round(lost_at, 3),
            rto=round(rto, 3),
            kinds=kinds,
            events=tuple(self._events),
            unfit=_fits_not(ledger, back),
            left_out=_left_out(self._system.design, self._kinds),
            schedule=_schedule(self._system.design),
            load=load,
            versions=_versions(self._system.design),
        )

    def clear(self) -> None:
        """Remove all that the drill made."""
        self._inside.ask("clear", self._kinds)

    def _write_and_keep(self, record: Record) -> tuple[BackupSet, Ledger]:
        """Write the ledger's entries, take a set while more are written, and write on."""
        with self._timed("entries written to every kind"):
            bulk = self._inside.ask("write", self._kinds)
        record.note(at="taking a set")
        first = self._shape.count + 1
        self._report("writing on while the set is taken, and after it")
        writer = self._inside.write_steadily(self._kinds, first=first, size=STEADY_SIZE)
        try:
            time.sleep(_BEFORE)
            with self._timed("a set of all kinds, while writing goes on"):
                made = Patience(self._report).do(lambda: take_set(self._system, (), self._report))
            with self._timed("writing goes on after the set"):
                time.sleep(_AFTER)
        finally:
            steady = writer.stop()
        return made, build_ledger(bulk, steady, size=self._shape.size)

    def _lose(self) -> Mapping[str, Any]:
        """Destroy everything, and look whether it is gone: what never went proves nothing by being there."""
        with self._timed("everything lost on purpose"):
            lost = self._inside.ask("lose", self._kinds)
        with self._timed("a look whether it is gone"):
            seen = self._inside.read(self._kinds)
        return {
            kind: {**lost[kind], "at": moment(lost[kind]["at"]), "left": _left(seen[kind])}
            for kind in self._kinds
        }

    def _now(self) -> float:
        return time.monotonic() - self._start

    @contextlib.contextmanager
    def _timed(self, what: str) -> Any:
        began = self._now()
        yield
        self._events.append(Event(what=what, began=round(began, 3), seconds=round(self._now() - began, 3)))


def _left(seen: Mapping[str, Any]) -> str:
    """Return what is wrong with a loss: entries that are there still, or that nobody could look."""
    if "unseen" in seen:
        return f"whether it was lost could not be seen: {seen['unseen']}"
    count = len(seen["entries"])
    return f"{count} entries were there still after the loss: what came back proves nothing" if count else ""


def _fits_not(ledger: Ledger, back: Mapping[str, Back]) -> tuple[str, ...]:
    """Return where the kinds do not fit together; what could not be read is no evidence for that."""
    found = {kind: one.found["entries"] for kind, one in back.items() if "entries" in one.found}
    rows = found.pop(DATABASE, {})
    return unfit(rows, found, ledger)


def _left_out(design: Design, kinds: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return what the system has and this drill did not lose, with the reason."""
    found = [(kind, "not asked for") for kind in kinds_of(design) if kind in LOSSES and kind not in kinds]
    return (
        *found,
        ("system", "its own backup is for the loss of everything; nothing of it was lost here"),
    )


def _schedule(design: Design) -> int:
    settings = next(app.settings for app in design.apps if app.keeping is not None)
    assert isinstance(settings, BackupSettings)
    return seconds(settings.schedules.sets)


def _load_words(system: System) -> str:
    """Return what load runs on the system, in words; empty for none."""
    with contextlib.suppress(RookeryError):
        figures = system.load.figures()
        if figures is not None and figures.running:
            return ", ".join(f"{name} {value:g}" for name, value in figures.settings if value)
    return ""


def _versions(design: Design) -> tuple[tuple[str, str], ...]:
    found = [("rookery", __version__), ("Ceph", design.ceph_title)]
    return (*found, ("PostgreSQL", str(POSTGRES_MAJOR))) if design.database is not None else tuple(found)
