"""Pools: which there are, how they keep data, how many placement groups they get."""

from __future__ import annotations

import pytest

from rookery.design.pools import build_pools, file_pools
from rookery.design.stored import ErasureCode, Pool
from rookery.spec.model import Block, ErasureCoding, FileStorage, ObjectStorage, Storage
from rookery.spec.model import Pool as Scheme

CODED = Scheme(erasure_coding=ErasureCoding(k=4, m=2))


def pools(storage: Storage, *, osds: int = 8, target: int = 100) -> dict[str, Pool]:
    return {pool.name: pool for pool in build_pools(storage, osds=osds, device_class="", target=target)}


def test_each_service_has_its_pools() -> None:
    found = pools(Storage())
    assert {name: pool.application for name, pool in found.items()} == {
        ".mgr": "mgr",
        "block": "rbd",
        "cephfs-metadata": "cephfs",
        "cephfs-data": "cephfs",
        ".rgw.root": "rgw",
        "default.rgw.log": "rgw",
        "default.rgw.control": "rgw",
        "default.rgw.meta": "rgw",
        "default.rgw.buckets.index": "rgw",
        "default.rgw.buckets.non-ec": "rgw",
        "default.rgw.buckets.data": "rgw",
    }
    assert {(pool.size, pool.min_size) for pool in found.values()} == {(3, 2)}


def test_a_service_that_is_off_has_none() -> None:
    off = Storage(
        block=Block(enabled=False), file=FileStorage(enabled=False), object=ObjectStorage(enabled=False)
    )
    assert list(pools(off)) == [".mgr"]


@pytest.mark.parametrize(
    ("replicas", "min_size", "manager"), [(1, 1, 1), (2, 1, 2), (3, 2, 3), (4, 2, 3), (5, 3, 3)]
)
def test_copies(replicas: int, min_size: int, manager: int) -> None:
    scheme = Scheme(replicas=replicas)
    found = pools(
        Storage(block=Block(pool=scheme), file=FileStorage(pool=scheme), object=ObjectStorage(pool=scheme))
    )
    assert (found["block"].size, found["block"].min_size) == (replicas, min_size)
    assert found["block"].overhead == replicas
    assert found[".mgr"].size == manager


def test_erasure_coding_keeps_a_replicated_pool_beside_it() -> None:
    found = pools(
        Storage(block=Block(pool=CODED), file=FileStorage(pool=CODED), object=ObjectStorage(pool=CODED))
    )
    coded = {name: pool for name, pool in found.items() if pool.erasure_code}
    assert list(coded) == ["block-data", "cephfs-data-ec", "default.rgw.buckets.data"]
    for pool in coded.values():
        assert pool.erasure_code == ErasureCode(k=4, m=2)
        assert (pool.size, pool.min_size, pool.overhead) == (6, 5, 1.5)
    assert {pool.size for name, pool in found.items() if name not in coded} == {3}
    assert file_pools(FileStorage(pool=CODED)) == ("cephfs-data", "cephfs-data-ec")


@pytest.mark.parametrize("osds", [3, 8, 12, 100, 2000])
@pytest.mark.parametrize("target", [12, 100])
def test_placement_groups_are_powers_of_two_near_the_target(osds: int, target: int) -> None:
    found = pools(Storage(), osds=osds, target=target)
    assert all(pool.pg_num & (pool.pg_num - 1) == 0 and pool.pg_num >= 1 for pool in found.values())
    filled = [pool for pool in found.values() if pool.share]
    per_osd = sum(pool.pg_num * pool.size for pool in filled) / osds
    # Rounding to a power of two is off by a factor of at most the root of two, and no pool has less than 1.
    assert target / 1.42 <= per_osd <= target * 1.42 + sum(pool.size for pool in filled) / osds
    assert found["block"].pg_num > found["cephfs-metadata"].pg_num or osds == 3


def test_no_pool_has_more_placement_groups_than_ceph_takes() -> None:
    assert pools(Storage(), osds=600_000)["block"].pg_num == 32768
