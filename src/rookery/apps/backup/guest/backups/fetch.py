"""PostgreSQL's restore_command: brings one file of the write-ahead log from the store.

`command` has what is run: it ends with 0 once the file is there. What comes after it is fetched at the same
time, into a folder, where the next call finds it: to move it, no Python starts, which takes longer than a
segment's way. An older Barman (3.13.3, which Debian has beside Ceph 18) fetches one at a time.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from pathlib import Path

from . import barman
from .errors import BackupError
from .told import read_told

_AT_ONCE = 8


def command(folder: str) -> str:
    """Return the command for PostgreSQL's settings, with a folder of its own for what was fetched early."""
    programs = Path(__file__).resolve().parent.parent
    fetch = f"PYTHONPATH={programs} exec python3 -m backups.fetch %f %p"
    if not _fetches_ahead():
        return fetch
    fetch = f"{fetch} {folder}"
    return f"if [ -f {folder}/%f ]; then exec mv {folder}/%f %p; fi; {fetch}"


def _fetches_ahead() -> bool:
    """Tell whether the Barman that is installed has an option for that; nothing says since which it has."""
    with contextlib.suppress(ImportError):
        found = importlib.util.find_spec("barman.clients.cloud_walrestore")
        if found is not None and found.origin is not None:
            return "--spool-dir" in Path(found.origin).read_text(encoding="utf-8")
    return False


def main(name: str, path: str, folder: str = "") -> None:
    """Become barman-cloud-wal-restore."""
    try:
        told = read_told()
    except BackupError as error:
        sys.exit(error.what)
    place, database = told.place, told.config["database"]
    os.environ.update(barman.environment(place))
    argv = (
        "barman-cloud-wal-restore",
        f"--endpoint-url={place.endpoint}",
        # What a lost primary had of its last segment is on the next timeline, as far as it counts.
        "--no-partial",
        *((f"--parallel={_AT_ONCE}", f"--spool-dir={folder}") if folder else ()),
        *(barman.url(place, database["prefix"]), database["server"], name, path),
    )
    os.execvp(argv[0], argv)  # noqa: S606 - an argv list, no shell


if __name__ == "__main__":
    main(*sys.argv[1:])
