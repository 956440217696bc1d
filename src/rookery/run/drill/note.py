"""What is noted on this machine of a drill that destroys a whole system, apart from that system.

From the loss on the note is all that there is: the ledger, the key, the way to the copy. It is its owner's
alone, and goes when the drill ends; one that was killed is gone on with from it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from rookery.drivers.machine.files import remove_tree, write_whole
from rookery.errors import NotPossibleError
from rookery.run.drill.ledger import Ledger, Line
from rookery.systems.home import home


class Note:
    """The note of one system's drill."""

    def __init__(self, name: str) -> None:
        self.folder = home() / "drills" / name
        self._file = self.folder / "drill.json"

    def read(self) -> dict[str, Any]:
        """Return what is noted; empty where no drill was left."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            found = json.loads(self._file.read_text(encoding="utf-8"))
            return found if isinstance(found, dict) else {}
        return {}

    def add(self, **what: Any) -> None:
        """Add to the note, which is whole at any time."""
        write_whole(self._file, json.dumps({**self.read(), **what}, indent=1).encode(), mode=0o600)

    def end(self) -> None:
        """Forget the drill."""
        self._file.unlink(missing_ok=True)
        remove_tree(self.folder)
        with contextlib.suppress(OSError):  # another system's is there
            self.folder.parent.rmdir()


def destroyed(name: str) -> bool:
    """Tell whether a drill was left that had begun to destroy the system of that name."""
    return bool(Note(name).read().get("at"))


@contextlib.contextmanager
def noted(name: str) -> Iterator[Note]:
    """Yield the note of a system's drill, alone; raises NotPossibleError where one is under way."""
    note = Note(name)
    note.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(note.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotPossibleError(
                f"a drill of {name} is under way", hint="Wait until it ends, or end it."
            ) from None
        yield note
    finally:
        if not note.read():
            note.end()
        os.close(handle)


def ledger_data(ledger: Ledger) -> dict[str, list[list[Any]]]:
    """Return a ledger as JSON has it."""
    return {
        kind: [[line.number, line.at, line.digest, line.size] for line in lines]
        for kind, lines in ledger.items()
    }


def parse_ledger(told: Mapping[str, Any]) -> Ledger:
    """Return a ledger from what `ledger_data` made."""
    return {
        kind: tuple(
            Line(number=number, at=at, digest=digest, size=size) for number, at, digest, size in lines
        )
        for kind, lines in told.items()
    }
