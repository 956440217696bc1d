"""PostgreSQL's restore_command: brings one file of the write-ahead log from the store.

`python3 -m backups.fetch NAME PATH FOLDER` ends with 0 once it is there. What comes after it is fetched at
the same time, into the folder, where the next call finds it.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from . import barman
from .errors import BackupError
from .told import read_told

_AT_ONCE = 8


def main(name: str, path: str, folder: str) -> None:
    """Become barman-cloud-wal-restore."""
    there = Path(folder) / name
    if there.exists():
        # barman-cloud would do the same, but takes half a second to start.
        shutil.move(there, path)
        return
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
        *(f"--parallel={_AT_ONCE}", f"--spool-dir={folder}"),
        *(barman.url(place, database["prefix"]), database["server"], name, path),
    )
    os.execvp(argv[0], argv)  # noqa: S606 - an argv list, no shell


if __name__ == "__main__":
    main(*sys.argv[1:])
