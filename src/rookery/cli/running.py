"""Commands that work with a system that runs, or is to: up, status, verify, shell."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from rookery.cli.journaling import Record, journal_options, recorded
from rookery.cli.options import (
    complete_host,
    complete_running,
    complete_spec,
    output_option,
    system_option,
    terminal_width,
)
from rookery.errors import ExitCode
from rookery.run.journal import spec_digest
from rookery.run.verify.result import Outcome, Result

if TYPE_CHECKING:
    from rookery.run.prepared import Arrival, Prepared
    from rookery.run.workspace import Workspace
    from rookery.systems.protocol import System


@click.command()
@click.argument("spec", required=False, shell_complete=complete_spec)
@click.option(
    "--mirror",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="On Kubernetes: take what comes from elsewhere out of this folder (`rookery mirror pull`).",
)
@click.option(
    "--mirror-url",
    metavar="URL",
    help="Where `rookery mirror serve` serves that folder to servers of your own, which fetch packages and"
    " images from there from now on; '' for from the internet again.",
)
@click.option(
    "--for",
    "duration",
    default="",
    metavar="TIME",
    help="On a cloud: how long it is wanted, from now on (8h, 3d). `rookery down --expired` ends it then.",
)
@click.option("--yes", is_flag=True, help="On a cloud: agree beforehand to what it costs.")
@journal_options
@output_option
def up(*, spec: str | None, mirror: Path | None, mirror_url: str | None, output: str, **more: Any) -> int:
    """Bring the system of SPEC up, and prove that it works.

    What runs already is kept, what is missing is made: after an interruption the same command goes on.
    SPEC is a file, or a pattern's name; without it the default seven servers.

    \b
    rookery up
    rookery up my.yaml
    rookery up my.yaml --output json > result.json
    rookery up my.yaml --mirror /srv/mirror --mirror-url http://10.0.0.5:5080
    rookery up my.yaml --for 8h
    """
    from rookery.cli import leases, views
    from rookery.cli.mirroring import Shown
    from rookery.run.asking import asking_of
    from rookery.run.lock import remember
    from rookery.run.own_mirror import ensure_supplies
    from rookery.run.prepared import prepared
    from rookery.run.systems import require_machine
    from rookery.run.workspace import open_spec

    workspace = open_spec(spec)
    until = leases.lease_text_of(more["duration"], workspace)
    notes = require_machine(workspace.design, mirror=mirror)
    remember(workspace.design.name)
    url = _settle_mirror_url(workspace, mirror_url, mirror)
    with Shown() as shown:
        mirror = ensure_supplies(workspace.design, mirror, watcher=shown)
    beside = Path(workspace.source) if spec is not None and Path(workspace.source).is_file() else None
    digest = spec_digest(workspace.spec)
    with (
        recorded(
            more["keeping"], system=workspace.design.name, digest=digest, beside=beside, begins=True
        ) as record,
        prepared(workspace, mirror=mirror, mirror_url=url, until=until) as ready,
    ):
        asking = asking_of(ready, leases.now(), until=until, notes=notes)
        arrival = _bring_up(ready, record, lambda: leases.agree(asking, yes=more["yes"]))
        _show_arrival(arrival, ready.system, output)
        return record.ends(_verdict(arrival.results), views.results_summary(arrival.results))


def _settle_mirror_url(workspace: Workspace, given: str | None, mirror: Path | None) -> str:
    """Return where servers fetch from the mirror, which answers there; say so where they do not."""
    from rookery.run.mirror_url import serving_advice, settle_mirror_url

    url = settle_mirror_url(workspace.design, given, mirror)
    if advice := serving_advice(workspace.design, mirror, url):
        click.echo(advice, err=True)
    return url


def _bring_up(ready: Prepared, record: Record, agree: Callable[[], None]) -> Arrival:
    """Say what is about to be done, have it agreed to, then do it."""
    from rookery.cli import views
    from rookery.cli.patience import quiet
    from rookery.cli.progress import ConsoleProgress

    talk = Console(stderr=True, markup=False, emoji=False, highlight=False, width=terminal_width())
    steps = ready.steps
    record.did = f"{len(steps)} of {len(ready.system.steps())} steps: {', '.join(step.id for step in steps)}"
    views.print_blocks(
        talk,
        ("", views.design_view(ready.design)),
        ("What the checks say", views.findings_view(ready.findings)),
        *((("An upgrade", views.notices_view(ready.upgrade.notices)),) if ready.upgrade else ()),
        (f"{len(steps)} steps", views.steps_view(steps)),
    )
    ready.refuse()
    record.empty = True
    agree()
    record.empty = False
    talk.print()
    with quiet(), ConsoleProgress(talk, len(steps)) as progress:
        return ready.run(progress)


def _show_arrival(arrival: Arrival, system: System, output: str) -> None:
    from rookery.cli import views
    from rookery.run.answers import to_json, up_data

    design, endpoints = system.design, system.endpoints()
    if output == "json":
        click.echo(to_json(up_data(design, arrival, endpoints)))
        return
    views.print_blocks(
        Console(markup=False, emoji=False, highlight=False, width=terminal_width()),
        ("What runs where", views.status_view(system.hosts(), design)),
        ("Verified: " + views.results_summary(arrival.results), views.results_view(arrival.results)),
        ("Where to go", views.endpoints_view(endpoints)),
        ("", f"certificates are signed by {system.ca_file}"),
        ("Time", views.times_view(arrival)),
    )


@click.command()
@click.argument("system", required=False, shell_complete=complete_running)
@click.option("--watch", is_flag=True, help="Show it again every second until interrupted.")
@output_option
def status(system: str | None, *, watch: bool, output: str) -> int:
    """Show what runs where, how it is, and how to reach it.

    \b
    rookery status
    rookery status rookery-demo --watch
    """
    from rookery.cli import leases, views
    from rookery.cli.backup_tables import age_view
    from rookery.drivers.machine.asked import Asked
    from rookery.run.answers import status_data, to_json
    from rookery.run.backup_age import read_age, takes_sets
    from rookery.run.fullness import Reading
    from rookery.run.state import patience, read_state
    from rookery.run.systems import opened

    console = Console(markup=False, emoji=False, highlight=False, width=terminal_width())
    with opened(system) as found:
        running = found.system
        costs = leases.Costs(running)
        while True:
            paid = Asked(costs.read)
            reading = Reading(running)
            asked = Asked(lambda: read_age(running)) if takes_sets(running.design) else None
            state = read_state(running)
            fullness = reading.result(patience(state.hosts))
            age = asked.result(patience(state.hosts)) if asked is not None else None
            spent = paid.result(patience(state.hosts))
            if output == "json":
                data = status_data(running.design, state, running.endpoints(), fullness, age)
                cost = {"cost": leases.spent_data(*spent)} if spent is not None else {}
                click.echo(to_json({**data, **cost}))
            else:
                if watch and console.is_terminal:
                    console.clear()
                views.print_blocks(
                    console,
                    (
                        f"{running.design.name}: {views.health_line(state)}",
                        views.status_view(state.hosts, running.design),
                    ),
                    *((("Cost", leases.spent_line(*spent)),) if spent is not None else ()),
                    ("Applications", views.apps_view(state.instances)),
                    ("How full", views.fullness_view(fullness)),
                    *((("Backups", age_view(age)),) if asked is not None else ()),
                    ("Where to go", views.endpoints_view(running.endpoints())),
                )
            if not watch:
                return ExitCode.DONE if state.complete else ExitCode.FAILED
            time.sleep(1)


@click.command()
@click.argument("system", required=False, shell_complete=complete_running)
@output_option
def verify(system: str | None, output: str) -> int:
    """Check the running system, with evidence for each check.

    Exit status 0: all passed; 4: a check failed; 5: none failed, but something could not be observed.
    """
    from rookery.cli import views
    from rookery.run.answers import to_json, verify_data
    from rookery.run.lock import hold
    from rookery.run.systems import opened
    from rookery.run.verify.table import new_mark
    from rookery.run.verify.table import verify as run_checks

    # What it looks at is not taken away meanwhile; several may look at once.
    with opened(system) as found, hold(found.design.name, shared=True):
        results = run_checks(found.system, mark=new_mark())
    if output == "json":
        click.echo(to_json(verify_data(results)))
    else:
        console = Console(markup=False, emoji=False, highlight=False, width=terminal_width())
        views.print_blocks(console, (views.results_summary(results), views.results_view(results)))
    return _verdict(results)


@click.command("open", short_help="Print where a service is, and how to log in.")
@click.argument("service", type=click.Choice(["site", "dashboard", "s3", "database", "catalogue"]))
@system_option
@click.option("--browser", is_flag=True, help="Open it in this machine's browser, too.")
def open_service(service: str, system: str | None, *, browser: bool) -> int:
    """Print where SERVICE is, and the user and password to log in with.

    \b
    rookery open dashboard
    rookery open s3
    rookery open site --browser
    """
    from rookery.errors import InputError, RookeryError
    from rookery.run.systems import opened

    with opened(system) as running:
        endpoints, authority = running.system.endpoints(), running.system.ca_file
    found = next((endpoint for endpoint in endpoints if endpoint.name == service), None)
    if found is None:
        known = ", ".join(endpoint.name for endpoint in endpoints)
        raise InputError(f"{running.design.name} has no {service}", hint=f"It has: {known}.")
    click.echo(found.url)
    if found.credentials is not None:
        click.echo(f"user      {found.credentials.user}\npassword  {found.credentials.password}")
    click.echo(f"ca        {authority}")
    if browser and not (found.url.startswith("https:") and click.launch(found.url) == 0):
        raise RookeryError(f"no browser opened {found.url}", hint="Open it by hand, or without --browser.")
    return ExitCode.DONE


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("host", shell_complete=complete_host)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@system_option
def shell(host: str, command: Sequence[str], system: str | None) -> int:
    """Open a shell on HOST, or run a command there.

    \b
    rookery shell storage-k
    rookery shell cp-1 -- ceph -s
    """
    from rookery.cli.options import split_command
    from rookery.run.systems import opened

    with opened(system) as running:
        return running.system.shell(host, split_command(command))


def _verdict(results: Sequence[Result]) -> int:
    outcomes = {result.outcome for result in results}
    if Outcome.FAIL in outcomes:
        return ExitCode.VIOLATED
    return ExitCode.NOT_OBSERVED if Outcome.NOT_OBSERVED in outcomes else ExitCode.DONE
