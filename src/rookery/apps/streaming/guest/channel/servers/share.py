"""The channel's folder in CephFS, by a client that lives for one publication.

It is known by its address before it asks a metadata server for anything. Who ends in a mount that hangs has
left that address with the lease; a metadata server that takes over waits for nobody who is fenced.

While a client lives, it keeps capabilities on what it wrote last. Readers on other hosts wait until it gives
them up: up to 2 s each time while it lives (the metadata server journals that and flushes its journal every
5 s only), and until it is fenced once it is lost. A client that ends after 0.1 s keeps nobody waiting.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cephfs

if TYPE_CHECKING:
    from rookery.drivers.ceph.guest.admin_socket import ask
else:  # on a server, these files lie side by side in a folder that is no package
    from admin_socket import ask

# Seconds until a metadata server must have answered: longer than one takes to be succeeded (6 s, and 5 more
# where a monitor is lost with it), shorter than a publisher may stand still.
_MOUNT_LIMIT = "13"
_ADDRESS_LIMIT = 10.0  # seconds until a monitor must have answered
_LARGEST = 1 << 20  # bytes of a playlist; ours have two thousand


class Session:
    """One client's view of the folder. Every method raises cephfs.Error."""

    def __init__(self, mounted: Any) -> None:
        self._mounted = mounted

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
            if data:  # libcephfs of 20.2 refuses a write of nothing (EINVAL, ceph pull request 54690)
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


class Client:
    """One client of CephFS that has spoken to a monitor, and to no metadata server yet."""

    def __init__(self, client: Any, address: str, path: str, file_system: str) -> None:
        self._client = client
        self._path = path
        self._file_system = file_system
        self.address = address

    def open(self) -> Session:
        """Mount the folder; raises cephfs.Error."""
        self._client.mount(mount_root=self._path.encode(), filesystem_name=self._file_system.encode())
        return Session(self._client)


class Share:
    """Where the folder is, and who may use it."""

    error: type[Exception] = cephfs.Error

    def __init__(self, *, user: str, file_system: str, path: str) -> None:
        self._user = user
        self._file_system = file_system
        self._path = path

    @contextlib.contextmanager
    def client(self) -> Iterator[Client]:
        """A client for the length of a `with`; what was done is on disk after it.

        Raises cephfs.Error, and OSError where no monitor answers.
        """
        client = cephfs.LibCephFS(conffile="/etc/ceph/ceph.conf", auth_id=self._user)
        asked_at = Path(f"/run/live-channel-{os.getpid()}.asok")
        try:
            client.conf_set("client_mount_timeout", _MOUNT_LIMIT)
            client.conf_set("admin_socket", str(asked_at))
            client.init()
            yield Client(client, _address(asked_at), self._path, self._file_system)
            if client.state == "mounted":
                client.unmount()
        finally:
            client.shutdown()


def _address(asked_at: Path) -> str:
    """Return what the monitors know a client by, which it learns from the first that answers it.

    libcephfs tells that after a mount only; the client's admin socket does so before.
    """
    limit = time.monotonic() + _ADDRESS_LIMIT
    while time.monotonic() < limit:
        address = str(ask(asked_at, "status")["addr_str"])
        if address[0].isdigit() or address[0] == "[":
            return address
        time.sleep(0.005)
    raise TimeoutError(f"no monitor answered within {_ADDRESS_LIMIT:.0f} s")
