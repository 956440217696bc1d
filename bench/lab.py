"""The lab against its limits: speed against the floor, warm `up`, `down`, memory, `plan`.

How: rounds that measure the floor (bench/floor.py: the same Ceph, started by a bare script) and rookery one
after the other, in turns first, so that what else happens on the machine and what is in its caches meets both
alike. Figures are medians of the rounds.

- Ceph part: from the first server's start until HEALTH_OK with all PGs active+clean, gateways, CephFS and
  the dashboard, on both sides; the network is there when the clock starts. rookery's ends when the
  step that waits for health and the one that waits for the dashboard have both ended, and within it rookery
  also starts the edges, the load balancer and a supervisor on each server.
- `up` and `down`: wall clock of the whole process, `up` with verification, the root image being there.
- Memory: the proportional set sizes (Pss) of all processes in the lab's cgroups after `up`. Pss divides a
  page that several map among them: the sum is what the lab takes of the machine, the page cache of files that
  nobody maps left out.
- `plan`: wall clock of the whole process.

Run as root: PYTHONPATH=src python bench/lab.py [--rounds 3] [--json] [--record]
Exit status 1 where a limit is passed or something fails.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import harness
from harness import FailedError, Row

FLOOR = Path(__file__).with_name("floor.py")
FLOOR_LIMIT = 240.0
PLAN_TRIES = 5
PLAN_LIMIT = 30.0
MIB, GIB = 1 << 20, 1 << 30


@dataclass(slots=True)
class Samples:
    """What the rounds gave, one entry a round; `memory` has bytes by program, with how many there are."""

    floor: list[dict[str, Any]] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    ups: list[float] = field(default_factory=list)
    downs: list[float] = field(default_factory=list)
    memory: list[dict[str, tuple[int, int]]] = field(default_factory=list)
    plans: list[float] = field(default_factory=list)


def measure_floor(samples: Samples) -> None:
    done = harness.require(harness.run((sys.executable, str(FLOOR)), limit=FLOOR_LIMIT))
    samples.floor.append(json.loads(done.out))


def measure_rookery(samples: Samples, spec: Path) -> None:
    """One `up`, a look at its memory, one `down`."""
    done, report = harness.up(spec)
    samples.ups.append(done.seconds)
    samples.reports.append(report)
    samples.memory.append(lab_memory())
    down = harness.require(harness.rookery("down", harness.NAME, limit=harness.DOWN_LIMIT))
    samples.downs.append(down.seconds)


def lab_memory() -> dict[str, tuple[int, int]]:
    """Return, for each program in the lab's cgroups, how many processes there are and their Pss in bytes."""
    mark = f"/rookery/{harness.NAME}/"
    found: dict[str, list[int]] = defaultdict(list)
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (entry / "cgroup").read_text(encoding="utf-8"):
                lines = (entry / "smaps_rollup").read_text(encoding="utf-8").splitlines()
                pss = sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
                found[program_name((entry / "cmdline").read_bytes())].append(1024 * pss)
    largest_first = sorted(found.items(), key=lambda item: -sum(item[1]))
    return {name: (len(sizes), sum(sizes)) for name, sizes in largest_first}


def program_name(command_line: bytes) -> str:
    """Return what a person calls a process: threads rename theirs, so its `comm` may say something else."""
    # nginx writes a sentence where its program's path was.
    words = [
        word.partition(":")[0].partition(" ")[0] for word in command_line.decode(errors="replace").split("\0")
    ]
    names = [PurePath(word).name for word in words]
    if len(names) > 1 and names[0].startswith("python"):
        names = names[2 if names[1] == "-m" else 1 :]
    return names[0]


def measure_plan(samples: Samples, spec: Path) -> None:
    """`plan` does not look at a running lab; the first call fills caches and is not counted."""
    for _ in range(PLAN_TRIES + 1):
        done = harness.require(harness.rookery("plan", str(spec), limit=PLAN_LIMIT))
        samples.plans.append(done.seconds)
    del samples.plans[0]


def ceph_seconds(report: dict[str, Any]) -> float:
    return harness.step_seconds(report, "server:", ("healthy", "dashboard"))


