"""The drill on real servers: all that was lost comes back, what does not is found, and it may be killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from rookery.apps.backup.places import BUCKET, DRILL, FILES, KINDS, OBJECTS, SYSTEM, VAULT, WRITER
from rookery.run.workspace import open_running
from rookery.systems.native.system import NativeSystem
from tests.kit.lab_backups import client_of
from tests.kit.labs import Done, Lab, environment, rookery

pytestmark = pytest.mark.on("backup")
DRILLED = [kind for kind in KINDS if kind != SYSTEM]
LOSING = "losing it on purpose"
LIMIT = 900.0  # seconds


def drill(lab: Lab, *more: str) -> Done:
    return rookery("drill", "--system", lab.name, "--yes", "--no-journal", "--output", "json", *more)


def started(lab: Lab, *more: str) -> subprocess.Popen[str]:
    command = ("drill", "--system", lab.name, "--yes", "--no-journal", "--output", "json", *more)
    return subprocess.Popen(
        (sys.executable, "-m", "rookery", *command),
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until_it_loses(process: subprocess.Popen[str]) -> None:
    """Read what a drill says until it is about to destroy what it wrote."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if LOSING in line:
            return
    raise AssertionError("".join(said))


@contextmanager
def hidden_copies(lab: Lab) -> Iterator[None]:
    """Hide, as who writes backups may, the copies that the store has of the drill's objects; their owner
    brings them back."""
    with closing(NativeSystem(open_running(lab.name).design)) as system:
        client = client_of(system, WRITER)
        prefix = f"{OBJECTS}/{DRILL}/"
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        found = [item["Key"] for page in pages for item in page.get("Contents", ())]
        assert found, f"{VAULT} has no copies below {prefix}"
        markers = [(key, client.delete_object(Bucket=BUCKET, Key=key)["VersionId"]) for key in found]
        try:
            yield
        finally:
            owner = client_of(system, VAULT)
            for key, marker in markers:
                owner.delete_object(Bucket=BUCKET, Key=key, VersionId=marker)


def test_killed_and_run_again_everything_lost_comes_back(lab: Lab, tmp_path: Path) -> None:
    with started(lab) as process:
        until_it_loses(process)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=LIMIT)
    report = tmp_path / "drill.html"
    done = drill(lab, "--report", str(report))
    assert done.code == 0, done.err + done.out
    assert "did not end: what it left goes first" in done.err
    kinds = done.data["drill"]["kinds"]
    assert [one["kind"] for one in kinds] == DRILLED
    for one in kinds:
        assert one["verdict"] == "same"
        assert one["back"] >= one["owed"] >= 8
        assert one["lost"] > 0
        assert 0 < one["rpo"] < LIMIT
        assert one["rto"] > 0
    assert "nothing of what the set has" in report.read_text()


def test_what_does_not_come_back_is_found(lab: Lab) -> None:
    with started(lab, "--only", OBJECTS, "--only", FILES) as process:
        until_it_loses(process)
        with hidden_copies(lab):
            out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 4, err
    done = Done(code=4, out=out, err=err)
    verdicts = {one["kind"]: one["verdict"] for one in done.data["drill"]["kinds"]}
    assert verdicts == {OBJECTS: "differs", FILES: "same"}
