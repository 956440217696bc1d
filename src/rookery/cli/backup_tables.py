"""Sets of backups as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rookery.units import format_amount, format_period, format_seconds

if TYPE_CHECKING:
    from rookery.apps.backup.model import BackupSet
    from rookery.run.backup_age import CheckAge, SetAge

_STYLES = {"whole": "green", "partial": "yellow", "failed": "red", "begun": "yellow"}


def sets_view(sets: Sequence[BackupSet]) -> RenderableType:
    """Return a table of sets."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("set", "state", "kinds"):
        table.add_column(title, no_wrap=title != "kinds")
    table.add_column("moved", justify="right", no_wrap=True)
    outside = any(one.copies for one in sets)
    if outside:
        table.add_column("copies", no_wrap=False)
    for one in sets:
        copies = ", ".join(f"{name}{'' if words == 'whole' else ' failed'}" for name, words in one.copies)
        state = Text(one.state, style=_STYLES.get(one.state, ""))
        kinds = ", ".join(part.kind for part in one.parts)
        shown = (one.label, state, kinds, format_amount(one.moved))
        table.add_row(*shown, copies or "none") if outside else table.add_row(*shown)
    return table


def age_view(age: SetAge | None) -> RenderableType:
    """Return how old the last set is and when the next is due, in a line; None is for what nobody tells."""
    if age is None:
        return Text("not seen", style="dim")
    trouble = Text(f"\n{age.trouble}", style="red") if age.trouble else Text()
    if age.check is not None:
        trouble = Text.assemble(trouble, "\n", _check_line(age.check))
    if age.age is None or age.due is None:
        return Text.assemble("no whole set yet", trouble)
    due = f"next due in {format_period(age.due)}" if age.due > 0 else f"due since {format_period(-age.due)}"
    style = "bold red" if age.is_overdue else ""
    words = f"{due}, overdue" if age.is_overdue else due
    return Text.assemble(f"last set {age.label}, {format_period(age.age)} ago, ", (words, style), trouble)


def _check_line(check: CheckAge) -> Text:
    """Return when all that is stored was looked at last, and what was found."""
    when = "not checked yet" if check.age is None else f"checked {format_period(check.age)} ago, "
    late = Text("overdue", style="bold red") if check.is_overdue else Text()
    if check.age is None:
        return Text.assemble(when, ", " if check.is_overdue else "", late)
    if not check.problems:
        return Text.assemble(when, "all there", ", " if check.is_overdue else "", late)
    more = f"; {len(check.problems) - 1} more" if len(check.problems) > 1 else ""
    return Text.assemble(when, (f"{check.problems[0]}{more}", "red"))


def set_view(one: BackupSet) -> RenderableType:
    """Return what a set consists of, and why it is not whole where it is not."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("kind", no_wrap=True)
    table.add_column("moment", no_wrap=True)
    for title in ("moved", "whole", "copied in"):
        table.add_column(title, justify="right", no_wrap=True)
    for part in one.parts:
        table.add_row(
            part.kind,
            part.moment.partition(".")[0].replace("T", " "),
            format_amount(part.moved),
            format_amount(part.whole),
            format_seconds(part.seconds),
        )
    heading = Text.assemble(f"set {one.label} of {one.system}, ", (one.state, _STYLES.get(one.state, "")))
    failed = [Text(f"{kind} failed: {why}", style="red") for kind, why in one.failed]
    copies = [
        Text(f"copy {name}: {words}", style="green" if words == "whole" else "red")
        for name, words in one.copies
    ]
    return Group(heading, "", table, *failed, *copies)
