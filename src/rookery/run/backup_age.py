"""How old the last set of backups is, and when the next is due."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rookery.apps.backup.config import settings_of
from rookery.apps.backup.model import BackupSet, parse_set
from rookery.apps.backup.settings import seconds
from rookery.design.model import Design
from rookery.run.backup import backups_of
from rookery.systems.protocol import System

LATE = 2
"""From so many times its schedule on, a set is overdue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckAge:
    """The last look at all that is stored: seconds since (None: there was none), by schedule from one to the
    next, what was wrong, and whether something must be wrong with who looks."""

    age: float | None
    every: int
    problems: tuple[str, ...]
    is_overdue: bool

    @property
    def is_well(self) -> bool:
        return not self.problems and not self.is_overdue


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAge:
    """The last whole set: its label (empty: there is none) and seconds since it began; `every` is the seconds
    from one to the next by schedule; `trouble` says why the last attempt is not whole, empty where it is;
    `check` is the last look at all sets, None where nobody tells."""

    label: str
    age: float | None
    every: int
    trouble: str
    check: CheckAge | None = None

    @property
    def due(self) -> float | None:
        """Seconds until the next is due, negative where it was due before; None where that is not known."""
        return None if self.age is None else self.every - self.age

    @property
    def is_overdue(self) -> bool:
        """Whether something must be wrong: long after its time, or none was ever whole and one was tried."""
        return bool(self.trouble) if self.age is None else self.age > LATE * self.every


def takes_sets(design: Design) -> bool:
    """Tell whether a design has sets of backups taken inside it."""
    return design.backup is not None and bool(design.backup.placements)


def read_age(system: System) -> SetAge:
    """Return the age of a system's last set; raises RookeryError where nobody tells."""
    schedules, now = settings_of(system.design).schedules, time.time()
    told = backups_of(system).ask("age", {}, lambda _: None)
    sets = tuple(map(parse_set, told["sets"]))
    found = age_of(sets, now=now, every=seconds(schedules.sets))
    return replace(found, check=check_of(told["check"], sets, now=now, every=seconds(schedules.check)))


def check_of(
    told: Mapping[str, Any] | None, sets: Sequence[BackupSet], *, now: float, every: int
) -> CheckAge:
    """Return the age of the last look at all that is stored, as the programs tell of it. One that never came
    is overdue where there was long something to look at."""
    whole = [dt.datetime.fromisoformat(one.began).timestamp() for one in sets if one.state == "whole"]
    if told is None:
        waiting = now - min(whole, default=now)
        return CheckAge(age=None, every=every, problems=(), is_overdue=waiting > LATE * every)
    problems = [f"{kind}: {problem}" for kind, some in told["problems"].items() for problem in some]
    if told["error"]:
        problems.append(f"nobody could look: {told['error']}")
    age = max(0.0, now - dt.datetime.fromisoformat(told["at"]).timestamp())
    return CheckAge(age=age, every=every, problems=tuple(problems), is_overdue=age > LATE * every)


def age_of(sets: Sequence[BackupSet], *, now: float, every: int) -> SetAge:
    """Return the age of the last set that is whole, of those given with the oldest first."""
    whole = [one for one in sets if one.state == "whole"]
    trouble = ""
    if sets and sets[-1].state == "failed":
        trouble = f"{sets[-1].label}: {', '.join(f'{kind} failed: {why}' for kind, why in sets[-1].failed)}"
    if not whole:
        return SetAge(label="", age=None, every=every, trouble=trouble)
    began = dt.datetime.fromisoformat(whole[-1].began).timestamp()
    return SetAge(label=whole[-1].label, age=max(0.0, now - began), every=every, trouble=trouble)
