"""What a cloud costs and until when: the question before `up`, what was spent, the systems of an account."""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console, RenderableType
from rich.text import Text

from rookery.cli.options import output_option, terminal_width
from rookery.errors import ExitCode, InputError, NotPossibleError

_MINUTE = 60.0  # seconds

if TYPE_CHECKING:
    from rookery.prices.spent import Spent
    from rookery.run.asking import Asking
    from rookery.run.clouds import Lease
    from rookery.run.workspace import Workspace
    from rookery.systems.protocol import System


def now() -> dt.datetime:
    return dt.datetime.fromtimestamp(int(time.time()), tz=dt.UTC)


def lease_text_of(duration: str, workspace: Workspace) -> str:
    """Return the end of the lease as labels have it: of `--for`, or of the spec where the system is not there
    yet; empty where it has none, or keeps the one that it has."""
    from rookery.clouds.lease import lease_text
    from rookery.prices.period import parse_duration
    from rookery.run.clouds import CONNECTIONS
    from rookery.run.workspace import running_names

    provider, spec = workspace.design.provider, workspace.spec
    if not duration and spec.lease and provider in CONNECTIONS and spec.name not in running_names():
        duration = spec.lease
    if not duration:
        return ""
    if provider not in CONNECTIONS:
        raise InputError(
            f"servers of provider {provider} cost nothing by the hour, so nothing ends by itself",
            hint=f"--for is for {', '.join(CONNECTIONS)}.",
        )
    start = now()
    return lease_text(start + parse_duration(duration, start))


def agree(asking: Asking | None, *, yes: bool) -> None:
    """Show what is about to cost money, and have it agreed to; raises NotPossibleError where it is not."""
    if asking is None:
        return
    from rookery.cli.cost_tables import bill_view

    console = Console(stderr=True, markup=False, emoji=False, highlight=False, width=terminal_width())
    provider = asking.bill.quote.provider
    for title, block in bill_view(asking.comparison, provider, asking.bill.start.date()):
        console.print()
        if title:
            console.print(Text(title, style="bold"))
        console.print(block)
    until = f", wanted until {asking.until:%Y-%m-%d %H:%M} UTC" if asking.until else ""
    console.print()
    console.print(f"{asking.title}, {asking.place}, is asked for: {', '.join(asking.made)}{until}.")
    for note in asking.notes:
        console.print(f"  {note}")
    if yes:
        return
    if not sys.stdin.isatty():
        raise NotPossibleError(
            "nothing was made: what costs money wants a yes, and nobody is there to be asked",
            hint="--yes agrees to it beforehand.",
        )
    if not click.confirm("Make it?", err=True):
        raise NotPossibleError("nothing was made", hint="`rookery cost` shows other bills of this design.")


