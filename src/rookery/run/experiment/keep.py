"""What is kept of a run while it goes on, so that a killed one is known, healed, and not lost.

A folder for each run beside the system's other records: `experiment.yaml`, as it was asked for; `run.json`,
renewed whole at each turn; `events.jsonl`, a line as each happens. At the end `record.json` has all of it,
with what the load noted, and from that alone reports are made.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rookery.drivers.machine.files import write_whole
from rookery.errors import InputError, NotPossibleError
from rookery.experiments.record import Event
from rookery.systems.protocol import System

_NOTE, _EVENTS = "run.json", "events.jsonl"


def runs_folder(system: System) -> Path:
    """Return where the runs on a system are kept."""
    return system.load.records.with_name("experiments")


class Kept:
    """The folder of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()

    @property
    def id(self) -> str:
        return self.folder.name

    def note(self, **what: Any) -> None:
        """Add to what is known of the run."""
        with self._lock:
            write_whole(
                self.folder / _NOTE, json.dumps({**self.known(), **what}, indent=1).encode(), mode=0o600
            )

    def known(self) -> dict[str, Any]:
        """Return what is known of the run; empty where nothing is."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            found = json.loads((self.folder / _NOTE).read_text(encoding="utf-8"))
            return found if isinstance(found, dict) else {}
        return {}

    def hear(self, event: Event) -> None:
        """Keep an event."""
        with self._lock, (self.folder / _EVENTS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(event)) + "\n")

    def write(self, name: str, text: str) -> None:
        write_whole(self.folder / name, text.encode(), mode=0o600)


@contextlib.contextmanager
def conducting(system: System) -> Iterator[Path]:
    """Yield the folder of a system's runs, alone; raises NotPossibleError where one is under way."""
    folder = runs_folder(system)
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotPossibleError(
                f"an experiment is under way on {system.design.name}", hint="Wait until it ends, or end it."
            ) from None
        yield folder
    finally:
        os.close(handle)


def find_run(system: System, name: str) -> Kept:
    """Return a run by its id, or the last one for an empty name; raises InputError."""
    folder = runs_folder(system)
    known = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.exists() else []
    if not known:
        raise InputError(f"no experiment was run on {system.design.name}")
    if not name:
        return Kept(folder / known[-1])
    if name not in known:
        raise InputError(f"there is no run {name!r}", hint=f"There are: {', '.join(known[-8:])}.")
    return Kept(folder / name)
