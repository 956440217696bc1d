"""When the database's log was archived nowhere, because backups were off: the gap that it has there is no
damage."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from . import wal
from .database_archive import Base
from .kind import Work, now

_MOST = 50  # pauses that are remembered: the sets before those are gone


@dataclass(frozen=True, kw_only=True)
class Pause:
    """The `segment` that was the last one, and when that was."""

    segment: str
    began: dt.datetime


def note(work: Work, segment: str) -> None:
    """Note that the log ends with a segment."""
    told = work.store.get_json(_key(work)) or []
    work.store.put_json(_key(work), [*told, {"segment": segment, "began": now()}][-_MOST:])


def read(work: Work) -> list[Pause]:
    """Return the pauses, the oldest first."""
    told = work.store.get_json(_key(work)) or []
    return [Pause(segment=one["segment"], began=dt.datetime.fromisoformat(one["began"])) for one in told]


def is_within(pauses: Sequence[Pause], bases: Sequence[Base], name: str) -> bool:
    """Tell whether a segment is of a time without backups: behind the last one before a pause, before the
    first base backup after it."""
    size = bases[0].segment_size
    number = wal.segment_number(name, size)
    for pause in pauses:
        last = wal.segment_number(pause.segment, size)
        first = min((base.begin // size for base in bases if base.begin // size > last), default=number + 1)
        if last < number < first:
            return True
    return False


def _key(work: Work) -> str:
    return f"{work.told.config['database']['prefix']}/pauses.json"
