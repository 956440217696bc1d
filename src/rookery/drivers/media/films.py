"""Films and music as ffmpeg on this machine sees them, by the look of the program that packs them."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from rookery.drivers.machine.process import CommandError, run

_PLAYERS = ("ffmpeg", "ffprobe")
_LIMIT = 1800.0  # seconds for all files: each is opened, and a picture of it decoded


def can_look() -> bool:
    """Tell whether this machine has ffmpeg."""
    return all(shutil.which(player) for player in _PLAYERS)


def look(program: Path, folder: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what of a folder cannot be published, and what will be shown otherwise than it came.

    Each is a line that names the file. `program` is pack_media.py.
    """
    try:
        told = json.loads(
            run((sys.executable, str(program), "--look", "--media", str(folder)), timeout=_LIMIT)
        )
    except (CommandError, ValueError) as error:
        return (f"{folder}: could not be looked at: {error}",), ()
    return tuple(told["problems"]), tuple(told["remarks"])
