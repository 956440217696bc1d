"""A design placed by Ceph's own tools, past what this machine could run: thousands of OSDs in a minute.

Every PG of every pool is placed by CRUSH as the cluster would, on the design and on what it becomes when
a storage node or a drive is lost, or when drives or a node are added. What is lost is marked out, as the
monitors do after ten minutes: its weight in the CRUSH map stays. The fullest is lost, the worst case.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rookery.design.model import Design
from rookery.design.stored import Pool
from rookery.drivers.ceph.placement_tools import PlacementTools, Upmaps
from rookery.errors import InputError, NotPossibleError
from rookery.projections.crush import (
    CrushHost,
    crush_hosts,
    crush_rules,
    render_crush_map,
    rule_name,
    with_drives_added,
    with_host_added,
)
from rookery.projections.simulation import (
    Capacities,
    Move,
    Placement,
    Simulation,
    Spread,
    apply_upmaps,
    ideal_after_growth,
    ideal_after_loss,
    measure_move,
    measure_spread,
)
from rookery.releases import DEFAULT_RELEASE, RELEASES
from rookery.systems.home import runtime_folder
from rookery.systems.native.root import image_root
from rookery.systems.preflight import require_root, require_tools
from rookery.systems.protocol import Report

_MOST_BALANCED = 1000  # OSDs; the balancer's time grows with the square of them
_DEVIATION = 5  # PGs; upmap_max_deviation of Ceph's balancer
_MOST_UPMAPS = 100_000
_PART = 8192  # PGs that one crushtool places


def simulate(design: Design, report: Report) -> Simulation:
    """Place a design's PGs, and measure; `report` hears what is under way.

    Raises NotPossibleError without root, or without the servers' image, whose tools are used.
    """
    release = _release_of(design)
    _require_tools(release)
    hosts = crush_hosts(design)
    if not hosts:
        raise InputError(f"{design.name} has no OSDs to place data on")
    runtime_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=runtime_folder(), prefix="simulate-") as folder:
        tools = PlacementTools(image_root(release), Path(folder), code_name=RELEASES[release].code_name)
        with ThreadPoolExecutor(
            max_workers=len(os.sched_getaffinity(0)), thread_name_prefix="place"
        ) as workers:
            return _Bench(design=design, hosts=hosts, tools=tools, workers=workers, report=report).simulate()


def _release_of(design: Design) -> str:
    """Return the release whose tools place a design: its own, or the default where a lab has none of that."""
    return design.ceph if design.ceph in RELEASES else DEFAULT_RELEASE


def _require_tools(release: str) -> None:
    require_root(
        "the simulation runs Ceph's tools from the servers' root image, which only root may enter",
        hint="Run it with sudo: `sudo ./rookery plan --simulate ...`.",
    )
    if not image_root(release).is_dir():
        raise NotPossibleError(
            "the simulation runs Ceph's tools from the servers' root image, and it is not built yet",
            hint="`rookery up` builds it, in about a minute.",
        )
    require_tools((("unshare", "util-linux"),))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """One simulation: the design, and the tools that place it."""

    design: Design
    hosts: tuple[CrushHost, ...]
    tools: PlacementTools
    workers: ThreadPoolExecutor
    report: Report

    @property
    def pools(self) -> tuple[Pool, ...]:
        return self.design.pools

    @property
    def shards(self) -> int:
        return sum(pool.pg_num * pool.size for pool in self.pools)

    def simulate(self) -> Simulation:
        capacities = self.capacities(self.hosts)
        pgs = sum(pool.pg_num for pool in self.pools)
        self.report(f"placing {pgs} PGs on {len(capacities)} OSDs")
        crush = self.compile("designed", self.hosts)
        placements = self.place(crush)
        designed = measure_spread(self.pools, placements, capacities)
        balanced, upmaps, why = self.balance(crush, placements, capacities)
        more_drives, more_hosts = with_drives_added(self.hosts), with_host_added(self.hosts)
        return Simulation(
            tool=f"crushtool of Ceph {self.tools.version()}",
            hosts=len(self.hosts),
            pgs=pgs,
            shards=self.shards,
            designed=designed,
            balanced=balanced,
            upmaps=upmaps,
            why_unbalanced=why,
            moves=(
                self.lose(*self.fullest_host(placements), crush, placements),
                self.lose(f"osd.{designed.fullest_osd} lost", {designed.fullest_osd}, crush, placements),
                self.grow("a drive more per node", more_drives, placements),
                self.grow("a storage node more", more_hosts, placements),
            ),
        )

    def capacities(self, hosts: Sequence[CrushHost]) -> dict[int, int]:
        """Return the bytes of each OSD that pools may use; all pools of a design use the same class."""
        used = self.pools[0].device_class
        return {osd.id: osd.size for host in hosts for osd in host.osds if used in ("", osd.device_class)}

    def compile(self, name: str, hosts: Sequence[CrushHost]) -> str:
        return self.tools.compile(name, render_crush_map(hosts, crush_rules(self.pools)))

    def place(self, crush: str, out: Collection[int] = ()) -> tuple[Placement, ...]:
        """Return where every pool's PGs are; a pool's id is its place in the design, from 1.

        Large pools go to the workers in parts, so that none waits for the last.
        """
        rules = [rule.name for rule in crush_rules(self.pools)]

        def place(pool_id: int, first: int) -> Placement:
            pool = self.pools[pool_id - 1]
            pgs = range(first, min(first + _PART, pool.pg_num))
            rule = rules.index(rule_name(pool))
            return self.tools.place(crush, rule=rule, pool=pool_id, pgs=pgs, size=pool.size, out=sorted(out))

        parts = [
            [self.workers.submit(place, pool_id, first) for first in range(0, pool.pg_num, _PART)]
            for pool_id, pool in enumerate(self.pools, 1)
        ]
        return tuple(tuple(pg for part in pool for pg in part.result()) for pool in parts)

    def fullest_host(self, placements: Sequence[Placement]) -> tuple[str, set[int]]:
        """Return the host with the most shards, as the title of its loss, and its OSDs."""
        found = Counter(osd for placement in placements for pg in placement for osd in pg)
        host = max(self.hosts, key=lambda host: sum(found[osd.id] for osd in host.osds))
        return f"{host.name} lost", {osd.id for osd in host.osds}

    def lose(self, title: str, lost: set[int], crush: str, placements: Sequence[Placement]) -> Move:
        self.report(title)
        left = {osd: size for osd, size in self.capacities(self.hosts).items() if osd not in lost}
        after = self.place(crush, lost)
        ideal = ideal_after_loss(placements, after, lost, self.shards)
        return self.move(title, ideal, placements, after, left)

    def grow(self, title: str, hosts: Sequence[CrushHost], placements: Sequence[Placement]) -> Move:
        self.report(title)
        grown = self.capacities(hosts)
        ideal = ideal_after_growth(self.capacities(self.hosts), grown)
        return self.move(title, ideal, placements, self.place(self.compile("grown", hosts)), grown)

    def move(
        self,
        title: str,
        ideal: float,
        before: Sequence[Placement],
        after: Sequence[Placement],
        capacities: Capacities,
    ) -> Move:
        moved, data = measure_move(self.pools, before, after)
        spread = measure_spread(self.pools, after, capacities)
        return Move(title=title, shards=self.shards, moved=moved, data=data, ideal=ideal, spread=spread)

    def balance(
        self, crush: str, placements: Sequence[Placement], capacities: Capacities
    ) -> tuple[Spread | None, int, str]:
        """Return the spread after the balancer's work, its upmaps, and why where it is not simulated."""
        if len(capacities) > _MOST_BALANCED:
            return (
                None,
                0,
                f"not simulated for more than {_MOST_BALANCED} OSDs, where its search takes minutes",
            )
        self.report("balancing")
        bare = tuple(CrushHost(name=host.name, osds=()) for host in self.hosts)
        last = max(osd.id for host in self.hosts for osd in host.osds)
        commands = tuple(command for pool in self.pools for command in _creation(pool))
        osd_map = self.tools.make_osd_map(self.compile("bare", bare), osds=last + 1, commands=commands)
        self.tools.complete_osd_map(osd_map, crush)

        def balance(pool: Pool) -> Upmaps:
            return self.tools.balance(osd_map, pool.name, deviation=_DEVIATION, most=_MOST_UPMAPS)

        found = tuple(self.workers.map(balance, self.pools))
        balanced = [apply_upmaps(pgs, upmaps) for pgs, upmaps in zip(placements, found, strict=True)]
        return measure_spread(self.pools, balanced, capacities), sum(map(len, found)), ""


def _creation(pool: Pool) -> Iterator[dict[str, Any]]:
    """Yield the monitor commands that create a pool."""
    common = {
        "prefix": "osd pool create",
        "pool": pool.name,
        "pg_num": pool.pg_num,
        "pgp_num": pool.pg_num,
        "rule": rule_name(pool),
        "yes_i_really_mean_it": True,
    }
    code = pool.erasure_code
    if code is None:
        yield {**common, "pool_type": "replicated", "size": pool.size}
        return
    profile = [f"k={code.k}", f"m={code.m}", "crush-failure-domain=host"]
    yield {"prefix": "osd erasure-code-profile set", "name": pool.name, "profile": profile}
    yield {**common, "pool_type": "erasure", "erasure_code_profile": pool.name}
