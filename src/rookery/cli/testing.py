"""`rookery test`: everything that CI checks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from rookery.errors import ExitCode, NotPossibleError

_ROOT = Path(__file__).parents[3]

# Each check of the code: its name and its command.
_CHECKS = (
    ("ruff", ("-m", "ruff", "check", ".")),
    ("format", ("-m", "ruff", "format", "--check", ".")),
    ("layers", ("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()")),
    ("types", ("-m", "mypy")),
)


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(arguments: tuple[str, ...]) -> int:
    """Run everything that CI checks, in a checkout; arguments go to pytest.

    \b
    rookery test                    style, layers, types, then all tests, with real servers
    rookery test -m "not lab"       without the tests that start servers
    """
    if not (_ROOT / "pyproject.toml").exists():
        raise NotPossibleError("tests run in a checkout of the project only")
    failed = []
    for name, argv in _CHECKS if not arguments else ():
        click.echo(f"--- {name}", err=True)
        if subprocess.run((sys.executable, *argv), cwd=_ROOT, check=False).returncode != 0:
            failed.append(name)
    click.echo("--- tests", err=True)
    if subprocess.run((sys.executable, "-m", "pytest", *arguments), cwd=_ROOT, check=False).returncode != 0:
        failed.append("tests")
    if failed:
        click.echo(f"failed: {', '.join(failed)}", err=True)
    return ExitCode.FAILED if failed else ExitCode.DONE
