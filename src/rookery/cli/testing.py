"""`rookery test`: everything that CI checks."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import click

from rookery.cli.launching import Launch
from rookery.errors import ExitCode, NeedsRootError, NotPossibleError
from rookery.releases import DEFAULT_RELEASE
from rookery.systems.native.preflight import require_native_lab
from rookery.systems.native.root import ensure_image

_ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Check:
    """A check of the code: its name, and what Python is given to run it."""

    name: str
    argv: tuple[str, ...]


# These take a second each: what is wrong is said before the tests begin.
_QUICK = (
    _Check(name="ruff", argv=("-m", "ruff", "check", ".")),
    _Check(name="format", argv=("-m", "ruff", "format", "--check", ".")),
    _Check(
        name="layers",
        argv=("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"),
    ),
)
# This one works beside the tests, which wait most of their time; what it says is shown after theirs.
_TYPES = _Check(name="types", argv=("-m", "mypy"))
_TYPES_LIMIT = 1200.0  # seconds; it takes one minute on two cores where nothing is cached

# All tests: those that start servers one after the other in one worker, where they wait for time, and beside
# them the others, which wait for the CPU (tests/conftest.py, decision 0032).
_WORKERS = max(2, min(os.cpu_count() or 2, 4))
_ALL_TESTS = ("-n", str(_WORKERS), "--durations", "25")
_SLOWEST = _ROOT / "tests" / "slowest.md"


@click.command(
    context_settings={"ignore_unknown_options": True},
    short_help="Run everything that CI checks, in a checkout.",
)
@click.option("--kernel", is_flag=True, help="Run the tests that boot a kernel of their own.")
@click.option("--slowest", is_flag=True, help="Write tests/slowest.md from what the tests take.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def test(launch: Launch | None, arguments: tuple[str, ...], *, kernel: bool, slowest: bool) -> int:
    """Run everything that CI checks, in a checkout; arguments go to pytest.

    \b
    rookery test                    style, layers, types, then all tests, with real servers
    rookery test -m "not lab"       without the tests that start servers
    rookery test --kernel           labs on a kernel with RBD and cgroup v2, in User-mode Linux
    """
    if not (_ROOT / "pyproject.toml").exists():
        raise NotPossibleError("tests run in a checkout of the project only")
    if launch is not None and launch.may_take_root:
        raise NeedsRootError("tests start servers, which only root may")
    if kernel:
        arguments = ("-m", "kernel", "tests/kernel", "--durations=0", *arguments)
    more = (f"--slowest-to={_SLOWEST}",) if slowest else ()
    failed = _run_tests((*more, *arguments)) if arguments else _run_everything(more)
    if failed:
        click.echo(f"failed: {', '.join(failed)}", err=True)
    return ExitCode.FAILED if failed else ExitCode.DONE


def _run_everything(more: tuple[str, ...]) -> list[str]:
    """Run every check and every test, with `more` for pytest; return the names of what failed."""
    failed = []
    with _beside(_TYPES) as types:
        for check in _QUICK:
            click.echo(f"--- {check.name}", err=True)
            if subprocess.run((sys.executable, *check.argv), cwd=_ROOT, check=False).returncode != 0:
                failed.append(check.name)
        _prepare_image()
        failed += _run_tests((*_ALL_TESTS, *more))
        click.echo(f"--- {_TYPES.name}", err=True)
        if not types.passes():
            failed.append(_TYPES.name)
    return failed


def _run_tests(arguments: tuple[str, ...]) -> list[str]:
    click.echo("--- tests", err=True)
    # Python's text is UTF-8, whatever the user's locale is.
    done = subprocess.run((sys.executable, "-X", "utf8", "-m", "pytest", *arguments), cwd=_ROOT, check=False)
    return ["tests"] if done.returncode != 0 else []


def _prepare_image() -> None:
    """Build the servers' image where it is not there: many tests run the programs in it, without a server.

    Where that cannot be, they are skipped, and say why.
    """
    try:
        require_native_lab()
        ensure_image(DEFAULT_RELEASE, lambda text: click.echo(f"--- the servers' image: {text}", err=True))
    except NotPossibleError as error:
        click.echo(f"--- the servers' image: {error}", err=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    """A check that runs beside the tests, and the file that takes what it says."""

    process: subprocess.Popen[bytes]
    said: IO[bytes]

    def passes(self) -> bool:
        """Wait for the check's end, print what it said, and tell whether it found nothing."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_TYPES_LIMIT)
        self.said.seek(0)
        click.echo(self.said.read().decode(errors="replace"), nl=False)
        if self.process.returncode is None:
            click.echo(f"not done after {_TYPES_LIMIT:.0f} s", err=True)
        return self.process.returncode == 0


@contextlib.contextmanager
def _beside(check: _Check) -> Iterator[_Running]:
    """Run a check meanwhile; it does not outlive the block."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            (sys.executable, *check.argv), cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        try:
            yield _Running(process=process, said=said)
        finally:
            process.kill()
            process.wait()
