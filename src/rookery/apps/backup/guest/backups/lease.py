"""One at a time: on a host by a lock file, between hosts by a lock in RADOS that ends by itself.

Whoever is killed leaves nothing that must be broken: the file's lock goes with the process, the other within
seconds.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rados

from .cluster import connected
from .errors import BackupError
from .gently import WAITED_FOR
from .told import Told

_FILE = Path("/run/rookery-backup.lock")
_LEASE = 30  # seconds that the lock outlives its last renewal
_RENEW = 5.0
_LIMIT = "10"  # seconds; an operation without an answer by then fails
_MAY_RENEW = 1  # LIBRADOS_LOCK_FLAG_MAY_RENEW
_NAME = "working"


@contextlib.contextmanager
def alone(told: Told, doing: str) -> Iterator[None]:
    """Work alone in the whole system; raises BackupError where another works, with what it does."""
    with _FILE.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            WAITED_FOR.touch()
            file.seek(0)
            raise _busy(told.config["host"], file.read().strip()) from None
        file.truncate(0)
        file.write(doing)
        file.flush()
        cluster = told.config["cluster"]
        if cluster is None:  # without a pool for the lock there is one host only
            yield
            return
        with _held(cluster, told.config["host"], doing):
            yield


@contextlib.contextmanager
def _held(cluster: dict[str, str], host: str, doing: str) -> Iterator[None]:
    with (
        connected(cluster["user"], limit=_LIMIT) as client,
        contextlib.closing(_Objects(client, cluster)) as objects,
    ):
        cookie = f"{host}-{os.getpid()}"
        objects.take(cluster["object"], cookie, f"{doing} on {host}")
        done = threading.Event()

        def renew() -> None:
            while not done.wait(_RENEW):
                with contextlib.suppress(rados.Error):
                    objects.lock(cluster["object"], cookie, f"{doing} on {host}")

        thread = threading.Thread(target=renew, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            with contextlib.suppress(rados.Error):
                objects.io.unlock(cluster["object"], _NAME, cookie)


class _Objects:
    """The pool of the lock's object."""

    def __init__(self, client: Any, cluster: dict[str, str]) -> None:
        self.io = client.open_ioctx(cluster["pool"])
        self.io.set_namespace(cluster["namespace"])

    def take(self, name: str, cookie: str, doing: str) -> None:
        try:
            self.lock(name, cookie, doing)
        except rados.ObjectBusy:
            raise _busy("another host", "") from None
        except rados.Error as error:
            raise BackupError(f"the lock in Ceph cannot be taken: {error}") from None

    def lock(self, name: str, cookie: str, doing: str) -> None:
        # The description is what `rados lock info` shows a person.
        self.io.lock_exclusive(name, _NAME, cookie, doing, _LEASE, _MAY_RENEW)

    def close(self) -> None:
        self.io.close()


def _busy(host: str, doing: str) -> BackupError:
    return BackupError(
        f"{host} is at work on backups{f': {doing}' if doing else ''}",
        hint="One at a time: run the command again when it is done. One that was killed is gone within"
        f" {_LEASE} s.",
        kind="not-possible",
    )
