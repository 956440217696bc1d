"""Commands that compare: diff (one design with another), drift (what runs with its design)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from rookery.cli.options import complete_running, complete_spec, output_option, terminal_width
from rookery.errors import ExitCode, InputError

if TYPE_CHECKING:
    from rookery.design.model import Design


@click.command(short_help="Show what changes from one spec to another.")
@click.argument("before", shell_complete=complete_spec)
@click.argument("after", required=False, shell_complete=complete_spec)
@output_option
def diff(before: str, after: str | None, output: str) -> int:
    """Show what changes from BEFORE to AFTER: in the design, in steps, in money.

    Both are specs or patterns. With one alone, the system of its name that runs here is compared with it:
    what `rookery up` would change. What a running system cannot become says why.

    \b
    rookery diff my.yaml
    rookery diff production-minimum my.yaml
    """
    from rookery.apps.table import OBSTACLES
    from rookery.cli import change_tables
    from rookery.design.change import changes
    from rookery.plan.change import plan_change
    from rookery.run.answers import to_json
    from rookery.run.workspace import open_changed, open_running, open_spec

    old = (open_running(before) if after is None else open_spec(before)).design
    new = open_changed(after or before, old).design
    found = changes(old, new, OBSTACLES)
    steps = plan_change(old, new) if "native" == old.platform == new.platform else ()
    money = _money(old, new)
    if output == "json":
        click.echo(to_json({"changes": found, "steps": steps, "cost": money}))
    else:
        console = Console(markup=False, emoji=False, highlight=False, width=terminal_width())
        change_tables.print_diff(console, found, steps, money)
    return ExitCode.DONE


def _money(before: Design, after: Design) -> dict[str, Any]:
    """Return what both cost by the hour and by the month on the cloud of the design, else on the first."""
    from rookery.prices.bill import cents, mills
    from rookery.prices.book import cloud_of
    from rookery.prices.comparison import Judgement, bill_for
    from rookery.run.prices import load_prices

    provider = cloud_of(after.provider)
    now = dt.datetime.fromtimestamp(_seconds(), tz=dt.UTC)
    book = load_prices().book
    found: dict[str, Any] = {"provider": provider}
    for name, design in (("before", before), ("after", after)):
        try:
            bill = bill_for(
                design, book, provider, now, dt.timedelta(hours=1), judgement=Judgement(today=now.date())
            )
        except InputError as error:
            return {"provider": provider, "unpriced": f"{name}: {error.what}"}
        found["currency"] = bill.currency
        found[name] = {"hour": _plain(mills(bill.amounts.hour)), "month": _plain(cents(bill.amounts.month))}
    return found


def _plain(amount: Decimal) -> float:
    return float(amount)


def _seconds() -> float:
    import time

    return time.time()


@click.command(short_help="Show where a system deviates from its design.")
@click.argument("system", required=False, shell_complete=complete_running)
@output_option
def drift(system: str | None, output: str) -> int:
    """Show where SYSTEM, as it runs, deviates from its design: missing, extra, different.

    Nothing is changed; `rookery up` brings back what is missing. The exit status is 4 where something
    deviates.

    \b
    rookery drift
    rookery drift rookery-demo --output json
    """
    from rookery.cli import change_tables
    from rookery.run.answers import to_json
    from rookery.run.systems import opened

    with opened(system) as running:
        deviations = running.system.drift()
    if output == "json":
        click.echo(to_json({"name": running.design.name, "deviations": deviations}))
    else:
        console = Console(markup=False, emoji=False, highlight=False, width=terminal_width())
        change_tables.print_drift(console, running.design.name, deviations)
    return ExitCode.VIOLATED if deviations else ExitCode.DONE
