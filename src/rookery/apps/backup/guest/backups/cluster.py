"""A client of Ceph, for as long as it is worked with."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from .errors import BackupError

_CONNECT = 30  # seconds


def room_of(client: Any, pool: str) -> int:
    """Return the bytes of content for which a pool has room; raises BackupError where nobody tells."""
    code, answer, said = client.mon_command('{"prefix": "df", "format": "json"}', b"")
    if code:
        raise BackupError(f"Ceph does not say how much room there is: {said}")
    for one in json.loads(answer)["pools"]:
        if one["name"] == pool:
            return int(one["stats"]["max_avail"])
    raise BackupError(f"there is no pool {pool}")


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