class Costs:
    """What a system on a cloud has cost so far, asked of the account once a minute."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._asked = 0.0
        self._seen: tuple[Spent, dt.datetime | None] | None = None

    def read(self) -> tuple[Spent, dt.datetime | None] | None:
        """Return what was spent and the end of the lease; None for a system that no account has."""
        from rookery.prices.book import cloud_of
        from rookery.run.clouds import lease_of, spent_so_far
        from rookery.run.systems import cloud_servers

        servers = cloud_servers(self._system)
        if servers is None:
            return None
        if self._seen is None or time.monotonic() - self._asked > _MINUTE:
            things = servers.account()
            provider = cloud_of(self._system.design.provider)
            self._seen = (spent_so_far(provider, things, now()), lease_of(things))
            self._asked = time.monotonic()
        return self._seen


def spent_line(spent: Spent, end: dt.datetime | None) -> str:
    """Say in a sentence what has been spent, and when more begins."""
    from rookery.prices.bill import cents, mills

    tax = "net" if spent.net else "with VAT"
    words = [f"{cents(spent.total)} {spent.currency} so far, {mills(spent.hourly)} an hour, {tax}"]
    if spent.next_hour is not None:
        words.append(f"the next hour begins at {spent.next_hour:%H:%M:%S} UTC")
    if end is not None:
        words.append(f"wanted until {end:%Y-%m-%d %H:%M} UTC")
    if spent.unpriced:
        words.append(f"without {', '.join(spent.unpriced)}, whose prices are not known")
    return "; ".join(words)


def spent_data(spent: Spent, end: dt.datetime | None) -> dict[str, Any]:
    """Return the same for a script."""
    return {
        "currency": spent.currency,
        "net": spent.net,
        "spent": str(spent.total),
        "hourly": str(spent.hourly),
        "nextHour": spent.next_hour.isoformat() if spent.next_hour is not None else None,
        "until": end.isoformat() if end is not None else None,
        "unpriced": list(spent.unpriced),
    }


@click.command(short_help="List the systems of the accounts that one gets into, with cost and end.")
@output_option
def leases(output: str) -> int:
    """List every system of the clouds' accounts that the environment leads to, wherever it was made from.

    Each with its age, what it has cost so far by the prices that this machine knows, and until when it is
    wanted (`rookery up --for 8h`). `rookery down --expired` removes what is over.
    """
    from rookery.run.answers import to_json

    moment = now()
    found = all_leases(moment)
    if output == "json":
        click.echo(to_json([_data(lease, moment) for lease in found]))
    elif not found:
        click.echo("no system is there")
    else:
        console = Console(markup=False, emoji=False, highlight=False, width=terminal_width())
        console.print(_table(found, moment))
    return ExitCode.DONE


def all_leases(moment: dt.datetime, provider: str = "") -> tuple[Lease, ...]:
    """Return the systems of all accounts, or of one cloud's; NotPossibleError where one gets into none."""
    from rookery.run.clouds import CONNECTIONS, connect, leases, reached

    chosen = [one for one in CONNECTIONS if one == provider]
    if provider and not chosen:
        raise InputError(f"no systems are made on {provider}", hint=f"Clouds: {', '.join(CONNECTIONS)}.")
    accounts = tuple((one, connect(one)) for one in chosen) or tuple(reached())
    if not accounts:
        raise NotPossibleError(
            f"no account of {', '.join(CONNECTIONS)} is to be got into from here",
            hint="For Hetzner set HCLOUD_TOKEN, or make a context with `hcloud context create NAME`. For"
            " Google set GOOGLE_CLOUD_PROJECT, after `gcloud auth application-default login`.",
        )
    return tuple(lease for provider, cloud in accounts for lease in leases(provider, cloud, moment))


def _data(lease: Lease, moment: dt.datetime) -> dict[str, Any]:
    return {
        "name": lease.system,
        "provider": lease.provider,
        "things": lease.things,
        "since": lease.since.isoformat() if lease.since is not None else None,
        "over": lease.is_over(moment),
        **spent_data(lease.spent, lease.end),
    }


def _table(found: Sequence[Lease], moment: dt.datetime) -> RenderableType:
    from rich.table import Table

    from rookery.prices.bill import cents, mills
    from rookery.prices.book import TITLES
    from rookery.units import format_period

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("system", "cloud", "things", "age", "spent", "an hour", "wanted until (UTC)"):
        table.add_column(column, header_style="dim", overflow="fold")
    for lease in found:
        age = format_period((moment - lease.since).total_seconds()) if lease.since is not None else "?"
        over = lease.is_over(moment)
        end = (
            f"{lease.end:%Y-%m-%d %H:%M}{', over' if over else ''}"
            if lease.end is not None
            else "nobody said"
        )
        table.add_row(
            lease.system,
            TITLES[lease.provider],
            str(lease.things),
            age,
            f"{cents(lease.spent.total)} {lease.spent.currency}",
            f"{mills(lease.spent.hourly)}",
            Text(end, style="red" if over else ""),
        )
    return table
