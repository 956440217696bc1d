"""How long it takes to design and check large systems, and that the cost grows no faster than the system.

Run: PYTHONPATH=src python bench/design_scale.py
Prints a table and exits 1 where 1,000 storage nodes take longer than the limit, or where twice the nodes
take much more than twice the time. Times are the process's own CPU seconds, the best of several rounds, so
that other work on the machine does not count.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from rookery.apps.table import PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.checks import check_design
from rookery.design.machine import Machine
from rookery.design.survival import survival
from rookery.spec.load import read_pattern
from rookery.spec.parse import parse_spec
from rookery.units import GIB, TB

SIZES = (125, 250, 500, 1000, 2000)
ROUNDS = 5
LIMIT_AT = 1000
LIMIT_SECONDS = 2.0
# Twice the nodes in twice the time is 2; a quadratic step would come near 4.
LIMIT_GROWTH = 3.0

MACHINE = Machine(memory_total=1024 * GIB, memory_available=1000 * GIB, cpus=64, disk_free=100 * TB)


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """CPU seconds of one size: parsing the spec, building the design, checking it, computing survival."""

    nodes: int
    parse: float
    build: float
    check: float
    survive: float

    @property
    def total(self) -> float:
        return self.parse + self.build + self.check + self.survive


def _spec_text(nodes: int) -> str:
    return (
        "apiVersion: rookery/v1\npattern: production-minimum\n"
        f"hosts: {{storage: {{count: {nodes}}}, workers: {{count: {nodes // 4}}}}}\n"
        f"storage: {{mons: 5, object: {{gateways: {min(nodes, 256)}}}}}\n"
    )


def measure(nodes: int) -> Times:
    """Return the times of one round, after checking that the design is what was asked for."""
    marks = [time.process_time()]
    spec = parse_spec(
        _spec_text(nodes),
        file="bench.yaml",
        settings=SETTINGS,
        read_pattern=lambda name: read_pattern(name, relative_to=Path()),
    )
    marks.append(time.process_time())
    design = build_design(spec, placers=PLACERS)
    marks.append(time.process_time())
    findings = check_design(design, MACHINE)
    marks.append(time.process_time())
    statements = survival(design)
    marks.append(time.process_time())
    assert len(design.servers) == nodes + nodes // 4 + 1
    assert findings
    assert statements[1].heals
    parse, build, check, survive = (after - before for before, after in pairwise(marks))
    return Times(nodes=nodes, parse=parse, build=build, check=check, survive=survive)


def main() -> int:
    """Print the table; return 1 where a limit is passed."""
    rows = [min((measure(nodes) for _ in range(ROUNDS)), key=lambda times: times.total) for nodes in SIZES]
    print(
        f"{'storage nodes':>13} {'parse':>8} {'build':>8} {'check':>8} {'survival':>8} {'total':>8}  ms/node"
    )
    for row in rows:
        figures = " ".join(
            f"{value:8.3f}" for value in (row.parse, row.build, row.check, row.survive, row.total)
        )
        print(f"{row.nodes:>13} {figures}  {1000 * row.total / row.nodes:7.3f}")
    failures = [
        f"{row.nodes} storage nodes took {row.total:.2f} s, the limit is {LIMIT_SECONDS} s"
        for row in rows
        if row.nodes == LIMIT_AT and row.total > LIMIT_SECONDS
    ]
    failures += [
        f"{after.nodes} storage nodes took {after.total / before.total:.1f} times as long as {before.nodes},"
        f" the limit is {LIMIT_GROWTH}"
        for before, after in pairwise(rows)
        if after.total > LIMIT_GROWTH * before.total
    ]
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
