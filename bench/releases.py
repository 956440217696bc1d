"""The default lab by each release of Ceph, in turn: how long `up` takes, and what memory it has.

How: `up` with every application and its verification by the command a user types, images and films in place,
with Ceph 18 and with Ceph 20 one after the other, as many rounds as asked for; `down` after each. Memory is
the proportional set size of every process in the lab's cgroups, after verification and a rest in which
managers settle. Ratios are 20 to 18, of medians.

Run as root: PYTHONPATH=src python bench/releases.py [--rounds 2] [--json] [--record]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import defaultdict

import harness
from harness import Row
from lab import lab_memory
from rookery.units import MIB

OLD, NEW = "18", "20"
REST = 20.0  # seconds
MANAGER = "ceph-mgr"

Sample = tuple[float, float, float]
"""Seconds of `up`, bytes of all processes, and bytes of all managers."""


def one_up(release: str) -> Sample:
    with harness.spec_file(harness.spec_with(release)) as spec:
        done, _ = harness.up(spec)
    time.sleep(REST)
    memory = lab_memory()
    harness.require(harness.rookery("down", harness.NAME, limit=harness.DOWN_LIMIT))
    managers = sum(size for name, (_, size) in memory.items() if name == MANAGER)
    return done.seconds, float(sum(size for _, size in memory.values())), float(managers)


def measure(rounds: int) -> list[Row]:
    samples: dict[str, list[Sample]] = defaultdict(list)
    with harness.lab_gone_after():
        for _ in range(rounds):
            for release in (OLD, NEW):
                samples[release].append(one_up(release))
                print(f"{release}: {samples[release][-1]}", file=sys.stderr, flush=True)
    figures = {
        name: [statistics.median(values) for values in zip(*found, strict=True)]
        for name, found in samples.items()
    }
    (old_up, old_memory, old_managers), (new_up, new_memory, new_managers) = figures[OLD], figures[NEW]
    return [
        Row(name=f"`up` with Ceph {OLD}", value=old_up, unit="s"),
        Row(name=f"`up` with Ceph {NEW}", value=new_up, unit="s"),
        Row(name="`up`, 20 to 18", value=new_up / old_up, unit="", limit=1.05),
        Row(name=f"memory with Ceph {OLD} (Pss)", value=old_memory / MIB, unit="MiB"),
        Row(name=f"memory with Ceph {NEW} (Pss)", value=new_memory / MIB, unit="MiB"),
        Row(name="memory, 20 to 18", value=new_memory / old_memory, unit="", limit=1.0),
        Row(name=f"of it two managers of {OLD}", value=old_managers / MIB, unit="MiB"),
        Row(name=f"of it two managers of {NEW}", value=new_managers / MIB, unit="MiB"),
    ]


def main() -> int:
    """Print the figures; return 1 where a limit is passed."""
    parser = harness.arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    harness.prepare()
    harness.require_image(OLD, NEW)
    return harness.conclude(lambda: measure(max(1, options.rounds)), options, __file__)


if __name__ == "__main__":
    sys.exit(main())
