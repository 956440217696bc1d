"""The commands that design and change nothing: how long each takes, for the default and for 1,000 hosts.

How: each command as a user types it, Python's start included, several times; the median counts. The floor is
the same program when it only says its version: what is above it is the command's own work.

Run: PYTHONPATH=src python bench/designing.py [--rounds 5] [--json] [--record]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

import harness
from harness import Row

LIMIT = 60.0  # seconds; past them something hangs
LARGE = f"""\
apiVersion: rookery/v1
pattern: production-minimum
name: {harness.NAME}-large
hosts: {{workers: {{count: 20}}, storage: {{count: 979}}}}
"""


def median(rounds: int, *words: str) -> float:
    """Return the median of a command's seconds; the first call fills caches and is not counted."""
    seconds = [harness.require(harness.rookery(*words, limit=LIMIT)).seconds for _ in range(rounds + 1)]
    return statistics.median(seconds[1:])


def measure(rounds: int, folder: Path) -> list[Row]:
    large = folder / "large.yaml"
    large.write_text(LARGE, encoding="utf-8")
    small = folder / "small.yaml"
    small.write_text(harness.SPEC, encoding="utf-8")
    drawing, tree = str(folder / "drawing.drawio.svg"), str(folder / "tree")
    rows = [Row(name="the program's start (`--version`)", value=median(rounds, "--version"), unit="s")]
    for name, spec, limit in (("default", small, 1.0), ("1,000 hosts", large, 5.0)):
        commands = {
            "diagram": (("diagram", str(spec), "-o", drawing), limit),
            "cost": (("cost", str(spec)), limit),
            "cost --compare": (("cost", str(spec), "--compare"), limit),
            "render": (("render", str(spec), "-o", tree), 1.5 if limit == 1.0 else limit),
            "render --provider hetzner": (
                (
                    "render",
                    str(spec),
                    "-o",
                    f"{tree}-kubernetes",
                    "--provider",
                    "hetzner",
                    "--gitops",
                    "flux",
                ),
                1.5 if limit == 1.0 else limit,
            ),
            "diff": (("diff", "production-minimum", str(spec)), None),
        }
        for command, (words, most) in commands.items():
            value = median(rounds, *words)
            rows.append(Row(name=f"`{command}`, {name}", value=value, unit="s", limit=most))
    return rows


def main() -> int:
    """Print the figures; return 1 where a limit is passed."""
    parser = harness.arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return harness.conclude(lambda: measure(max(1, options.rounds), Path(folder)), options, __file__)


if __name__ == "__main__":
    sys.exit(main())
