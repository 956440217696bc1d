"""A drill as people read it, in 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rookery.units import format_amount, format_seconds

if TYPE_CHECKING:
    from rookery.run.drill.model import DrillOutcome, KindOutcome, OwnData

_STYLES = {"same": "green", "differs": "bold red", "not observed": "yellow"}


def drill_view(outcome: DrillOutcome) -> RenderableType:
    """Return the result, a row for each kind, and what went wrong."""
    style = "green" if outcome.exit_code == 0 else "bold red"
    head = Text.assemble((outcome.system, "bold"), f"  set {outcome.label}  ", (outcome.verdict, style))
    whole = Text(
        f"RPO {_span(outcome.rpo)}, RTO {format_seconds(outcome.rto)} for all of it; the drill took"
        f" {format_seconds(outcome.seconds)}"
    )
    problems = [f"{one.kind}: {words}" for one in outcome.kinds for words in one.problems]
    problems += [f"{one.kind} of the system's own: {words}" for one in outcome.own for words in _wrong(one)]
    lines = [*problems, *outcome.unfit]
    from rookery.run.drill.model import THINGS

    own = ", ".join(f"{one.things:,} {THINGS[one.kind]}" for one in outcome.own)
    more = (Text(f"of the system's own {own} back as they were"),) if own else ()
    more = () if any(one.problems or one.unseen for one in outcome.own) else more
    wrong = (Text(line, style="red") for line in lines)
    return Group(head, Text(), _kinds(outcome), Text(), whole, *more, *wrong)


def _wrong(one: OwnData) -> tuple[str, ...]:
    return (f"not observed: {one.unseen}",) if one.unseen else one.problems


def _kinds(outcome: DrillOutcome) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("kind", no_wrap=True)
    table.add_column("compared", no_wrap=True)
    for title in ("back", "owed", "bytes", "RPO", "RTO"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("bounded by")
    for one in outcome.kinds:
        table.add_row(one.kind, Text(one.verdict, style=_STYLES[one.verdict]), *_row(one))
    return table


def _row(one: KindOutcome) -> tuple[str, ...]:
    longest = one.longest
    bound = f"{longest.what}" if longest is not None else ""
    figures = (f"{one.back:,}", f"{one.owed:,}", format_amount(one.size), _span(one.rpo), _span(one.rto))
    return (*figures, bound)


def _span(seconds: float | None) -> str:
    return "-" if seconds is None else format_seconds(seconds)
