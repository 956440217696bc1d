"""Checks of how pools keep their data, and of how much fits."""

from __future__ import annotations

from collections.abc import Iterator

from rookery.design.capacity import Room, WorstLoss, gigabytes, room_after
from rookery.design.checks.finding import Remark, Subject, error, info, warning
from rookery.design.checks.hosts import pool_path
from rookery.design.stored import Pool


def _thinnest(subject: Subject) -> dict[str, Pool]:
    """Return for each service's path its replicated pool with the fewest copies."""
    found: dict[str, Pool] = {}
    for pool in subject.design.pools:
        path = pool_path(pool)
        if pool.application == "mgr" or pool.erasure_code is not None:
            continue
        if path not in found or (pool.size, -pool.share) < (found[path].size, -found[path].share):
            found[path] = pool
    return found


def single_copies(subject: Subject) -> Iterator[Remark]:
    for path, pool in _thinnest(subject).items():
        if pool.size == 1:
            yield error(
                f"{path}.replicas",
                f"Pool {pool.name} keeps one copy. The first drive lost takes data with it, and Ceph makes no"
                " such pool unless forced.",
                "Set it to 3.",
            )


def two_copies(subject: Subject) -> Iterator[Remark]:
    for path, pool in _thinnest(subject).items():
        if pool.size > 1 and (pool.size == 2 or pool.min_size == 1):
            yield warning(
                f"{path}.replicas",
                f"Pool {pool.name} keeps {pool.size} copies and takes writes with {pool.min_size}. After a"
                " loss, new data is in one place only: one more failure, or an older copy that returns, loses"
                " it.",
                "Set it to 3.",
            )


def one_coding_chunk(subject: Subject) -> Iterator[Remark]:
    for pool in subject.design.pools:
        code = pool.erasure_code
        if code is not None and code.m == 1:
            yield warning(
                f"{pool_path(pool)}.erasureCoding.m",
                f"Pool {pool.name} has one coding chunk. After losing any one host it goes on writing with"
                f" {pool.min_size} of {pool.size} chunks and none to spare: another loss loses data.",
                "Set it to 2.",
            )


def safe_amount(subject: Subject) -> Iterator[Remark]:
    """Say how much may be stored: the design knows no used bytes, so this is the figure to watch."""
    node = room_after(subject.design, WorstLoss.NODE)
    drive = room_after(subject.design, WorstLoss.DRIVE)
    room = node if node.heals else drive
    if not room.heals:
        return
    others = ", ".join(
        f"{other.loss}: {_under_nearfull(other)}"
        for other in (drive, node, room_after(subject.design, WorstLoss.TWO_NODES))
        if other is not room
    )
    yield info(
        "hosts.storage.drives",
        f"Keep less than {gigabytes(room.under_nearfull)} of data: losing {room.loss} then heals with every"
        f" drive under nearfull (85 %). Above {gigabytes(room.under_backfillfull)} healing would stop"
        f" (backfillfull, 90 %), above {gigabytes(room.under_full)} writing too (full, 95 %)."
        f" For other losses: {others}.",
        "Add drives or storage nodes to store more.",
    )


def _under_nearfull(room: Room) -> str:
    return gigabytes(room.under_nearfull) if room.heals else "does not heal"
