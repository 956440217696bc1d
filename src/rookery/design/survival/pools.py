"""What is left of each pool's copies and chunks, by Ceph's rules.

CRUSH puts each piece of a placement group on another host, on one drive there. Of its many groups some has
pieces on just the hosts and drives that are lost: each host that lost any takes one piece of that group, and
that group is what is spoken of.
"""

from __future__ import annotations

from collections.abc import Sequence

from rookery.design.capacity import NEARFULL, gigabytes, mixed_usable
from rookery.design.model import DaemonKind
from rookery.design.stored import Pool
from rookery.design.survival.left import REPORTERS, Left
from rookery.design.survival.verdict import DataKind, PoolLeft

KINDS = {"rbd": DataKind.BLOCK, "cephfs": DataKind.FILES, "rgw": DataKind.OBJECTS}
NO_MAJORITY = "nothing heals while the monitors have no majority"


def pools_left(left: Left) -> tuple[PoolLeft, ...]:
    """Return what is left of every pool, in the design's order."""
    return tuple(_pool(left, pool) for pool in left.whole.design.pools)


def _pool(left: Left, pool: Pool) -> PoolLeft:
    there = min(pool.size, left.whole.there.weights.total())
    kept, served = max(there - left.hit, 0), max(there - left.silent, 0)
    needed = 1 if pool.erasure_code is None else pool.erasure_code.k
    safe = kept >= needed
    told = left.has_quorum and left.is_noticed
    active = served >= pool.min_size and (told or not left.silent)
    heals = not left.hit or (safe and not hindrance(left))
    return PoolLeft(
        name=pool.name,
        kind=KINDS.get(pool.application),
        size=pool.size,
        needed=needed,
        min_size=pool.min_size,
        kept=kept,
        served=served,
        safe=safe,
        active=active,
        after=min(pool.size, left.weights.total()) if heals else kept,
        why=_why(left, pool, served, kept),
    )


def _why(left: Left, pool: Pool, served: int, kept: int) -> str:
    """Say whether it goes on, as the pool that stands for all is spoken of."""
    text = pieces(pool, served, stored=kept)
    if served < pool.min_size:
        return f"{text}, and it stops below {pool.min_size}"
    if left.silent and not left.is_noticed:
        return f"{text}, and it waits: {unnoticed()}"
    if left.silent and not left.has_quorum:
        return f"{text}, and without a majority of the monitors no other OSD leads its placement groups"
    return f"{text}, enough to go on"


def pieces(pool: Pool, number: int, *, stored: int) -> str:
    """Say how many copies or chunks there are; `stored` are on drives that are left, running or not."""
    verb = "keeps" if number == stored else "reaches"
    return f"pool {pool.name} {verb} {number} of {pool.size} {'chunks' if pool.erasure_code else 'copies'}"


def unnoticed() -> str:
    return f"OSDs of {REPORTERS} hosts would have to miss what is lost; else the monitors wait 15 minutes"


def hindrance(left: Left) -> str:
    """Return why no lost data is made again by itself; empty where it is, as far as hosts are left for it."""
    if not left.has_quorum:
        return NO_MAJORITY
    if not left.is_marked_out:
        total = left.whole.there.daemons[DaemonKind.OSD]
        return (
            f"{left.out} of {total} OSDs are lost, and Ceph marks no more out by itself once fewer than three"
            " quarters are in: it heals when somebody marks the others out"
        )
    return ""


def room(left: Left) -> int:
    """Return the bytes up to which the data that is left fits on what is left, under nearfull."""
    return int(mixed_usable(left.whole.design, left.weights) * NEARFULL)


def healing_text(left: Left, pools: Sequence[PoolLeft]) -> tuple[bool, str]:
    """Return whether all pools heal to all their copies and chunks, and the sentence that says so or why
    not."""
    largest = max(left.whole.design.pools, key=lambda pool: (pool.size, pool.share))
    hosts = left.weights.total()
    if hosts < largest.size:
        are = f"host{'' if hosts == 1 else 's'} with drives {'is' if hosts == 1 else 'are'} left"
        text = f"{hosts} {are}, and pool {largest.name} wants {largest.size}"
        return False, f"{text}: it heals only when what was lost is back"
    if gone := [pool for pool in pools if not pool.safe]:
        return False, f"what pool {gone[0].name} has lost is made again from nothing"
    if why := hindrance(left):
        return False, why
    return True, f"the data heals while no more than {gigabytes(room(left))} is stored"
