"""What a command lacks is had for it, and the command begins anew: root by sudo, packages by apt-get, large
libraries by the launcher.

The launcher promises that, and says in the environment that it began the command. A program that somebody
runs otherwise asks nobody for anything: its error says what to do. Root is asked for once it is known to be
needed, which is before anything was done; it is handed the variables and agents that let one in at a
provider's (`providers.py`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

import click

from rookery.errors import MissingLibraryError, MissingPackagesError, NeedsRootError, NotPossibleError
from rookery.providers import handed_on

_LAUNCHER, _HAD, _EXTRA = "ROOKERY_LAUNCHER", "ROOKERY_HAD", "ROOKERY_EXTRA"
_APT = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get")


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A command as the launcher began it: the launcher's file, empty for another way, and what was had for
    the command already."""

    launcher: str
    had: frozenset[str]

    @property
    def may_take_root(self) -> bool:
        """Whether root takes the command over where it is needed, and is not there yet."""
        return bool(self.launcher) and os.geteuid() != 0 and shutil.which("sudo") is not None

    def help(self, error: NotPossibleError) -> None:
        """Have what the command lacks and begin it anew; return where that is not to be had, or was not
        enough."""
        if isinstance(error, NeedsRootError) and self.may_take_root and "root" not in self.had:
            if not error.first:
                self._begin_anew("root", (*_sudo(self._environment("root")), *_program(), *sys.argv[1:]))
            code = _run((*_sudo(os.environ), *_program(), *error.first))
            if code != 0:
                sys.exit(code)
            self._begin_anew("root", (*_program(), *sys.argv[1:]))
        if isinstance(error, MissingPackagesError) and self._may_install and "packages" not in self.had:
            _install(error.packages)
            self._begin_anew("packages", (*_program(), *sys.argv[1:]))
        if isinstance(error, MissingLibraryError) and self.launcher and error.extra not in self.had:
            os.environ[_EXTRA] = error.extra
            self._begin_anew(error.extra, (self.launcher, *sys.argv[1:]))

    @property
    def _may_install(self) -> bool:
        return shutil.which("apt-get") is not None and (os.geteuid() == 0 or self.may_take_root)

    def _environment(self, had: str) -> dict[str, str]:
        return {**os.environ, _LAUNCHER: self.launcher, _HAD: ",".join(sorted({*self.had, had}))}

    def _begin_anew(self, had: str, argv: Sequence[str]) -> NoReturn:
        sys.stdout.flush()
        os.execvpe(argv[0], list(argv), self._environment(had))  # noqa: S606 - the very same command


def read_launch(environment: MutableMapping[str, str]) -> Launch:
    """Return how this command was begun, and forget it: what the command starts was begun by the command."""
    launcher, had = environment.pop(_LAUNCHER, ""), environment.pop(_HAD, "")
    return Launch(launcher=launcher, had=frozenset(had.split(",")) - {""})


def _program() -> tuple[str, ...]:
    return (sys.executable, "-m", "rookery")


def _sudo(environment: Iterable[str]) -> tuple[str, ...]:
    """Return what runs a command as root with those of our variables that it needs.

    They are named and not written out: who lists the processes of a machine sees no token.
    """
    return ("sudo", f"--preserve-env={','.join(handed_on(environment))}")


def _install(packages: Sequence[str]) -> None:
    """Install packages; where that fails, once more with fresh lists. What is lacking after that, the command
    says."""
    click.echo(f"rookery: installing with apt-get: {' '.join(packages)}", err=True)
    rights = () if os.geteuid() == 0 else ("sudo",)
    install = (*rights, *_APT, "install", "-y", "-q", "--no-install-recommends", *packages)
    if _run(install) != 0:
        _run((*rights, *_APT, "update", "-q"))
        _run(install)


def _run(argv: Sequence[str]) -> int:
    """Run a command with this terminal; standard output is the product of another one."""
    return subprocess.run(argv, stdout=sys.stderr, check=False).returncode
