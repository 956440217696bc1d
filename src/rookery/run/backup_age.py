"""How old the last set of backups is, and when the next is due."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rookery.apps.backup.model import BackupSet
from rookery.apps.backup.settings import BackupSettings, seconds
from rookery.design.model import Design
from rookery.run.backup import list_sets
from rookery.systems.protocol import System

LATE = 2
"""From so many times its schedule on, a set is overdue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAge:
    """The last whole set: its label (empty: there is none) and seconds since it began; `every` is the seconds
    from one to the next by schedule; `trouble` says why the last attempt is not whole, empty where it is."""

    label: str
    age: float | None
    every: int
    trouble: str

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
    settings = next(app.settings for app in system.design.apps if app.keeping is not None)
    assert isinstance(settings, BackupSettings)
    return age_of(list_sets(system), now=time.time(), every=seconds(settings.schedules.sets))


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
