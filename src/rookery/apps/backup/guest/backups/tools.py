"""Runs the tools that do the work: without a shell, with a limit, and with their last words in the error."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence

from .errors import BackupError

_LINES = 8  # of what a tool said last


def run(
    argv: Sequence[str],
    *,
    what: str,
    limit: float,
    user: str = "",
    environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
) -> str:
    """Run a tool and return what it says; raises BackupError, which calls it `what`, where it fails.

    `limit` is seconds; `user` is who runs it, root where empty; secrets go into the environment or the input.
    """
    if user:
        argv = ("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--", *argv)
    try:
        done = subprocess.run(
            argv,
            input=stdin,
            capture_output=True,
            timeout=limit,
            env={**os.environ, **(environment or {})},
            # Where root is not everybody may go: tools that start themselves anew (Python 3.14) would.
            cwd="/" if user else None,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BackupError(f"{what} did not end within {limit:.0f} s") from None
    except FileNotFoundError:
        raise BackupError(f"{what}: there is no program {argv[0]} here", kind="not-possible") from None
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        raise BackupError(f"{what} failed (exit {done.returncode})", details=tuple(said[-_LINES:]))
    return done.stdout.decode(errors="replace")


def child(*argv: str) -> tuple[str, ...]:
    """Return a command that ends with whoever starts it: nothing works on that nobody waits for."""
    return ("setpriv", "--pdeathsig", "KILL", "--", *argv)
