"""When a drill did what: seconds since it began, also where another process goes on with it."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import time
from collections.abc import Iterator, Sequence

from rookery.apps.backup.guest.backups.labels import label_at
from rookery.run.drill.model import Event, Step


def now() -> float:
    """Return the time in seconds since 1970."""
    return time.time()


def iso(moment: float) -> str:
    """Return a moment in UTC, to the second."""
    return dt.datetime.fromtimestamp(moment, tz=dt.UTC).isoformat(timespec="seconds")


def new_id(moment: float) -> str:
    """Return what a drill is called that begins now, on any machine."""
    return f"{label_at(moment)}-{os.urandom(2).hex()}"


class Times:
    """The clock of one drill, and what it did to the whole so far."""

    def __init__(self, began: float, events: Sequence[Event] = ()) -> None:
        """`began` is in seconds since 1970."""
        self.origin = time.monotonic() - (time.time() - began)
        self.events = list(events)

    def now(self) -> float:
        """Return the seconds since the drill began."""
        return time.monotonic() - self.origin

    @contextlib.contextmanager
    def event(self, what: str) -> Iterator[None]:
        """Note what is done inside the block, once it was done."""
        began = self.now()
        yield
        self.events.append(Event(what=what, began=round(began, 3), seconds=round(self.now() - began, 3)))

    @contextlib.contextmanager
    def step(self, what: str, steps: list[Step]) -> Iterator[None]:
        """Add what is done inside the block to some steps, also where it fails."""
        began = self.now()
        try:
            yield
        finally:
            steps.append(Step(what=what, began=round(began, 3), seconds=round(self.now() - began, 3)))
