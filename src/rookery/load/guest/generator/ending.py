"""How a run comes to its end, and waits that do not outlive it."""

from __future__ import annotations

import asyncio
import contextlib
import time


class EndedError(Exception):
    """The run ends: nothing new is begun."""


class Ending:
    """Set once, with the reason; `keep` leaves objects and tables where they are."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.why = ""
        self.keep = False

    def end(self, why: str, *, keep: bool = False) -> None:
        if not self.event.is_set():
            self.why, self.keep = why, keep
            self.event.set()

    async def until(self, due: float) -> None:
        """Wait for a time of the monotonic clock; raises EndedError where the run ends before."""
        wait = due - time.monotonic()
        if wait > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self.event.wait()
        if self.event.is_set():
            raise EndedError

    async def pause(self, seconds: float) -> None:
        """Wait; raises EndedError where the run ends before."""
        await self.until(time.monotonic() + seconds)
