"""Who encodes: a lock in RADOS that ends by itself, and the fencing of whoever held it and went silent.

The lock says who may write; it cannot make a lost holder stop. So whoever writes to CephFS signs the lock's
object with its client's address first. A successor that finds such a signature has the monitors block that
client before it writes itself; that also frees at once the files that the lost client had capabilities on.
"""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import asdict, dataclass

import rados

LEASE = 5  # seconds that the lock outlives its last renewal
MARGIN = 1.0  # seconds before the lease's end at which its holder has stopped
_LIMIT = "2"  # seconds; an operation without an answer by then fails
# librados asks for a newer map of the OSDs when an operation waits for longer than this: 10 s unless told,
# looked at every 5 s. Who gives up earlier never does, and goes on asking an OSD that hangs or is gone.
_ASKS_FOR_MAP = {"objecter_timeout": "0.5", "objecter_tick_interval": "0.25"}  # seconds
_OBJECT = "live-channel"
_LOCK = "encoder"
_MAY_RENEW = 1  # LIBRADOS_LOCK_FLAG_MAY_RENEW


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Who wrote to CephFS last: a host, and the address of the client it did that by.

    `done` says that this client has ended, with everything written, so there is nothing to fence.
    """

    host: str
    address: str
    done: bool


class Lease:
    """The lock, as one host sees it. Its times are this machine's monotonic clock."""

    error: type[Exception] = rados.Error
    renew_every = 1.0
    try_every = 0.5

    def __init__(self, *, user: str, pool: str, namespace: str, host: str) -> None:
        self._cluster = rados.Rados(conffile="/etc/ceph/ceph.conf", name=f"client.{user}")
        for option in ("rados_mon_op_timeout", "rados_osd_op_timeout"):
            self._cluster.conf_set(option, _LIMIT)
        for option, seconds in _ASKS_FOR_MAP.items():
            self._cluster.conf_set(option, seconds)
        self._cluster.connect(timeout=30)
        self._objects = self._cluster.open_ioctx(pool)
        self._objects.set_namespace(namespace)
        self._host = host
        self._renewed: float | None = None
        self.unknown = ""

    @property
    def held(self) -> bool:
        """Whether this host may write: its last renewal is younger than the lease less the margin."""
        renewed = self._renewed
        return renewed is not None and time.monotonic() < renewed + LEASE - MARGIN

    def take(self) -> bool:
        """Take or renew the lock; False where another holds it, or `unknown` says why that is not known."""
        asked = time.monotonic()
        try:
            # The description is what `rados lock info` shows a person.
            self._objects.lock_exclusive(_OBJECT, _LOCK, self._host, self._host, LEASE, _MAY_RENEW)
        except rados.ObjectBusy:
            self.unknown = ""
            return False
        except rados.Error as error:
            self.unknown = f"RADOS: {error}"
            return False
        self.unknown = ""
        # From when it was asked, not from when it was answered: the OSD's time began in between.
        self._renewed = asked
        return True

    def last_writer(self) -> Writer | None:
        """Return who signed last, or None where nobody ever did; raises rados.Error without an answer."""
        try:
            return Writer(**json.loads(self._objects.read(_OBJECT)))
        except (rados.ObjectNotFound, ValueError, TypeError):
            return None

    def sign(self, address: str, *, done: bool) -> None:
        """Say for a successor which client this host writes by, and that it ended; raises rados.Error."""
        writer = Writer(host=self._host, address=address, done=done)
        self._objects.write_full(_OBJECT, json.dumps(asdict(writer), sort_keys=True).encode())

    def release(self) -> None:
        """Give the lock up; where that fails, it runs out by itself."""
        self._renewed = None
        with contextlib.suppress(rados.Error):
            self._objects.unlock(_OBJECT, _LOCK, self._host)

    def fence(self, address: str) -> None:
        """Have the cluster refuse a CephFS client from now on; raises rados.Error where that fails."""
        command = {"prefix": "osd blocklist", "blocklistop": "add", "addr": address}
        code, _, said = self._cluster.mon_command(json.dumps(command), b"")
        if code:
            raise rados.Error(f"osd blocklist add {address}: {said}", -code)

    def close(self) -> None:
        self._objects.close()
        self._cluster.shutdown()
