"""Experiments on a real system: one to its end, and one whose runner is killed while something is broken."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from rookery.systems.native.system import NativeSystem
from tests.kit.labs import STRICTEST, Lab, environment, rookery

pytestmark = pytest.mark.on("default")
SHORT = """\
apiVersion: rookery/v1
kind: Experiment
name: short
question: Does anybody notice when an object gateway is away for ten seconds?
load: {viewers: 12, transactions: 4, churn: 3, space: 20MB}
steady: {for: 5s}
method:
  - {fault: stop, target: rgw, for: 10s, with: {how: killed}}
observe: 3s
expect:
  - {measure: lost, atMost: 0}
  - {measure: puts.gap, atMost: 40s}
"""
LIMIT = 120.0  # seconds until something is broken


def run(lab: Lab, file: Path, *more: str) -> Any:
    return rookery("experiment", "run", str(file), "--system", lab.name, "--yes", "--output", "json", *more)


@pytest.fixture
def short(tmp_path: Path) -> Path:
    file = tmp_path / "short.yaml"
    file.write_text(SHORT, encoding="utf-8")
    return file


def test_a_question_has_an_answer_and_a_page(lab: Lab, short: Path, tmp_path: Path) -> None:
    page = tmp_path / "answer.html"
    done = run(lab, short, "--report", str(page))
    assert done.code == 0, done.out + done.err
    found = done.data
    assert (found["outcome"], found["doubts"]) == ("held", [])
    (broken,) = found["broken"]
    assert broken["proved"] is not None
    assert 9 < broken["healed"] - broken["began"] < 40
    assert found["books"]["found"] >= found["books"]["acknowledged"] > 20
    values = {one["measure"]: one["value"] for one in found["claims"]}
    assert values["lost"] == 0
    assert values["puts.gap"] > 0
    assert found["phases"]["steady"] > broken["healed"]
    marks = [one["mark"] for one in found["events"] if one["source"] == "method"]
    assert [mark for mark in marks if mark != "seen"] == ["begun", "proved", "healing", "healed", "steady"]
    text = page.read_text(encoding="utf-8")
    assert "Does anybody notice when an object gateway is away for ten seconds?" in text
    again = rookery("experiment", "report", found["run"], "--system", lab.name, "--output", "json")
    assert again.data["claims"] == found["claims"]
    assert rookery("status", lab.name).code == 0


def test_what_a_killed_one_broke_is_healed_by_another_command(
    lab: Lab, short: Path, system: NativeSystem
) -> None:
    text = SHORT.replace("for: 10s", "for: 10min")
    short.write_text(text, encoding="utf-8")
    process = subprocess.Popen(
        (sys.executable, "-m", "rookery", "experiment", "run", str(short), "--system", lab.name, "--yes"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
        umask=STRICTEST,
    )
    deadline = time.monotonic() + LIMIT
    while not system.faults.begun():
        assert time.monotonic() < deadline, "nothing was broken"
        assert process.poll() is None, "it ended"
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=30)
    refused = run(lab, short)
    assert (refused.code, json.loads(refused.out or "null")) == (3, None)
    assert "`rookery experiment heal` puts it back" in refused.err
    healed = rookery("experiment", "heal", "--system", lab.name)
    assert healed.code == 0, healed.err
    assert healed.out.count("healed: rgw.") == 1
    assert "the load of a run that was killed is ended" in healed.out
    assert rookery("experiment", "heal", "--system", lab.name).out.strip() == "nothing was broken"
    left = rookery("experiment", "report", "--system", lab.name, "--output", "json")
    assert left.code == 5
    assert "it was killed" in " ".join(left.data["doubts"])
