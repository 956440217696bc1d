"""A database's backups in memory, as barman-cloud lays them, with segments of 1 MiB."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import struct
import tarfile
from collections.abc import Iterable, Sequence
from typing import Any

from rookery.apps.backup.guest.backups import primary, wal
from rookery.apps.backup.guest.backups.kind import Part, Work
from rookery.apps.backup.guest.backups.store import Store
from rookery.apps.backup.guest.backups.told import Place, Told
from tests.kit.memory_s3 import MemoryS3

SIZE = 1 << 20
SYSTEM = 7714009001787535560
PLACE = Place(name="here", endpoint="https://s3.test", bucket="backups", authority="", access="a", secret="s")
DATABASE = {
    "server": "database",
    "prefix": "database",
    "data": "/var/lib/postgresql/17/main",
    "sockets": "/run/postgresql",
    "programs": "/usr/lib/postgresql/17/bin",
    "owner": "postgres",
}
_ROOT = "database/database/"


class DatabaseStore:
    """The store, and what its primary answers: it is on `line`, and archived `last` last."""

    def __init__(self) -> None:
        self.s3 = MemoryS3("backups")
        self.said: list[str] = []
        client: Any = self.s3
        told = Told(config={"database": DATABASE, "schedules": {"base": 86400}, "host": "a"}, keys={})
        self.work = Work(told=told, store=Store(PLACE, client), report=self.said.append)
        self.last = ""
        self.history = ""
        self.timeline = 1
        self.system = SYSTEM

    def base(
        self, name: str, *, segment: int, timeline: int = 1, files: Iterable[str] = (), status: str = "DONE"
    ) -> None:
        """Lay a base backup that begins and ends within a segment, a second after what its name says."""
        ended = dt.datetime.strptime(name, "%Y%m%dT%H%M%S").replace(tzinfo=dt.UTC) + dt.timedelta(seconds=1)
        lines = {
            "begin_xlog": _lsn(segment * SIZE + 0x28),
            "end_xlog": _lsn(segment * SIZE + 0x120),
            "end_time": str(ended),
            "timeline": str(timeline),
            "systemid": str(SYSTEM),
            "status": status,
            "cluster_size": "1000",
            "xlog_segment_size": str(SIZE),
            "backup_name": "a-name",
        }
        self.put(f"base/{name}/data.tar.gz", gzip.compress(_tar(files or _FILES)))
        text = "\n".join(f"{key}={value}" for key, value in lines.items())
        self.put(f"base/{name}/backup.info", text.encode())

    def segments(self, numbers: Iterable[int], *, timeline: int = 1) -> None:
        """Lay segments of the log; the last one is what the primary archived last."""
        for number in numbers:
            name = wal.segment_name(timeline, number, SIZE)
            header = struct.pack("<HHIQI4xQ", 0xD116, 2, timeline, number * SIZE, 0, SYSTEM)
            self.put(f"wals/{name[:16]}/{name}.gz", gzip.compress(header.ljust(SIZE, b"\0")))
            self.last = name

    def branch(self, timeline: int, parents: Sequence[tuple[int, int]]) -> None:
        """Let the primary be on a timeline that left others, each in a segment."""
        self.timeline = timeline
        self.history = "".join(f"{one}\t{_lsn(at * SIZE + 0x200)}\tno reason\n" for one, at in parents)
        self.put(f"wals/{timeline:08X}.history.gz", gzip.compress(self.history.encode()))

    def put(self, key: str, content: bytes) -> None:
        self.s3.put_object(Bucket="backups", Key=_ROOT + key, Body=content)

    def flip(self, key: str, at: int) -> None:
        """Turn a byte of an object."""
        content = bytearray(self.s3.buckets["backups"][_ROOT + key].content)
        content[at] ^= 0xFF
        self.s3.buckets["backups"][_ROOT + key].content = bytes(content)

    def remove(self, key: str) -> None:
        del self.s3.buckets["backups"][_ROOT + key]

    def written(self, key: str, moment: str) -> None:
        self.s3.buckets["backups"][_ROOT + key].written = dt.datetime.fromisoformat(moment)

    @property
    def keys(self) -> list[str]:
        return sorted(key.removeprefix(_ROOT) for key in self.s3.buckets["backups"])

    def part(self, base: str, *, segment: int, timeline: int = 1, label: str = "a-set") -> Part:
        """Return what a set says whose restore point is in a segment."""
        return {
            "base": base,
            "target": label,
            "lsn": _lsn(segment * SIZE + 0x100),
            "segment": wal.segment_name(timeline, segment, SIZE),
            "timeline": timeline,
            "system": str(SYSTEM),
        }

    def answer(self, argv: Sequence[str], **_: object) -> str:
        """Answer SQL as the primary does; it stands in for `tools.run`."""
        statement = argv[-1].removeprefix("--command=")
        number = wal.segment_number(self.last, SIZE) if self.last.strip() else 0
        current = wal.segment_name(self.timeline, number, SIZE)
        answers = {
            "SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver": self.last,
            "SELECT pg_walfile_name(pg_current_wal_insert_lsn())": current,
            "SELECT pg_current_xact_id()": "4711",
            "SELECT pg_switch_wal()": "0/0",
            f"SELECT pg_read_file('pg_wal/{self.timeline:08X}.history')": self.history,
            "SELECT system_identifier FROM pg_control_system()": str(self.system),
            "SELECT last_archived_wal, last_failed_wal FROM pg_stat_archiver": f"{self.last}\t",
        }
        return answers[statement]


def answered(monkeypatch: Any, store: DatabaseStore) -> DatabaseStore:
    """Let a store's primary answer."""
    monkeypatch.setattr(primary, "run", store.answer)
    return store


_FILES = ("PG_VERSION", "backup_label", "global/pg_control", "base/1/1")


def _tar(files: Iterable[str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in files:
            info = tarfile.TarInfo(name)
            info.size = 3000
            tar.addfile(info, io.BytesIO(name.encode().ljust(3000, b"x")))
    return out.getvalue()


def _lsn(position: int) -> str:
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:08X}"
