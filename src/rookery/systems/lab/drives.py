"""A lab's drives: files of this machine."""

from __future__ import annotations

import os
from pathlib import Path


def ensure_drive(path: Path, size: int, owner: tuple[int, int]) -> None:
    """Make a drive: a sparse file, which takes only what is written to it. One that is there is kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        if os.fstat(handle).st_size < size:
            os.ftruncate(handle, size)
        os.fchown(handle, *owner)
    finally:
        os.close(handle)
