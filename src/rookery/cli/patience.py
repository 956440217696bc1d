"""A command that waits for longer than three seconds says for what, on standard error.

What is waited for is noted by `rookery.drivers.machine.waiting`, wherever in the program that is. The
progress of `up` shows it by itself.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import click

from rookery.drivers.machine.waiting import Awaited, under_way

_LONG = 3.0  # seconds before it is said
_AGAIN = 15.0  # seconds until the same is said again


class Patience:
    """Says what is waited for, each thing once and then every so often."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._told: dict[str, float] = {}

    def look(self, waits: tuple[Awaited, ...]) -> None:
        """Say what has been waited for long; the first of several, for it holds up the rest."""
        now = self._clock()
        long = [one for one in waits if now - one.since >= _LONG]
        if not long:
            return
        first = long[0]
        if now - self._told.get(first.what, -_AGAIN) >= _AGAIN:
            self._told[first.what] = now
            more = f", and {len(long) - 1} more" if len(long) > 1 else ""
            self._say(f"waiting for {first.what} ({now - first.since:.0f} s){more}")


_QUIET = threading.Event()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Say nothing while something else shows what is under way."""
    _QUIET.set()
    try:
        yield
    finally:
        _QUIET.clear()


def start_watching() -> None:
    """Watch from a thread of its own, which ends with the program."""
    patience = Patience(lambda text: click.echo(click.style(f"  {text}", dim=True), err=True))

    def watch() -> None:
        while True:
            time.sleep(0.5)
            if not _QUIET.is_set():
                with contextlib.suppress(OSError, ValueError):
                    patience.look(under_way())

    threading.Thread(target=watch, daemon=True, name="patience").start()
