"""Errors that a person reads.

Each says what is wrong, where, and what to do next, and owns the exit code of the command that it ends.
Only the CLI prints them and exits; everything else raises.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit status means to a script."""

    DONE = 0
    FAILED = 1
    INPUT_WRONG = 2
    NOT_POSSIBLE = 3
    VIOLATED = 4
    NOT_OBSERVED = 5


class RookeryError(Exception):
    """A failure with its reason and its remedy.

    `what` is one sentence without a final stop; `hint` says what to do next; `details` are lines that help
    to see why (a command's last output, for instance).
    """

    exit_code = ExitCode.FAILED

    def __init__(self, what: str, *, hint: str = "", details: tuple[str, ...] = ()) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.details = details

    def __str__(self) -> str:
        lines = [self.what, *(f"    {line}" for line in self.details)]
        if self.hint:
            lines.append(f"  {self.hint}")
        return "\n".join(lines)


class InputError(RookeryError):
    """The input (a spec, an argument) is wrong; nothing was changed."""

    exit_code = ExitCode.INPUT_WRONG


class NotPossibleError(RookeryError):
    """This machine, or this user on it, cannot do what was asked; the hint says what to install or change."""

    exit_code = ExitCode.NOT_POSSIBLE


class NeedsRootError(NotPossibleError):
    """Only root may do what was asked.

    The same command does it as root; where `first` names another command of ours, root runs that one, and
    the one that was asked for goes on without.
    """

    def __init__(self, what: str, *, hint: str = "", first: tuple[str, ...] = ()) -> None:
        super().__init__(what, hint=hint)
        self.first = first


class MissingPackagesError(NotPossibleError):
    """This machine lacks programs, or files, that Debian's `packages` bring."""

    def __init__(self, what: str, *, packages: tuple[str, ...]) -> None:
        super().__init__(what, hint=f"On Debian and Ubuntu: `apt-get install {' '.join(packages)}`.")
        self.packages = packages


class MissingLibraryError(NotPossibleError):
    """A library is not installed that is large and that few need; the package's `extra` brings it."""

    def __init__(self, what: str, *, extra: str) -> None:
        lock = f"requirements-{extra}.lock"
        super().__init__(
            what,
            hint=f"`pip install --require-hashes -r {lock}` installs it where rookery runs; `./rookery` does"
            " so by itself.",
        )
        self.extra = extra


class WaitError(RookeryError):
    """Something did not come about within its limit; the text says what was seen last."""
