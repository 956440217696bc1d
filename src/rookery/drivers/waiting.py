"""Waits: each names what it waits for and has a limit that ends in an error that says what was seen last.

The limit is one of standing still. A machine may be slow, and whatever is awaited is not given up while it
gets on: a look that shows what none before it showed begins the limit anew. What only goes back and forth
shows nothing new.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from rookery.errors import WaitError

T = TypeVar("T")

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.25
_LONGEST = 10  # times its limit is what a wait may take in all, however much there is to see


@dataclass(frozen=True, slots=True, kw_only=True)
class Look(Generic[T]):
    """One look at something awaited: its value once it is there, and what was seen in words."""

    seen: str
    value: T | None = None


def wait_for(what: str, look: Callable[[], Look[T]], *, limit: float, report: Callable[[str], None]) -> T:
    """Look again and again until there is a value, and return it.

    `report` hears what is seen whenever it changes; `limit` is in seconds without anything new. Raises
    WaitError at the limit.
    """
    began = since = time.monotonic()
    pause = _FIRST_PAUSE
    last = ""
    known: set[str] = set()
    while True:
        now = look()
        if now.value is not None:
            return now.value
        if now.seen != last:
            last = now.seen
            report(f"{what}: {last}")
        if now.seen not in known:
            known.add(now.seen)
            since = time.monotonic()
        if time.monotonic() > min(since + limit, began + _LONGEST * limit):
            raise _given_up(what, last, waited=time.monotonic() - began, still=time.monotonic() - since)
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _given_up(what: str, last: str, *, waited: float, still: float) -> WaitError:
    since = f", for {still:.0f} s" if waited - still > 1 else ""
    return WaitError(
        f"waited {waited:.0f} s for {what}, in vain",
        details=(f"seen last{since}: {last}",),
        hint="Run the command again to go on; `rookery status` shows what runs.",
    )
