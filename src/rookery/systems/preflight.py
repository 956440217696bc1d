"""What must be had before anything is made, tried and said with what to do where it is missing.

What a lab must have besides says `lab/preflight.py`, a system on Kubernetes `kubernetes/preflight.py`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable

from rookery.errors import NeedsRootError, NotPossibleError

# What a root of Debian is built with: each command, and the package that brings it.
BUILD_COMMANDS = (("mmdebstrap", "mmdebstrap"), ("apt-get", "apt"), ("chroot", "coreutils"))


def require_root(why: str, *, hint: str = "Run it with sudo: `sudo ./rookery ...`.") -> None:
    """Raise NeedsRootError for whoever is not root; `why` says what only root may."""
    if os.geteuid() != 0:
        raise NeedsRootError(why, hint=hint)


def require_commands(wanted: Iterable[tuple[str, str]]) -> None:
    """Raise NotPossibleError where one of these commands is missing; each comes with its Debian package."""
    missing = [(command, package) for command, package in wanted if shutil.which(command) is None]
    if missing:
        packages = " ".join(dict.fromkeys(package for _, package in missing))
        raise NotPossibleError(
            f"this machine lacks {', '.join(command for command, _ in missing)}",
            hint=f"On Debian and Ubuntu: `apt-get install {packages}`.",
        )
