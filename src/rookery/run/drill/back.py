"""One kind brought back to a set's moment, with what each step took, and what is there then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rookery.apps.backup.places import BLOCK, DATABASE, DRILL, FILES, OBJECTS
from rookery.errors import RookeryError
from rookery.run.drill.inside import Inside
from rookery.run.drill.model import Step
from rookery.run.drill.patience import Patience
from rookery.run.drill.times import Times
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
    """By what a drill brings back: the system, its hand inside it, the set's label, the drill's clock; and
    what is asked of `restore`, where that is not the usual."""

    system: System
    inside: Inside
    label: str
    times: Times
    report: Report
    wishes: Mapping[str, tuple[tuple[str, To], ...]] = field(default_factory=dict)


def bring_back(ways: Ways, kind: str) -> Back:
    """Bring a kind back from a set, and read it.

    What fails is told, not raised: what is not there then, the comparison finds.
    """
    back = Back()
    wishes = ways.wishes.get(kind, (_WISHES[kind],))
    beside = any(to == "scratch" for _, to in wishes)
    patience = Patience(ways.report)
    ways.report(f"{kind}: bringing it back from set {ways.label}")
    try:
        what = "restored beside the running one" if beside else "restored in place"
        with ways.times.step(what, back.steps):
            back.says = "\n".join(_restored(ways, kind, wishes, patience))
        if beside:
            with ways.times.step("copied into its place", back.steps):
                ways.inside.ask("settle", (kind,))
    except RookeryError as error:
        back.trouble = "; ".join((error.what, *error.details[-1:]))
    with ways.times.step("read and compared", back.steps):
        back.found = ways.inside.read((kind,))[kind]
    back.steps = _with_waiting(back.steps, patience.waited)
    if beside:
        end_scratch(ways.system, kind, ways.report)
    return back


def _restored(ways: Ways, kind: str, wishes: Iterable[tuple[str, To]], patience: Patience) -> Iterator[str]:
    """Have everything restored that is asked for, and yield what `restore` says of each."""
    for path, to in wishes:
        wish = Wish(kind=kind, path=path, label=ways.label, at="", to=to)
        done = patience.do(partial(restore, ways.system, wish, ways.report))
        yield str(done.get("says", ""))


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
