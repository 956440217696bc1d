"""Backups and restores of each kind against the same tools by hand; what changes cost; what users notice.

How: on the default lab with `backup: {}`, without the live channel, each kind gets as many bytes, of which
half does not compress, and is backed up and restored

- by ours: the program that the schedule starts, from its start to its end, with the lock, the set's record
  and the digests that it keeps;
- by the floor: what a skilled person types with the same tools (`backup_floor.py` has every command).

Fair, because both run on the same server, send the same data with the same compression to the same bucket by
the same keys, and flush as much; they take turns, each first in every other round, and start from nothing:
what is kept is hidden before each. What both restore is compared with what was written. Starting the command
`rookery` on the operator's machine is in neither: the schedule does without.

Volumes are all that are backed up: the bench's and those of the database's instances. The system's own backup
is left out: maps of some hundred kilobytes, which have no changes.

Then all kinds have data, a set is taken, 1 % of each kind is changed, what was written last, and another set
is taken: its bytes and its seconds are held against those of the first. Bytes of the database are those of
the base backup and of the log since; the table was vacuumed before, as it is after a while.

A lab with everything is next: the drill, as on a system of that day; then 200 MB of each kind, and a set
from nothing, as the schedule takes it, while the default load runs. The median is that of the load's points,
five seconds each, of times from due to done.

Run as root: PYTHONPATH=src python bench/backup.py [--size 500MB] [--rounds 2] [--only PART]
    [--json] [--record]
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import harness
from backup_server import Guest, note
from harness import FailedError, Row
from rookery.apps.backup.places import DRILL
from rookery.cli.load import parse_space
from rookery.run.workspace import open_running
from rookery.systems.native.system import NativeSystem

KINDS = ("block", "files", "objects", "database")
# The database's volumes are among those that are backed up, so its data comes last.
EARLY, LATE = KINDS[:3], KINDS[3:]
PARTS = ("versus", "sets", "drill", "load")
STILL, LIVELY = PARTS[:2], PARTS[2:]
SPEC = f"{harness.SPEC}backup: {{}}\n"
# Without the live channel, whose window on CephFS changes in the meantime, more than 1 % of what is there.
STILL_SPEC = f"{SPEC}apps: {{streaming: {{channel: false}}}}\n"
RATIO, BYTES, TIME, LATENCY, DRILL_LIMIT = 0.9, 0.03, 0.2, 1.25, 180.0
DRILL_SIZE = "200MB"
SETTLE, QUIET = 20.0, 40.0  # seconds of load before it counts, and of load without a backup
SCRATCH = {"ours": "/var/lib/rookery/scratch/database", "floor": "/var/lib/rookery/scratch/floor"}


# Against the tools by hand


@dataclass(slots=True, kw_only=True)
class Turns:
    """The seconds of one kind, by side, of backups and of restores."""

    backup: dict[str, list[float]] = field(default_factory=lambda: {"ours": [], "floor": []})
    restore: dict[str, list[float]] = field(default_factory=lambda: {"ours": [], "floor": []})


def ours_turn(guest: Guest, kind: str) -> tuple[float, float]:
    """Return the seconds of a backup from nothing and of its restore beside what is there."""
    guest.ask("reset", kinds=[kind])
    kept = guest.ours("now", {"kinds": [kind]})
    label = kept.answer["label"]
    wish = {"kind": kind, "path": DRILL if kind == "objects" else "", "label": label, "at": ""}
    request = {**wish, "to": "scratch", "credentials": {DRILL: guest.keys}}
    back = guest.ours("restore", request)
    where = {
        "database": SCRATCH["ours"],
        "objects": f"restored-{DRILL}-{label}",
        "files": f"/restored-{label}/bench",
        "block": f"restored-bench-{label}",
    }
    compare(guest, kind, where[kind])
    forget(guest, kind, where[kind], "restored-", SCRATCH["ours"])
    return kept.seconds, back.seconds


def floor_turn(guest: Guest, kind: str, number: str) -> tuple[float, float]:
    """The same by hand."""
    guest.floor("prepare", kind, number)
    kept, back = guest.floor("backup", kind, number), guest.floor("restore", kind, number)
    where = {
        "database": SCRATCH["floor"],
        "objects": f"floor-{DRILL}-{number}",
        "files": f"/floor-{number}/bench",
        "block": "floor-bench",
    }
    compare(guest, kind, where[kind])
    forget(guest, kind, where[kind], "floor-", SCRATCH["floor"])
    guest.floor("forget", kind, number)
    return kept.seconds, back.seconds


def compare(guest: Guest, kind: str, where: str) -> None:
    wrong = guest.ask("look", kind=kind, where=where, version=0)
    if wrong:
        raise FailedError(f"{kind}: {wrong} items that came back to {where} are not what was written")


def forget(guest: Guest, kind: str, where: str, images: str, instance: str) -> None:
    more: dict[str, dict[str, Any]] = {
        "database": {"instances": [instance]},
        "objects": {"buckets": [where]},
        "files": {"trees": [where.removesuffix("/bench")]},
        "block": {"images": [images]},
    }
    guest.ask("forget", **more[kind])


def versus(guest: Guest, kinds: Sequence[str], rounds: int, until: float) -> list[Row]:
    """Take turns; after `until`, by the monotonic clock, no further round begins."""
    turns = {kind: Turns() for kind in kinds}
    for number in range(rounds):
        if number and time.monotonic() > until:
            note(f"no time is left for another round of {', '.join(kinds)}")
            break
        for kind in kinds:
            for side in ("ours", "floor") if number % 2 == 0 else ("floor", "ours"):
                name = f"{time.strftime('%H%M%S', time.gmtime())}-{number}"
                taken = ours_turn(guest, kind) if side == "ours" else floor_turn(guest, kind, name)
                note(f"{kind}, {side}: backup {taken[0]:.2f} s, restore {taken[1]:.2f} s")
                turns[kind].backup[side].append(taken[0])
                turns[kind].restore[side].append(taken[1])
    return [row for kind in kinds for row in ratios(kind, turns[kind])]


def ratios(kind: str, turns: Turns) -> list[Row]:
    found = []
    for what, taken in (("backup", turns.backup), ("restore", turns.restore)):
        ours, floor = statistics.median(taken["ours"]), statistics.median(taken["floor"])
        name = f"{kind}: {what}, speed against by hand"
        found.append(Row(name=name, value=floor / ours, unit="", limit=RATIO, at_least=True))
        found.append(Row(name=f"{kind}: {what}", value=ours, unit="s"))
        found.append(Row(name=f"{kind}: {what} by hand", value=floor, unit="s"))
    return found


# Sets after a change


def sets(guest: Guest) -> list[Row]:
    guest.ask("reset", kinds=list(KINDS))
    full = guest.ours("now", {"kinds": []})
    guest.ask("change", kinds=list(KINDS), version=1)
    next_one = guest.ours("now", {"kinds": []})
    note(f"a full set {full.seconds:.1f} s {full.by_kind()}, the next {next_one.by_kind()}")
    for one in (full, next_one):
        if one.answer["state"] != "whole":
            raise FailedError(f"a set is {one.answer['state']}: {one.answer['failed']}")
    found = [
        Row(name="a full set of all kinds", value=full.seconds, unit="s"),
        Row(name="a set after 1 % of changes", value=next_one.seconds, unit="s"),
    ]
    for kind in KINDS:
        moved = [one.answer["parts"][kind]["moved"] for one in (full, next_one)]
        if kind == "database":  # `moved` has all of the log that is archived, from before the base backup too
            moved[0] = full.answer["parts"][kind]["whole"]
        taken = [one.by_kind()[kind] for one in (full, next_one)]
        name = f"{kind}: a set after 1 % of changes,"
        found += [
            Row(name=f"{name} bytes against a full one's", value=moved[1] / moved[0], unit="", limit=BYTES),
            Row(name=f"{name} time against a full one's", value=taken[1] / taken[0], unit="", limit=TIME),
            Row(name=f"{kind}: of a full set", value=taken[0], unit="s"),
            Row(name=f"{kind}: of a full set, moved", value=moved[0] / 1e6, unit="MB"),
        ]
    return found


# What users notice


def load(*words: str) -> harness.Done:
    return harness.require(harness.rookery("load", *words, limit=180.0))


def under_load(guest: Guest, name: str) -> list[Row]:
    """A full set, as the schedule takes it, while the default load runs."""
    guest.ask("reset", kinds=list(KINDS))

    def seconds() -> float:
        return float(json.loads(load("status", "--system", name, "--output", "json").out)["seconds"])

    with tempfile.TemporaryDirectory(prefix="rookery-bench-") as folder:
        record = Path(folder) / "load.json"
        load("start", "--system", name)
        try:
            time.sleep(SETTLE)
            marks = [seconds()]
            time.sleep(QUIET)
            marks.append(seconds())
            made = guest.ours("now", {"kinds": []}, gently=True)
            marks.append(seconds())
            time.sleep(QUIET)
            marks.append(seconds())
        finally:
            load("stop", "--system", name, "--record", str(record))
        series = json.loads(record.read_text(encoding="utf-8"))["series"]
    return latencies(series, marks, made.seconds)


def latencies(series: dict[str, Any], marks: Sequence[float], taken: float) -> list[Row]:
    count, errors, median = (series["columns"].index(name) for name in ("count", "errors", "p50"))

    def points(first: float, last: float) -> list[list[float]]:
        every = series["interval"]
        known = series["kinds"]["transactions"][int(first / every) + 1 : int(last / every)]
        return [point for point in known if point[count]]

    before, during, after = (points(*pair) for pair in itertools.pairwise(marks))
    without = statistics.median([point[median] for point in (*before, *after)])
    beside = statistics.median([point[median] for point in during])
    note(
        f"p50 before {[p[median] for p in before]}, during {[p[median] for p in during]},"
        f" after {[p[median] for p in after]}"
    )
    name = "transactions under the default load"
    return [
        Row(
            name=f"{name}: median beside a full set against without",
            value=beside / without,
            unit="",
            limit=LATENCY,
        ),
        Row(name=f"{name}: median without", value=without, unit="ms"),
        Row(name=f"{name}: median beside a full set", value=beside, unit="ms"),
        Row(name=f"{name}: failed beside it", value=sum(point[errors] for point in during), unit="", limit=0),
        Row(name=f"{name}: done beside it", value=sum(point[count] for point in during), unit=""),
        Row(name="a full set of all kinds beside the default load", value=taken, unit="s"),
    ]


# The drill


def drill(name: str) -> list[Row]:
    words = ("--system", name, "--yes", "--no-journal", "--output", "json", "--size", DRILL_SIZE)
    done = harness.require(harness.rookery("drill", *words, limit=900.0))
    told = json.loads(done.out)
    note(
        f"drill: {[(e['what'], e['seconds']) for e in told['drill']['events']]},"
        f" RTO {[(k['kind'], k['rto']) for k in told['drill']['kinds']]}"
    )
    return [
        Row(name=f"drill of {DRILL_SIZE} a kind", value=done.seconds, unit="s", limit=DRILL_LIMIT),
        Row(name="drill: what is back differs", value=told["exitCode"] != 0, unit="", limit=0),
        Row(name="drill: recovery of all kinds, one after the other", value=told["drill"]["rto"], unit="s"),
    ]


def measure(options: argparse.Namespace) -> list[Row]:
    """Measure the parts that are asked for: on two labs, one after the other, as none has drives for all."""
    rows = []
    for spec, some, size in ((STILL_SPEC, STILL, options.size), (SPEC, LIVELY, options.load_size)):
        parts = [part for part in some if part in (options.only or PARTS)]
        if parts:
            with ExitStack() as stack:
                rows += _on_a_lab(stack, _opened(stack, spec, options.system), size, parts, options)
    return rows


def _opened(stack: ExitStack, spec: str, system: str) -> NativeSystem:
    """Return the lab of that name, one of our own where none is named."""
    if not system:
        harness.require_image()
        path = stack.enter_context(harness.spec_file(spec))
        stack.enter_context(harness.lab_gone_after())
        harness.up(path)
    found = NativeSystem(open_running(system or harness.NAME).design)
    stack.callback(found.close)
    return found


def _on_a_lab(
    stack: ExitStack, system: NativeSystem, size: str, parts: Sequence[str], options: argparse.Namespace
) -> list[Row]:
    guest, name = Guest(system, parse_space(size)), system.design.name
    until = time.monotonic() + options.patience
    for host in guest.agents:
        guest.ask("agents", host=host, go=False)
        if options.system:
            stack.callback(guest.ask, "agents", host=host, go=True)
    rows = drill(name) if "drill" in parts else []
    if options.system:
        stack.callback(guest.ask, "clear")
    for some in (EARLY, LATE):
        here = [kind for kind in some if kind in (options.kind or KINDS)]
        if here and set(parts) != {"drill"}:
            guest.ask("fill", kinds=here)
            note(f"filled {', '.join(here)}")
            rows += versus(guest, here, options.rounds, until) if "versus" in parts else []
            note("so far:\n" + harness.table(rows))
    rows += sets(guest) if "sets" in parts else []
    rows += under_load(guest, name) if "load" in parts else []
    note("so far:\n" + harness.table(rows))
    return rows


def main() -> int:
    """Print the figures; return 1 where a limit is passed."""
    parser = harness.arguments(__doc__)
    parser.add_argument("--size", default="500MB", help="bytes of each kind")
    parser.add_argument("--load-size", default="200MB", help="bytes of each kind beside the load")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--patience", type=float, default=3600.0, help="seconds after which no round begins")
    parser.add_argument("--only", action="append", choices=PARTS, help="a part; may be repeated")
    parser.add_argument("--kind", action="append", choices=KINDS, help="a kind for `versus`")
    parser.add_argument("--system", help="a lab that is up, instead of one of its own")
    options = parser.parse_args()
    harness.prepare()
    return harness.conclude(lambda: measure(options), options, __file__)


if __name__ == "__main__":
    sys.exit(main())
