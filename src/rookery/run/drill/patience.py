"""The drill waits for whoever works on backups at the moment: a schedule knows nothing of drills."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from rookery.errors import NotPossibleError
from rookery.systems.protocol import Report

Result = TypeVar("Result")
_LIMIT = 600.0  # seconds
_AGAIN = 1.0
# What `backups/lease.py` and `run/lock.py` say of who is at work.
_BUSY = ("is at work on backups", "another command works on")


class Patience:
    """Does things as soon as nobody else is at work there; `waited` has the seconds that this took so far."""

    def __init__(self, report: Report, *, limit: float = _LIMIT) -> None:
        self._report = report
        self._limit = limit
        self.waited = 0.0

    def do(self, act: Callable[[], Result]) -> Result:
        """Return what `act` returns; raises what it raises, and NotPossibleError where somebody is at work
        still after the limit, in seconds."""
        began, told = time.monotonic(), ""
        while True:
            tried = time.monotonic()
            try:
                result = act()
            except NotPossibleError as error:
                if not any(words in error.what for words in _BUSY) or tried - began > self._limit:
                    raise
                if error.what != told:
                    self._report(f"waiting: {error.what}")
                    told = error.what
            else:
                self.waited += tried - began
                return result
            time.sleep(_AGAIN)
