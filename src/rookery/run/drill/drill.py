"""The drill: a ledger over every kind of storage, a set, more writing, a loss on purpose, what came back.

It works with data of its own on a system that serves meanwhile. A drill that was killed leaves that data, and
a note of it; the next one removes what it left and begins anew.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from rookery.apps.backup.config import kinds_of
from rookery.apps.backup.places import DATABASE
from rookery.design.model import Design
from rookery.errors import RookeryError
from rookery.run.backup import backups_of
from rookery.run.drill.back import Back, Ways, bring_back
from rookery.run.drill.compare import unfit
from rookery.run.drill.inside import Inside
from rookery.run.drill.judge import judge
from rookery.run.drill.ledger import Ledger, moment
from rookery.run.drill.model import DrillOutcome
from rookery.run.drill.record import Record, drilling
from rookery.run.drill.times import Times, iso, new_id, now
from rookery.run.drill.writing import (
    LOSSES,
    Wishes,
    Writing,
    build_shape,
    drilled_kinds,
    load_words,
    schedule_of,
    versions_of,
    write_and_keep,
)
from rookery.systems.protocol import Report, System


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
        began = now()
        self.id = new_id(began)
        self.began = iso(began)
        self._system = system
        self._kinds, self._wishes = tuple(kinds), wishes
        self._report = report
        self._shape = build_shape(self.id, wishes.size)
        self._inside = Inside(system, self._shape, report)
        self._times = Times(began)

    def hold(self, record: Record) -> DrillOutcome:
        load = load_words(self._system)
        with self._times.event("room made, and what was left removed"):
            self._inside.ask("prepare", self._kinds)
        made, ledger = write_and_keep(
            Writing(
                system=self._system,
                inside=self._inside,
                shape=self._shape,
                kinds=self._kinds,
                of_all=not self._wishes.kinds,
                times=self._times,
                report=self._report,
                note=lambda at: record.note(at=at),
            )
        )
        record.note(at="losing", set=made.label)
        lost_at, lost = self._times.now(), self._lose()
        record.note(at="restoring")
        ways = Ways(
            system=self._system,
            inside=self._inside,
            label=made.label,
            times=self._times,
            report=self._report,
        )
        back = {kind: bring_back(ways, kind) for kind in self._kinds}
        rto = self._times.now() - lost_at
        kinds = tuple(judge(kind, ledger[kind], made, lost[kind], back[kind]) for kind in self._kinds)
        return DrillOutcome(
            id=self.id,
            system=self._system.design.name,
            began=self.began,
            seconds=round(self._times.now(), 3),
            label=made.label,
            lost_at=round(lost_at, 3),
            rto=round(rto, 3),
            kinds=kinds,
            events=tuple(self._times.events),
            unfit=fits_not(ledger, back),
            left_out=_left_out(self._system.design, self._kinds),
            schedule=schedule_of(self._system.design),
            load=load,
            versions=versions_of(self._system.design),
        )

    def clear(self) -> None:
        """Remove all that the drill made."""
        self._inside.ask("clear", self._kinds)

    def _lose(self) -> Mapping[str, Any]:
        """Destroy everything, and look whether it is gone: what never went proves nothing by being there."""
        with self._times.event("everything lost on purpose"):
            lost = self._inside.ask("lose", self._kinds)
        with self._times.event("a look whether it is gone"):
            seen = self._inside.read(self._kinds)
        return {
            kind: {**lost[kind], "at": moment(lost[kind]["at"]), "left": _left(seen[kind])}
            for kind in self._kinds
        }


def _left(seen: Mapping[str, Any]) -> str:
    """Return what is wrong with a loss: entries that are there still, or that nobody could look."""
    if "unseen" in seen:
        return f"whether it was lost could not be seen: {seen['unseen']}"
    count = len(seen["entries"])
    return f"{count} entries were there still after the loss: what came back proves nothing" if count else ""


def fits_not(ledger: Ledger, back: Mapping[str, Back]) -> tuple[str, ...]:
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
