"""Ceph's pools: which there are, how each keeps its data, how many placement groups it gets.

pg_num follows Ceph's rule of thumb (PGs of a pool x its size, summed, about `target` per OSD; a power of
two), https://docs.ceph.com/en/reef/rados/operations/placement-groups/. The native lab aims lower than the
100 of production: every PG costs peering time, and a lab holds gigabytes, not petabytes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from rookery.design.stored import ErasureCode, Pool
from rookery.spec import model as spec_model

LAB_PGS_PER_OSD = 12
PRODUCTION_PGS_PER_OSD = 100
_MOST_PGS = 32768

# The zone that RGW makes by itself; Rook makes one of the name of its object store.
RGW_ZONE = "default"
ROOK_ZONE = "store"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Want:
    """A pool before its PGs are counted; `share` is the part of all data expected in it."""

    name: str
    application: str
    share: float
    scheme: spec_model.Pool


def build_pools(
    storage: spec_model.Storage, *, osds: int, device_class: str, target: int, zone: str = RGW_ZONE
) -> tuple[Pool, ...]:
    """Return every pool of the system, the data pools' PGs shared out over `osds` OSDs.

    `zone` is the RGW's zone, which the names of its pools begin with.
    """
    services = (*_block(storage.block), *_file(storage.file), *_object(storage.object, zone))
    wants = (*_manager(storage), *services)
    weight = sum(want.share for want in wants) or 1.0
    return tuple(_pool(want, want.share / weight * osds * target, device_class) for want in wants)


def file_pools(file: spec_model.FileStorage) -> tuple[str, ...]:
    """Return the names of CephFS' data pools, its default one first."""
    return tuple(want.name for want in _file(file) if want.name != "cephfs-metadata")


def _manager(storage: spec_model.Storage) -> tuple[_Want, ...]:
    """Return the manager's own pool: in three copies, or in as few as all others where those are fewer."""
    services = (storage.block, storage.file, storage.object)
    replicas = [_replicated_beside(service.pool).replicas for service in services if service.enabled]
    scheme = spec_model.Pool(replicas=min(3, max(replicas, default=3)))
    return (_Want(name=".mgr", application="mgr", share=0.0, scheme=scheme),)


def _replicated_beside(pool: spec_model.Pool) -> spec_model.Pool:
    """Return the replicated scheme for the parts of a service that erasure coding cannot hold.

    It survives as many losses as the erasure-coded data does.
    """
    code = pool.erasure_coding
    return pool if code is None else spec_model.Pool(replicas=max(3, code.m + 1))


def _block(block: spec_model.Block) -> tuple[_Want, ...]:
    if not block.enabled:
        return ()
    if block.pool.erasure_coding is None:
        return (_Want(name="block", application="rbd", share=4.0, scheme=block.pool),)
    # An RBD image keeps its header and omap in a replicated pool, its data in the erasure-coded one.
    return (
        _Want(name="block", application="rbd", share=0.5, scheme=_replicated_beside(block.pool)),
        _Want(name="block-data", application="rbd", share=4.0, scheme=block.pool),
    )


def _file(file: spec_model.FileStorage) -> tuple[_Want, ...]:
    if not file.enabled:
        return ()
    beside = _replicated_beside(file.pool)
    metadata = _Want(name="cephfs-metadata", application="cephfs", share=0.5, scheme=beside)
    default = _Want(name="cephfs-data", application="cephfs", share=4.0, scheme=beside)
    if file.pool.erasure_coding is None:
        return (metadata, default)
    # CephFS wants a replicated default data pool (backtraces); files go to the erasure-coded one.
    small = _Want(name="cephfs-data", application="cephfs", share=0.5, scheme=beside)
    coded = _Want(name="cephfs-data-ec", application="cephfs", share=4.0, scheme=file.pool)
    return (metadata, small, coded)


def _object(store: spec_model.ObjectStorage, zone: str) -> tuple[_Want, ...]:
    if not store.enabled:
        return ()
    beside = _replicated_beside(store.pool)
    small = tuple(
        _Want(name=name, application="rgw", share=0.0, scheme=beside)
        for name in (".rgw.root", f"{zone}.rgw.log", f"{zone}.rgw.control", f"{zone}.rgw.meta")
    )
    index = _Want(name=f"{zone}.rgw.buckets.index", application="rgw", share=0.5, scheme=beside)
    # Multipart uploads keep their parts' list in omap, which erasure-coded pools do not have.
    non_ec = _Want(name=f"{zone}.rgw.buckets.non-ec", application="rgw", share=0.0, scheme=beside)
    data = _Want(name=f"{zone}.rgw.buckets.data", application="rgw", share=4.0, scheme=store.pool)
    return (*small, index, non_ec, data)


def _pool(want: _Want, replica_budget: float, device_class: str) -> Pool:
    code = want.scheme.erasure_coding
    size = want.scheme.replicas if code is None else code.k + code.m
    # Ceph's own defaults: a replicated pool works while more than half its copies are there, an
    # erasure-coded one while one chunk more than k is, or k where a single chunk may be lost (OSDMonitor).
    min_size = size - size // 2 if code is None else code.k + min(1, code.m - 1)
    return Pool(
        name=want.name,
        application=want.application,
        size=size,
        min_size=min_size,
        pg_num=_power_of_two(replica_budget / size),
        device_class=device_class,
        share=want.share,
        erasure_code=None if code is None else ErasureCode(k=code.k, m=code.m),
    )


def _power_of_two(wanted: float) -> int:
    """Return the power of two nearest to `wanted`, from 1 to the most that Ceph takes for a pool."""
    if wanted <= 1:
        return 1
    return int(min(2 ** round(math.log2(wanted)), _MOST_PGS))
