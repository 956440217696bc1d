"""Commands that put load on a system: load start, status, stop."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from rookery.cli.about import about, say
from rookery.cli.journaling import Keeping, journal_options
from rookery.cli.options import output_option, system_option, terminal_width
from rookery.errors import ExitCode, InputError
from rookery.units import format_seconds

if TYPE_CHECKING:
    from rookery.load.model import Figures

_PART = re.compile(r"(\d+(?:\.\d+)?)(s|min|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


@click.group()
def load() -> None:
    """Let viewers, transactions and objects keep a system busy.

    The load comes from a container of its own, beside the servers. It ends by itself before it fills a drive.

    \b
    rookery load start
    rookery load status --watch
    rookery load stop --record load.json
    """


@load.command()
@system_option
@click.option("--viewers", type=int, help="Viewers at a time: pages, films, music, live.  [default: 200]")
@click.option("--transactions", type=float, help="Database transactions a second.  [default: 50]")
@click.option("--churn", type=float, help="Objects put, read or deleted a second.  [default: 5]")
@click.option("--space", default="1GB", show_default=True, help="What the objects may take at most.")
@click.option(
    "--for",
    "duration",
    default="until stopped",
    show_default=True,
    help="How long, such as 90s, 10m or 1h30m.",
)
@journal_options
@output_option
def start(
    *,
    system: str | None,
    viewers: int | None,
    transactions: float | None,
    churn: float | None,
    space: str,
    duration: str,
    keeping: Keeping,
    output: str,
) -> int:
    """Start a load, and return when it runs.

    What the design has no service for is left out; 0 leaves out what it has.
    """
    from rookery.load.model import Wishes
    from rookery.run.load import start_load

    wishes = Wishes(
        viewers=viewers,
        transactions=transactions,
        churn=churn,
        space=parse_space(space),
        seconds=parse_duration(duration),
    )
    with about(system, keeping) as (running, record):
        figures = start_load(running, wishes, say)
        record.did = f"load started: {_settings_words(figures)}"
    _show(figures, output)
    return ExitCode.DONE


@load.command("status")
@system_option
@click.option("--watch", is_flag=True, help="Show it again every second until it ends or is interrupted.")
@output_option
def load_status(*, system: str | None, watch: bool, output: str) -> int:
    """Show what the load does now, and what it did so far; or how the last one ended.

    Times count from when an event was due, so that a standstill shows in full.
    """
    from rookery.run.load import load_figures
    from rookery.run.systems import opened

    with opened(system) as running:
        while True:
            figures = load_figures(running.system)
            if watch and output == "text":
                console = Console(markup=False, emoji=False)
                if console.is_terminal:
                    console.clear()
            _show(figures, output)
            if not watch or not figures.running:
                return ExitCode.FAILED if figures.state == "lost" else ExitCode.DONE
            time.sleep(1)


@load.command()
@system_option
@click.option("--keep", is_flag=True, help="Leave its objects and its tables where they are.")
@click.option(
    "--record",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Copy the run's record, JSON with its figures over time, to this file.",
)
@journal_options
@output_option
def stop(*, system: str | None, keep: bool, record: Path | None, keeping: Keeping, output: str) -> int:
    """End the load, remove what it made, and show its figures.

    Exit status 4: a transaction that was acknowledged is not there.
    """
    from rookery.run.load import record_file, stop_load

    with about(system, keeping) as (running, entry):
        figures = stop_load(running, say, keep=keep, record=record)
        entry.did = f"load stopped, begun {figures.began}, {format_seconds(figures.seconds)}"
        entry.report = record or record_file(running, figures)
        code = ExitCode.VIOLATED if figures.books == "violated" else ExitCode.DONE
        entry.ends(code, _counts_words(figures))
    _show(figures, output)
    if output == "text":
        click.echo(f"\nrecord  {entry.report}")
    return code


def parse_duration(text: str) -> float | None:
    """Return seconds, None for `until stopped`; raises InputError."""
    words = text.strip().lower()
    if words == "until stopped":
        return None
    compact = words.replace(" ", "")
    parts = _PART.findall(compact)
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        raise InputError(f"--for {text}: no duration", hint="Write 90s, 10m, 1h30m, or 'until stopped'.")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def parse_space(text: str) -> int:
    """Return bytes; raises InputError."""
    from pydantic import TypeAdapter, ValidationError

    from rookery.spec.model import Size

    try:
        return int(TypeAdapter(Size).validate_python(text))
    except ValidationError:
        raise InputError(f"--space {text}: no size", hint="Write it like 500MB or 2GiB.") from None


def _settings_words(figures: Figures) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in figures.settings if value)


def _counts_words(figures: Figures) -> str:
    counts = [f"{kind.name} {kind.count}" for kind in figures.kinds]
    words = [*counts, f"{figures.errors} errors", *([f"books {figures.books}"] if figures.books else [])]
    return ", ".join(words)


def _show(figures: Figures, output: str) -> None:
    from rookery.cli.load_tables import load_view
    from rookery.run.answers import to_json

    if output == "json":
        click.echo(to_json(figures))
    else:
        Console(markup=False, emoji=False, highlight=False, width=terminal_width()).print(load_view(figures))
