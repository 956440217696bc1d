"""`python3 -m backups.in_place swap|aside|forget|begun`: puts a restored database where the running one was.

Each works on this host's PGDATA while no PostgreSQL runs on it, and may be killed and run again: what was
there lies beside it, until it is forgotten.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from .errors import BackupError
from .recovery import postmaster
from .told import read_told

TO = "beside"
"""What `restore` is asked for, of one that is to take the running one's place."""

_END_LIMIT, _ARCHIVE_LIMIT = 60.0, 120.0  # seconds


def folder(data: Path) -> Path:
    """Return where what takes the place of a PGDATA is made: on its volume, as it is renamed."""
    return data.with_name("restoring")


def swap(data: Path, send: Callable[[Path], None]) -> None:
    """Put what was restored in the place of what was there, once its timeline's history is sent to the store:
    nobody could recover along it otherwise."""
    made = folder(data) / "data"
    _require_ended(data)
    if made.exists():
        send(_history(made))
        _set_aside(data)
        made.rename(data)
    if not data.exists():
        raise BackupError(f"there is no restored database at {made}", kind="not-possible")


def aside(data: Path) -> None:
    """Put what was there aside, so that it is copied anew."""
    _require_ended(data)
    _set_aside(data)


def forget(data: Path) -> None:
    """Remove what was put aside, and what is left of the restore."""
    for left in (_before(data), folder(data)):
        if left.exists():
            shutil.rmtree(left)


def is_begun(data: Path) -> bool:
    """Tell whether there is a restored database that did not take its place yet."""
    return (folder(data) / "data").exists()


def _before(data: Path) -> Path:
    return data.with_name(f"{data.name}.before")


def _set_aside(data: Path) -> None:
    if not data.exists():
        return
    if _before(data).exists():
        # The first one is what was there when it all began; this was copied by a start in between.
        shutil.rmtree(data)
    else:
        data.rename(_before(data))


def _history(made: Path) -> Path:
    """Return the history of the timeline that what was restored began. The instance that began it archived
    nothing, so that one that never took its place left no trace."""
    histories = sorted((made / "pg_wal").glob("*.history"))
    if not histories:
        raise BackupError(f"{made} has no timeline of its own")
    return histories[-1]


def _send(owner: str, path: Path) -> None:
    argv = ("setpriv", f"--reuid={owner}", f"--regid={owner}", "--init-groups", "--")
    programs = str(Path(__file__).resolve().parent.parent)
    done = subprocess.run(
        (*argv, sys.executable, "-m", "backups.archive", str(path)),
        env={**os.environ, "PYTHONPATH": programs},
        # Where PostgreSQL runs it: it looks there which database this is.
        cwd=path.parent.parent,
        capture_output=True,
        timeout=_ARCHIVE_LIMIT,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").splitlines()
        raise BackupError(f"{path.name} does not go to the store", details=tuple(said[-4:]))


def _require_ended(data: Path) -> None:
    """Wait for the end of PostgreSQL, whose supervisor has ended already; raises BackupError."""
    limit = time.monotonic() + _END_LIMIT
    while (owner := postmaster(data)) is not None:
        if time.monotonic() > limit:
            raise BackupError(f"PostgreSQL still runs on {data}: process {owner}", kind="not-possible")
        time.sleep(0.2)


def main(command: str) -> None:
    """Carry a command out on this host; ends with 1 and says why where it fails."""
    database = read_told().config["database"]
    data = Path(database["data"])
    try:
        if command == "swap":
            swap(data, partial(_send, database["owner"]))
        elif command == "begun":
            sys.stdout.write("yes" if is_begun(data) else "no")
        else:
            {"aside": aside, "forget": forget}[command](data)
    except BackupError as error:
        sys.exit("\n".join((error.what, *error.details)))


if __name__ == "__main__":
    main(sys.argv[1])
