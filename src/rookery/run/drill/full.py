"""The drill that destroys a whole lab, and has it again from its copy outside and the key to its own backup.

All that it needs afterwards is noted before anything is lost (`note.py`). From then on each phase may be
killed: the same command goes on with it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from rookery.apps.backup.model import BackupSet
from rookery.apps.backup.places import BLOCK, DATABASE, FILES, OBJECTS
from rookery.design.model import Design
from rookery.errors import NotPossibleError, RookeryError
from rookery.plan.step import Step as PlanStep
from rookery.run.backup import backups_of, fetch_sets, find_set
from rookery.run.down import bring_down
from rookery.run.drill.back import Back, Ways, bring_back
from rookery.run.drill.drill import fits_not
from rookery.run.drill.elsewhere import Elsewhere, require_way_back
from rookery.run.drill.inside import Inside
from rookery.run.drill.judge import judge
from rookery.run.drill.ledger import Ledger
from rookery.run.drill.model import DrillOutcome, Event, Step
from rookery.run.drill.note import Note, ledger_data, parse_ledger
from rookery.run.drill.own import Census, judge_own, stood_still
from rookery.run.drill.patience import Patience
from rookery.run.drill.record import drilling
from rookery.run.drill.times import Times, iso, new_id, now
from rookery.run.drill.writing import (
    Wishes,
    Writing,
    build_shape,
    drilled_kinds,
    load_words,
    schedule_of,
    versions_of,
    write_and_keep,
)
from rookery.run.identity_part import SECRETS
from rookery.run.prepared import prepared
from rookery.run.rebuild import find_copied_set, rebuild
from rookery.run.restore import To
from rookery.run.systems import opened
from rookery.run.workspace import open_spec, running_names
from rookery.systems.lab.paths import LabPaths
from rookery.systems.protocol import Report, System


def begin_full(system: System, size: int, elsewhere: Elsewhere, note: Note, report: Report) -> None:
    """Write entries, take a set, and see that the whole system can come back from elsewhere; then note all
    that this takes. Raises RookeryError where it cannot, and nothing was lost."""
    began = now()
    times, identity = Times(began), new_id(began)
    kinds, shape = drilled_kinds(system.design, Wishes(kinds=(), size=size)), build_shape(identity, size)
    inside = Inside(system, shape, report)
    with drilling(system) as record:
        record.note(id=identity, kinds=list(kinds), began=iso(began))
        try:
            load = load_words(system)
            with times.event("room made, and what was left removed"):
                inside.ask("prepare", kinds)
            with times.event("what the system has itself counted"):
                first: Census = inside.ask("census", (), of=list(kinds))
            made, ledger = write_and_keep(
                Writing(
                    system=system,
                    inside=inside,
                    shape=shape,
                    kinds=kinds,
                    of_all=True,
                    times=times,
                    report=report,
                    note=lambda at: record.note(at=at),
                )
            )
            with times.event("counted again, and a look whether it can come back"):
                second: Census = inside.ask("census", (), of=list(kinds))
                secrets = json.loads(backups_of(system).own()[SECRETS])
                require_way_back(elsewhere.open(note.folder), made, elsewhere, str(secrets["fsid"]))
        except BaseException:
            with contextlib.suppress(RookeryError):
                inside.ask("clear", kinds)
                record.end()
            raise
    note.add(
        id=identity,
        size=size,
        began=began,
        elsewhere=asdict(elsewhere),
        fsid=str(secrets["fsid"]),
        set=made.label,
        ledger=ledger_data(ledger),
        still=stood_still(first, second),
        events=[asdict(event) for event in times.events],
        load=load,
        at=LOSING,
    )


LOSING = "losing"
_LAYING = "laying"


def go_on(name: str, note: Note, report: Report) -> DrillOutcome:
    """Destroy a system that is noted, build it again and compare; from wherever an earlier one was killed.

    Raises RookeryError where a phase fails: run again, it goes on.
    """
    _require_same(name, note)
    drill = _Full(name, note, report)
    try:
        outcome = drill.hold()
    except BaseException:
        report(f"{name} is not back yet: `rookery drill --full --system {name}` goes on from here")
        raise
    note.end()
    return outcome


def _require_same(name: str, note: Note) -> None:
    """Raise NotPossibleError where another system has the name of one that was destroyed, or somebody brought
    that one back otherwise: a drill that was left is about neither."""
    told, paths = note.read(), LabPaths(name=name)
    try:
        fsid = json.loads(paths.secrets.read_text(encoding="utf-8")).get("fsid")
    except (FileNotFoundError, ValueError):
        return
    runs = paths.runc_state.is_dir() and any(paths.runc_state.iterdir())
    if fsid != told["fsid"] or (told["at"] == _LAYING and runs):
        raise NotPossibleError(
            f"a drill was left that had destroyed {name}, and there is a system of that name since",
            hint=f"What is noted of that drill is in {note.folder}. Without that folder the next one begins"
            " anew; with it goes the key that is noted there.",
        )


class _Full:
    """One such drill, from the loss on."""

    def __init__(self, name: str, note: Note, report: Report) -> None:
        self._name = name
        self._note = note
        self._report = report
        told = note.read()
        self._told = told
        self._elsewhere = Elsewhere(**{**told["elsewhere"], "keys": tuple(told["elsewhere"]["keys"])})
        self._times = Times(told["began"], [Event(**event) for event in told["events"]])
        self._shape = build_shape(told["id"], told["size"])
        self._ledger: Ledger = parse_ledger(told["ledger"])

    def hold(self) -> DrillOutcome:
        phases: Mapping[str, Callable[[], None]] = {
            LOSING: self._lose,
            _LAYING: self._lay,
            "building": self._build,
            "fetching": self._fetch,
        }
        names = [*phases, "restoring"]
        for phase in names[names.index(self._told["at"]) :]:
            self._add(at=phase, events=[asdict(event) for event in self._times.events])
            if phase in phases:
                phases[phase]()
        with opened(self._name) as running:
            return self._restore(running.system)

    def _add(self, **what: Any) -> None:
        self._note.add(**what)
        self._told = self._note.read()

    def _lose(self) -> None:
        """Destroy everything that this machine has of the system."""
        if "lost" not in self._told:
            self._add(lost=now())
        self._report(f"destroying {self._name}")
        with self._times.event("the whole lab destroyed"):
            gone = bring_down(self._name, self._report)
        if gone.left:
            raise RookeryError(
                f"not all of {self._name} went",
                details=tuple(f"{one.kind} {one.name}" for one in gone.left),
                hint="Run the command again.",
            )

    def _lay(self) -> None:
        """Lay what the system was built from: out of the copy, by the key."""
        if self._name in running_names():  # it was laid, and the note was not written any more
            bring_down(self._name, self._report)
        self._report(f"laying what {self._name} was built from, from {self._elsewhere.url}")
        with self._times.event("what it was built from laid, from the copy"):
            copy = self._elsewhere.open(self._note.folder)
            found = find_copied_set(copy, self._told["set"])
            rebuild(copy, found, self._elsewhere.keys, self._spec)

    def _build(self) -> None:
        with self._times.event("built again, and verified"), prepared(open_spec(str(self._spec))) as ready:
            ready.run(_Told(self._report))

    def _fetch(self) -> None:
        with self._times.event("sets fetched from the copy"), opened(self._name) as running:
            patience = Patience(self._report)
            patience.do(lambda: fetch_sets(running.system, self._elsewhere.copy, self._report))

    @property
    def _spec(self) -> Any:
        return self._note.folder / f"{self._name}.yaml"

    def _restore(self, system: System) -> DrillOutcome:
        """Bring every kind back that is not back yet, compare, and remove what the drill made."""
        every = drilled_kinds(system.design, Wishes(kinds=(), size=0))
        kinds = tuple(kind for kind in every if kind in self._ledger)
        inside = Inside(system, self._shape, self._report)
        made = find_set(system, self._told["set"])
        ways = Ways(
            system=system,
            inside=inside,
            label=made.label,
            times=self._times,
            report=self._report,
            wishes=_wishes(system.design, made),
        )
        back = {kind: bring_back(ways, kind) for kind in kinds}
        with self._times.event("what the system has itself counted"):
            now_there: Census = inside.ask("census", (), of=list(kinds))
        rto = self._times.now() - self._lost_at
        outcome = self._outcome(system, made, back, rto, now_there)
        inside.ask("clear", kinds)
        return outcome

    @property
    def _lost_at(self) -> float:
        """When the loss began, in seconds since the drill did."""
        return float(self._told["lost"]) - float(self._told["began"])

    def _outcome(
        self, system: System, made: BackupSet, back: Mapping[str, Back], rto: float, there: Census
    ) -> DrillOutcome:
        lost = {"says": _loss(system.design), "at": float(self._told["lost"]), "left": ""}
        before = tuple(
            Step(what=event.what, began=event.began, seconds=event.seconds)
            for event in self._times.events
            if self._lost_at - 1 < event.began < min(one.steps[0].began for one in back.values())
        )
        ledger = self._ledger
        return DrillOutcome(
            id=self._told["id"],
            system=self._name,
            began=iso(self._told["began"]),
            seconds=round(self._times.now(), 3),
            label=made.label,
            lost_at=round(self._lost_at, 3),
            rto=round(rto, 3),
            kinds=tuple(
                judge(kind, ledger[kind], made, lost, one, before=before) for kind, one in back.items()
            ),
            events=tuple(self._times.events),
            unfit=fits_not(ledger, back),
            left_out=(),
            schedule=schedule_of(system.design),
            load=self._told["load"],
            versions=versions_of(system.design),
            elsewhere=self._elsewhere.url,
            own=judge_own(self._told["still"], there),
        )


def _wishes(design: Design, made: BackupSet) -> Mapping[str, tuple[tuple[str, To], ...]]:
    """Return what is asked of `restore` for each kind: all of it, in place. Volumes of servers were made
    anew; what was on them is the database's, which comes back by its own backup."""
    servers = {volume.name for volume in design.volumes}
    parts = {part.kind: part.detail for part in made.parts}
    images = sorted(set(parts.get(BLOCK, {}).get("images", ())) - servers)
    return {
        DATABASE: (("", "in-place"),),
        OBJECTS: (("", "in-place"),),
        FILES: (("/", "in-place"),),
        BLOCK: tuple((image, "in-place") for image in images),
    }


def _loss(design: Design) -> str:
    drives = sum(len(host.drives) for host in design.hosts)
    return (
        f"the whole lab was destroyed: {len(design.hosts)} servers, their {drives} drives, keys, secrets and"
        " the authority"
    )


class _Told:
    """Tells of an `up` that is part of a drill what it is at."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def started(self, step: PlanStep) -> None:
        self._report(f"building: {step.title}")

    def said(self, step: PlanStep, text: str) -> None:
        """A step's own words are too many."""

    def finished(self, step: PlanStep, seconds: float) -> None:
        """What is next is said."""

    def failed(self, step: PlanStep, error: BaseException) -> None:
        self._report(f"building: {step.title} failed: {error}")
