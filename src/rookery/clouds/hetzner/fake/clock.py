"""The time of the stand-in: that of this machine, or one that a test turns."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time, in seconds since 1970."""

    def now(self) -> float: ...


class MachineClock:
    """This machine's own time, and what it was moved forward by."""

    def __init__(self, ahead: float = 0.0) -> None:
        self._ahead = ahead

    def now(self) -> float:
        return time.time() + self._ahead

    def turn(self, seconds: float) -> None:
        """Let so many seconds have passed."""
        self._ahead += seconds


@dataclass(slots=True)
class TurnedClock:
    """A time that stands still until it is turned."""

    at: float = 1_800_000_000.0

    def now(self) -> float:
        return self.at

    def turn(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.at += seconds


def moment(at: float) -> str:
    """Return a time as the API writes it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
