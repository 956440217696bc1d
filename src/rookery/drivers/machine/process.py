"""Commands of the machine: argv lists, bounded in time, whose failure keeps everything they said."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from rookery.drivers.machine.waiting import awaited
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


_KEPT = 40  # lines of a long command's output for its error

# A command of ours ends with us, even when we are killed: what it was making would otherwise appear after
# somebody looked that nothing is left.
ENDS_WITH_US = ("setpriv", "--pdeathsig", "KILL")


def plain_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return our environment with `more`, and with one locale for all programs: UTF-8, and English words.

    What a program reads and says is the same on every machine then; C.UTF-8 is in glibc since 2.35 and in
    Debian and Ubuntu for longer. LANGUAGE would choose the language of messages in spite of it.
    """
    ours = {name: value for name, value in os.environ.items() if name != "LANGUAGE"}
    return {**ours, "LC_ALL": "C.UTF-8", **(more or {})}


def run(argv: Sequence[str], *, stdin: str = "", timeout: float = 60.0) -> str:
    """Run a command and return its standard output; raises CommandError."""
    try:
        with awaited(f"`{shlex.join(argv)[:60]}`"):
            done = _run(argv, stdin, timeout)
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


def _run(argv: Sequence[str], stdin: str, timeout: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (*ENDS_WITH_US, *argv),
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=timeout,
        check=False,
        env=plain_environment(),
    )


def run_fed(argv: Sequence[str], write: Callable[[IO[bytes]], None], *, timeout: float) -> str:
    """Run a command with what `write` writes as its standard input, and return all that it said.

    Raises CommandError. A command that reads no further is judged by its exit code.
    """
    # What it says goes to a file: in a pipe that nobody empties meanwhile it would hold the command up.
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            (*ENDS_WITH_US, *argv),
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=subprocess.STDOUT,
            env=plain_environment(),
        ) as process,
    ):
        with _ended_at(timeout, process) as late:
            _feed(process, write)
        said.seek(0)
        output = said.read().decode(errors="replace")
    _judge(argv, process, late, output)
    return output


def run_heard(
    argv: Sequence[str],
    hear: Callable[[str], None],
    *,
    folder: Path,
    timeout: float,
    wrapper: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a long command in `folder`; `hear` gets each line that it says, as it comes. Raises CommandError.

    `wrapper` is a command that runs it, which errors do not name; `environment` is added to ours.
    """
    said: deque[str] = deque(maxlen=_KEPT)
    with subprocess.Popen(
        (*ENDS_WITH_US, *wrapper, *argv),
        cwd=folder,
        env=plain_environment(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        with _ended_at(timeout, process) as late:
            for line in process.stdout:
                said.append(line.rstrip())
                hear(said[-1])
            process.wait()
    _judge(argv, process, late, "\n".join(said))


@contextlib.contextmanager
def _ended_at(limit: float, process: subprocess.Popen[Any]) -> Iterator[threading.Event]:
    """Kill a process that is not done after `limit` seconds; the event says whether it was."""
    late = threading.Event()

    def stop() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(limit, stop)
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def _judge(argv: Sequence[str], process: subprocess.Popen[Any], late: threading.Event, output: str) -> None:
    if process.returncode != 0:
        raise CommandError(argv, exit_code=None if late.is_set() else process.returncode, output=output)


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
