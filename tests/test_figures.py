"""docs/figures.md is made of docs/figures/*.json, which the benchmarks write; both are current and agree."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path

import pytest

import figures
import harness
from harness import Row

RECORDS = figures.read_records()
_HIGH = Row(name="`up`", value=36.21, unit="s", limit=75)
_LOW = Row(name="ratio", value=0.7, unit="", limit=0.8, at_least=True)


def test_the_page_is_current() -> None:
    assert figures.PAGE.read_text() == figures.render(RECORDS), "PYTHONPATH=src python bench/figures.py"


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_a_record_says_when_where_and_what(record: figures.Record) -> None:
    assert dt.date.fromisoformat(record.date) >= dt.date(2026, 11, 22)
    assert re.fullmatch(r"[0-9a-f]{7,}(-dirty)?", record.commit)
    assert record.machine
    assert record.rows
    assert not record.program or record.program == f"bench/{record.name}.py"


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_a_verdict_follows_from_figure_and_limit(record: figures.Record) -> None:
    rows = [
        Row(
            name=row["what"],
            value=row["measured"],
            unit=row["unit"],
            limit=row["limit"],
            at_least=row["atLeast"],
        )
        for row in record.rows
    ]
    assert harness.data(rows) == list(record.rows)


def test_what_a_benchmark_records_is_read_as_it_was_measured(tmp_path: Path) -> None:
    options = harness.arguments("Lab.").parse_args(["--record", "on a quiet machine"])
    harness.record([_HIGH, _LOW], options, "/elsewhere/lab.py", folder=tmp_path)
    (record,) = figures.read_records(tmp_path)
    assert (record.name, record.program, record.transcribed) == ("lab", "bench/lab.py", "")
    assert record.notes == ("on a quiet machine",)
    assert list(record.rows) == harness.data([_HIGH, _LOW])
    assert [row["what"] for row in record.missed] == ["ratio"]
    assert re.fullmatch(r".+, \d+ cores, \d+ GiB of memory", record.machine)


def test_nothing_is_recorded_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = harness.arguments("Lab.").parse_args(["--json"])
    harness.tell([_HIGH], options, "lab.py")
    harness.record([_HIGH], options, "lab.py", folder=tmp_path)
    assert json.loads(capsys.readouterr().out) == harness.data([_HIGH])
    assert list(tmp_path.iterdir()) == []


def test_a_section_says_what_is_missed(tmp_path: Path) -> None:
    options = harness.arguments("Lab.").parse_args(["--record"])
    harness.record([_HIGH, _LOW], options, "lab.py", folder=tmp_path)
    text = figures.render(figures.read_records(tmp_path))
    assert "\n| `up` | 36.2 s | at most 75 s |\n| ratio | 0.7 | at least 0.8: **missed** |\n" in text
    assert re.search(r"\n\| \[bench/lab\.py\]\(#lab\) \| \d{4}-\d\d-\d\d \| 2 \| 2 \| 1 \|\n", text)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(220, "s", "220 s"), (19002.4, "/s", "19,002 /s"), (0.049, "s of CPU", "0.049 s of CPU"), (0, "", "0")],
)
def test_figures_have_three_digits(value: float, unit: str, text: str) -> None:
    assert figures.written({"measured": value, "unit": unit}) == text
