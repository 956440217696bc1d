"""What a wish for a path means to restic, and to the file system that it is brought back into."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from .errors import BackupError

_SPECIAL = "*?[]\\"  # what restic's patterns take for more than itself


def place(base: Path, path: str) -> Path:
    """Return where a path is below a folder; raises BackupError where a link would lead out of it."""
    target = base / path.strip("/")
    parent = target.parent if path != "/" else target
    if Path(os.path.realpath(parent)) != parent:
        raise BackupError(
            f"{path} cannot be brought back in place: a folder on its way is a link now",
            hint="Bring it back beside: --to scratch.",
            kind="not-possible",
        )
    return target


def options_of(path: str, *, is_in_place: bool) -> tuple[str, ...]:
    """Return what restic is told to bring back of the folder that a path is in: that path only."""
    chosen = () if path == "/" else ("--include", "/" + _literal(PurePosixPath(path).name))
    return (*chosen, *(("--delete",) if is_in_place else ()))


def _literal(name: str) -> str:
    """Return the pattern that a name alone fits."""
    return "".join(f"\\{one}" if one in _SPECIAL else one for one in name)
