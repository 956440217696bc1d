"""What backups cost the default lab: `up` and memory without and with them, in turn, and a first set.

How: `up` with every application and its verification by the command a user types, image and films in place,
with `backup: null` and as the pattern has it one after the other, as many rounds as asked for; `down` after
each. Memory is the proportional set size of every process in the lab's cgroups, after verification and a
rest. Then the first set of all kinds, by `rookery backup now`: its seconds, and what it adds to the lab's
disk, in bytes of its files, with everything that ran meanwhile. Figures are medians.

Run as root: PYTHONPATH=src python bench/with_backups.py [--rounds 3] [--json] [--record]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path

import harness
from harness import Row
from lab import lab_memory
from rookery.systems.lab.paths import LabPaths
from rookery.units import MIB

REST = 20.0  # seconds
SET_LIMIT = 300.0
SPECS = {"without": f"{harness.SPEC}backup: null\n", "with": harness.SPEC}

Sample = tuple[float, ...]
"""Seconds of `up` and of its verification, bytes of all processes; with backups, seconds of the first set and
the bytes that it adds on the disk."""


def on_disk(folder: Path) -> int:
    """Return the bytes that the files of a folder take."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))


def one_up(text: str, *, takes_sets: bool) -> Sample:
    with harness.spec_file(text) as spec:
        done, report = harness.up(spec)
    time.sleep(REST)
    found: Sample = (
        done.seconds,
        float(report["verifySeconds"]),
        float(sum(size for _, size in lab_memory().values())),
    )
    if takes_sets:
        folder = LabPaths(name=harness.NAME).folder
        before = on_disk(folder)
        taken = harness.require(
            harness.rookery("backup", "now", "--system", harness.NAME, "--no-journal", limit=SET_LIMIT)
        )
        found = (*found, taken.seconds, float(on_disk(folder) - before))
    harness.require(harness.rookery("down", harness.NAME, limit=harness.DOWN_LIMIT))
    return found


def measure(rounds: int) -> list[Row]:
    samples: dict[str, list[Sample]] = defaultdict(list)
    with harness.lab_gone_after():
        for _ in range(rounds):
            for name, text in SPECS.items():
                samples[name].append(one_up(text, takes_sets=name == "with"))
                print(f"{name}: {samples[name][-1]}", file=sys.stderr, flush=True)
    bare, full = (
        [statistics.median(values) for values in zip(*samples[name], strict=True)] for name in SPECS
    )
    return [
        Row(name="`up` without backups", value=bare[0], unit="s"),
        Row(name="`up` with backups", value=full[0], unit="s"),
        Row(name="`up`, what backups add", value=full[0] - bare[0], unit="s", limit=1.5),
        Row(name="of it, verification", value=full[1] - bare[1], unit="s"),
        Row(name="memory without backups (Pss)", value=bare[2] / MIB, unit="MiB"),
        Row(name="memory with backups (Pss)", value=full[2] / MIB, unit="MiB"),
        Row(name="the first set of all kinds", value=full[3], unit="s"),
        Row(name="the first set, on the disk", value=full[4] / MIB, unit="MiB"),
    ]


def main() -> int:
    """Print the figures; return 1 where a limit is passed."""
    parser = harness.arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    harness.prepare()
    harness.require_image()
    return harness.conclude(lambda: measure(max(1, options.rounds)), options, __file__)


if __name__ == "__main__":
    sys.exit(main())
