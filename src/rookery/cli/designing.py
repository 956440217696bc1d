"""Commands that design and change nothing: plan, patterns, init, schema."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click

from rookery.cli.options import complete_spec, output_option, terminal_width
from rookery.design.model import Design
from rookery.errors import ExitCode, InputError
from rookery.plan.step import Step
from rookery.projections.simulation import Simulation
from rookery.run.workspace import Workspace


@click.command(short_help="Show a design: what it survives, what the checks say.")
@click.argument("spec", required=False, shell_complete=complete_spec)
@click.option("--simulate", is_flag=True, help="Place the data with Ceph's own tools, at any size; as root.")
@output_option
def plan(spec: str | None, *, simulate: bool, output: str) -> int:
    """Show the design of SPEC: hosts, pools, what it survives, what the checks say, what is left to do.

    Nothing is changed. SPEC is a file, or a pattern's name; without it the default example. A simulation
    shows how evenly drives fill, and how much data moves when drives or nodes are lost or added.

    \b
    rookery plan
    rookery plan my.yaml
    rookery plan object-heavy --output json | jq .survival
    rookery plan big.yaml --simulate
    """
    from rich.console import Console

    from rookery.cli import views
    from rookery.cli.simulation_table import simulation_view
    from rookery.design.checks import Severity
    from rookery.run.answers import plan_data, to_json
    from rookery.run.findings import findings_here
    from rookery.run.workspace import open_spec

    workspace = open_spec(spec)
    design = workspace.design
    findings = findings_here(design)
    steps, notices = _left(workspace)
    simulation = _simulation(design) if simulate else None
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    if output == "json":
        data = plan_data(design, findings, steps)
        click.echo(to_json(data if simulation is None else {**data, "simulation": simulation}))
    else:
        said = ("What the checks say", views.findings_view(findings))
        views.print_blocks(
            Console(width=terminal_width(), markup=False, emoji=False, highlight=False),
            *([said] if errors else []),
            ("", views.design_view(design)),
            ("What it survives", views.survival_view(design)),
            *([] if errors else [said]),
            *([("How data is placed", simulation_view(simulation))] if simulation is not None else []),
            *([("An upgrade", views.notices_view(notices))] if notices else []),
            ("What `rookery up` will do", views.steps_view(steps, errors=errors)),
        )
    return ExitCode.INPUT_WRONG if errors else ExitCode.DONE


def _simulation(design: Design) -> Simulation:
    """Simulate, and say on standard error what is under way: thousands of OSDs take a minute."""
    from rookery.run.simulate import simulate

    return simulate(design, lambda text: click.echo(click.style(f"  {text}", dim=True), err=True))


def _left(workspace: Workspace) -> tuple[tuple[Step, ...] | None, tuple[str, ...]]:
    """Return the steps left, and what an upgrade's user is to know where there is one; where no look at the
    system is allowed, the steps of one that is not there.

    None means that this version cannot bring such a system up.
    """
    from rookery.errors import NotPossibleError
    from rookery.run.prepared import steps_left, steps_of
    from rookery.run.systems import find_system

    try:
        system = find_system(workspace.design)
    except NotPossibleError:
        return None, ()
    try:
        system.require_access()
    except NotPossibleError:
        return system.steps(), ()
    with contextlib.ExitStack() as stack:
        stack.callback(system.close)
        upgrade = system.upgrade(workspace.kept.ceph)
        if upgrade is None:
            return steps_left(system), ()
        stack.callback(upgrade.before.close)
        return steps_of(upgrade), upgrade.notices


@click.group(invoke_without_command=True, short_help="List the patterns to start from, or print one.")
@click.pass_context
def patterns(ctx: click.Context) -> None:
    """List the patterns to start from; `patterns show NAME` prints one.

    A pattern is a spec; a file of your own can serve as one: `pattern: ./ours.yaml`.
    """
    if ctx.invoked_subcommand is None:
        _list_patterns()


def _list_patterns() -> None:
    from rookery.apps.table import SETTINGS
    from rookery.spec.load import load_pattern, pattern_names

    for name in pattern_names():
        spec = load_pattern(name, settings=SETTINGS)
        click.echo(click.style(name, bold=True))
        click.echo(click.wrap_text(" ".join(spec.description.split()), 78, "  ", "  "))


@patterns.command("show")
@click.argument("name", shell_complete=complete_spec)
def show_pattern(name: str) -> None:
    """Print the pattern NAME as the spec that it is."""
    from rookery.spec.load import read_pattern

    click.echo(read_pattern(name, relative_to=Path())[1], nl=False)


@click.command(short_help="Write a spec to start from.")
@click.argument("file", default="demo.yaml", type=click.Path(path_type=Path))
@click.option(
    "--pattern", default="production-minimum", shell_complete=complete_spec, help="What to build on."
)
@click.option("--name", default="", help="The system's name; by default the file's folder.")
def init(file: Path, pattern: str, name: str) -> None:
    """Write a spec to start from; an existing file is never overwritten.

    \b
    rookery init                       demo.yaml on the pattern production-minimum
    rookery init big.yaml --pattern object-heavy
    """
    from rookery.run.new_spec import initial_spec

    text = initial_spec(pattern=pattern, name=name or file.absolute().parent.name, base=file.parent)
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        raise InputError(f"{file} exists already", hint="Name another file, or remove it first.") from None
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}") from None
    click.echo(f"{file} is written. `rookery plan {file}` shows its design, `rookery up {file}` runs it.")


@click.command()
def schema() -> None:
    """Print the JSON Schema of a spec, for your editor.

    \b
    rookery schema > rookery.schema.json
    # then, as the first line of your spec:
    # yaml-language-server: $schema=./rookery.schema.json
    """
    import json

    from rookery.apps.table import SETTINGS
    from rookery.spec.schema import build_schema

    click.echo(json.dumps(build_schema(SETTINGS), indent=2))
