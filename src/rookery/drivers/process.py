"""Commands of the machine: argv lists, bounded in time, whose failure keeps everything they said."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence

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
