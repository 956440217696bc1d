"""How much fits: figures that can be worked out by hand, and a search that knows no formula."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.apps.table import PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.capacity import (
    WorstLoss,
    host_weights,
    mixed_usable,
    raw_bytes,
    room_after,
    safe_capacity,
    usable_by_pool,
    usable_bytes,
)
from rookery.design.model import Design
from rookery.design.stored import ErasureCode, Pool
from rookery.spec.load import read_pattern
from rookery.spec.parse import parse_spec
from rookery.units import GB


def design(body: str = "") -> Design:
    spec = parse_spec(
        f"apiVersion: rookery/v1\npattern: production-minimum\n{body}\n",
        file="demo.yaml",
        settings=SETTINGS,
        read_pattern=lambda name: read_pattern(name, relative_to=Path()),
    )
    return build_design(spec, placers=PLACERS)


def pool(size: int, code: ErasureCode | None = None) -> Pool:
    return Pool(
        name="p",
        application="rbd",
        size=size,
        min_size=1,
        pg_num=1,
        device_class="",
        share=1.0,
        erasure_code=code,
    )


def test_the_drawings_drives() -> None:
    found = design()
    assert raw_bytes(found) == 160 * GB
    assert host_weights(found.hosts) == {40 * GB: 4}
    assert dict(usable_by_pool(found))["block"] == 160 * GB // 3


def test_classes_are_counted_apart() -> None:
    found = design(
        "hosts: {storage: {drives: [{count: 2, size: 20GB, class: nvme}, {size: 50GB, class: hdd}]}}"
    )
    assert (raw_bytes(found), raw_bytes(found, "nvme")) == (4 * 140 * GB, 160 * GB)
    # The pools are on the first class, so the second adds no room.
    assert room_after(found, WorstLoss.NOTHING) == room_after(design(), WorstLoss.NOTHING)
    assert room_after(found, WorstLoss.DRIVE) == room_after(design(), WorstLoss.DRIVE)


@pytest.mark.parametrize(
    ("weights", "copies", "usable"),
    [
        ([40, 40, 40, 40], 3, 53),  # a third of 160
        ([40, 40, 40, 20], 3, 46),  # a third of 140: no host has more than that
        ([90, 40, 40], 3, 40),  # each host has a copy of everything
        ([90, 40, 40], 2, 80),  # the large host has one copy, the others share the second
        ([90, 40], 1, 130),
        ([40, 40], 3, 0),
        ([], 1, 0),
    ],
)
def test_copies_go_to_different_hosts(weights: list[int], copies: int, usable: int) -> None:
    assert usable_bytes(pool(copies), Counter(weights)) == usable


def test_chunks_are_a_part_of_the_data_each() -> None:
    assert usable_bytes(pool(4, ErasureCode(k=2, m=2)), Counter({40: 4})) == 80
    assert usable_bytes(pool(6, ErasureCode(k=4, m=2)), Counter({40: 8})) == 212  # 4 x (320 // 6)
    assert usable_bytes(pool(4, ErasureCode(k=2, m=2)), Counter({40: 3})) == 0


@given(st.lists(st.integers(1, 60), max_size=7), st.integers(1, 5))
def test_no_more_fits_and_no_less(weights: list[int], copies: int) -> None:
    """The most that fits is the largest D with `copies` times D bytes, at most D of them on each host."""

    def fits(amount: int) -> bool:
        return sum(min(weight, amount) for weight in weights) >= copies * amount

    possible = (
        [amount for amount in range(sum(weights) + 1) if fits(amount)] if len(weights) >= copies else [0]
    )
    assert usable_bytes(pool(copies), Counter(weights)) == max(possible)


@pytest.mark.parametrize(
    ("loss", "heals", "usable"),
    [
        (WorstLoss.NOTHING, True, 160 / 3),
        (WorstLoss.DRIVE, True, 140 / 3),
        (WorstLoss.NODE, True, 120 / 3),
        (WorstLoss.TWO_NODES, False, 0),
    ],
)
def test_what_fits_after_a_loss(loss: WorstLoss, heals: bool, usable: float) -> None:
    room = room_after(design(), loss)
    assert (room.loss, room.heals) == (loss, heals)
    assert room.under_nearfull / GB == pytest.approx(usable * 0.85)
    assert room.under_backfillfull / GB == pytest.approx(usable * 0.90)
    assert room.under_full / GB == pytest.approx(usable * 0.95)


def test_the_safe_amount_is_that_after_a_node() -> None:
    assert safe_capacity(design()) == room_after(design(), WorstLoss.NODE)
    three = design("hosts: {storage: {count: 3}}")
    assert not safe_capacity(three).heals
    assert safe_capacity(three).under_full == 0


def test_a_lone_drive_takes_its_host_along() -> None:
    one = "hosts: {storage: {drives: [{count: 1}], count: %d}}"
    assert (
        room_after(design(one % 4), WorstLoss.DRIVE).under_full
        == room_after(design(one % 4), WorstLoss.NODE).under_full
    )
    assert not room_after(design(one % 3), WorstLoss.DRIVE).heals


def test_pools_share_the_room() -> None:
    """Three copies take 3 bytes and 2+2 takes 2: with a third of the data coded, 8/3 bytes on average."""
    body = "storage: {object: {pool: {erasureCoding: {k: 2, m: 2}}}}"
    found = design(body)
    filled = [pool for pool in found.pools if pool.share]
    mean = sum(pool.share * pool.overhead for pool in filled) / sum(pool.share for pool in filled)
    assert 2 < mean < 3
    assert mixed_usable(found, {40 * GB: 4}) == pytest.approx(160 * GB / mean, abs=1000)
    assert mixed_usable(design(), {40 * GB: 4}) == pytest.approx(160 * GB / 3, abs=1000)


def test_a_system_without_services_stores_nothing() -> None:
    off = "{block: {enabled: false}, file: {enabled: false}, object: {enabled: false}}"
    apps = "database: null, streaming: null, catalogue: null, cdn: null"
    found = design(f"storage: {off}\napps: {{{apps}}}\nbackup: null")
    assert room_after(found, WorstLoss.NOTHING).under_full == 0
