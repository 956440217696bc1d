"""Commands about experiments: list, show, check, run, report, compare, heal."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem
from rich.console import Console, RenderableType

from rookery.cli.about import about, say
from rookery.cli.journaling import Keeping, journal_options
from rookery.cli.options import output_option, system_option, terminal_width
from rookery.errors import ExitCode, InputError, RookeryError

if TYPE_CHECKING:
    from rookery.run.experiment.experiment import Found


def complete_experiment(
    _context: click.Context, _parameter: click.Parameter, typed: str
) -> list[CompletionItem]:
    """Complete the name of an experiment of the library, or a file's."""
    from rookery.experiments.load import experiment_names

    names = [CompletionItem(name) for name in experiment_names() if name.startswith(typed)]
    return [*names, CompletionItem(typed, type="file")]


experiment_argument = click.argument("name", metavar="NAME|FILE", shell_complete=complete_experiment)


@click.group()
def experiment() -> None:
    """Ask a question of a running system: break it on purpose, measure, say what was lost.

    \b
    rookery experiment list
    rookery experiment run storage-node-dies --report answer.html
    rookery experiment check mine.yaml
    """


@experiment.command("list")
@output_option
def experiment_list(*, output: str) -> int:
    """List the library: each a question that somebody asks who has to rely on such a system."""
    from rookery.cli.experiment_tables import library_view
    from rookery.experiments.load import experiment_names, load_experiment

    known = [load_experiment(name) for name in experiment_names()]
    if output == "json":
        click.echo(json.dumps([{"name": one.name, "question": one.question} for one in known], indent=2))
    else:
        _print(library_view(known))
    return ExitCode.DONE


@experiment.command("show")
@experiment_argument
@output_option
def experiment_show(*, name: str, output: str) -> int:
    """Show an experiment: what breaks when, under which load, and what would be a good answer."""
    from rookery.cli.experiment_tables import experiment_view
    from rookery.experiments.load import load_experiment
    from rookery.run.answers import to_json

    found = load_experiment(name)
    click.echo(to_json(found)) if output == "json" else _print(experiment_view(found))
    return ExitCode.DONE


@experiment.command("check")
@experiment_argument
@system_option
@output_option
def experiment_check(*, name: str, system: str | None, output: str) -> int:
    """Look whether an experiment can be run on a system, and what it would do there; nothing is broken."""
    from rookery.cli.experiment_tables import outline_view
    from rookery.experiments.load import load_experiment
    from rookery.run.answers import to_json
    from rookery.run.experiment.experiment import plan_experiment
    from rookery.run.systems import opened

    asked = load_experiment(name)
    with opened(system) as running:
        plan = plan_experiment(running.system, asked)
    click.echo(to_json(plan)) if output == "json" else _print(outline_view(asked, plan))
    return ExitCode.DONE


@experiment.command("schema")
def experiment_schema() -> int:
    """Print the JSON Schema of an experiment's file, for editors."""
    from rookery.experiments.reading import build_experiment_schema

    click.echo(json.dumps(build_experiment_schema(), indent=2))
    return ExitCode.DONE


@experiment.command("measures")
@output_option
def experiment_measures(*, output: str) -> int:
    """List what can be measured, and who can be broken."""
    from rookery.cli.experiment_tables import measures_view
    from rookery.experiments.measures import OF_OPERATIONS, OF_THE_WHOLE, OPERATIONS
    from rookery.experiments.targets import TARGETS

    if output == "json":
        of_kinds = [f"{kind}.{one}" for kind in OPERATIONS for one in OF_OPERATIONS]
        data = {"measures": [*OF_THE_WHOLE, *of_kinds], "targets": list(TARGETS)}
        click.echo(json.dumps(data, indent=2))
    else:
        _print(measures_view())
    return ExitCode.DONE


