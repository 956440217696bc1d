"""Questions that are under way beside others, and not waited for beyond a limit."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from rookery.errors import RookeryError

T = TypeVar("T")

# Seconds for an answer, with a server that hangs and without: who waits for one that hangs only learns late
# that it does.
SHORT, LONG = 3.0, 30.0


class Asked(Generic[T]):
    """A question that was asked at once. What fails has no answer, which is what is said then."""

    def __init__(self, question: Callable[[], T | None]) -> None:
        self._answer: T | None = None
        self._thread = threading.Thread(target=self._ask, args=(question,), daemon=True)
        self._began = time.monotonic()
        self._thread.start()

    def _ask(self, question: Callable[[], T | None]) -> None:
        with contextlib.suppress(RookeryError, OSError, LookupError, ValueError):
            self._answer = question()

    def result(self, limit: float) -> T | None:
        """Return the answer, None where there is none `limit` seconds after it was asked for."""
        self._thread.join(max(0.0, self._began + limit - time.monotonic()))
        return self._answer
