"""What Ceph keeps in a design: pools, the file system, object storage, and who may use them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureCode:
    """k data and m coding chunks, each on another host."""

    k: int
    m: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One Ceph pool. `erasure_code` is None for a replicated pool; then `size` is the number of copies.

    `min_size` is how many copies or chunks must be there for I/O to go on; `share` is the part of the data
    (0 to 1) that the design expects in this pool, from which `pg_num` follows.
    """

    name: str
    application: str
    size: int
    min_size: int
    pg_num: int
    device_class: str
    share: float
    erasure_code: ErasureCode | None = None

    @property
    def overhead(self) -> float:
        """Raw bytes that one stored byte takes."""
        if self.erasure_code is None:
            return float(self.size)
        return (self.erasure_code.k + self.erasure_code.m) / self.erasure_code.k


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSystem:
    """The CephFS: its pools, how many MDS ranks are active, and how many daemons the spec wants to stand by.

    `data_pools` has the default pool first.
    """

    name: str
    metadata_pool: str
    data_pools: tuple[str, ...]
    active_mds: int
    standby_mds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStore:
    """The S3 service: the port of its gateways and of the load balancer before them, TLS on both."""

    port: int
    data_pool: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CephUser:
    """A cephx user (`client.NAME`) with its capabilities as (daemon kind, grant), and who may read its key.

    `hosts` are the names of the hosts that get its keyring.
    """

    name: str
    caps: tuple[tuple[str, str], ...]
    hosts: tuple[str, ...]
