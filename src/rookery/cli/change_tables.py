"""Differences and deviations as text that fits 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rookery.cli import views
from rookery.design.change import Change
from rookery.plan.step import Step
from rookery.systems.protocol import Deviation, DeviationKind

_SIGNS = {
    DeviationKind.MISSING: ("-", "red"),
    DeviationKind.EXTRA: ("+", "yellow"),
    DeviationKind.DIFFERENT: ("≠", "cyan"),
}


def print_diff(
    console: Console, found: Sequence[Change], steps: Sequence[Step], money: Mapping[str, Any]
) -> None:
    """Print what changes; what a running system cannot become comes last, with its reasons."""
    if not found:
        console.print("nothing changes")
        return
    possible = [change for change in found if not change.obstacle]
    blocked = [change for change in found if change.obstacle]
    blocks: list[tuple[str, Any]] = []
    if possible:
        blocks.append(("What changes, in a running system too", _changes(possible)))
    if blocked:
        blocks.append(("What a running system cannot become", _changes(blocked)))
    if steps and not blocked:
        blocks.append(("What `rookery up` does for it", views.steps_view(steps)))
    blocks.append((f"What it costs on {money['provider']}", _money(money)))
    views.print_blocks(console, *blocks)


def _changes(found: Sequence[Change]) -> Table:
    """Return a table with a row for each way of change; those that change alike share one."""
    alike: dict[tuple[str, str], list[str]] = {}
    for change in found:
        alike.setdefault((change.what, change.obstacle), []).append(change.subject)
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for (what, obstacle), subjects in alike.items():
        said = Text(what)
        if obstacle:
            said.append(f"\n{obstacle}", style="dim")
        table.add_row(Text(_joined(subjects), style="bold"), said)
    return table


def _joined(subjects: Sequence[str]) -> str:
    """Return names in a row, a common first word said once: `pool block, cephfs-data`."""
    first = subjects[0].partition(" ")[0]
    if len(subjects) > 1 and all(subject.startswith(f"{first} ") for subject in subjects):
        return ", ".join((subjects[0], *(subject.partition(" ")[2] for subject in subjects[1:])))
    return ", ".join(subjects)


def _money(money: Mapping[str, Any]) -> Table | str:
    if "unpriced" in money:
        return f"not known: {money['unpriced']}"
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in (f"{money['currency']}, net", "before", "after", "more"):
        table.add_column(column, header_style="dim", justify="left" if column.endswith("net") else "right")
    for period, digits in (("hour", 3), ("month", 2)):
        old, new = money["before"][period], money["after"][period]
        figures = (f"{old:.{digits}f}", f"{new:.{digits}f}", f"{new - old:+.{digits}f}")
        table.add_row(f"a {period}" if period == "month" else f"an {period}", *figures)
    return table


def print_drift(console: Console, name: str, deviations: Sequence[Deviation]) -> None:
    if not deviations:
        console.print(f"{name} runs as designed")
        return
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for deviation in deviations:
        sign, style = _SIGNS[deviation.kind]
        said = Text.assemble((f"{sign} {deviation.kind}", style))
        table.add_row(said, Text(deviation.subject, style="bold"), deviation.item, deviation.what)
    count = "one deviation" if len(deviations) == 1 else f"{len(deviations)} deviations"
    views.print_blocks(console, (f"{name}: {count} from the design", table))
