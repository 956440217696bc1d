"""Which base backup and which moment of the log are meant: by a set, a time, a transaction, a point."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import database_pauses, wal
from .database_archive import Archive, Base
from .errors import BackupError
from .kind import Part
from .store import Entry

_PATH = re.compile(r"^(xid|before|name)=([A-Za-z0-9_.:-]{1,63})$")
_PATHS = "xid=NUMBER (with that transaction), before=NUMBER (without it), name=RESTOREPOINT, drop"


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where recovery begins and ends: `settings` are PostgreSQL's, `says` is for people."""

    base: Base
    settings: dict[str, str]
    says: str


def find_target(archive: Archive, part: Part, wish: dict[str, Any], timeline: int) -> Target:
    """Return what is meant by a wish: without more, the moment of a set's part. `timeline` is the one that
    the running database is on.

    Raises BackupError of kind `input` where there is no such moment, with the window that there is.
    """
    bases = archive.bases()
    path, at = wish.get("path", ""), wish.get("at", "")
    if path:
        return _by_path(bases, part, wish, timeline)
    if at:
        return _by_time(archive, bases, dt.datetime.fromisoformat(at), timeline)
    settings = {
        "recovery_target_name": part["target"],
        "recovery_target_timeline": str(wal.timeline_of(part["segment"])),
    }
    return Target(base=_base(bases, part), settings=settings, says=f"set {part['target']}")


def window(bases: Sequence[Base]) -> str:
    """Say which moments there are."""
    if not bases:
        return "There is no base backup yet."
    return f"Possible: from {_text(min(base.ended for base in bases))} until now, in UTC."


def _by_path(bases: Sequence[Base], part: Part, wish: dict[str, Any], timeline: int) -> Target:
    """Return a target that no time tells of: it is looked for from the named set's base backup on, from the
    oldest one on where no set is named."""
    found = _PATH.match(wish["path"])
    if found is None or (found[1] != "name" and not found[2].isdigit()):
        raise BackupError(f"database:{wish['path']} says nothing", hint=f"Possible: {_PATHS}.", kind="input")
    if not bases:
        raise BackupError("there is nothing to restore from", hint=window(bases), kind="input")
    base = _base(bases, part) if wish.get("label") else bases[0]
    if found[1] == "name":
        settings, says = {"recovery_target_name": found[2]}, f"restore point {found[2]}"
    else:
        inclusive = "true" if found[1] == "xid" else "false"
        settings = {"recovery_target_xid": found[2], "recovery_target_inclusive": inclusive}
        says = f"{'with' if found[1] == 'xid' else 'right before'} transaction {found[2]}"
    return Target(base=base, settings={**settings, "recovery_target_timeline": str(timeline)}, says=says)


def _by_time(archive: Archive, bases: Sequence[Base], at: dt.datetime, timeline: int) -> Target:
    names = archive.segments()
    size = bases[0].segment_size if bases else 1
    chosen = _timeline_at(archive, names, at, timeline, size)
    line = archive.line(chosen, names)
    fitting = [base for base in bases if base.ended <= at and wal.holds(line, base.timeline, base.end)]
    if at.timestamp() > time.time() or not fitting:
        raise BackupError(
            f"the database cannot be restored as of {_text(at)}", hint=window(bases), kind="input"
        )
    _require_archived(archive, bases, fitting[-1], at)
    settings = {"recovery_target_time": at.isoformat(sep=" "), "recovery_target_timeline": str(chosen)}
    return Target(base=fitting[-1], settings=settings, says=_text(at))


def _require_archived(archive: Archive, bases: Sequence[Base], base: Base, at: dt.datetime) -> None:
    """Refuse a time in which backups were off: the log of it was never archived."""
    for pause in database_pauses.read(archive.work):
        if base.ended <= pause.began < at:
            later = [one.ended for one in bases if one.ended > pause.began]
            until = f"until {_text(min(later))}" if later else "and there is no base backup since"
            raise BackupError(
                f"the database cannot be restored as of {_text(at)}: backups were off from"
                f" {_text(pause.began)} on, {until}",
                hint=window(bases),
                kind="input",
            )


def _timeline_at(archive: Archive, names: dict[str, Entry], at: dt.datetime, current: int, size: int) -> int:
    """Return the timeline that led on from a moment: the running one, unless the one of that time was given
    up later, with all that it had by then, for an earlier moment."""
    began = {number: archive.began(number, names) for number in range(2, current + 1)}
    then = max((number for number, moment in began.items() if moment is not None and moment <= at), default=1)
    left = next((span.left for span in archive.line(current, names) if span.timeline == then), -1)
    if left is None:
        return current
    # A failover leaves a timeline where it ends. A restore leaves it earlier.
    after = (
        name
        for name in names
        if wal.SEGMENT.match(name) and wal.timeline_of(name) == then
        if left < 0 or wal.segment_number(name, size) > left // size
    )
    return then if next(after, None) else current


def _base(bases: Sequence[Base], part: Part) -> Base:
    for base in bases:
        if base.id == part["base"]:
            return base
    raise BackupError(
        f"base backup {part['base']} is not in the store any more, or not complete",
        hint="`rookery backup check` says more.",
    )


def _text(moment: dt.datetime) -> str:
    return f"{moment.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S}"
