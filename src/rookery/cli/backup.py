"""Commands about backups: backup now, list, show, check, prune."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from rich.console import Console

from rookery.cli.about import about, say
from rookery.cli.backup_key import backup_key
from rookery.cli.journaling import Keeping, journal_options
from rookery.cli.options import output_option, system_option, terminal_width
from rookery.errors import ExitCode
from rookery.units import format_amount

if TYPE_CHECKING:
    from rookery.systems.protocol import System


@click.group()
def backup() -> None:
    """Take backups, see what there is, and look whether it is whole.

    A set is one moment of everything: database, objects, files, block volumes, and the system itself. Sets
    are taken by schedule; `now` takes one at once.

    \b
    rookery backup now
    rookery backup list
    rookery backup check --deep
    rookery restore database
    """


@backup.command("now")
@system_option
@click.option("--only", "kinds", multiple=True, metavar="KIND", help="Only this kind; may be repeated.")
@journal_options
@output_option
def backup_now(*, system: str | None, kinds: Sequence[str], keeping: Keeping, output: str) -> int:
    """Take a set, and return when all of it is in the store.

    Exit status 1: a kind failed; what there is of the others is kept, and so are all earlier sets.
    """
    from rookery.cli.backup_tables import set_view
    from rookery.run.answers import to_json
    from rookery.run.backup import take_set

    with about(system, keeping) as (running, record):
        made = take_set(running, kinds, say)
        record.did = f"backup set {made.label} taken: {', '.join(part.kind for part in made.parts)}"
        code = ExitCode.FAILED if made.state == "failed" else ExitCode.DONE
        record.ends(code, f"{made.state}, {format_amount(made.moved)} moved")
    click.echo(to_json(made)) if output == "json" else _print(set_view(made))
    return code


@backup.command("list")
@system_option
@output_option
def backup_list(*, system: str | None, output: str) -> int:
    """List the sets, the oldest first."""
    from rookery.cli.backup_tables import sets_view
    from rookery.run.answers import to_json
    from rookery.run.backup import list_sets
    from rookery.run.systems import opened

    with opened(system) as running:
        sets = list_sets(running.system)
    if output == "json":
        click.echo(to_json(sets))
    elif sets:
        _print(sets_view(sets))
    else:
        click.echo("no set yet; `rookery backup now` takes one", err=True)
    return ExitCode.DONE


@backup.command("show")
@click.argument("label")
@system_option
@output_option
def backup_show(*, label: str, system: str | None, output: str) -> int:
    """Show what a set consists of."""
    from rookery.cli.backup_tables import set_view
    from rookery.run.answers import to_json
    from rookery.run.backup import find_set
    from rookery.run.systems import opened

    with opened(system) as running:
        found = find_set(running.system, label)
    click.echo(to_json(found)) if output == "json" else _print(set_view(found))
    return ExitCode.DONE


@backup.command("check")
@click.argument("labels", nargs=-1)
@system_option
@click.option("--deep", is_flag=True, help="Read all that is stored, not only what lists say of it.")
@journal_options
@output_option
def backup_check(
    *, labels: Sequence[str], system: str | None, deep: bool, keeping: Keeping, output: str
) -> int:
    """Look at what is stored, without restoring it: every part, every checksum, every link of a chain.

    Exit status 4: something is missing or is not as it was written.
    """
    from rookery.run.answers import to_json
    from rookery.run.backup import check_sets

    with about(system, keeping) as (running, record):
        found = dict(check_sets(running, labels, say, deep=deep))
        if deep and "system" in found:
            found["system"] = [*found["system"], *_unreadable(running, labels)]
        problems = [f"{kind}: {problem}" for kind, some in found.items() for problem in some]
        record.did = f"backups checked{', all content read' if deep else ''}: {', '.join(found)}"
        code = ExitCode.VIOLATED if problems else ExitCode.DONE
        record.ends(code, f"{len(problems)} problems")
    if output == "json":
        click.echo(to_json(found))
    elif problems:
        click.echo("\n".join(problems))
    else:
        click.echo(f"{', '.join(found) or 'nothing'}: all there, and as it was written")
    return code


def _unreadable(running: System, labels: Sequence[str]) -> Sequence[str]:
    """Return what of the system's own backup the key here does not open; nothing where it is not here."""
    from rookery.run.backup import list_sets
    from rookery.run.system_part import key_of, unreadable

    key = key_of(running).key
    chosen = [one for one in list_sets(running) if not labels or one.label in labels]
    return unreadable(running, chosen, (key,)) if key else ()


@backup.command("prune")
@system_option
@journal_options
@output_option
def backup_prune(*, system: str | None, keeping: Keeping, output: str) -> int:
    """Remove the sets whose time is over, as the schedule does by itself.

    What a kept set needs stays. What is locked goes once its lock is over.
    """
    from rookery.run.answers import to_json
    from rookery.run.backup import prune_sets

    with about(system, keeping) as (running, record):
        labels = prune_sets(running, say)
        record.did = f"{len(labels)} backup sets removed"
        record.empty = not labels
    click.echo(to_json(labels) if output == "json" else ", ".join(labels) or "nothing is over its time")
    return ExitCode.DONE


@backup.command("fetch")
@click.argument("copy", required=False, default="")
@system_option
@journal_options
@output_option
def backup_fetch(*, copy: str, system: str | None, keeping: Keeping, output: str) -> int:
    """Bring the sets of a copy outside back into the system's own bucket.

    For a system that was built again (`rookery restore system --from`). COPY is the name of one in the spec's
    backup.copies; it may be left out where there is one only.
    """
    from rookery.run.answers import to_json
    from rookery.run.backup import fetch_sets

    with about(system, keeping) as (running, record):
        done = fetch_sets(running, copy, say)
        moved = format_amount(done["moved"])
        record.did = f"backup sets fetched from copy {done['from']}"
        record.ends(ExitCode.DONE, f"{moved} moved")
    click.echo(to_json(done) if output == "json" else f"{moved} fetched from {done['from']}")
    return ExitCode.DONE


backup.add_command(backup_key)


def _print(view: object) -> None:
    Console(markup=False, emoji=False, highlight=False, width=terminal_width()).print(view)
