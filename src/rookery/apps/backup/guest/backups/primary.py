"""The running primary on this host, asked as its superuser."""

from __future__ import annotations

import time
from dataclasses import dataclass

from . import wal
from .errors import BackupError
from .kind import Work
from .tools import run

_ARCHIVED_LIMIT = 120.0  # seconds until a segment must be in the store
_LOOK = 0.2


@dataclass(frozen=True, kw_only=True)
class Point:
    """A restore point: its position, the segment that holds it, and the system's identifier."""

    lsn: str
    segment: str
    system: str

    @property
    def timeline(self) -> int:
        return wal.timeline_of(self.segment)


class Primary:
    """PostgreSQL, where it takes writes."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def mark(self, name: str) -> Point:
        """Write a restore point, and end its segment so that it is archived at once. A name has nothing in it
        that SQL would read otherwise."""
        made = self.sql(f"SELECT pg_create_restore_point('{name}')")[0][0]
        system = "system_identifier FROM pg_control_system()"
        row = self.sql(f"SELECT pg_walfile_name('{made}'), {system}")[0]
        self.sql("SELECT pg_switch_wal()")
        return Point(lsn=made, segment=row[0], system=row[1])

    def system(self) -> str:
        """Return the identifier that all copies of this database share."""
        return self.sql("SELECT system_identifier FROM pg_control_system()")[0][0]

    def line(self) -> wal.Line:
        """Return the timeline that it is on, with its ancestors, as it has them itself."""
        timeline = wal.timeline_of(self.sql("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")[0][0])
        if timeline == 1:
            return (wal.Span(timeline=1, left=None),)
        rows = self.sql(f"SELECT pg_read_file('pg_wal/{wal.history_name(timeline)}')")
        return wal.parse_history(timeline, "\n".join("\t".join(row) for row in rows))

    def flush(self) -> str:
        """See that all that is committed by now is in the store, and return the last segment of it. A commit
        of its own is the last: recovery to a time ends at the first one after it only."""
        self.sql("SELECT pg_current_xact_id()")
        segment = self.sql("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")[0][0]
        self.sql("SELECT pg_switch_wal()")
        self.await_archived(segment)
        return segment

    def archived(self) -> str:
        """Return the segment that was archived last, as it says itself; empty where none was."""
        return self.sql("SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver")[0][0][:24]

    def await_archived(self, segment: str) -> None:
        """Wait until a segment is in the store; raises BackupError where it does not come."""
        limit, done, failed = time.monotonic() + _ARCHIVED_LIMIT, "", ""
        while time.monotonic() < limit:
            row = self.sql("SELECT last_archived_wal, last_failed_wal FROM pg_stat_archiver")[0]
            done, failed = row[0], row[1]
            if done[:8] >= segment[:8] and done[8:24] >= segment[8:24]:
                return
            time.sleep(_LOOK)
        raise BackupError(
            f"segment {segment} is not in the store after {_ARCHIVED_LIMIT:.0f} s",
            hint="`rookery verify` says how far archiving is; PostgreSQL's log on the primary says why.",
            details=(f"the last that is there: {done or 'none'}; the last that failed: {failed or 'none'}",),
        )

    def sql(self, statement: str) -> list[list[str]]:
        """Run a statement; return rows of text."""
        told = self._work.told.config["database"]
        argv = (
            *("psql", "--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"),
            *(f"--host={told['sockets']}", "--dbname=postgres", "--field-separator=\t"),
            f"--command={statement}",
        )
        said = run(argv, what="SQL on the primary", limit=60.0, user=told["owner"], environment={"HOME": "/"})
        return [line.split("\t") for line in said.splitlines()]
