"""A client of Ceph, for as long as it is worked with."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from .errors import BackupError

_CONNECT = 30  # seconds


@contextlib.contextmanager
def connected(user: str, *, limit: str) -> Iterator[Any]:
    """Yield a client that comes as a cephx user; an operation without an answer fails after `limit` seconds.

    Raises BackupError where no monitor answers.
    """
    import rados  # Ceph's binding is on servers only, and much of sets does without

    client = rados.Rados(conffile="/etc/ceph/ceph.conf", name=f"client.{user}")
    for option in ("rados_mon_op_timeout", "rados_osd_op_timeout"):
        client.conf_set(option, limit)
    try:
        try:
            client.connect(timeout=_CONNECT)
        except rados.Error as error:
            raise BackupError(f"Ceph does not answer: {error}") from None
        yield client
    finally:
        client.shutdown()
