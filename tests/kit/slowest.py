"""tests/slowest.md: what tests pay, written from a run of them (`./rookery test --slowest`).

A test is paid for in three parts: what is set up for it (a lab, a PostgreSQL), the test, what is taken down.
Tests are told apart by what they start; a run writes the tables of those that it ran, and leaves the others.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rookery.units import GIB

PAGE = Path(__file__).parents[1] / "slowest.md"
COUNT = 40
_HEAD = """\
# The slowest tests

What tests pay, in seconds: the slowest {count} of what is set up for a test, of the tests, and of what is
taken down. `./rookery test --slowest` writes it from its run; given tests, it writes the tables of those
alone, and leaves the others as they are. Workers share the machine's cores, so figures add up to more than
the run took, and say something of a test on a quiet machine only.
"""
# Where tests lie, by the title of their table.
_TABLES: Mapping[str, str] = {
    "Without servers": "tests/test_",
    "With servers of their own": "tests/lab/",
    "In a kernel of their own": "tests/kernel/",
}
_LONGEST = 100  # characters of a test's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """A part of a test (setup, call or teardown), and how many seconds it took."""

    test: str
    part: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run is described by: day, machine, workers (1 where there are none), seconds from end to end."""

    day: str
    machine: str
    workers: int
    seconds: float


def this_machine() -> str:
    """Return what the machine is: its system, cores and memory."""
    names = platform.freedesktop_os_release()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    return f"{names['PRETTY_NAME']}, {os.cpu_count()} cores, {memory:.0f} GiB of memory"


def render_slowest(run: Run, paid: Iterable[Paid], *, before: str = "") -> str:
    """Return the page after a run; `before` is the page as it was, from which it takes what was not run."""
    parts = list(paid)
    tables = _read(before)
    for title, place in _TABLES.items():
        if own := [one for one in parts if one.test.startswith(place)]:
            tables[title] = _table(run, own)
    found = [f"## {title}\n\n{tables[title]}" for title in _TABLES if title in tables]
    return "\n".join([_HEAD.format(count=COUNT), *found])


def _read(page: str) -> dict[str, str]:
    """Return the tables of a page by their titles."""
    _, *sections = re.split(r"(?m)^## ", page)
    return {title: text.strip() + "\n" for title, _, text in (one.partition("\n") for one in sections)}


def _table(run: Run, paid: list[Paid]) -> str:
    tests = len({one.test for one in paid})
    workers = f"{run.workers} workers" if run.workers > 1 else "one process"
    total = sum(one.seconds for one in paid)
    slowest = sorted(paid, key=lambda one: (-one.seconds, one.test, one.part))[:COUNT]
    lines = [
        f"{run.day}, {run.machine}. {tests:,} tests in {workers}, {total:,.0f} s together,",
        f"in a run of {run.seconds:,.0f} s; of them {sum(one.seconds for one in slowest):,.0f} s below.",
        "",
        "| seconds | part | test |",
        "|---:|---|---|",
        *(f"| {one.seconds:.1f} | {one.part} | `{_name(one.test)}` |" for one in slowest),
    ]
    return "\n".join(lines) + "\n"


def _name(test: str) -> str:
    short = test if len(test) <= _LONGEST else f"{test[: _LONGEST - 3]}..."
    return short.removeprefix("tests/").replace("|", "\\|").replace("`", "'")
