"""A run of load, whatever carries its generator: begun, followed and ended everywhere in the same way.

The carrier is a container beside a lab's servers, or a pod of a cluster. It starts the generator, asks it to
end, and tells of it; when a run counts, is lost, or is over, is said here. What a generator wrote lies in
the carrier's records, on this machine.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn, Protocol

from rookery.drivers.machine.files import write_whole
from rookery.drivers.machine.waiting import Look, wait_for
from rookery.errors import RookeryError, WaitError
from rookery.load.model import Figures, Job, parse_figures, with_end
from rookery.systems.protocol import Credentials, Report

STATUS = "status.json"
_MOST_LINES = 8  # of what a generator said last


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Whether a generator lives; `silent` says of one that nobody hears it, empty where it is heard."""

    alive: bool
    silent: str = ""


class Carrier(Protocol):
    """Where the generator of a system runs. `start_limit` and `stop_limit` are seconds; `lost` says why one
    is gone that never said that it ends."""

    @property
    def records(self) -> Path:
        """The folder of this machine with what generators wrote."""
        ...

    @property
    def start_limit(self) -> float: ...

    @property
    def stop_limit(self) -> float: ...

    @property
    def lost(self) -> str: ...

    def launch(self, job: Job) -> None:
        """Start a generator; nothing of an earlier one is there."""
        ...

    def look(self, name: str = STATUS) -> Sight:
        """Look whether the generator lives, then see to it that what it wrote as `name` is in the records.

        In this order: one that ends in between has written its last status before it ended.
        """
        ...

    def why_waiting(self) -> str:
        """Return what a generator waits for that has written nothing yet; raises RookeryError with what it
        said last where it ended."""
        ...

    def signal(self, *, keep: bool) -> None:
        """Ask the generator to end, and with `keep` to leave what it made."""
        ...

    def remove(self) -> None:
        """Remove what carries the generator, whether it runs or not, or is not there; records stay."""
        ...


class Run:
    """The load of one system: at most one run at a time."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier

    @property
    def records(self) -> Path:
        """The folder with the record of each run."""
        return self._carrier.records

    def figures(self) -> Figures | None:
        """Return what the last run says of itself, None where there was none."""
        return self._seen()[1]

    def start(self, job: Job, report: Report) -> Figures:
        """Start a run and wait until its generator counts; the caller has looked that none runs."""
        self._clear()
        self.records.mkdir(parents=True, exist_ok=True)
        self.records.chmod(0o700)
        (self.records / STATUS).unlink(missing_ok=True)
        try:
            self._carrier.launch(job)
            return wait_for(
                "the generator", self._look_counting, limit=self._carrier.start_limit, report=report
            )
        except RookeryError:
            self._carrier.remove()
            raise

    def stop(self, *, keep: bool, report: Report) -> Figures | None:
        """End the run if there is one, and remove what carried it; return what it says of itself.

        Unless `keep`, the generator removes its objects and its tables before it ends.
        """
        with contextlib.suppress(WaitError):
            wait_for(
                "the load to end",
                lambda: self._look_ended(keep=keep),
                limit=self._carrier.stop_limit,
                report=report,
            )
        return self._clear()

    def _seen(self) -> tuple[Sight, Figures | None]:
        sight = self._carrier.look()
        text = self._read(STATUS)
        if text is None:
            return sight, None
        seen = parse_figures(text)
        if seen.running and not sight.alive:
            seen = parse_figures(with_end(text, why=self._carrier.lost))
        elif seen.running and sight.silent:
            seen = replace(seen, message=f"{sight.silent} since {json.loads(text)['seen']}")
        return sight, seen

    def _look_counting(self) -> Look[Figures]:
        seen = self.figures()
        if seen is None:
            return Look(seen=self._carrier.why_waiting())
        return Look(seen=seen.state, value=seen)

    def _look_ended(self, *, keep: bool) -> Look[bool]:
        sight, seen = self._seen()
        if not sight.alive:
            return Look(seen="ended", value=True)
        # As the first process of its container it is deaf until it has said what it does on a signal: one
        # that is only just starting hears the next.
        if seen is None or seen.state in ("starting", "running"):
            self._carrier.signal(keep=keep)
        return Look(seen=seen.state if seen else "its generator says nothing")

    def _clear(self) -> Figures | None:
        """Remove what carries the generator, and note in status and record of one that was lost that it was;
        return its figures."""
        seen = self.figures()
        if seen is not None:
            self._carrier.look(seen.record)
            if seen.history:
                self._carrier.look(seen.history)
        self._carrier.remove()
        seen = self.figures()
        if seen is not None and seen.state == "lost":
            for name in (STATUS, seen.record):
                text = self._read(name)
                if text is not None:
                    ended = with_end(text, why=self._carrier.lost)
                    write_whole(self.records / name, ended.encode(), mode=0o600)
        return seen

    def _read(self, name: str) -> str | None:
        try:
            return (self.records / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None


def raise_ended(said: str, reason: str = "") -> NoReturn:
    """Raise what is said of a generator that ended before it counted, with its last lines."""
    raise RookeryError(
        f"the generator ended at once{f': {reason}' if reason else ''}",
        details=tuple(said.strip().splitlines()[-_MOST_LINES:]),
    )


def render_secrets(job: Job, *, password: Callable[[], str], keys: Callable[[], Credentials]) -> str:
    """Return the generator's file of secrets: those that its job needs, and only they are asked for."""
    found = {}
    if job.database is not None:
        found["database_password"] = password()
    if job.objects is not None:
        asked = keys()
        found |= {"s3_access": asked.user, "s3_secret": asked.password}
    return json.dumps(found)
