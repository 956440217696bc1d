"""The command that brings back what was backed up."""

from __future__ import annotations

from typing import Any, Literal

import click

from rookery.cli.about import about, say
from rookery.cli.journaling import Keeping, journal_options
from rookery.cli.options import output_option, system_option
from rookery.cli.restore_system import Given, restore_system, system_options
from rookery.errors import ExitCode


@click.command()
@click.argument("what", metavar="WHAT")
@click.option(
    "--at", default="", metavar="MOMENT", help="A set, or a time in UTC such as 2026-11-30T16:00:00."
)
@click.option(
    "--to",
    type=click.Choice(["scratch", "in-place"]),
    default="scratch",
    show_default=True,
    help="Beside what runs, or in its place.",
)
@system_options
@system_option
@journal_options
@output_option
def restore(
    *,
    what: str,
    at: str,
    to: Literal["scratch", "in-place"],
    system: str | None,
    keeping: Keeping,
    output: str,
    **given: Any,
) -> int:
    """Bring back WHAT was backed up, from the latest set or as of a moment.

    WHAT is a kind of backup, with what of it behind a colon:

    \b
    rookery restore database                      the database, in an instance beside the running one
    rookery restore database --to in-place        the database itself, as it was then
    rookery restore database:before=1234          up to a transaction, without it (xid=: with it)
    rookery restore database:name=POINT           up to a restore point of your own
    rookery restore database:drop                 the end of the instance beside the running one
    rookery restore objects:media/films/          what lies below a prefix of a bucket
    rookery restore files:/live                   a tree of the shared file system
    rookery restore block:database-worker-a       a volume, as another image
    rookery restore system                        maps, etcd, spec and secrets, into a folder
    rookery restore system --from https://s3.example.org/copies --identity key.txt
                                                  a system that is lost, for `rookery up`
    """
    if what == "system":
        return restore_system(Given(**given), at, system, keeping)
    from rookery.run.answers import to_json
    from rookery.run.restore import parse_wish
    from rookery.run.restore import restore as bring_back

    with about(system, keeping) as (running, record):
        wish = parse_wish(running, what, at, to)
        done = bring_back(running, wish, say)
        record.did = f"{what} restored, {to}"
        record.ends(ExitCode.DONE, str(done.get("says", "")))
    click.echo(to_json(done) if output == "json" else str(done.get("says", "restored")))
    return ExitCode.DONE
