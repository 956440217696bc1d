"""What Ceph keeps in a design: pools, the file system, object storage, what applications ask of them, and who
may use it."""

from __future__ import annotations

from dataclasses import dataclass

from rookery.design.pod import PodGroup


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket that an application asks for, with its owner.

    `readers` are addresses that may read without credentials; empty means that nobody may. Of the S3 users,
    `writers` may put and read objects, and hide what they put; `copied_by` may read all versions; `lent` are
    users, each with the folder of which it may read all. A version that is not the current one is kept for
    `versions` days, 0 where there is one version only; one that was just written cannot be removed by anybody
    for `lock` days.
    """

    name: str
    owner: str
    readers: tuple[str, ...] = ()
    writers: tuple[str, ...] = ()
    copied_by: str = ""
    lent: tuple[tuple[str, str], ...] = ()
    versions: int = 0
    lock: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A block volume that an application's instance claims: an RBD image with a file system for one host.

    `data_pool` is empty where the pool holds the data too; `size` is bytes; the file system is mounted at
    `path` on `host` and its top belongs to the user `owner`.
    """

    app: str
    host: str
    pool: str
    data_pool: str
    size: int
    path: str
    owner: str

    @property
    def name(self) -> str:
        """The name of the RBD image."""
        return f"{self.app}-{self.host}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Space that is promised to something: `what` it is, the path in the spec that asks for it, the kind of
    pool (Ceph's name of the application: rbd, cephfs) or the pool itself, and bytes."""

    what: str
    path: str
    size: int
    application: str = ""
    pool: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A directory of CephFS that several hosts mount at once.

    `directory` is its path in the file system, `path` where each of `hosts` mounts it, `user` the cephx
    user that may do so and no more; its top belongs to the user `owner` of the hosts.
    """

    name: str
    directory: str
    path: str
    hosts: tuple[str, ...]
    user: str
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What backup wants of the other applications: that versions in their buckets stay for so many days, and
    that an S3 user may read them. What it copies of a bucket it keeps in `folder`, one for each bucket, of
    which the bucket's owner may read all: it brings back what is its own.

    The database goes to a `bucket` which that user writes to, whole each `base` seconds, so that it comes
    back to any moment of the last `kept` seconds. On Kubernetes the `pods` see to the versions, once for each
    application with buckets. A backup cannot be removed for `lock` days (0: it can); the S3 services of
    `copies` get one of each."""

    user: str
    versions: int
    folder: str
    bucket: str
    base: int
    kept: int
    pods: tuple[PodGroup, ...] = ()
    lock: int = 0
    copies: tuple[str, ...] = ()
