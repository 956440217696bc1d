"""docs/figures.md: what the benchmarks measured, made from docs/figures/*.json.

A figure stands in one file only, which its program writes with `--record` (`record` in harness.py). A file
that says `transcribed` was written by hand, from tables that stood elsewhere before; the next record of that
program takes its place.

Run: PYTHONPATH=src python bench/figures.py
"""

from __future__ import annotations

import ast
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[1]
FOLDER = CHECKOUT / "docs" / "figures"
PAGE = CHECKOUT / "docs" / "figures.md"
_HEAD = """\
# Figures

What was measured, when, at which commit and on which machine. Each program in [bench](../bench) says in its
head how it measures and why the comparison is fair; with `--record` it writes its figures into
[docs/figures](figures), from which this page is generated. Of figures that were transcribed from older
tables, the commit is the one that wrote them down first.

Aims are our own. A figure that does not reach its aim says **missed**, and stays;
[traps](traps.md#what-misses-its-aim-and-what-was-tried) has what was tried.
"""
_OVERVIEW = "| measured by | date | figures | aims | missed |\n|---|---|---:|---:|---:|"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What one program measured: `rows` as `harness.data` gives them, `program` empty where there is none."""

    name: str
    program: str
    title: str
    date: str
    commit: str
    machine: str
    transcribed: str
    notes: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]

    @property
    def missed(self) -> list[dict[str, Any]]:
        return [row for row in self.rows if not row["ok"]]


def read_records(folder: Path = FOLDER) -> list[Record]:
    """Return all records, by name."""
    return [_read(path) for path in sorted(folder.glob("*.json"))]


def _read(path: Path) -> Record:
    found = json.loads(path.read_text(encoding="utf-8"))
    program = found["benchmark"]
    return Record(
        name=path.stem,
        program=program,
        title=_title(CHECKOUT / program) if program else "Measured by hand",
        date=found["date"],
        commit=found["commit"],
        machine=found["machine"],
        transcribed=found["transcribed"],
        notes=tuple(found["notes"]),
        rows=tuple(found["rows"]),
    )


def _title(program: Path) -> str:
    """Return what a program says first of itself."""
    said = ast.get_docstring(ast.parse(program.read_text(encoding="utf-8")))
    return (said or "").partition("\n")[0].rstrip(".")


def written(row: dict[str, Any]) -> str:
    """Return a figure as documents write it: three digits at most, with its unit."""
    value = row["measured"]
    number = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{number} {row['unit']}".rstrip()


def render(records: list[Record]) -> str:
    """Return the text of docs/figures.md."""
    parts = "".join(f"\n{_section(record)}" for record in records)
    return "\n".join((_HEAD, _OVERVIEW, *map(_row, records), "")) + parts


def _row(record: Record) -> str:
    link = f"[{record.program or 'by hand'}](#{record.name.replace('_', '-')})"
    aims = sum(row["limit"] is not None for row in record.rows)
    return f"| {link} | {record.date} | {len(record.rows)} | {aims} | {len(record.missed)} |"


_TABLE = ("| what | measured | aim |", "|---|---:|---|")


def _section(record: Record) -> str:
    where = [f"`{record.program}`"] if record.program else []
    where += [record.date, f"commit `{record.commit}`", record.machine]
    if record.transcribed:
        where.append(f"transcribed from the tables of {record.transcribed}")
    lines = [f"## {record.name.replace('_', ' ')}", "", f"{record.title}.", "", f"{', '.join(where)}.", ""]
    lines += [f"- {note}" for note in record.notes]
    lines += ["", *_TABLE] if record.notes else _TABLE
    lines += [f"| {row['what']} | {written(row)} | {_limit(row)} |" for row in record.rows]
    return "\n".join((*lines, ""))


def _limit(row: dict[str, Any]) -> str:
    if row["limit"] is None:
        return ""
    most = "at least" if row["atLeast"] else "at most"
    missed = "" if row["ok"] else ": **missed**"
    return f"{most} {row['limit']:g} {row['unit']}".rstrip() + missed


def main() -> int:
    """Write docs/figures.md."""
    PAGE.write_text(render(read_records()), encoding="utf-8")
    print(f"{PAGE} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
