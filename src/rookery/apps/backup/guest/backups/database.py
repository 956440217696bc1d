"""The database: base backups and its write-ahead log by barman-cloud, restored to any moment between.

The log goes to the store segment by segment, sent by PostgreSQL itself (`archive.py`); a set is a named
restore point in it, and needs a base backup from before. barman-cloud is what CloudNativePG's plugin runs
too: what either wrote, the other restores.
"""

from __future__ import annotations

import calendar
import json
import time
from typing import Any

from . import barman
from .errors import BackupError
from .kind import Part, Problem, Work, now
from .tools import run

_BASE_LIMIT = 3600.0  # seconds
_ARCHIVED_LIMIT = 120.0  # seconds until a segment must be in the store


_WHERE = (
    "pg_walfile_name(pg_current_wal_lsn()), (SELECT timeline_id FROM pg_control_checkpoint()),"
    " (SELECT system_identifier FROM pg_control_system())"
)


class Database:
    """PostgreSQL, by barman-cloud."""

    name = "database"

    def mark(self, work: Work, label: str) -> dict[str, Any]:
        """Write a restore point, and end its segment so that it is archived at once."""
        # A label is digits and two letters (`sets.py`).
        point = f"pg_create_restore_point('{label}')"
        row = _sql(work, f"SELECT {point}, {_WHERE}")[0]
        _sql(work, "SELECT pg_switch_wal()")
        return {"moment": now(), "lsn": row[0], "segment": row[1], "timeline": row[2], "system": row[3]}

    def keep(self, work: Work, label: str, mark: dict[str, Any], last: Part | None) -> Part:
        """See that the restore point is in the store, and a base backup from before it."""
        del last
        backups = self._backups(work)
        fitting = [one for one in backups if one["systemid"] == mark["system"]]
        base = fitting[-1] if fitting and not self._is_old(work, fitting[-1]) else None
        if base is None:
            work.report("database: a base backup")
            self._base(work, label)
            base = self._backups(work)[-1]
            # It began after the restore point: what the set names is a later one, in its log.
            mark = self.mark(work, label)
        self._await_archived(work, mark["segment"])
        return {
            "moment": mark["moment"],
            "moved": 0,
            "whole": 0,
            "target": label,
            "base": base["backup_id"],
            "lsn": mark["lsn"],
            "segment": mark["segment"],
            "timeline": mark["timeline"],
            "system": mark["system"],
        }

    def check(self, work: Work, parts: dict[str, Part], *, deep: bool) -> list[Problem]:
        raise NotImplementedError

    def prune(self, work: Work, kept: dict[str, Part], dropped: dict[str, Part]) -> None:
        raise NotImplementedError

    def restore(self, work: Work, part: Part, wish: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def _base(self, work: Work, label: str) -> None:
        self._barman(
            work,
            "barman-cloud-backup",
            "--immediate-checkpoint",
            "--gzip",
            f"--name={label}",
            limit=_BASE_LIMIT,
        )

    def _backups(self, work: Work) -> list[dict[str, Any]]:
        """Return the base backups that are complete, as barman-cloud lists them, the oldest first."""
        told = json.loads(self._barman(work, "barman-cloud-backup-list", "--format=json", limit=120.0))
        done = [one for one in told["backups_list"] if one["status"] == "DONE"]
        return sorted(done, key=lambda one: str(one["backup_id"]))

    def _is_old(self, work: Work, backup: dict[str, Any]) -> bool:
        began = calendar.timegm(time.strptime(backup["backup_id"], "%Y%m%dT%H%M%S"))
        return bool(time.time() - began > work.told.config["schedules"]["base"])

    def _await_archived(self, work: Work, segment: str) -> None:
        limit, done, failed = time.monotonic() + _ARCHIVED_LIMIT, "", ""
        while time.monotonic() < limit:
            done, failed = _sql(work, "SELECT last_archived_wal, last_failed_wal FROM pg_stat_archiver")[0]
            if done and done[8:24] >= segment[8:24]:
                return
            time.sleep(0.2)
        raise BackupError(
            f"segment {segment} is not in the store after {_ARCHIVED_LIMIT:.0f} s",
            details=(f"the last that is there: {done or 'none'}; the last that failed: {failed or 'none'}",),
        )

    def _barman(self, work: Work, program: str, *options: str, limit: float) -> str:
        told, place = work.told.config["database"], work.store.place
        url = barman.url(place, told["prefix"])
        argv = (program, f"--endpoint-url={place.endpoint}", *options, url, told["server"])
        environment = {**barman.environment(place), "PGHOST": told["sockets"]}
        return run(argv, what=program, limit=limit, user=told["owner"], environment=environment)


def _sql(work: Work, statement: str) -> list[list[str]]:
    """Run SQL as the superuser on this host's instance; return rows of text."""
    told = work.told.config["database"]
    argv = (
        *("psql", "--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"),
        *(f"--host={told['sockets']}", "--dbname=postgres", "--field-separator=\t", f"--command={statement}"),
    )
    said = run(argv, what="SQL on the primary", limit=60.0, user=told["owner"], environment={"HOME": "/"})
    return [line.split("\t") for line in said.splitlines()]
