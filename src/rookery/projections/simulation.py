"""What a simulated placement of PGs says of a design: how evenly drives fill, and how much data moves.

The placements are CRUSH's own (`run/simulate.py`); here they are counted. A copy or a chunk of a PG is called
a shard. Each pool is filled with the share of the data that the design expects in it, spread evenly over
its PGs: so a shard of a pool for data weighs what it would hold, one of a pool for settings nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

from rookery.design.capacity import NEARFULL
from rookery.design.stored import Pool

NOWHERE = -1
"""In a placement: CRUSH found no OSD for this shard."""

Placement = tuple[tuple[int, ...], ...]
"""A pool's PGs in their order, each with the OSDs of its shards."""

Capacities = Mapping[int, int]
"""Bytes of each OSD that takes part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How evenly OSDs are filled.

    `pgs_mean`, `pgs_least` and `pgs_most` count shards on an OSD. `deviation` is the standard deviation of
    how full OSDs are, `fullest` and `emptiest` are the extremes with their OSDs; the mean of all is 1.0. When
    the fullest OSD reaches nearfull, the mean of all is `nearfull_at` (0 to 1), and `holds` is how many
    bytes of user data are stored then. `homeless` shards found no OSD.
    """

    osds: int
    pgs_mean: float
    pgs_least: int
    pgs_most: int
    deviation: float
    fullest: float
    fullest_osd: int
    emptiest: float
    emptiest_osd: int
    nearfull_at: float
    holds: int
    homeless: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Something that changes the cluster, and what moves.

    `moved` of `shards` shards lie elsewhere afterwards; `data` is the part of the data that they hold.
    `ideal` is the part of all shards that would move ideally: what lay on the OSDs that are lost and has
    another place to go to, or what OSDs that are added must get for all to be equally full. Less moves where
    the result is less even than that. `spread` is the one afterwards, without a balancer.
    """

    title: str
    shards: int
    moved: int
    data: float
    ideal: float
    spread: Spread

    @property
    def part(self) -> float:
        """The part of all shards that moves."""
        return self.moved / self.shards


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """A design's PGs placed by `tool`; `balanced` is None where `why_unbalanced` says why not.

    `upmaps` is the number of exceptions from CRUSH that the balancer asks for.
    """

    tool: str
    hosts: int
    pgs: int
    shards: int
    designed: Spread
    balanced: Spread | None
    upmaps: int
    why_unbalanced: str
    moves: tuple[Move, ...]


def shard_bytes(pools: Sequence[Pool]) -> tuple[float, ...]:
    """Return for each pool what one shard of it holds, for each byte of user data in all pools together.

    Where a design expects no data at all, every shard counts the same.
    """
    total = sum(pool.share for pool in pools)
    if not total:
        return tuple(1.0 for _ in pools)
    return tuple(pool.share / total * pool.overhead / (pool.pg_num * pool.size) for pool in pools)


def measure_spread(pools: Sequence[Pool], placements: Sequence[Placement], capacities: Capacities) -> Spread:
    """Return how evenly the OSDs of `capacities` are filled. A placement on any other OSD is an error."""
    counts = dict.fromkeys(capacities, 0)
    held = dict.fromkeys(capacities, 0.0)
    homeless = 0
    for pool, placement, weight in zip(pools, placements, shard_bytes(pools), strict=True):
        found = _places((placement,))
        homeless += len(placement) * pool.size - found.total()
        for osd, count in found.items():
            counts[osd] += count
            held[osd] += count * weight
    mean = sum(held.values()) / sum(capacities.values())
    fills = {osd: held[osd] / size / mean for osd, size in sorted(capacities.items())}
    fullest = max(fills, key=lambda osd: fills[osd])
    emptiest = min(fills, key=lambda osd: fills[osd])
    return Spread(
        osds=len(capacities),
        pgs_mean=fmean(counts.values()),
        pgs_least=min(counts.values()),
        pgs_most=max(counts.values()),
        deviation=pstdev(fills.values()),
        fullest=fills[fullest],
        fullest_osd=fullest,
        emptiest=fills[emptiest],
        emptiest_osd=emptiest,
        nearfull_at=NEARFULL / fills[fullest],
        holds=int(NEARFULL / fills[fullest] / mean) if any(pool.share for pool in pools) else 0,
        homeless=homeless,
    )


def measure_move(
    pools: Sequence[Pool], before: Sequence[Placement], after: Sequence[Placement]
) -> tuple[int, float]:
    """Return how many shards lie elsewhere afterwards, and which part of the data they hold.

    A copy is like any other; a chunk of an erasure code is one of a kind and moves also where two of one
    PG change places.
    """
    moved, data, total = 0, 0.0, 0.0
    for pool, old, new, weight in zip(pools, before, after, shard_bytes(pools), strict=True):
        pairs = zip(old, new, strict=True)
        if pool.erasure_code is None:
            found = sum(len(set(there) - set(here) - {NOWHERE}) for here, there in pairs)
        else:
            found = sum(
                b not in (a, NOWHERE) for here, there in pairs for a, b in zip(here, there, strict=True)
            )
        moved += found
        data += found * weight
        total += len(old) * pool.size * weight
    return moved, data / total


def ideal_after_loss(
    before: Sequence[Placement], after: Sequence[Placement], lost: Collection[int], shards: int
) -> float:
    """Return the part of all shards that lay on the OSDs that are lost and found another place."""
    there, here = _places(before), _places(after)
    homeless = sum(there.values()) - sum(here.values())
    return (sum(there[osd] for osd in lost) - homeless) / shards


def _places(placements: Sequence[Placement]) -> Counter[int]:
    """Return how many shards each OSD has."""
    found = Counter(osd for placement in placements for osds in placement for osd in osds)
    del found[NOWHERE]
    return found


def ideal_after_growth(before: Capacities, after: Capacities) -> float:
    """Return the part of all shards that belongs on the new OSDs."""
    return 1 - sum(before.values()) / sum(after.values())


def apply_upmaps(placement: Placement, upmaps: Mapping[int, Sequence[tuple[int, int]]]) -> Placement:
    """Return a placement with the balancer's exceptions: for some PGs, OSDs that others replace."""
    changed = list(placement)
    for number, pairs in upmaps.items():
        instead = dict(pairs)
        changed[number] = tuple(instead.get(osd, osd) for osd in placement[number])
    return tuple(changed)


