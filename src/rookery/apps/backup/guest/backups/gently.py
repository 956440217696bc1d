"""`python3 -m backups.gently COMMAND`: does what `python3 -m backups COMMAND` does, a fifth of the time.

Nobody waits for what the schedule starts, and all servers' programs share what there is of processors and
drives: a priority orders those of one server only. So the command and all that it starts are stopped most of
the time, as cpulimit does it; who uses the system has it for himself meanwhile. Once somebody does wait, who
wants to restore or to take a set himself, it gets all the speed there is.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from .tools import child

WAITED_FOR = Path("/run/rookery-backup.waited")
"""Whoever finds this host at work on backups touches it."""

MOMENT = Path("/run/rookery-backup.moment")
"""It is there while the moments of a set are taken, which must lie close together."""

_WORK, _REST = 0.1, 0.4  # seconds


def run(argv: tuple[str, ...], waited_for: Path = WAITED_FOR, moment: Path = MOMENT) -> int:
    """Run a command, a fifth of the time, and return its exit status. It ends with this process."""
    began = time.time()
    # A group of its own: what it starts is stopped with it.
    process = subprocess.Popen(child(*argv), start_new_session=True)
    while not _is_since(waited_for, began):
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=_WORK)
        if moment.exists():
            continue
        _signal(process, signal.SIGSTOP)
        time.sleep(_REST)
        _signal(process, signal.SIGCONT)
    return process.wait()


@contextlib.contextmanager
def at_once(moment: Path = MOMENT) -> Iterator[None]:
    """Have nobody stopped while the block lasts. One that is killed in it is not stopped at all the next time
    until then: slower for others, and no set the worse for it."""
    with contextlib.suppress(OSError):
        moment.touch()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            moment.unlink()


def _is_since(path: Path, moment: float) -> bool:
    """Tell whether a file was touched since a moment."""
    try:
        return path.stat().st_mtime >= moment
    except FileNotFoundError:
        return False


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


if __name__ == "__main__":
    sys.exit(run((sys.executable, "-m", "backups", *sys.argv[1:])))
