"""What the drill has done inside the system: by the programs of backup, which reach every kind there."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rookery.apps.backup.places import DRILL, OBJECTS
from rookery.errors import RookeryError
from rookery.run.backup import backups_of
from rookery.systems.protocol import Report, System


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What is written: entries of so many bytes to each kind at first; `most` entries there can be at all."""

    drill: str
    count: int
    size: int
    most: int


class Inside:
    """One drill's hand inside a system."""

    def __init__(self, system: System, shape: Shape, report: Report) -> None:
        self._system = system
        self._shape = shape
        self._report = report

    def ask(self, what: str, kinds: Iterable[str], **more: Any) -> Any:
        """Have one thing done with the places of some kinds; raises RookeryError."""
        names, shape = list(kinds), self._shape
        request = {
            "do": what,
            "kinds": names,
            "drill": shape.drill,
            "count": shape.count,
            "size": shape.size,
            "slot": shape.size,
            "slots": shape.most,
            **more,
        }
        if OBJECTS in names:
            keys = self._system.s3_credentials(DRILL)
            request["credentials"] = {"access": keys.user, "secret": keys.password}
        return backups_of(self._system).ask("drill", request, self._report)

    def read(self, kinds: Iterable[str]) -> Mapping[str, Any]:
        """Read all entries of some kinds; a kind's answer has `entries` by number, or `unseen`, and
        `seconds`."""
        try:
            told = self.ask("read", kinds)
        except RookeryError as error:
            return {kind: {"unseen": error.what, "seconds": 0.0} for kind in kinds}
        return {kind: _by_number(one) for kind, one in told.items()}

    def write_steadily(self, kinds: Iterable[str], *, first: int, size: int) -> SteadyWriter:
        """Start to write one entry after the other to all kinds."""
        return SteadyWriter(self, tuple(kinds), first=first, size=size)


class SteadyWriter:
    """Writes on while a set is taken, as applications do."""

    def __init__(self, inside: Inside, kinds: tuple[str, ...], *, first: int, size: int) -> None:
        self._inside = inside
        self._kinds = kinds
        self._found: Any = None
        self._error: RookeryError | None = None
        self._thread = threading.Thread(target=self._write, args=(first, size), daemon=True)
        self._thread.start()

    def stop(self) -> list[Mapping[str, Any]]:
        """Have it end, and return what it wrote; raises RookeryError where it could not write."""
        self._inside.ask("stop", ())
        self._thread.join()
        if self._error is not None:
            raise self._error
        return list(self._found)

    def _write(self, first: int, size: int) -> None:
        try:
            self._found = self._inside.ask("steady", self._kinds, first=first, size=size)
        except RookeryError as error:
            self._error = error


def _by_number(told: Mapping[str, Any]) -> Mapping[str, Any]:
    if "entries" not in told:
        return told
    return {**told, "entries": {int(number): digest for number, digest in told["entries"].items()}}
