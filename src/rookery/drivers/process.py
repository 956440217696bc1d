"""Commands of the machine: argv lists, bounded in time, whose failure keeps everything they said."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from typing import IO

from rookery.errors import RookeryError


class CommandError(RookeryError):
    """A command that failed or ran out of time; keeps its argv, exit code and output."""

    def __init__(self, argv: Sequence[str], *, exit_code: int | None, output: str) -> None:
        ended = "ran out of time" if exit_code is None else f"ended with exit code {exit_code}"
        super().__init__(
            f"`{shlex.join(argv)[:200]}` {ended}", details=tuple(output.strip().splitlines()[-12:])
        )
        self.argv = tuple(argv)
        self.command_exit_code = exit_code
        self.output = output


# A command of ours ends with us, even when we are killed: what it was making would otherwise appear after
# somebody looked that nothing is left.
ENDS_WITH_US = ("setpriv", "--pdeathsig", "KILL")


def run(argv: Sequence[str], *, stdin: str = "", timeout: float = 60.0) -> str:
    """Run a command and return its standard output; raises CommandError."""
    try:
        done = subprocess.run(
            (*ENDS_WITH_US, *argv),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            errors="replace",
        )
    except subprocess.TimeoutExpired as error:
        # Whatever `text` says, what was read before the limit comes as bytes.
        parts: list[bytes] = [part for part in (error.stdout, error.stderr) if part]
        output = b"".join(parts).decode(errors="replace")
        raise CommandError(argv, exit_code=None, output=output) from None
    except FileNotFoundError:
        raise CommandError(argv, exit_code=127, output=f"{argv[0]}: no such command") from None
    if done.returncode != 0:
        raise CommandError(argv, exit_code=done.returncode, output=done.stdout + done.stderr)
    return done.stdout


def run_fed(argv: Sequence[str], write: Callable[[IO[bytes]], None], *, timeout: float) -> str:
    """Run a command with what `write` writes as its standard input, and return all that it said.

    Raises CommandError. A command that reads no further is judged by its exit code.
    """
    late = threading.Event()
    # What it says goes to a file: in a pipe that nobody empties meanwhile it would hold the command up.
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            (*ENDS_WITH_US, *argv), stdin=subprocess.PIPE, stdout=said, stderr=subprocess.STDOUT
        ) as process,
    ):

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(timeout, stop)
        timer.start()
        try:
            _feed(process, write)
        finally:
            timer.cancel()
        said.seek(0)
        output = said.read().decode(errors="replace")
    if process.returncode != 0:
        raise CommandError(argv, exit_code=None if late.is_set() else process.returncode, output=output)
    return output


def _feed(process: subprocess.Popen[bytes], write: Callable[[IO[bytes]], None]) -> None:
    """Write to a process and wait for its end; where writing fails, it is killed before it reads an end."""
    assert process.stdin is not None
    try:
        with contextlib.suppress(BrokenPipeError):
            write(process.stdin)
    except BaseException:
        process.kill()
        raise
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    process.wait()
