"""What backups are called where they lie, and where their programs are: the same on a server and in a pod."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from rookery.design.stored import FileSystem
from rookery.files import File, packaged

BUCKET = "backups"
# Who owns the bucket and who writes to it. The running system holds the second one's keys only: it can write
# and read, and neither change the lock nor remove what is locked.
VAULT, WRITER = "backup-vault", "backup"
# On Kubernetes a secret with keys is in one namespace: who writes there are several. The first sends the
# database, the others volumes and the cluster itself.
VOLUME_WRITER, SYSTEM_WRITER = "backup-volumes", "backup-system"
WRITERS = (WRITER, VOLUME_WRITER, SYSTEM_WRITER)
USER = "backup"
"""The cephx user: snapshots of CephFS and of volumes, and the lock that lets one host at a time work."""

NAMESPACE, LOCK_OBJECT = "backup", "backup"
SERVER = "database"
"""What the database is called in its backups, by barman-cloud's word for it."""

DATABASE, OBJECTS, FILES, BLOCK, SYSTEM = "database", "objects", "files", "block", "system"
KINDS = (DATABASE, OBJECTS, FILES, BLOCK, SYSTEM)
"""The kinds of backup, in the order in which their moments are taken: rows name films that are there before
them, so the database's comes first."""

AGE = "backup.age"
"""The name of the secret that the backup of the system itself is encrypted for."""

HELD = "backup.held"
"""The secret's name with which a system is built again: which database's log is in the store. The log of
another one would be written over it, so nothing is archived until that database is back."""

IDENTITY = "system/identity.json"
"""The object that names the identity part in use: what only the machine that made the system has of it."""

DRILL = "drill"
"""What the drill's own bucket and its owner, its image, database and tree are called."""

FOLDER = "usr/lib/rookery/backup"
CONFIG, SECRETS = "etc/rookery/backup.json", "etc/rookery/backup-keys.json"
COPY_KEYS, COPY_AUTHORITIES = "etc/rookery/backup-copies.json", "etc/rookery/backup-copies"
WAY_OUT_PORT = 7486
"""On the lab, where this machine lets the servers through to the places of copies, and nowhere else."""

_GUEST = files("rookery.apps.backup") / "guest"


def lock_pool(block_pools: Sequence[str], system: FileSystem | None) -> str:
    """Return the pool of the lock's object; empty where there is only object storage."""
    if block_pools:
        return block_pools[0]
    return system.data_pools[0] if system is not None else ""


def copy_authority(name: str) -> str:
    """Return the file with the certificate of who signs a copy's TLS."""
    return f"{COPY_AUTHORITIES}/{name}.crt"


def copy_secret(name: str, part: str) -> str:
    """Return what a copy's secret is called: its `access` key, its `secret` key, its `authority`."""
    return f"copy.{name}.{part}"


def programs() -> tuple[File, ...]:
    """Return the programs that take, check and restore backups, each where it lies."""
    return packaged(_GUEST / "backups", f"{FOLDER}/backups")
