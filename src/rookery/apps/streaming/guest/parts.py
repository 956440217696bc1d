"""What the channel needs of a lease and of a folder, whoever provides them.

On the lab's servers the lease is a lock in RADOS (lease.py), and the folder is used through libcephfs
(share.py); on Kubernetes the lease is the API server's (cluster_lease.py), and the folder is mounted
(folder.py). These are types alone: no program needs this file when it runs.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class Writer(Protocol):
    """Who wrote last, as its successor needs to know it: by which address, and whether it had ended."""

    @property
    def host(self) -> str: ...

    @property
    def address(self) -> str: ...

    @property
    def done(self) -> bool: ...


class Lease(Protocol):
    """The right to write, which ends by itself. Methods raise `error` where they fail."""

    error: type[Exception]
    renew_every: float
    """Seconds between renewals."""
    try_every: float
    """Seconds between tries to take it, while another holds it."""

    @property
    def held(self) -> bool: ...

    @property
    def unknown(self) -> str:
        """Why the last try did not tell who holds it; empty where it did."""
        ...

    def take(self) -> bool: ...

    def last_writer(self) -> Writer | None: ...

    def sign(self, address: str, *, done: bool) -> None: ...

    def fence(self, address: str) -> None: ...

    def release(self) -> None: ...

    def close(self) -> None: ...


class Session(Protocol):
    """The folder, while something is written to it."""

    def read(self, name: str) -> bytes | None: ...

    def write(self, name: str, data: bytes) -> None: ...

    def names(self) -> list[str]: ...

    def remove(self, name: str) -> None: ...


class Client(Protocol):
    """Who uses the folder: known by its address before it opens anything that a lost one would hold."""

    @property
    def address(self) -> str: ...

    def open(self) -> Session: ...


class Share(Protocol):
    """Where the folder is. Clients and sessions raise `error`, or OSError."""

    error: type[Exception]

    def client(self) -> AbstractContextManager[Client]: ...
