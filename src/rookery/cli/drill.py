"""The command that proves backups by restoring them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from rookery.cli.about import about, say
from rookery.cli.drill_full import Asked, Full, drill_full, full_options, keep_outcome
from rookery.cli.journaling import Keeping, journal_options
from rookery.cli.load import parse_space
from rookery.cli.options import output_option, system_option, terminal_width
from rookery.errors import InputError

if TYPE_CHECKING:
    from rookery.run.drill.model import DrillOutcome
    from rookery.systems.protocol import System


@click.command()
@system_option
@click.option("--only", "kinds", multiple=True, metavar="KIND", help="Only this kind; may be repeated.")
@click.option("--size", default="8MB", show_default=True, help="How much is written to each kind.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the report, one HTML page, to this file.",
)
@full_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@journal_options
@output_option
def drill(
    *,
    system: str | None,
    kinds: Sequence[str],
    size: str,
    report: Path | None,
    yes: bool,
    keeping: Keeping,
    output: str,
    **given: Any,
) -> int:
    """Lose data on purpose, restore it from a backup, and compare.

    Writes entries of its own to the database, to a bucket, to CephFS and to a block volume, takes a set,
    writes on, destroys what it wrote, brings it back from the set, and compares every entry with what was
    written. Nothing of the system's own is touched; load may run meanwhile. One that was killed left its
    data: run it again.

    With --full the whole lab is destroyed, and built again from its copy outside (backup.copies) and the key
    to its own backup; then all that it had is compared, too. --system names it. One that was killed goes on.

    Exit status 4: something is missing or differs; 5: something could not be observed.

    \b
    rookery drill
    rookery drill --size 200MB --report drill.html
    rookery drill --full --system rookery-demo --report drill.html
    """
    full = Full(**given)
    asked = Asked(kinds=kinds, size=parse_space(size), yes=yes, report=report, keeping=keeping)
    if full.full:
        outcome = drill_full(full, system, asked)
    else:
        full.require_unused()
        outcome = _drill(system, asked)
    _show(outcome, report, output)
    return outcome.exit_code


def _drill(system: str | None, asked: Asked) -> DrillOutcome:
    from rookery.run.drill.drill import run_drill
    from rookery.run.drill.writing import Wishes, drilled_kinds

    wishes = Wishes(kinds=tuple(asked.kinds), size=asked.size)
    with about(system, asked.keeping) as (running, record):
        record.empty = True
        _ask(running, drilled_kinds(running.design, wishes), yes=asked.yes)
        record.empty = False
        record.did = f"drill begun: {', '.join(drilled_kinds(running.design, wishes))}"
        outcome = run_drill(running, wishes, say)
        record.did = f"drill {outcome.id}: {', '.join(one.kind for one in outcome.kinds)} lost and restored"
        keep_outcome(record, outcome, asked.report)
    return outcome


def _show(outcome: DrillOutcome, report: Path | None, output: str) -> None:
    from rookery.cli.drill_tables import drill_view
    from rookery.run.answers import to_json

    if output == "json":
        click.echo(to_json(_data(outcome)))
    else:
        console = Console(markup=False, emoji=False, highlight=False, width=terminal_width())
        console.print(drill_view(outcome))
        if report is not None:
            click.echo(f"\nreport  {report}")


def _ask(system: System, kinds: Sequence[str], *, yes: bool) -> None:
    """Say what will be destroyed, and ask whether it may."""
    from rookery.run.drill.writing import LOSSES

    say(f"A drill on {system.design.name}, which goes on serving, writes data of its own, and destroys it:")
    for kind in kinds:
        say(f"  {LOSSES[kind]}")
    if yes:
        return
    if not sys.stdin.isatty():
        raise InputError("a drill asks before it destroys anything", hint="`--yes` is an answer.")
    click.confirm("Go on?", abort=True, err=True)


def _data(outcome: DrillOutcome) -> dict[str, object]:
    return {
        "verdict": outcome.verdict,
        "exitCode": int(outcome.exit_code),
        "rpo": outcome.rpo,
        "drill": outcome,
    }
