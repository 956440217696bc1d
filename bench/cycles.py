"""`up` and `down` again and again: does it always come up verified, and does it always leave nothing?

Each `up` must exit 0 (every check of the verification passed) and each `down` must exit 0; besides, this
process, which has seen nothing of the lab, searches the machine with `find_leftovers`. The first failure ends
the run. Times are wall clocks of the whole processes.

Run as root: PYTHONPATH=src python bench/cycles.py [--cycles 20] [--json] [--record]
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

import harness
from harness import FailedError, Row
from rookery.systems.lab.leftovers import find_leftovers
from rookery.systems.lab.paths import LabPaths

COLUMNS = ("up", "Ceph part", "verification", "down")


def cycle(spec: Path) -> dict[str, float]:
    """Do one cycle and return its times; raises FailedError."""
    done, report = harness.up(spec)
    down = harness.require(harness.rookery("down", harness.NAME, limit=harness.DOWN_LIMIT))
    network = harness.design_of(spec).network
    networks = tuple(cidr for cidr in (network.public, network.cluster) if cidr)
    left = find_leftovers(LabPaths(name=harness.NAME), networks=networks)
    if left:
        raise FailedError("left after `down`:\n" + "\n".join(f"  {item.kind} {item.name}" for item in left))
    return {
        "up": done.seconds,
        "Ceph part": harness.step_seconds(report, "server:", ("healthy", "dashboard")),
        "verification": report["verifySeconds"],
        "down": down.seconds,
    }


def render(cycles: list[dict[str, float]]) -> str:
    lines = [f"| cycle | {' | '.join(COLUMNS)} |", "| --- |" + " ---: |" * len(COLUMNS)]
    rows = [(str(number), times) for number, times in enumerate(cycles, start=1)]
    for name, reduce in (("min", min), ("median", statistics.median), ("max", max)):
        rows.append((name, {column: reduce([times[column] for times in cycles]) for column in COLUMNS}))
    lines += [f"| {name} | {' | '.join(f'{times[c]:.2f} s' for c in COLUMNS)} |" for name, times in rows]
    return "\n".join(lines)


def rows_of(cycles: list[dict[str, float]]) -> list[Row]:
    """Return the medians and the longest times, for the record."""
    return [
        Row(
            name=f"{column}, {name} of {len(cycles)} cycles",
            value=reduce([c[column] for c in cycles]),
            unit="s",
        )
        for column in COLUMNS
        for name, reduce in (("median", statistics.median), ("longest", max))
    ]


def main() -> int:
    """Print the table; return 1 where a cycle failed."""
    parser = harness.arguments(__doc__)
    parser.add_argument("--cycles", type=int, default=20)
    options = parser.parse_args()
    harness.prepare()
    cycles: list[dict[str, float]] = []
    failure = ""
    try:
        with harness.spec_file() as spec, harness.lab_gone_after():
            harness.require_image()
            for number in range(options.cycles):
                cycles.append(cycle(spec))
                print(f"cycle {number + 1} of {options.cycles}: {cycles[-1]}", file=sys.stderr, flush=True)
    except FailedError as error:
        failure = f"cycle {len(cycles) + 1} failed\n{error}"
    if options.json:
        print(json.dumps({"cycles": cycles, "failure": failure}, indent=1))
    elif cycles:
        print(render(cycles))
    if failure:
        print(failure, file=sys.stderr)
    elif cycles:
        harness.record(rows_of(cycles), options, __file__)
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
