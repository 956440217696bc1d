"""The run: starts each kind of load, looks how full the drives are, and ends when it is told, or has to.

SIGTERM ends it and removes what it made; SIGINT ends it and keeps that.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import signal
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from . import bank, objects, viewers
from .book import Book
from .cluster import Cluster
from .ending import EndedError, Ending
from .history import History
from .meters import Meter
from .sigv4 import Keys
from .web import tls_context

_LOOK_EVERY = 3.0  # seconds between looks how full the drives are
_BLIND = 60.0  # seconds without a look after which nothing more is put
_DRAIN = 4.0  # seconds for what is under way at the end
_TIDY = 60.0  # seconds to remove objects and tables


class Run:
    """One run of the job."""

    def __init__(self, job: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        self._job = job
        self.ending = Ending()
        chosen = [
            *(_viewer_kinds(job["viewers"]) if job["viewers"] else ()),
            *(bank.KINDS if job["database"] else ()),
            *(objects.KINDS if job["objects"] else ()),
        ]
        self.history = History(Path(job["folder"]) / job["history"] if job["history"] else None)
        self.meters = {kind: Meter(partial(self.history.add, kind)) for kind in chosen}
        self.book = Book(job, self.meters)
        context = tls_context(job["ca"]) if job["ca"] else None
        self.viewers = self.bank = self.objects = None
        if job["viewers"]:
            self.viewers = viewers.Viewers(job["viewers"], self.meters, self.ending, context=context)
        if job["database"]:
            password = secrets["database_password"]
            self.bank = bank.Bank(job["database"], password, self.meters, self.ending)
        if job["objects"]:
            keys = Keys(access=secrets["s3_access"], secret=secrets["s3_secret"])
            self.objects = objects.Objects(job["objects"], keys, self.meters, self.ending, context=context)
        self.cluster = Cluster(job["cluster"]) if job["cluster"] else None
        self._books: dict[str, Any] | None = None

    async def go(self) -> None:
        """Run to the end, whichever it is, and leave the record."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.ending.end, "it was asked to stop")
        loop.add_signal_handler(signal.SIGINT, lambda: self.ending.end("it was asked to stop", keep=True))
        reporter = asyncio.create_task(self._report())
        parts = [part for part in (self.viewers, self.bank, self.objects) if part is not None]
        work = [asyncio.create_task(self._guarded(part.run())) for part in parts]
        watch = asyncio.create_task(self._guarded(self._watch()))
        self.book.state = "running"
        await self._until_ended()
        self.book.state, self.book.message = "draining", self.ending.why
        await asyncio.gather(*(part.drain(_DRAIN) for part in parts))
        await _end([*work, watch], _DRAIN)
        self.book.state = "removing what it made"
        await self._tidy()
        await _end([reporter], 0)
        if self.cluster is not None:
            await self.cluster.close()
        self.book.facts = self._facts()
        self.history.flush()
        self.book.close(self.ending.why)

    async def _until_ended(self) -> None:
        seconds = self._job["seconds"]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.ending.event.wait()
        self.ending.end("its time is over")

    async def _guarded(self, work: Any) -> None:
        """A kind of load that breaks ends the run, and its record says so."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - whatever it is, the record has it
            self.ending.end(f"the generator failed: {type(error).__name__}: {error}"[:300])

    async def _report(self) -> None:
        due = time.monotonic()
        number = 0
        while True:
            number += 1
            due += 1
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.book.facts = self._facts()
            if number % self.book.interval == 0:
                self.book.part()
            self.book.second()
            self.history.flush()

    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {}
        if self.viewers is not None:
            facts["viewers"] = self.viewers.running
        if self.objects is not None:
            facts["space"] = {"used": self.objects.shelf.used, "budget": self.objects.shelf.budget}
        if self.bank is not None:
            facts["books"] = self._books or {
                "acknowledged": self.bank.acknowledged,
                "uncertain": self.bank.uncertain,
            }
        if self.cluster is not None:
            seen = self.cluster.seen
            facts["fullness"] = {
                "fullest": round(seen.fullest, 4) if seen and seen.fullest is not None else None,
                "osd": seen.osd if seen else "",
                "nearfull": seen.nearfull if seen else None,
                "error": self.cluster.error,
            }
        return facts

    async def _watch(self) -> None:
        """Look how full the drives are: end at nearfull, put nothing more where nobody can tell."""
        with contextlib.suppress(EndedError):
            while self.cluster is not None:
                seen = await self.cluster.look()
                if seen is not None and seen.reason:
                    self.ending.end(f"the drives are nearly full: {seen.reason}")
                blind = time.monotonic() - self.cluster.seen_at > _BLIND
                self.book.message = ""
                if blind:
                    error = self.cluster.error
                    self.book.message = f"nothing is put: how full the drives are cannot be seen ({error})"
                if self.objects is not None:
                    self.objects.hold = blind
                await self.ending.pause(_LOOK_EVERY)

    async def _tidy(self) -> None:
        left = ""
        try:
            async with asyncio.timeout(_TIDY):
                if self.bank is not None:
                    self._books = await self.bank.finish()
                if self.objects is not None:
                    left = await self.objects.finish()
        except TimeoutError:
            left = f"not everything was removed within {_TIDY:.0f} s; the next start does it"
        self.book.message = left


def _viewer_kinds(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the kinds that viewers can do here: what is off has no row of zeros."""
    media = ("video", "audio") if settings["media"] else ()
    live = ("live",) if settings["live"] else ()
    catalogue = ("catalogue", "plays") if settings["catalogue"] else ()
    pages = ("pages",) if settings["pages"] or settings["media"] else ()
    return (*pages, *media, *live, *catalogue)


async def _end(tasks: list[asyncio.Task[None]], limit: float) -> None:
    """Give tasks a moment to end by themselves, then end them."""
    _, late = await asyncio.wait(tasks, timeout=limit)
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late, timeout=2)


def _runner() -> Any:
    try:
        return importlib.import_module("uvloop").run
    except ImportError:
        return asyncio.run


def main() -> None:
    """Run the job whose file is named; its secrets lie beside it."""
    path = Path(sys.argv[1])
    job = json.loads(path.read_text(encoding="utf-8"))
    secrets = json.loads(path.with_name(job["secrets"]).read_text(encoding="utf-8"))

    async def go() -> None:
        # Connectors belong to the loop in which they are made.
        await Run(job, secrets).go()

    _runner()(go())
