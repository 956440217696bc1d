"""Arrivals by the clock: what is due at a time begins then, whatever became of what began before.

A generator that waits for an answer before it sends the next request slows down together with the system it
measures, and sees nothing of a standstill.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

_MISSED = "not started: too many are under way"
_LONGEST_SLEEP = 0.5  # seconds between looks whether to end


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When each of a steady stream of events is due: `rate` in a second, the first at `began`."""

    rate: float
    began: float

    def due(self, number: int) -> float:
        return self.began + number / self.rate


@dataclass(slots=True, kw_only=True)
class Arrivals:
    """Begins `work(due)` at every due time until `ending` is set.

    At most `at_once` run side by side, waiting ones included: what is due while so many do is missed, and
    `missed` hears of it. Memory has an end, a standstill need not have one.
    """

    rate: float
    work: Callable[[float], Awaitable[None]]
    missed: Callable[[str], None]
    ending: asyncio.Event
    at_once: int
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        schedule = Schedule(rate=self.rate, began=time.monotonic())
        number = 0
        while not self.ending.is_set():
            due = schedule.due(number)
            wait = due - time.monotonic()
            if wait > 0:
                await asyncio.sleep(min(wait, _LONGEST_SLEEP))
                continue
            number += 1
            if len(self._tasks) >= self.at_once:
                self.missed(_MISSED)
            else:
                self._begin(due)
            if number % 50 == 0:
                await asyncio.sleep(0)  # catching up must not starve what is under way

    def _begin(self, due: float) -> None:
        task = asyncio.ensure_future(self._work(due))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, due: float) -> None:
        await self.work(due)

    async def drain(self, limit: float) -> int:
        """Wait up to `limit` seconds for what is under way, then end it; return how many were ended."""
        if not self._tasks:
            return 0
        _, late = await asyncio.wait(set(self._tasks), timeout=limit)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=limit)
        return len(late)
