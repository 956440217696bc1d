"""What is noted on this machine of a drill that is under way, so that the next one knows what a killed one
left."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rookery.drivers.machine.files import write_whole
from rookery.errors import NotPossibleError
from rookery.systems.protocol import System


class Record:
    """The note of a drill: its id, what it was at, and what must be removed after it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "drill.json"

    def read(self) -> dict[str, Any]:
        """Return what an earlier drill noted that did not end; empty where each ended."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            found = json.loads(self._file.read_text(encoding="utf-8"))
            return found if isinstance(found, dict) else {}
        return {}

    def note(self, **what: Any) -> None:
        """Add to the note."""
        write_whole(self._file, json.dumps({**self.read(), **what}, indent=1).encode(), mode=0o600)

    def end(self) -> None:
        """Forget the drill: nothing of it is left."""
        self._file.unlink(missing_ok=True)


@contextlib.contextmanager
def drilling(system: System) -> Iterator[Record]:
    """Yield the record of a system's drills, alone; raises NotPossibleError where a drill is under way."""
    folder = system.load.records.with_name("drill")
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotPossibleError(
                f"a drill is under way on {system.design.name}", hint="Wait until it ends, or end it."
            ) from None
        yield Record(folder)
    finally:
        os.close(handle)
