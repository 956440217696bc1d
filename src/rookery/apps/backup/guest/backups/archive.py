"""PostgreSQL's archive_command: sends one segment of the write-ahead log to the store.

`python3 -m backups.archive PATH` ends with 0 once the segment is there; PostgreSQL tries again what failed,
and keeps the segment until then.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from . import barman
from .errors import BackupError
from .told import read_told

_PATIENCE = 50.0  # seconds; who fails three times is tried again after a minute only


def main(path: str) -> None:
    """Become barman-cloud-wal-archive."""
    try:
        told = read_told(patience=_PATIENCE)
    except BackupError as error:
        sys.exit(error.what)
    place, database = told.place, told.config["database"]
    if (held := told.keys.get("held")) and held != _system_identifier():
        sys.exit(
            "this log is not archived: the store has that of the system which this one is built from again;"
            " `rookery restore database --to in-place` brings its database back first"
        )
    os.environ.update(barman.environment(place))
    url = barman.url(place, database["prefix"])
    program = "barman-cloud-wal-archive"
    argv = (program, f"--endpoint-url={place.endpoint}", "--gzip", url, database["server"], path)
    os.execvp(program, argv)  # noqa: S606 - an argv list, no shell


def _system_identifier() -> str:
    """Return which database this is: PostgreSQL runs the command in its data folder."""
    return str(int.from_bytes(Path("global/pg_control").read_bytes()[:8], sys.byteorder))


if __name__ == "__main__":
    main(sys.argv[1])
