"""The ledger: a client that writes numbered rows and remembers which were acknowledged.

What was acknowledged must be there afterwards, whatever was broken in between; and the longest time without
an acknowledgement is how long writers were without a database.
"""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass
from typing import Self

from rookery.drivers.clients.postgres import DatabaseError, Door, connected, query

_PAUSE = 0.02  # seconds between writes, and between tries to connect again
_TABLE = "CREATE TABLE IF NOT EXISTS ledger (name text, number int, PRIMARY KEY (name, number))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What became of a ledger: how many rows were acknowledged, which of them are gone, how long writers had
    to wait at most (in seconds), and what errors they saw, each once."""

    acknowledged: int
    lost: tuple[int, ...]
    longest_wait: float
    errors: tuple[str, ...]


class Ledger:
    """Writes through `door` from its own thread, inside a `with`."""

    def __init__(self, door: Door, name: str) -> None:
        self._door = door
        self._name = name
        self._acknowledged: list[tuple[int, float]] = []
        self._errors: dict[str, None] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write, name="ledger", daemon=True)

    def __enter__(self) -> Self:
        query(self._door, _TABLE)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=60)

    @property
    def acknowledged(self) -> int:
        return len(self._acknowledged)

    def account(self) -> Account:
        """Return what became of every row so far; asks the database what it has."""
        written = list(self._acknowledged)
        rows = query(self._door, "SELECT number FROM ledger WHERE name = %s", (self._name,))
        there = {number for (number,) in rows}
        times = [at for _, at in written]
        waits = [later - earlier for earlier, later in itertools.pairwise(times)]
        return Account(
            acknowledged=len(written),
            lost=tuple(number for number, _ in written if number not in there),
            longest_wait=max(waits, default=0.0),
            errors=tuple(self._errors),
        )

    def _write(self) -> None:
        number = 0
        while not self._stop.is_set():
            try:
                with connected(self._door) as connection:
                    while not self._stop.is_set():
                        number += 1
                        connection.execute(b"INSERT INTO ledger VALUES (%s, %s)", (self._name, number))
                        self._acknowledged.append((number, time.monotonic()))
                        self._stop.wait(_PAUSE)
            except DatabaseError as error:
                self._errors[error.what] = None
                self._stop.wait(_PAUSE)
