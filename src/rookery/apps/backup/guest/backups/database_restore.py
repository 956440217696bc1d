"""Brings the database back: in an instance beside the running one, to look into, or to take its place.

What takes its place is made beside it too, on its volume, while it runs: what there is to fetch and replay
costs no time without a database. The rest is done on all hosts (`in_place.py`), by who starts and stops
programs there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import in_place
from .database_archive import Archive
from .database_target import find_target
from .errors import BackupError
from .kind import Part, Work
from .primary import Primary
from .recovery import PORT, Recovery

SCRATCH = Path("/var/lib/rookery/scratch/database")
"""On the server's own disk: it cannot fill the volume of the running one, and goes with the server."""

_DROP = "drop"
_MOMENT = "SELECT coalesce(to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', '{form}'), '')"
_FORM = 'YYYY-MM-DD"T"HH24:MI:SS.MS'


def restore(work: Work, part: Part, wish: dict[str, Any]) -> dict[str, Any]:
    """Bring back what is wished: `path` empty, or `xid=`, `before=`, `name=` with a value, or `drop` for the
    end of a scratch instance."""
    if wish["to"] == in_place.TO:
        return _in_place(work, part, wish)
    if wish["to"] != "scratch":
        raise BackupError(
            "in place, a database is restored by who runs all its instances", kind="not-possible"
        )
    host = work.told.config["host"]
    if wish.get("path") == _DROP:
        was = Recovery(work, SCRATCH, lasting=False).remove()
        return {"says": f"{'removed' if was else 'there is none'}: the scratch database on {host}"}
    made = Recovery(work, SCRATCH, lasting=False)
    told = _recovered(work, made, part, wish)
    command = f"psql --host={SCRATCH} --port={PORT} --username=postgres"
    return {
        **told,
        "host": host,
        "command": command,
        "says": f"{told['says']}, beside the running database: on {host}, `{command} DATABASE`"
        " (`rookery shell` leads there); `rookery restore database:drop` removes it",
    }


def _in_place(work: Work, part: Part, wish: dict[str, Any]) -> dict[str, Any]:
    """Make what takes the running one's place, and end it in order."""
    if wish.get("path") == _DROP:
        raise BackupError("only a scratch database can be dropped", kind="input")
    data = Path(work.told.config["database"]["data"])
    in_place.forget(data)  # of an earlier one that came to its end
    made = Recovery(work, in_place.folder(data), lasting=True)
    told = _recovered(work, made, part, wish)
    made.end()
    return {**told, "host": work.told.config["host"]}


def _recovered(work: Work, made: Recovery, part: Part, wish: dict[str, Any]) -> dict[str, Any]:
    """Make an instance of what is wished; return of which moment it is, and how much was brought."""
    primary, archive = Primary(work), Archive(work)
    # In a system that was built again runs another database, which archives nothing.
    is_same = primary.system() in {base.system for base in archive.bases()}
    if is_same and (wish.get("at") or wish.get("path")):
        primary.flush()
    timeline = primary.line()[-1].timeline if is_same else archive.newest_timeline()
    target = find_target(archive, part, wish, timeline)
    room = made.require_room(target.base)
    work.report(f"database: {room}")
    made.make(target.base, target.settings)
    moment = made.sql(_MOMENT.format(form=_FORM))
    last = f", whose last transaction ended {moment} UTC" if moment else ""
    return {
        "says": f"the database of {target.says}{last}",
        "moment": moment,
        "base": target.base.id,
        "bytes": target.base.whole,
        "room": room,
        "timeline": int(made.sql("SELECT timeline_id FROM pg_control_checkpoint()")),
    }
