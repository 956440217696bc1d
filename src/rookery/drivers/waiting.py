"""Waits: each names what it waits for and has a limit that ends in an error that says what was seen last."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from rookery.errors import WaitError

T = TypeVar("T")

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Look(Generic[T]):
    """One look at something awaited: its value once it is there, and what was seen in words."""

    seen: str
    value: T | None = None


def wait_for(what: str, look: Callable[[], Look[T]], *, limit: float, report: Callable[[str], None]) -> T:
    """Look again and again until there is a value, and return it.

    `report` hears what is seen whenever it changes; `limit` is in seconds. Raises WaitError at the limit.
    """
    deadline = time.monotonic() + limit
    pause = _FIRST_PAUSE
    last = ""
    while True:
        now = look()
        if now.value is not None:
            return now.value
        if now.seen != last:
            last = now.seen
            report(f"{what}: {last}")
        if time.monotonic() > deadline:
            raise WaitError(
                f"waited {limit:.0f} s for {what}, in vain",
                details=(f"seen last: {last}",),
                hint="Run the command again to go on; `rookery status` shows what runs.",
            )
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