def data_size(size: int) -> str:
    """Write an amount of data in powers of ten, as drives are sold, rounded to three digits."""
    for unit, factor in (("PB", 10**15), ("TB", 10**12)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size / 10**9:.1f} GB"


def render_simulation(simulation: Simulation) -> str:
    """Return a simulation as a section of a Markdown document."""
    designed = simulation.designed
    rows = [("as designed", designed)]
    if simulation.balanced is not None:
        rows.append((f"balanced, {simulation.upmaps} upmaps", simulation.balanced))
    rows += [(move.title, move.spread) for move in simulation.moves]
    placed = (
        f"{simulation.pgs} PGs with {simulation.shards} copies and chunks on {designed.osds} OSDs of "
        f"{simulation.hosts} hosts, placed by {simulation.tool}. Fullness is in relation to the mean of all "
        f"OSDs; the last two columns are when the fullest OSD reaches {NEARFULL:.0%}."
    )
    lines = [
        "## Placement",
        "",
        placed,
        "",
        "| state | PGs of an OSD | deviation | emptiest | fullest | mean fullness | user data |",
        "|---|---|---|---|---|---|---|",
        *(_spread_row(title, spread) for title, spread in rows),
        "",
        *([f"The balancer: {simulation.why_unbalanced}.", ""] if simulation.why_unbalanced else []),
        "| change | moves | ideal | of the data |",
        "|---|---|---|---|",
        *(_move_row(move) for move in simulation.moves),
    ]
    return "\n".join(lines) + "\n"


def _spread_row(title: str, spread: Spread) -> str:
    pgs = f"{spread.pgs_least} to {spread.pgs_most}, mean {spread.pgs_mean:.1f}"
    emptiest = f"{spread.emptiest:.2f} (osd.{spread.emptiest_osd})"
    fullest = f"{spread.fullest:.2f} (osd.{spread.fullest_osd})"
    homeless = f", {spread.homeless} without a place" if spread.homeless else ""
    fills = f"{spread.deviation:.1%} | {emptiest} | {fullest} | {spread.nearfull_at:.1%}"
    return f"| {title}{homeless} | {pgs} | {fills} | {data_size(spread.holds)} |"


def _move_row(move: Move) -> str:
    return f"| {move.title} | {move.moved} ({move.part:.2%}) | {move.ideal:.2%} | {move.data:.2%} |"
