"""etcd, on which the database's instances agree: a snapshot of one member, which has all that all have."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from .errors import BackupError
from .tools import run

# What Patroni comes with to etcd, on every host of the database.
_FOLDER = Path("/etc/rookery/etcd")
_LIMIT = 60.0  # seconds
# Itself: on a coordinator's own host a script of its name adds that member to all that one asks.
_PROGRAM = "/usr/bin/etcdctl"


def snapshot(members: Sequence[str]) -> bytes:
    """Return a snapshot of the first member that gives one; raises BackupError where none does."""
    certificates = ("cacert=ca.crt", "cert=postgres.crt", "key=postgres.key")
    options = [f"--{name}={_FOLDER / file}" for name, file in (pair.split("=") for pair in certificates)]
    said: tuple[str, ...] = ()
    for member in members:
        with tempfile.TemporaryDirectory(prefix="backup-etcd-") as folder:
            path = Path(folder) / "snapshot.db"
            argv = (_PROGRAM, f"--endpoints=https://{member}", *options, "snapshot", "save", str(path))
            try:
                run(argv, what=f"a snapshot of etcd at {member}", limit=_LIMIT)
            except BackupError as error:
                said = (*said, error.what, *error.details[-1:])
                continue
            return path.read_bytes()
    raise BackupError("no member of etcd gives a snapshot", details=said)