@experiment.command("run")
@experiment_argument
@system_option
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the report, one HTML page, to this file.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@journal_options
@output_option
def experiment_run(
    *, name: str, system: str | None, report: Path | None, yes: bool, keeping: Keeping, output: str
) -> int:
    """Break a running system on purpose, under load, and say what its users noticed and what was lost.

    What is broken is healed at the end, whatever happens; after a kill, `rookery experiment heal` does it.

    Exit status 4: a claim was violated; 5: something could not be observed.
    """
    from rookery.cli.experiment_tables import outline_view
    from rookery.experiments.load import load_experiment
    from rookery.run.experiment.experiment import plan_experiment, run_experiment

    asked = load_experiment(name)
    with about(system, keeping) as (running, record):
        record.empty = True
        plan = plan_experiment(running, asked)
        _print(outline_view(asked, plan), err=True)
        _confirm(yes=yes)
        record.empty = False
        record.did = f"experiment {asked.name} begun: {'; '.join(str(one.fault) for one in plan.planned)}"
        found = run_experiment(running, name, say)
        record.did = f"experiment {asked.name}, run {found.record.id}: {asked.question}"
        record.ends(found.verdict.exit_code, str(found.verdict.outcome))
        if report is not None:
            _write(report, found)
            record.report = report
    _show(found, output)
    if report is not None and output == "text":
        click.echo(f"\nreport  {report}")
    return found.verdict.exit_code


@experiment.command("report")
@click.argument("run", default="")
@system_option
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the report, one HTML page, here.",
)
@output_option
def experiment_report(*, run: str, system: str | None, page: Path | None, output: str) -> int:
    """Show what a run found: the last one's, or by its id.

    Exit status 4: a claim was violated; 5: something could not be observed.
    """
    from rookery.run.experiment.experiment import find_found
    from rookery.run.systems import opened

    with opened(system) as running:
        found = find_found(running.system, run)
    if page is not None:
        _write(page, found)
    _show(found, output)
    return found.verdict.exit_code


@experiment.command("compare")
@click.argument("first")
@click.argument("second")
@system_option
@click.option(
    "--window",
    type=click.Choice(["before", "during", "after", "whole"]),
    default="during",
    show_default=True,
    help="The part of both runs.",
)
@output_option
def experiment_compare(*, first: str, second: str, system: str | None, window: str, output: str) -> int:
    """Compare two runs, by their ids: what differs by more than the noise within each.

    Where nothing does, it says so: no difference shown is no proof that there is none.
    """
    from rookery.cli.experiment_tables import comparison_view
    from rookery.run.answers import to_json
    from rookery.run.experiment.compare import compare
    from rookery.run.experiment.experiment import find_found
    from rookery.run.systems import opened

    with opened(system) as running:
        runs = [find_found(running.system, run).record for run in (first, second)]
    found = compare(runs[0], runs[1], window)
    click.echo(to_json(found)) if output == "json" else _print(comparison_view(found))
    return ExitCode.DONE


@experiment.command("heal")
@system_option
@journal_options
def experiment_heal(*, system: str | None, keeping: Keeping) -> int:
    """Put back what an experiment that was killed left broken, and end its load."""
    from rookery.run.experiment.heal import heal

    with about(system, keeping) as (running, record):
        done = heal(running, say)
        record.empty = not done
        record.did = f"healed: {'; '.join(done)}"
    for line in done or ("nothing was broken",):
        click.echo(line)
    return ExitCode.DONE


def _confirm(*, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise InputError("an experiment asks before it breaks anything", hint="`--yes` is an answer.")
    click.confirm("Go on?", abort=True, err=True)


def _show(found: Found, output: str) -> None:
    from rookery.cli.experiment_tables import found_data, found_view
    from rookery.run.answers import to_json

    click.echo(to_json(found_data(found))) if output == "json" else _print(found_view(found))


def _write(path: Path, found: Found) -> None:
    from rookery.experiments.report import render_report

    try:
        path.write_text(render_report(found.experiment, found.record, found.verdict), encoding="utf-8")
    except OSError as error:
        raise RookeryError(
            f"the report cannot be written to {path}: {error.strerror}", hint="Name another file."
        ) from None


def _print(view: RenderableType, *, err: bool = False) -> None:
    Console(stderr=err, markup=False, emoji=False, highlight=False, width=terminal_width()).print(view)
