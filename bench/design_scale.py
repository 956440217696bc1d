"""How long it takes to design and check large systems, and that the cost grows no faster than the system.

Run: PYTHONPATH=src python bench/design_scale.py [--json] [--record]
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

import harness
from harness import Row
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


def rows_of(sizes: list[Times]) -> list[Row]:
    """Return the figures that have limits: the time of each size, and how it grows with the size."""
    return [
        *(
            Row(
                name=f"{times.nodes:,} storage nodes: designing and checking",
                value=times.total,
                unit="s of CPU",
                limit=LIMIT_SECONDS if times.nodes == LIMIT_AT else None,
            )
            for times in sizes
        ),
        *(
            Row(
                name=f"{after.nodes:,} storage nodes to {before.nodes:,}",
                value=after.total / before.total,
                unit="times",
                limit=LIMIT_GROWTH,
            )
            for before, after in pairwise(sizes)
        ),
    ]


def show(sizes: list[Times]) -> None:
    """Print what takes the time, for each size."""
    print(
        f"{'storage nodes':>13} {'parse':>8} {'build':>8} {'check':>8} {'survival':>8} {'total':>8}  ms/node"
    )
    for row in sizes:
        figures = " ".join(
            f"{value:8.3f}" for value in (row.parse, row.build, row.check, row.survive, row.total)
        )
        print(f"{row.nodes:>13} {figures}  {1000 * row.total / row.nodes:7.3f}")


def main() -> int:
    """Print the tables; return 1 where a limit is passed."""
    options = harness.arguments(__doc__).parse_args()
    sizes = [min((measure(nodes) for _ in range(ROUNDS)), key=lambda times: times.total) for nodes in SIZES]
    if not options.json:
        show(sizes)
    rows = rows_of(sizes)
    harness.tell(rows, options, __file__)
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
