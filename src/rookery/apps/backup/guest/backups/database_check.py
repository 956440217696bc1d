"""Looks at what is stored of the database without restoring it: base backups, and a log without a gap."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable

from . import database_pauses, wal
from .database_archive import Archive, Base, lead
from .errors import BackupError
from .kind import Part, Problem, Work
from .primary import Primary
from .store import Entry
from .tar_reader import TarReader

_GZIP = 31  # zlib's word for a gzip header
_HEADER = struct.Struct("<HHIQI4xQ")  # magic, flags, timeline, position, left over; system (xlog_internal.h)
# Without these nothing starts.
_WANTED = ("PG_VERSION", "backup_label", "global/pg_control")


class Unpacked:
    """Hears the bytes of a file of gzip, or of a plain one, and hands on what is in it."""

    def __init__(self, *, packed: bool, tar: TarReader | None = None) -> None:
        self._zip = zlib.decompressobj(wbits=_GZIP) if packed else None
        self._tar = tar
        self.size = 0
        self.head = b""

    def write(self, content: bytes) -> int:
        """Take some bytes; raises zlib.error where they are not what was packed."""
        out = content if self._zip is None else self._zip.decompress(content)
        self.size += len(out)
        if len(self.head) < _HEADER.size:
            self.head += out[: _HEADER.size]
        if self._tar is not None:
            self._tar.write(out)
        return len(content)

    @property
    def is_whole(self) -> bool:
        return self._zip is None or self._zip.eof


def check(work: Work, parts: dict[str, Part], *, deep: bool) -> list[Problem]:
    """Return what is wrong with the base backups of these sets, and with the log from the oldest of them
    until now; `deep` reads all of both."""
    archive = Archive(work)
    names = archive.segments()
    bases = {base.id: base for base in archive.bases()}
    problems: list[Problem] = []
    wanted: dict[str, list[str]] = {}
    for label, part in parts.items():
        base = bases.get(part["base"])
        if base is None:
            problems.append(f"set {label}: base backup {part['base']} is missing, or not complete")
            continue
        problems += _changed(base, part)
        try:
            way = lead(archive, names, base, wal.timeline_of(part["segment"]), wal.position(part["lsn"]) - 1)
        except BackupError as error:
            problems.append(f"set {label}: {error.what}")
            continue
        for name in way:
            wanted.setdefault(name, []).append(label)
    used = [bases[one] for one in sorted({part["base"] for part in parts.values()}) if one in bases]
    problems += _until_now(work, archive, names, used, wanted)
    problems += [_missing(name, labels) for name, labels in sorted(wanted.items()) if name not in names]
    if deep:
        for base in used:
            work.report(f"database: base backup {base.id} is read")
            problems += _read_base(work, base)
        there = sorted(name for name in wanted if name in names)
        work.report(f"database: {len(there)} files of the log are read")
        problems += _read_log(work, names, there, used)
    return list(dict.fromkeys(problems))


def _until_now(
    work: Work, archive: Archive, names: dict[str, Entry], used: Iterable[Base], wanted: dict[str, list[str]]
) -> list[Problem]:
    """Add to what is wanted the log from the oldest base backup until what the running database archived
    last."""
    primary = Primary(work)
    last = primary.archived()
    current, system = primary.line()[-1].timeline, primary.system()
    for base in used:
        if base.system != system or not wal.SEGMENT.match(last) or wal.timeline_of(last) != current:
            break
        end = wal.segment_number(last, base.segment_size) * base.segment_size
        try:
            line = archive.line(current, names)
            if not wal.holds(line, base.timeline, base.end):
                continue
            way = lead(archive, names, base, current, end)
        except BackupError as error:
            return [error.what]
        pauses, bases = database_pauses.read(work), archive.bases()
        for name in way:
            if not (wal.SEGMENT.match(name) and database_pauses.is_within(pauses, bases, name)):
                wanted.setdefault(name, [])
        break
    return []


def _changed(base: Base, part: Part) -> list[Problem]:
    """Return what of a base backup is not as it was when a set was taken."""
    there = {entry.key: [entry.size, entry.etag] for entry in base.objects}
    problems = []
    for key, known in part.get("objects", {}).items():
        if key not in there:
            problems.append(f"base backup {base.id}: {key} is missing")
        elif there[key] != known:
            problems.append(f"base backup {base.id}: {key} is not what was written: {known[0]} bytes then")
    return problems


def _missing(name: str, labels: list[str]) -> Problem:
    if not labels:
        return f"{name} is missing: no moment after it can be restored"
    return f"{name} is missing: set{'s' * (len(labels) > 1)} {', '.join(labels)} cannot be restored"


def _read_base(work: Work, base: Base) -> list[Problem]:
    problems, seen = [], set()
    for entry in base.objects:
        if ".tar" not in entry.key:
            continue
        reader = TarReader()
        content = Unpacked(packed=entry.key.endswith(".gz"), tar=reader)
        damage = _read(work, entry, content)
        if not damage and not reader.is_whole:
            damage = "its archive ends too early"
        if damage:
            problems.append(f"base backup {base.id}: {entry.key} is damaged: {damage}")
        seen |= reader.names
    lacking = [name for name in _WANTED if name not in seen]
    if lacking and not problems:
        problems.append(f"base backup {base.id} lacks {', '.join(lacking)}")
    return problems


def _read_log(work: Work, names: dict[str, Entry], wanted: list[str], used: list[Base]) -> list[Problem]:
    problems = []
    systems = {int(base.system) for base in used}
    for name in wanted:
        entry = names[name]
        content = Unpacked(packed=entry.key.endswith(".gz"))
        damage = _read(work, entry, content)
        if not damage and wal.SEGMENT.match(name):
            damage = _odd(name, content, used[0].segment_size, systems)
        if damage:
            problems.append(f"{entry.key} is damaged: {damage}")
    return problems


def _odd(name: str, content: Unpacked, size: int, systems: set[int]) -> str:
    """Return why what was read is not the segment that its name says; empty where it is."""
    if content.size != size:
        return f"{content.size} bytes instead of {size}"
    _, _, _, place, _, system = _HEADER.unpack(content.head[: _HEADER.size])
    if place != wal.segment_number(name, size) * size:
        return "it is another segment"
    return "" if system in systems else f"it is of another database, {system}"


def _read(work: Work, entry: Entry, content: Unpacked) -> str:
    """Read an object; return what is wrong with it, empty where nothing is."""
    try:
        work.store.fetch(entry.key, content)  # type: ignore[arg-type]  # writes are all it is asked for
    except zlib.error as error:
        return str(error)
    except BackupError as error:
        return error.what
    return "" if content.is_whole else "it ends too early"
