"""The whole default system: how long `up` takes with every application, and what memory it has.

How: `up` with verification by the command a user types, once with the films to be made first (what was made
before is set aside and put back afterwards), then with them in place; `down` after each. Memory is the
proportional set size of every process in the lab's cgroups, storage daemons included, after verification.

Run as root: PYTHONPATH=src python bench/whole.py [--rounds 3] [--json] [--record]
"""

from __future__ import annotations

import contextlib
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import harness
from harness import FailedError, Row
from lab import GIB, lab_memory, show
from rookery.systems.native.making import made_root


@contextlib.contextmanager
def nothing_made() -> Iterator[None]:
    """As on a machine where no film was made yet."""
    folder = made_root()
    aside = folder.with_name(f"{folder.name}.aside")
    if folder.exists():
        folder.rename(aside)
    try:
        yield
    finally:
        if aside.exists():
            for path in aside.iterdir():
                if not (folder / path.name).exists():
                    path.rename(folder / path.name)


def one_up(spec: Path) -> tuple[float, float, dict[str, tuple[int, int]], float]:
    """Return the seconds of `up`, of its verification, the memory by program, and the seconds of `down`."""
    done, report = harness.up(spec)
    memory = lab_memory()
    down = harness.require(harness.rookery("down", harness.NAME, limit=harness.DOWN_LIMIT))
    return done.seconds, float(report["verifySeconds"]), memory, down.seconds


def measure(rounds: int) -> tuple[list[Row], dict[str, tuple[int, int]]]:
    with harness.spec_file() as spec, harness.lab_gone_after():
        harness.require_image()
        with nothing_made():
            cold = one_up(spec)
        warm = [one_up(spec) for _ in range(rounds)]
    median = statistics.median
    memory = warm[-1][2]
    total = median([sum(size for _, size in sample[2].values()) for sample in warm])
    rows = [
        Row(name="`up` with every application, films to be made", value=cold[0], unit="s", limit=100),
        Row(name="`up` with every application", value=median([s[0] for s in warm]), unit="s", limit=75),
        Row(name="of it, verification", value=median([s[1] for s in warm]), unit="s"),
        Row(name="`down`", value=median([s[3] for s in warm]), unit="s"),
        Row(name="memory of everything (Pss)", value=total / GIB, unit="GiB", limit=4.5),
    ]
    return rows, memory


def main() -> int:
    """Print the figures; return 1 where a limit is passed."""
    parser = harness.arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    harness.prepare()
    try:
        rows, memory = measure(max(1, options.rounds))
    except FailedError as error:
        print(error, file=sys.stderr)
        return 1
    return show(rows, memory, options, __file__)


if __name__ == "__main__":
    sys.exit(main())
