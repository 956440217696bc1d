"""One kind brought back to a set's moment, with what each step took, and what is there then."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from rookery.apps.backup.places import BLOCK, DATABASE, DRILL, FILES, OBJECTS
from rookery.errors import RookeryError
from rookery.run.drill.inside import Inside
from rookery.run.drill.model import Step
from rookery.run.drill.patience import Patience
from rookery.run.restore import To, Wish, restore
from rookery.systems.protocol import Report, System

# What is asked of `restore`. The database comes back beside the running one: its instance is everybody's.
_WISHES: Mapping[str, tuple[str, To]] = {
    DATABASE: ("", "scratch"),
    OBJECTS: (DRILL, "in-place"),
    FILES: (f"/{DRILL}", "in-place"),
    BLOCK: (DRILL, "in-place"),
}


_NOTED = 0.5  # seconds of waiting that are worth a word


@dataclass(slots=True, kw_only=True)
class Back:
    """How a kind came back: its steps, what `restore` says, what was found then (`entries`, or `unseen`),
    and why it did not come back, empty where it did."""

    steps: list[Step] = field(default_factory=list)
    says: str = ""
    found: Mapping[str, Any] = field(default_factory=dict)
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """By what a drill brings back: the system, its hand inside it, the set's label, and when the drill began,
    by the monotonic clock."""

    system: System
    inside: Inside
    label: str
    start: float
    report: Report


def bring_back(ways: Ways, kind: str) -> Back:
    """Bring a kind back from a set, and read it.

    What fails is told, not raised: what is not there then, the comparison finds.
    """
    back = Back()

    @contextmanager
    def step(what: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            took = time.monotonic() - began
            back.steps.append(Step(what=what, began=round(began - ways.start, 3), seconds=round(took, 3)))

    path, to = _WISHES[kind]
    patience = Patience(ways.report)
    ways.report(f"{kind}: bringing it back from set {ways.label}")
    try:
        with step("restored beside the running one" if to == "scratch" else "restored in place"):
            wish = Wish(kind=kind, path=path, label=ways.label, at="", to=to)
            done = patience.do(lambda: restore(ways.system, wish, ways.report))
        back.says = str(done.get("says", ""))
        if to == "scratch":
            with step("copied into its place"):
                ways.inside.ask("settle", (kind,))
    except RookeryError as error:
        back.trouble = "; ".join((error.what, *error.details[-1:]))
    with step("read and compared"):
        back.found = ways.inside.read((kind,))[kind]
    back.steps = _with_waiting(back.steps, patience.waited)
    if to == "scratch":
        end_scratch(ways.system, kind, ways.report)
    return back


def _with_waiting(steps: list[Step], waited: float) -> list[Step]:
    """Return steps with the time apart that the first of them waited for whoever was at work."""
    if waited < _NOTED:
        return steps
    first, *others = steps
    began, took = round(first.began + waited, 3), round(first.seconds - waited, 3)
    waiting = Step(what="waited for another that was at work", began=first.began, seconds=round(waited, 3))
    return [waiting, Step(what=first.what, began=began, seconds=took), *others]


def end_scratch(system: System, kind: str, report: Report) -> None:
    """Remove what was restored beside, where something was."""
    with suppress(RookeryError):
        wish = Wish(kind=kind, path="drop", label="", at="", to="scratch")
        Patience(report).do(lambda: restore(system, wish, report))
