"""The database: base backups and its write-ahead log by barman-cloud, restored to any moment between.

The log goes to the store segment by segment, sent by PostgreSQL itself (`archive.py`); a set is a named
restore point in it, and needs a base backup from before. barman-cloud is what CloudNativePG's plugin runs
too: what either wrote, the other restores.
"""

from __future__ import annotations

import time
from typing import Any

from . import barman, database_check, database_pauses, database_restore, wal
from .database_archive import Archive, Base, lead
from .errors import BackupError
from .kind import Part, Problem, Work, now
from .primary import Primary
from .store import Entry
from .tools import run

_BASE_LIMIT = 6 * 3600.0  # seconds


class Database:
    """PostgreSQL, by barman-cloud."""

    name = "database"

    def mark(self, work: Work, label: str) -> dict[str, Any]:
        """Write a restore point.

        Where no base backup from before it would do, one is made first, however long that takes: made
        afterwards, the restore point would have to be a later one, and the set no moment of all kinds. One
        from which the log has a gap does not do: backups were off in between, or something is lost.
        """
        primary, archive = Primary(work), Archive(work)
        made = ""
        base = _fitting(work, primary, archive)
        if base is None or not _leads_here(primary, archive, base):
            work.report("database: a base backup")
            _make_base(work, label)
            made = label
        # A label is digits and two letters (`sets.py`).
        point = primary.mark(label)
        return {
            "moment": now(),
            "lsn": point.lsn,
            "segment": point.segment,
            "timeline": point.timeline,
            "system": point.system,
            "made": made,
        }

    def keep(self, work: Work, label: str, mark: dict[str, Any], last: Part | None) -> Part:
        """See that the restore point is in the store, behind a base backup."""
        primary, archive = Primary(work), Archive(work)
        primary.await_archived(mark["segment"])
        base = _fitting(work, primary, archive, old=True)
        assert base is not None, "the mark made one where there was none"
        segments = archive.segments()
        sent = _sent(segments, last["segment"] if last else "", mark["segment"], base)
        kept = _sent(segments, "", mark["segment"], base, least=base.begin)
        return {
            "moment": mark["moment"],
            "moved": sent + (base.stored if mark["made"] else 0),
            "whole": kept + base.stored,
            "target": label,
            "base": base.id,
            "objects": {entry.key: [entry.size, entry.etag] for entry in base.objects},
            **{name: mark[name] for name in ("lsn", "segment", "timeline", "system")},
        }

    def check(self, work: Work, parts: dict[str, Part], *, deep: bool) -> list[Problem]:
        """Look at the base backups of the sets and at the log from the oldest of them until now."""
        return database_check.check(work, parts, deep=deep)

    def prune(self, work: Work, kept: dict[str, Part], dropped: dict[str, Part]) -> None:
        """Remove base backups older than the oldest one that a kept set begins with, and the log before it.

        All between the oldest kept set and now stays: every moment since then can be restored.
        """
        del dropped
        archive = Archive(work)
        bases = archive.bases()
        wanted = {part["base"] for part in kept.values()}
        needed = [base for base in bases if base.id in wanted] or bases[-1:]
        if not needed:
            return
        oldest = min(base.id for base in needed)
        for name, entries in archive.folders().items():
            if name < oldest:
                # First what says that it is there: half of one that is gone is none.
                ordered = sorted(entries, key=lambda entry: not entry.key.endswith("/backup.info"))
                for entry in ordered:
                    work.store.delete(entry.key)
        # Recovery from any of them reads nothing before it, on whichever timeline: positions only grow. A log
        # with two databases in it is left alone.
        if len({base.system for base in bases}) == 1:
            first = min(base.begin for base in needed)
            gone = [
                entry.key
                for name, entry in archive.segments().items()
                if wal.SEGMENT.match(name[:24])
                and wal.segment_number(name, needed[0].segment_size) < first // needed[0].segment_size
            ]
            work.store.delete(*gone)

    def restore(self, work: Work, part: Part, wish: dict[str, Any]) -> dict[str, Any]:
        """Bring the database back in an instance beside the running one."""
        return database_restore.restore(work, part, wish)


def end(work: Work) -> None:
    """Store the log until now, and note where it ends: what is written from then on is archived nowhere, and
    is not missing."""
    if work.told.keys.get("held"):  # nothing of this one was ever archived
        return
    primary = Primary(work)
    try:
        last = primary.flush()
    except BackupError:
        database_pauses.note(work, primary.archived())
        raise
    database_pauses.note(work, last)


def _make_base(work: Work, label: str) -> None:
    told, place = work.told.config["database"], work.store.place
    argv = (
        *barman.BASE_BACKUP,
        *(f"--endpoint-url={place.endpoint}", "--immediate-checkpoint", "--gzip", f"--name={label}"),
        *(barman.url(place, told["prefix"]), told["server"]),
    )
    environment = {**barman.environment(place), "PGHOST": told["sockets"]}
    run(argv, what="barman-cloud-backup", limit=_BASE_LIMIT, user=told["owner"], environment=environment)


def _fitting(work: Work, primary: Primary, archive: Archive, *, old: bool = False) -> Base | None:
    """Return the latest base backup that the running database came from, one that is `old` too where that is
    said; None where there is none."""
    system, line = primary.system(), primary.line()
    longest = work.told.config["schedules"]["base"]
    fitting = [
        base
        for base in archive.bases()
        if base.system == system
        and wal.holds(line, base.timeline, base.end)
        and (old or time.time() - base.ended.timestamp() < longest)
    ]
    return fitting[-1] if fitting else None


def _leads_here(primary: Primary, archive: Archive, base: Base) -> bool:
    """Tell whether the log leads from a base backup to what was archived last. What a primary archived that
    just became one is not looked at: it has archived nothing, or what is another timeline's."""
    last, current = primary.archived(), primary.line()[-1].timeline
    if not wal.SEGMENT.match(last) or wal.timeline_of(last) != current:
        return True
    names = archive.segments()
    end = wal.segment_number(last, base.segment_size) * base.segment_size
    return all(name in names for name in lead(archive, names, base, current, end))


def _sent(segments: dict[str, Entry], after: str, until: str, base: Base, *, least: int = 0) -> int:
    """Return the bytes of the segments after one, until another, and from a position on."""
    size = base.segment_size
    first = max(wal.segment_number(after, size) + 1 if after else 0, least // size)
    last = wal.segment_number(until, size)
    return sum(
        entry.size
        for name, entry in segments.items()
        if wal.SEGMENT.match(name[:24]) and first <= wal.segment_number(name, size) <= last
    )
