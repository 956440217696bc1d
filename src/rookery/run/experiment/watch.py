"""What a system says of itself while it is broken: the cluster and the database, asked twice a second.

Each is asked by a thread of its own, for one that hangs must not silence the other. An answer becomes events
by what changed since the last one; no answer is an event too, and nothing is made up for the time without.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rookery.drivers.ceph.session import CephError
from rookery.errors import RookeryError
from rookery.experiments.record import Event, Mark
from rookery.systems.protocol import Member, System

_EVERY = 0.5  # seconds between two looks
_SLOW = 5.0  # seconds without an answer after which nothing is known
_SHORT = ("degraded", "undersized", "down", "incomplete", "stale", "peering", "unknown", "recovering")

Hear = Callable[[Event], None]
Clock = Callable[[], float]
"""Seconds since the run began."""


class Watch:
    """Watches a system from `start` to `stop`; every event goes to `hear`, from several threads."""

    def __init__(self, system: System, clock: Clock, hear: Hear) -> None:
        self._system = system
        self._clock = clock
        self._hear = hear
        self._end = threading.Event()
        looks = [self._watch_ceph]
        if system.design.database is not None:
            looks.append(self._watch_database)
        self._threads = [threading.Thread(target=look, daemon=True) for look in looks]
        self.redundant: bool | None = None

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; a look that hangs is left to itself."""
        self._end.set()
        for thread in self._threads:
            thread.join(timeout=2 * _EVERY)

    def _watch_ceph(self) -> None:
        seen: dict[str, Any] = {}
        for status in self._looks("ceph", self._ask_ceph):
            if status is None:
                self.redundant = None
                continue
            now = summary(status)
            self.redundant = now["short"] == 0
            for what, mark in changes(seen, now):
                self._hear(Event(at=self._clock(), source="ceph", what=what, mark=mark))
            seen = now

    def _watch_database(self) -> None:
        seen: dict[str, str] = {}
        for members in self._looks("database", self._system.members):
            if not members:
                continue
            now = {one.name: _called(one) for one in members}
            for what in member_changes(seen, now):
                mark = Mark.NOTICED if seen else Mark.SEEN
                self._hear(Event(at=self._clock(), source="database", what=what, mark=mark))
            seen = now

    def _ask_ceph(self) -> dict[str, Any]:
        ceph = self._system.ceph_or_none()
        if ceph is None:
            raise RookeryError("the monitors do not answer")
        answer: dict[str, Any] = ceph.mon("status")
        return answer

    def _looks(self, source: str, ask: Callable[[], Any]) -> Iterator[Any]:
        """Yield one answer after the other; None where there was none, said once until there is one again."""
        blind = False
        while not self._end.is_set():
            began = time.monotonic()
            try:
                answer = ask()
            except (RookeryError, CephError, OSError) as error:
                answer = None
                trouble = str(error)
            else:
                trouble = ""
            took = time.monotonic() - began
            if (answer is None or took > _SLOW) and not blind:
                words = trouble or f"no answer for {took:.0f} s"
                self._hear(Event(at=self._clock() - took, source=source, what=words, mark=Mark.BLIND))
            blind = answer is None
            yield answer
            self._end.wait(max(0.0, _EVERY - took))


def summary(status: Mapping[str, Any]) -> dict[str, Any]:
    """Return what counts of the cluster's status: its health checks, who runs, and PGs short of a copy."""
    checks = status["health"]["checks"]
    osds = status["osdmap"]
    short = sum(
        int(state["count"])
        for state in status["pgmap"]["pgs_by_state"]
        if any(word in state["state_name"] for word in _SHORT)
    )
    return {
        "checks": {code: one["summary"]["message"] for code, one in checks.items() if not one.get("muted")},
        "osds": int(osds["num_up_osds"]),
        "quorum": tuple(status["quorum_names"]),
        "short": short,
    }


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, Mark]]:
    """Yield what changed between two looks, with what it means; of the first look, what is wrong already."""
    if not before:
        if now["short"]:
            yield _pgs(now["short"]), Mark.DEGRADED
        return
    for code in now["checks"].keys() - before["checks"].keys():
        yield f"{code}: {now['checks'][code]}", Mark.NOTICED
    for code in before["checks"].keys() - now["checks"].keys():
        yield f"{code} is over", Mark.SEEN
    if now["osds"] != before["osds"]:
        mark = Mark.NOTICED if now["osds"] < before["osds"] else Mark.SEEN
        yield f"{now['osds']} OSDs are up, of {before['osds']} before", mark
    for name in sorted(set(before["quorum"]) - set(now["quorum"])):
        yield f"mon.{name} is out of the quorum", Mark.NOTICED
    for name in sorted(set(now["quorum"]) - set(before["quorum"])):
        yield f"mon.{name} is in the quorum again", Mark.SEEN
    if now["short"] and not before["short"]:
        yield _pgs(now["short"]), Mark.DEGRADED
    if before["short"] and not now["short"]:
        yield "every placement group has all of its copies", Mark.REDUNDANT


def member_changes(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """Yield what changed among the database's instances, by name and what each is."""
    for name in sorted(before.keys() | now.keys()):
        if before and before.get(name) != now.get(name):
            yield f"{name} is {now[name]}" if name in now else f"{name} is no member any more"


def _called(member: Member) -> str:
    return f"{member.role.replace('_', ' ')}, {member.state}"


def _pgs(count: int) -> str:
    return f"{count} placement groups lack a copy" if count > 1 else "a placement group lacks a copy"