def rows_of(samples: Samples) -> list[Row]:
    median = statistics.median
    floor = median(sample["ceph_seconds"] for sample in samples.floor)
    whole = median(sample["seconds"] for sample in samples.floor)
    ceph = median(ceph_seconds(report) for report in samples.reports)
    totals = [sum(size for _, size in sample.values()) for sample in samples.memory]
    return [
        Row(name="floor, from the first namespace", value=whole, unit="s"),
        Row(name="floor, from the first server", value=floor, unit="s"),
        Row(name="rookery's Ceph part, from the first server", value=ceph, unit="s"),
        Row(name="ratio to the floor", value=ceph / floor, unit="", limit=1.25),
        Row(name="warm `up` with verification", value=median(samples.ups), unit="s", limit=45),
        Row(name="verification alone", value=median(r["verifySeconds"] for r in samples.reports), unit="s"),
        Row(name="`down`", value=median(samples.downs), unit="s", limit=3),
        Row(name="memory of the lab (Pss)", value=median(totals) / GIB, unit="GiB", limit=3),
        Row(name="`plan`, best", value=min(samples.plans), unit="s", limit=0.7),
        Row(name="`plan`, median", value=median(samples.plans), unit="s", limit=0.7),
    ]


def memory_table(memory: dict[str, tuple[int, int]]) -> str:
    lines = ["| program | processes | MiB |", "| --- | ---: | ---: |"]
    lines += [f"| {name} | {count} | {size / MIB:.0f} |" for name, (count, size) in memory.items()]
    return "\n".join(lines)


def show(
    rows: Sequence[Row], memory: dict[str, tuple[int, int]], options: argparse.Namespace, program: str
) -> int:
    """Print figures and what takes the memory, and record them; return 1 where a limit is passed."""
    harness.tell(rows, options, program)
    if not options.json:
        print(f"\n{memory_table(memory)}")
    return 0 if all(row.ok for row in rows) else 1


def phase_table(samples: Samples) -> str:
    """When each phase of the last round was reached, in seconds from the first server."""
    floor = samples.floor[-1]["phases"]
    steps = samples.reports[-1]["steps"]
    start = min(step["from"] for step in steps if step["step"].startswith("server:"))
    lines = ["| side | phase or step | from | to |", "| --- | --- | ---: | ---: |"]
    lines += [f"| floor | {name} | | {at - floor['network']:.2f} |" for name, at in floor.items()]
    lines += [f"| rookery | {s['step']} | {s['from'] - start:.2f} | {s['to'] - start:.2f} |" for s in steps]
    return "\n".join(lines)


def measure(rounds: int) -> Samples:
    samples = Samples()
    with harness.spec_file(harness.BARE_SPEC) as spec, harness.lab_gone_after():
        harness.require_image()
        measure_plan(samples, spec)
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            # In turns first: neither side always finds what the other left in the caches.
            if number % 2:
                measure_rookery(samples, spec)
                measure_floor(samples)
            else:
                measure_floor(samples)
                measure_rookery(samples, spec)
    return samples


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = harness.arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args(arguments)


def main() -> int:
    """Print the figures; return 1 where a limit is passed."""
    options = parse()
    harness.prepare()
    try:
        samples = measure(max(1, options.rounds))
    except FailedError as error:
        print(error, file=sys.stderr)
        return 1
    rows = rows_of(samples)
    if options.json:
        print(json.dumps({"rows": harness.data(rows), "samples": vars_of(samples)}, indent=1))
    else:
        print("\n\n".join((harness.table(rows), memory_table(samples.memory[-1]), phase_table(samples))))
    harness.record(rows, options, __file__)
    return 0 if all(row.ok for row in rows) else 1


def vars_of(samples: Samples) -> dict[str, Any]:
    """Return every sample, with rookery's Ceph part beside its report."""
    return {
        "floor": samples.floor,
        "cephSeconds": [round(ceph_seconds(report), 3) for report in samples.reports],
        "steps": [report["steps"] for report in samples.reports],
        "upSeconds": samples.ups,
        "downSeconds": samples.downs,
        "planSeconds": samples.plans,
        "memory": [{name: size for name, (_, size) in sample.items()} for sample in samples.memory],
    }


if __name__ == "__main__":
    sys.exit(main())
