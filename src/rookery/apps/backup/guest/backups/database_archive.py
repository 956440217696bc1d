"""What is in the store of the database: base backups, segments of its log, histories of its timelines.

It is read as it lies there (`barman.py` has the layout), without barman-cloud: that takes seconds to start.
"""

from __future__ import annotations

import datetime as dt
import io
import zlib
from dataclasses import dataclass

from . import wal
from .errors import BackupError
from .kind import Work
from .store import Entry

_PACKED = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".snappy")
_GZIP = 31  # zlib's word for a gzip header
_INFO = "backup.info"


@dataclass(frozen=True, kw_only=True)
class Base:
    """A base backup: positions and times of its begin and end, bytes of the `whole` that it is a copy of, and
    its `objects` in the store."""

    id: str
    name: str
    status: str
    system: str
    timeline: int
    begin: int
    end: int
    ended: dt.datetime
    whole: int
    segment_size: int
    objects: tuple[Entry, ...]

    @property
    def is_done(self) -> bool:
        """Whether it is complete, as barman-cloud says itself."""
        return self.status == "DONE"

    @property
    def stored(self) -> int:
        """The bytes that it takes in the store."""
        return sum(entry.size for entry in self.objects)


class Archive:
    """The database's part of the bucket."""

    def __init__(self, work: Work) -> None:
        told = work.told.config["database"]
        self.work = work
        self._store = work.store
        self._root = f"{told['prefix']}/{told['server']}/"

    def folders(self) -> dict[str, tuple[Entry, ...]]:
        """Return what lies there of each base backup by its id, complete or not, the oldest first."""
        found: dict[str, list[Entry]] = {}
        root = f"{self._root}base/"
        for entry in self._store.list(root):
            name = entry.key.removeprefix(root).partition("/")[0]
            found.setdefault(name, []).append(entry)
        return {name: tuple(found[name]) for name in sorted(found)}

    def bases(self) -> list[Base]:
        """Return the base backups that are complete, the oldest first."""
        found = []
        for name, entries in self.folders().items():
            if any(_last(entry) == _INFO for entry in entries):
                base = self.base(name, entries)
                if base.is_done:
                    found.append(base)
        return found

    def base(self, name: str, entries: tuple[Entry, ...]) -> Base:
        """Return a base backup, complete or not; raises BackupError where its backup.info is none."""
        key = f"{self._root}base/{name}/{_INFO}"
        text = self.read(key).decode(errors="replace")
        told = dict(line.partition("=")[::2] for line in text.splitlines() if "=" in line)
        try:
            done = told["status"] == "DONE"
            return Base(
                id=name,
                name=told.get("backup_name", ""),
                status=told["status"],
                system=told.get("systemid", ""),
                timeline=int(told["timeline"]) if done else 0,
                begin=wal.position(told["begin_xlog"]) if done else 0,
                end=wal.position(told["end_xlog"]) if done else 0,
                ended=_moment(told["end_time"]) if done else dt.datetime.fromtimestamp(0, tz=dt.UTC),
                whole=_number(told.get("cluster_size", "")),
                segment_size=_number(told.get("xlog_segment_size", "")) or 16 << 20,
                objects=entries,
            )
        except (KeyError, ValueError) as error:
            raise BackupError(f"{key} is no description of a base backup: {error!r}") from None

    def segments(self) -> dict[str, Entry]:
        """Return the files of the log by their names, without what says how they are packed."""
        found = {}
        for entry in self._store.list(f"{self._root}wals/"):
            name = _last(entry)
            for suffix in _PACKED:
                name = name.removesuffix(suffix)
            found[name] = entry
        return found

    def line(self, timeline: int, names: dict[str, Entry]) -> wal.Line:
        """Return a timeline with its ancestors; raises BackupError where its history is not there."""
        if timeline == 1:
            return (wal.Span(timeline=1, left=None),)
        name = wal.history_name(timeline)
        if name not in names:
            raise BackupError(f"{name} is missing: nobody can tell where timeline {timeline} comes from")
        try:
            return wal.parse_history(timeline, self.read(names[name].key).decode(errors="replace"))
        except ValueError as error:
            raise BackupError(str(error)) from None

    def newest_timeline(self) -> int:
        """Return the youngest timeline whose history is there."""
        names = (name for name in self.segments() if name.endswith(".history"))
        return max(map(wal.timeline_of, names), default=1)

    def began(self, timeline: int, names: dict[str, Entry]) -> dt.datetime | None:
        """Return when a timeline's history came into the store; None where it is not there."""
        entry = names.get(wal.history_name(timeline))
        known = None if entry is None else self._store.head(entry.key)
        return None if known is None else known["LastModified"]

    def read(self, key: str) -> bytes:
        """Return what a small object holds, unpacked; raises BackupError where it is damaged."""
        content = io.BytesIO()
        self._store.fetch(key, content)
        if not key.endswith(".gz"):
            return content.getvalue()
        try:
            return zlib.decompress(content.getvalue(), wbits=_GZIP)
        except zlib.error as error:
            raise BackupError(f"{key} is damaged: {error}") from None


def lead(archive: Archive, names: dict[str, Entry], base: Base, timeline: int, end: int) -> list[str]:
    """Return the files of the log that lead from a base backup to a position of a timeline.

    Raises BackupError where the base backup is of no ancestor of it, or a history is not there.
    """
    line = archive.line(timeline, names)
    if not wal.holds(line, base.timeline, base.end):
        raise BackupError(
            f"base backup {base.id} is of timeline {base.timeline}, not on the way to {timeline}"
        )
    histories = [wal.history_name(span.timeline) for span in line if span.timeline > max(1, base.timeline)]
    return [*histories, *wal.names_between(line, base.begin, end, base.segment_size)]


def _last(entry: Entry) -> str:
    return entry.key.rpartition("/")[2]


def _moment(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
