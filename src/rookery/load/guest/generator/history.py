"""Every operation of a run, a line each: what tells when users noticed something, and for how long.

A line is a JSON array: the kind, when it ended (seconds since 1970), how long it took from when it was due
(null where it failed), and by which words it failed (empty where it succeeded). Lines are written each
second: a killed run lacks its last one.
"""

from __future__ import annotations

import json
import time
from pathlib import Path


class History:
    """Where operations are noted; without a file, nowhere."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lines: list[str] = []

    def add(self, kind: str, took: float | None, error: str) -> None:
        """Note an operation that ended just now."""
        if self._path is not None:
            took = None if took is None else round(took, 4)
            self._lines.append(json.dumps([kind, round(time.time(), 4), took, error]))

    def flush(self) -> None:
        """Write what was noted since the last time."""
        if self._path is None or not self._lines:
            return
        with self._path.open("a", encoding="utf-8") as file:
            file.write("\n".join(self._lines) + "\n")
        self._lines.clear()
