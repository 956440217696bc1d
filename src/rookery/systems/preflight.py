"""What must be had before anything is made, tried and said with what to do where it is missing.

What a lab must have besides says `lab/preflight.py`, a system on Kubernetes `kubernetes/preflight.py`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from rookery.errors import MissingPackagesError, NeedsRootError

# What a root of Debian is built with: each command, or file by a pattern, and the package that brings it.
BUILD_TOOLS = (
    ("mmdebstrap", "mmdebstrap"),
    ("apt-get", "apt"),
    ("chroot", "coreutils"),
    ("/usr/share/keyrings/debian-archive-keyring.*", "debian-archive-keyring"),
)


def require_root(
    why: str, *, hint: str = "Run it with sudo: `sudo ./rookery ...`.", first: tuple[str, ...] = ()
) -> None:
    """Raise NeedsRootError for whoever is not root.

    `why` says what only root may; `first` is the command of ours that root has to run, where it is not the
    one that was asked for.
    """
    if os.geteuid() != 0:
        raise NeedsRootError(why, hint=hint, first=first)


def require_tools(wanted: Iterable[tuple[str, str]]) -> None:
    """Raise MissingPackagesError where one of these commands or files is missing; each comes with its Debian
    package."""
    missing = [(tool, package) for tool, package in wanted if not _is_there(tool)]
    if missing:
        raise MissingPackagesError(
            f"this machine lacks {', '.join(tool for tool, _ in missing)}",
            packages=tuple(dict.fromkeys(package for _, package in missing)),
        )


def _is_there(tool: str) -> bool:
    path = Path(tool)
    return any(path.parent.glob(path.name)) if path.is_absolute() else shutil.which(tool) is not None
