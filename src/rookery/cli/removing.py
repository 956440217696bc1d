"""Taking systems down: one of this machine, all of them, or those of a cloud's account that are over."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import click

from rookery.cli.journaling import Keeping, journal_options, recorded
from rookery.cli.options import complete_running, output_option
from rookery.errors import ExitCode
from rookery.run.journal import spec_digest

if TYPE_CHECKING:
    from rookery.clouds.cloud import Cloud
    from rookery.run.down import Departure


@click.command()
@click.argument("system", required=False, shell_complete=complete_running)
@click.option("--all", "everything", is_flag=True, help="Take down every system on this machine.")
@click.option(
    "--provider",
    default="",
    metavar="CLOUD",
    help="Take SYSTEM out of that cloud's account, whichever machine brought it up (`rookery leases`).",
)
@click.option(
    "--expired",
    is_flag=True,
    help="Take down all systems of the clouds' accounts that nobody wants any more (`up --for`).",
)
@journal_options
@output_option
def down(system: str | None, *, everything: bool, output: str, **more: Any) -> int:
    """Take a system down, and look again whether anything is left.

    SYSTEM is its name or its spec; it may be left out where only one runs. Exit status 0 means that nothing
    of it is on this machine any more, nor in a cloud's account. All of its data is gone.

    \b
    rookery down
    rookery down demo --provider hetzner
    rookery down --expired
    """
    keeping: Keeping = more["keeping"]
    if more["expired"] or more["provider"]:
        return _down_in_accounts(system, expired=more["expired"], provider=more["provider"], keeping=keeping)
    from rookery.run.answers import down_data, to_json
    from rookery.run.down import require_removable
    from rookery.run.workspace import is_spec, name_of

    typed = system is not None and not is_spec(system)
    names = _every_name() if everything else (name_of(system),)
    for name in names:
        require_removable(name)
    departures = []
    for name in names:
        departures.append(_take_down(name, keeping, must_exist=typed))
        if output == "text":
            click.echo(_departure_text(name, departures[-1]))
    if output == "json":
        reports = [down_data(name, departure) for name, departure in zip(names, departures, strict=True)]
        click.echo(to_json(reports if everything else reports[0]))
    return ExitCode.FAILED if any(departure.left for departure in departures) else ExitCode.DONE


def _down_in_accounts(system: str | None, *, expired: bool, provider: str, keeping: Keeping) -> int:
    """Take systems out of the accounts that one gets into: the one of that name, or all that are over."""
    from rookery.cli import leases
    from rookery.errors import InputError, RookeryError
    from rookery.run.clouds import connect

    moment = leases.now()
    found = leases.all_leases(moment, provider)
    wanted = [one for one in found if one.is_over(moment) or not expired]
    if system is not None:
        wanted = [one for one in wanted if one.system == system]
    if not expired and (system is None or not wanted):
        known = ", ".join(one.system for one in found) or "none"
        raise InputError(f"{provider} has no system {system or 'without a name'}", hint=f"It has: {known}.")
    failed = False
    for one in wanted:
        cloud = connect(one.provider)
        try:
            departure = _take_down(one.system, keeping, must_exist=False, cloud=cloud)
        except RookeryError as error:
            # The others go on costing money, too.
            failed = True
            click.echo(f"{one.system} ({cloud.title}): {error}", err=True)
        else:
            failed = failed or bool(departure.left)
            click.echo(_departure_text(f"{one.system} ({cloud.title})", departure))
    if not wanted:
        click.echo("nothing is over")
    return ExitCode.FAILED if failed else ExitCode.DONE


def _every_name() -> tuple[str, ...]:
    """Return the systems that whoever runs this may take down: a user's own, and where there are none,
    root's."""
    from rookery.run.workspace import roots_names, running_names

    names, roots = running_names(), roots_names()
    own = tuple(name for name in names if name not in roots)
    if own and roots:
        click.echo(f"root's stay: {', '.join(roots)}; `sudo ./rookery down --all` takes those down", err=True)
    return own or names


def _take_down(name: str, keeping: Keeping, *, must_exist: bool, cloud: Cloud | None = None) -> Departure:
    from rookery.errors import InputError
    from rookery.run.down import bring_down

    with recorded(keeping, system=name, digest=_running_digest(name)) as record:
        # Controllers take minutes to give back what they made; standard error says what is under way.
        try:
            departure = bring_down(name, _say, must_exist=must_exist, cloud=cloud)
        except InputError:
            record.empty = True
            raise
        record.did = f"{len(departure.found)} things removed"
        record.empty = not departure.found
        left = f"{len(departure.left)} things are still there" if departure.left else "nothing left"
        record.ends(ExitCode.FAILED if departure.left else ExitCode.DONE, left)
    return departure


def _say(text: str) -> None:
    click.echo(click.style(f"  {text}", dim=True), err=True)


def _running_digest(name: str) -> str:
    """Return the digest of a running system's spec, nothing where the spec cannot be read any more."""
    from rookery.errors import InputError
    from rookery.run.workspace import open_running

    with contextlib.suppress(InputError):
        return spec_digest(open_running(name).spec)
    return ""


def _departure_text(name: str, departure: Departure) -> str:
    from rookery.units import format_seconds

    took = format_seconds(departure.seconds)
    if not departure.left:
        return f"{name}: {len(departure.found)} things removed, nothing left, {took}"
    left = "\n".join(f"  {left.kind} {left.name}" for left in departure.left)
    return f"{name}: {len(departure.left)} things are still there after {took}:\n{left}"
