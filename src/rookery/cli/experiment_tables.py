"""Experiments as people read them, in 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rookery.design.faults import KINDS
from rookery.experiments.measures import OF_OPERATIONS, OF_THE_WHOLE, OPERATIONS, Unit, written
from rookery.experiments.targets import TARGETS
from rookery.experiments.verdict import Outcome

if TYPE_CHECKING:
    from rookery.experiments.model import Experiment
    from rookery.experiments.outline import Outline
    from rookery.run.experiment.compare import Comparison, Difference
    from rookery.run.experiment.experiment import Found

_STYLES = {Outcome.HELD: "green", Outcome.VIOLATED: "bold red", Outcome.NOT_OBSERVED: "yellow"}
_SIGNS = {Outcome.HELD: "✓", Outcome.VIOLATED: "✗", Outcome.NOT_OBSERVED: "?"}


def library_view(known: Sequence[Experiment]) -> RenderableType:
    """Return the library, a question each."""
    return _rows((one.name, one.question) for one in known)


def experiment_view(one: Experiment) -> RenderableType:
    """Return an experiment: question, load, faults, claims."""
    load = ", ".join(
        f"{value:g} {name}"
        for name, value in (
            ("viewers", one.load.viewers),
            ("transactions a second", one.load.transactions),
            ("operations on objects a second", one.load.churn),
        )
        if value is not None
    )
    faults = ((f"{turn.at:g} s", f"{turn.target} {KINDS[turn.fault].says}") for turn in one.method)
    claims = ((claim.measure, f"{_bound(claim)}  {claim.why}".rstrip()) for claim in one.expect)
    return Group(
        Text(one.question, style="bold"),
        Text(),
        Text(one.description.strip()),
        Text(),
        Text(f"load    {load or 'as `rookery load start` has it'}"),
        Text(),
        Text("what breaks", style="dim"),
        _rows(faults),
        Text(),
        Text("what must hold", style="dim"),
        _rows(claims),
    )


def _bound(claim: Any) -> str:
    words = "at most" if claim.at_most is not None else "at least"
    bound = claim.bound
    return f"{words} {bound:g}" if isinstance(bound, float) else f"{words} {bound}"


def outline_view(experiment: Experiment, plan: Outline) -> RenderableType:
    """Return what will happen, before it does."""
    faults = ((f"{one.at:g} s", f"{one.fault}; {one.ends}") for one in plan.planned)
    promise = plan.promise
    return Group(
        Text(experiment.question, style="bold"),
        Text(f"takes {_about(plan.least)}, at most {_about(plan.most)}"),
        Text(),
        _rows(faults),
        Text(),
        Text("the design says", style="dim"),
        _rows(
            (
                ("data", "all of it is kept" if promise.data else "some of it may be lost"),
                ("service", "goes on" if promise.service else "stops, or some of it does"),
                ("why", promise.reason),
            )
        ),
    )


def _about(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 100 else f"{seconds:.0f} s"


def found_view(found: Found) -> RenderableType:
    """Return what a run found: the answer, each claim, what happened when."""
    verdict, record = found.verdict, found.record
    head = Text.assemble(
        (found.experiment.question, "bold"), "\n", (str(verdict.outcome), _STYLES[verdict.outcome]),
        f"  {record.system}, run {record.id}",
    )  # fmt: skip
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right")
    table.add_column()
    for one in verdict.findings:
        sign = Text(_SIGNS[one.outcome], style=_STYLES[one.outcome])
        table.add_row(sign, one.claim.measure, one.seen, one.bound)
    doubts = (Text(f"? {doubt}", style="yellow") for doubt in verdict.doubts)
    happened = ((f"{one.at:.1f} s", f"{one.source}: {one.what}") for one in record.events)
    return Group(
        head, Text(), table, *doubts, Text(), Text("what happened", style="dim"), _rows(happened, right=True)
    )


def found_data(found: Found) -> dict[str, Any]:
    """Return what a run found, for a script."""
    record, verdict = found.record, found.verdict
    return {
        "run": record.id,
        "experiment": found.experiment.name,
        "question": found.experiment.question,
        "system": record.system,
        "began": record.began,
        "outcome": verdict.outcome,
        "exitCode": int(verdict.exit_code),
        "doubts": verdict.doubts,
        "claims": [
            {
                "measure": one.claim.measure,
                "window": one.claim.window,
                "outcome": one.outcome,
                "value": one.value.amount,
                "open": one.value.open,
                "bound": one.claim.amount,
                "seen": one.seen,
            }
            for one in verdict.findings
        ],
        "phases": record.phases,
        "broken": record.broken,
        "events": record.events,
        "books": record.books,
    }


def comparison_view(found: Comparison) -> RenderableType:
    """Return what differs between two runs, and what does not."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("operation", "figure"):
        table.add_column(title, no_wrap=True)
    for title in (found.first, found.second):
        table.add_column(title, justify="right")
    table.add_column("difference, 95 %")
    for one in found.differences:
        table.add_row(one.kind, one.figure, *_figures(one), _difference(one))
    notes = [f"{kind}: {why}" for kind, why in found.left_out]
    notes += [f"not alike: {one}" for one in found.unlike]
    return Group(Text(f"{found.window} the faults" if found.window != "whole" else "the whole runs"), Text(),
                 table, *(Text(note, style="yellow") for note in notes))  # fmt: skip


def _figures(one: Difference) -> tuple[str, str]:
    if one.figure == "rate":
        return f"{one.first:.1f}/s", f"{one.second:.1f}/s"
    return written(Unit.SECONDS, one.first), written(Unit.SECONDS, one.second)


def _difference(one: Difference) -> Text:
    if not one.shown:
        return Text("no difference shown", style="dim")
    return Text(f"{one.low:+.0%} to {one.high:+.0%}")


def measures_view() -> RenderableType:
    """Return all measures and targets."""
    return Group(
        Text("of the whole", style="dim"),
        _rows((one.name, one.says) for one in OF_THE_WHOLE.values()),
        Text(),
        Text(f"of a kind of operation, KIND.NAME, where KIND is one of {', '.join(OPERATIONS)}", style="dim"),
        _rows((one.name, one.says) for one in OF_OPERATIONS.values()),
        Text(),
        Text("who can be broken; or a host, or HOST/PROGRAM, `the same`, `another` and a word", style="dim"),
        _rows((name, one.says) for name, one in TARGETS.items()),
    )


def _rows(rows: Iterable[tuple[str, str]], *, right: bool = False) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True, justify="right" if right else "left")
    table.add_column()
    for row in rows:
        table.add_row(*row)
    return table
