"""What was seen of one run of an experiment: phases, events, every operation of users, the books at the end.

All times are seconds since the run began. What nobody saw is None or absent, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Operation(NamedTuple):
    """One operation of users: of which kind, when it ended, how long it took from when it was due, and by
    which words it failed, empty where it succeeded."""

    kind: str
    ended: float
    took: float
    error: str = ""


class Mark(StrEnum):
    """What an event means for the clocks."""

    BEGUN = "begun"  # a fault began
    PROVED = "proved"  # it was seen to have taken
    HEALING = "healing"  # it is being healed
    HEALED = "healed"  # what was broken runs again
    NOTICED = "noticed"  # the system said that something is wrong
    DEGRADED = "degraded"  # some data has fewer copies than it should have
    REDUNDANT = "redundant"  # all data has all of its copies
    STEADY = "steady"  # everything is as before
    SEEN = "seen"  # something else that the system said
    BLIND = "blind"  # it could not be seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened: when, who says so (`method`, `ceph`, `database`), what, and what it means."""

    at: float
    source: str
    what: str
    mark: Mark = Mark.SEEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A fault as it was carried out: what broke in words, its host and program, when it began, was seen to
    have taken and was healed, None where it never was. `trouble` says what went wrong with it."""

    what: str
    host: str
    program: str
    began: float
    proved: float | None = None
    healed: float | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Transactions that were acknowledged, that nobody knows of, and that are `found` at the end; None where
    it could not be counted, with `why`. They are `even` where all accounts add up to what they began with."""

    acknowledged: int
    uncertain: int
    found: int | None
    even: bool = True
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promised:
    """What the design said of losing all that was broken at once: whether all data is kept, whether service
    goes on, and why."""

    subject: str
    data: bool
    service: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """When the load was steady and observed, when the first fault began, when all was as before again (None:
    never), and when the load ended."""

    observed: float
    broken: float | None
    steady: float | None
    ended: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One run. `began` is ISO 8601 in UTC; `asked` is how many operations of a kind were asked for in a
    second, where that was said; `environment` tells versions and the machine, by name. `stopped` says why it
    ended early, empty where it did not."""

    id: str
    system: str
    began: str
    phases: Phases
    broken: tuple[Broken, ...]
    events: tuple[Event, ...]
    operations: Sequence[Operation]
    books: Books | None
    promised: Promised | None = None
    asked: Mapping[str, float] = field(default_factory=dict)
    environment: tuple[tuple[str, str], ...] = ()
    stopped: str = ""

    def kinds(self) -> tuple[str, ...]:
        """Return the kinds of operations that there were, in the order in which they first ended."""
        return tuple(dict.fromkeys(one.kind for one in self.operations))

    def window(self, name: str) -> tuple[float, float]:
        """Return beginning and end of a part: `before` the first fault, `during`, until all was as before,
        `after`, and the `whole`. A part that never came is empty."""
        phases = self.phases
        broken = phases.ended if phases.broken is None else phases.broken
        steady = phases.ended if phases.steady is None else phases.steady
        return {
            "before": (phases.observed, broken),
            "during": (broken, steady),
            "after": (steady, phases.ended),
            "whole": (phases.observed, phases.ended),
        }[name]


def within(operations: Iterable[Operation], kind: str, begin: float, end: float) -> list[Operation]:
    """Return the operations of a kind that ended in a part of the run, in the order in which they ended."""
    found = [one for one in operations if one.kind == kind and begin <= one.ended <= end]
    return sorted(found, key=lambda one: one.ended)
