"""Waits: each names what it waits for and has a limit that ends in an error that says what was seen last.

The limit is one of standing still. A machine may be slow, and whatever is awaited is not given up while it
gets on: a look that shows what none before it showed begins the limit anew. What only goes back and forth
shows nothing new.

Whatever takes long is noted here while it lasts, so that a command can say what it waits for without each
part of the program knowing of the terminal.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from rookery.errors import RookeryError, WaitError

T = TypeVar("T")

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.25
_LONGEST = 10  # times its limit is what a wait may take in all, however much there is to see


@dataclass(frozen=True, slots=True, kw_only=True)
class Look(Generic[T]):
    """One look at something awaited: its value once it is there, and what was seen in words."""

    seen: str
    value: T | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """What a thread waits for, and since when (`time.monotonic`)."""

    what: str
    since: float


class _Board:
    """What is awaited now, by a number for each wait; and why all waits are to end, where they are."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.waits: dict[int, Awaited] = {}
        self.number = 0
        self.reason: RookeryError | None = None


_BOARD = _Board()


@contextlib.contextmanager
def awaited(what: str) -> Iterator[None]:
    """Note that `what` is waited for while the block lasts."""
    with _BOARD.lock:
        _BOARD.number += 1
        number = _BOARD.number
        _BOARD.waits[number] = Awaited(what=what, since=time.monotonic())
    try:
        yield
    finally:
        with _BOARD.lock:
            del _BOARD.waits[number]


def under_way() -> tuple[Awaited, ...]:
    """Return what is waited for now, the longest wait first."""
    with _BOARD.lock:
        return tuple(sorted(_BOARD.waits.values(), key=lambda one: one.since))


def give_up(reason: RookeryError | None) -> None:
    """Let every wait of `wait_for` end with `reason`; None lets waits go on as usual."""
    _BOARD.reason = reason


def wait_for(what: str, look: Callable[[], Look[T]], *, limit: float, report: Callable[[str], None]) -> T:
    """Look again and again until there is a value, and return it.

    `report` hears what is seen whenever it changes; `limit` is in seconds without anything new. Raises
    WaitError at the limit.
    """
    began = since = time.monotonic()
    pause = _FIRST_PAUSE
    last = ""
    known: set[str] = set()
    with awaited(what):
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
            if (reason := _BOARD.reason) is not None:
                raise WaitError(f"gave up waiting for {what}: {reason.what}", details=(f"seen last: {last}",))
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
