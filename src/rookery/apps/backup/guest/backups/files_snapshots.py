"""Snapshots of the file system's root: taken by libcephfs, as that needs no mount, and removed where there is
one."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection
from pathlib import Path

import cephfs

from .errors import BackupError
from .told import Told

_FOLDER = ".snap"
_PREFIX = "backup-"
_LIMIT = "30"  # seconds; a metadata server that does not answer by then fails the mount


def snapshot(label: str) -> str:
    """Return where a snapshot is below the file system's root."""
    return f"{_FOLDER}/{_PREFIX}{label}"


def take(told: Told, label: str) -> None:
    """Take a snapshot of everything; raises BackupError."""
    system = cephfs.LibCephFS(conffile="/etc/ceph/ceph.conf", auth_id=told.config["cluster"]["user"])
    try:
        system.conf_set("client_mount_timeout", _LIMIT)
        system.mount(filesystem_name=told.config["files"]["fileSystem"].encode())
        with contextlib.suppress(cephfs.ObjectExists):
            system.mkdir(f"/{snapshot(label)}".encode(), 0o755)
    except cephfs.Error as error:
        raise BackupError(f"cannot take a snapshot of the file system: {error}") from None
    finally:
        # The metadata server takes most of a second to see a client off. Nobody waits for it but the end of
        # the program: the other kinds' moments are to follow at once.
        threading.Thread(target=system.shutdown).start()


def labels(root: Path) -> list[str]:
    """Return the labels of the snapshots that were taken here, the oldest first, by the mounted root."""
    names = (entry.name for entry in (root / _FOLDER).iterdir())
    return sorted(name.removeprefix(_PREFIX) for name in names if name.startswith(_PREFIX))


def drop(root: Path, keep: Collection[str]) -> None:
    """Remove the snapshots that were taken here, but for some."""
    for label in labels(root):
        if label not in keep:
            try:
                (root / snapshot(label)).rmdir()
            except OSError as error:
                raise BackupError(f"snapshot {label} of the file system cannot be removed: {error}") from None
