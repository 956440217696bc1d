"""What the measurement of backups makes of what it saw."""

from __future__ import annotations

import json

import pytest

import backup
import backup_server


def test_a_sets_time_is_told_by_kind() -> None:
    said = [
        (0.5, "database: the moment"),
        (0.6, "database: a base backup"),
        (9.0, "files: the moment"),
        (10.0, "database: copying"),
        (12.0, "files: copying"),
    ]
    lines = [(at, json.dumps({"at": words})) for at, words in said]
    timed = backup_server.Timed(
        code=0,
        seconds=15.2,
        cpu=1.0,
        said="",
        lines=[*lines, (15.0, json.dumps({"result": {"state": "whole"}}))],
    )
    assert timed.by_kind() == {"database": pytest.approx(10.5), "files": pytest.approx(4.0)}


def test_speed_is_told_against_the_floor() -> None:
    turns = backup.Turns()
    turns.backup |= {"ours": [10.0, 12.0], "floor": [9.0, 9.0]}
    turns.restore |= {"ours": [5.0], "floor": [6.0]}
    rows = {row.name: row for row in backup.ratios("files", turns)}
    slow = rows["files: backup, speed against by hand"]
    assert (round(slow.value, 3), slow.ok) == (0.818, False)
    assert rows["files: restore, speed against by hand"].ok


def test_latencies_are_those_of_whole_points_within_a_window() -> None:
    columns = ["count", "errors", "bytes", "p50", "p95", "p99", "max"]
    medians = [99, 10, 10, 99, 20, 22, 99, 12, 12, 99]
    points = [[50, int(at == 5), 0, p50, 0, 0, 0] for at, p50 in enumerate(medians)]
    series = {"interval": 5, "columns": columns, "kinds": {"transactions": points}}
    rows = {row.name.partition(": ")[2]: row.value for row in backup.latencies(series, (4, 15, 32, 47), 17.0)}
    assert rows["median without"] == 11
    assert rows["median beside a full set"] == 21
    assert rows["failed beside it"] == 1
