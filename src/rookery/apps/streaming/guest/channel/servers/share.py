"""The channel's folder in CephFS, by a client that lives for one publication.

While a client lives, it keeps capabilities on what it wrote last. Readers on other hosts wait until it gives
them up: up to 2 s each time while it lives (the metadata server journals that and flushes its journal every
5 s only), and until it is fenced once it is lost. A client that ends after 0.1 s keeps nobody waiting.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import cephfs

# Seconds until a metadata server must have answered: longer than one takes to be succeeded (6 s, and 5 more
# where a monitor is lost with it), shorter than a publisher may stand still.
_MOUNT_LIMIT = "13"
_LARGEST = 1 << 20  # bytes of a playlist; ours have two thousand


class Session:
    """One client's view of the folder. Every method raises cephfs.Error."""

    def __init__(self, mounted: Any) -> None:
        self._mounted = mounted

    @property
    def address(self) -> str:
        """What the monitors know this client by."""
        return str(self._mounted.get_addrs())

    def read(self, name: str) -> bytes | None:
        """Return a file's content, None where there is no such file."""
        try:
            handle = self._mounted.open(f"/{name}", "r")
        except cephfs.ObjectNotFound:
            return None
        try:
            return bytes(self._mounted.read(handle, 0, _LARGEST))
        finally:
            self._mounted.close(handle)

    def write(self, name: str, data: bytes) -> None:
        """Put a file in place at once, its content on disk before its name."""
        unfinished = f"/.{name}.new"
        handle = self._mounted.open(unfinished, "w", 0o644)
        try:
            self._mounted.write(handle, data, 0)
            self._mounted.fsync(handle, 0)
        finally:
            self._mounted.close(handle)
        self._mounted.rename(unfinished, f"/{name}")

    def names(self) -> list[str]:
        handle = self._mounted.opendir("/")
        try:
            found = []
            while entry := self._mounted.readdir(handle):
                found.append(entry.d_name.decode())
            return found
        finally:
            self._mounted.closedir(handle)

    def remove(self, name: str) -> None:
        with contextlib.suppress(cephfs.ObjectNotFound):
            self._mounted.unlink(f"/{name}")


class Share:
    """Where the folder is, and who may use it."""

    error: type[Exception] = cephfs.Error

    def __init__(self, *, user: str, file_system: str, path: str) -> None:
        self._user = user
        self._file_system = file_system
        self._path = path

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """A client for the length of a `with`; what was done is on disk after it. Raises cephfs.Error."""
        client = cephfs.LibCephFS(conffile="/etc/ceph/ceph.conf", auth_id=self._user)
        try:
            client.conf_set("client_mount_timeout", _MOUNT_LIMIT)
            client.mount(mount_root=self._path.encode(), filesystem_name=self._file_system.encode())
            yield Session(client)
            client.unmount()
        finally:
            client.shutdown()
