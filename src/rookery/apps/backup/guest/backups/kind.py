"""What a kind of backup is: a module each, and its row in `kinds.py`."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from typing import Any, Protocol

from .store import Store
from .telling import Report
from .told import Told

Part = dict[str, Any]
"""What a set says of one kind, as JSON: `moment` (when, ISO 8601), `moved` and `whole` (bytes that were sent
for it, and that it is made of), `seconds`, and what the kind needs to find it again."""

Problem = str
"""A sentence on something stored that is not as it was written: what, where, what of it."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a kind works with: what it is told, the bucket, and who hears what it is at."""

    told: Told
    store: Store
    report: Report


class Kind(Protocol):
    """A kind of backup: how its moment is taken, stored, looked at, given up and brought back.

    Every step may be killed: what is left of it hurts nobody, and the next run tidies it up.
    """

    name: str

    def mark(self, work: Work, label: str) -> dict[str, Any]:
        """Take the moment, within a second or two: a restore point, a snapshot, a list. It is called `label`.
        Nothing is copied yet."""
        ...

    def keep(self, work: Work, label: str, mark: dict[str, Any], last: Part | None) -> Part:
        """Copy what was marked into the store; `last` is the part of the latest whole set, from which on only
        what changed needs to move. Raises BackupError; what is stored of earlier sets stays as it is."""
        ...

    def check(self, work: Work, parts: dict[str, Part], *, deep: bool) -> list[Problem]:
        """Look at what is stored for the parts of these sets, by their labels; `deep` reads all content."""
        ...

    def prune(self, work: Work, kept: dict[str, Part], dropped: dict[str, Part]) -> None:
        """Remove what only the dropped sets need. Nothing that a kept one needs goes."""
        ...

    def restore(self, work: Work, part: Part, wish: dict[str, Any]) -> dict[str, Any]:
        """Bring back what `wish` names from a part; return what was brought where."""
        ...


def now() -> str:
    """Return the time, in UTC, to the millisecond."""
    return dt.datetime.fromtimestamp(time.time(), tz=dt.UTC).isoformat(timespec="milliseconds")
