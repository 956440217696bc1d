"""Load on a real lab: every kind moves, nothing is left of it, and it ends before it fills a drive."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rookery.systems.lab.leftovers import find_leftovers
from rookery.systems.lab.paths import LabPaths
from tests.kit.labs import Done, Lab, rookery

pytestmark = pytest.mark.on("default")
SPACE = 40_000_000
SMALL = ("--viewers", "8", "--transactions", "5", "--churn", "4", "--space", str(SPACE))


def load(lab: Lab, verb: str, *arguments: str) -> Done:
    return rookery("load", verb, "--system", lab.name, *arguments)


def figures(lab: Lab) -> Any:
    done = load(lab, "status", "--output", "json")
    assert done.code == 0, done.err
    return done.data


def ceph(lab: Lab, *words: str) -> str:
    done = rookery("shell", "cp-1", "--system", lab.name, "--", "ceph", *words)
    assert done.code == 0, done.err
    return done.out


def wait_for(lab: Lab, holds: Callable[[Any], bool], *, limit: float) -> Any:
    """Look at the figures until something holds of them; return them as they are at last."""
    deadline = time.monotonic() + limit
    while True:
        seen = figures(lab)
        if holds(seen) or time.monotonic() > deadline:
            return seen
        time.sleep(0.5)


@pytest.fixture
def no_load(lab: Lab) -> Any:
    """Whatever a test left is stopped after it."""
    yield
    load(lab, "stop")


def test_without_a_load_it_says_so(lab: Lab) -> None:
    for verb in ("status", "stop"):
        done = load(lab, verb)
        assert done.code == 2
        assert f"no load was started on {lab.name}" in done.err


@pytest.mark.usefixtures("no_load")
def test_every_kind_moves_and_nothing_is_left_of_it(lab: Lab, tmp_path: Path) -> None:
    started = load(lab, "start", *SMALL)
    assert started.code == 0, started.err
    again = load(lab, "start", *SMALL)
    assert again.code == 3
    assert "a load runs on" in again.err
    # A few viewers choose something live, or music, only once in a while.
    often = ("video", "pages", "catalogue", "plays", "transactions", "reads", "puts", "gets", "deletes")

    def all_move(seen: Any) -> bool:
        # The bucket is empty for a moment where the only object that was put is deleted again.
        return bool(seen["space_used"]) and all(k["count"] for k in seen["kinds"] if k["name"] in often)

    seen = wait_for(lab, all_move, limit=60)
    assert {k["name"]: k["error_texts"] for k in seen["kinds"] if k["errors"]} == {}
    assert [k["name"] for k in seen["kinds"] if not k["count"] and k["name"] in often] == []
    assert seen["off"] == []
    assert 0 < seen["space_used"] <= SPACE
    stopped = load(lab, "stop", "--record", str(tmp_path / "record.json"), "--output", "json")
    assert stopped.code == 0, stopped.err
    assert (stopped.data["state"], stopped.data["books"]) == ("ended", "held")
    assert stopped.data["space_used"] == 0
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["why"] == "it was asked to stop"
    points = record["series"]["kinds"]["transactions"]
    assert sum(point[0] for point in points) == record["kinds"]["transactions"]["count"] > 0
    stats = ("radosgw-admin", "bucket", "stats", "--bucket", "load")
    told = json.loads(rookery("shell", "cp-1", "--system", lab.name, "--", *stats).out)
    assert told["usage"].get("rgw.main", {}).get("num_objects", 0) == 0
    paths = LabPaths(name=lab.name)
    names = [leftover.name for leftover in find_leftovers(paths)]
    assert [name for name in names if name.endswith((paths.container("load"), "/servers/load/root"))] == []


@pytest.mark.usefixtures("no_load")
def test_no_secret_is_in_status_record_or_arguments(lab: Lab) -> None:
    started = load(lab, "start", *SMALL, "--output", "json")
    assert started.code == 0, started.err
    secrets = json.loads(LabPaths(name=lab.name).secrets.read_text())
    names = ("s3.load.secret", "s3.load.access", "database.user.load", "cephx.client.load")
    folder = LabPaths(name=lab.name).folder / "load"
    said = started.out + "".join(path.read_text() for path in folder.iterdir())
    said += "".join(path.read_text() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists())
    assert [name for name in names if secrets.get(name, "?") in said] == []
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("no_load")
def test_it_ends_by_itself_when_the_drives_are_nearly_full(lab: Lab) -> None:
    assert load(lab, "start", *SMALL).code == 0
    ceph(lab, "osd", "set-nearfull-ratio", "0.0005")
    try:
        seen = wait_for(lab, lambda s: s["state"] == "ended", limit=60)
        refused = load(lab, "start", *SMALL)
    finally:
        ceph(lab, "osd", "set-nearfull-ratio", "0.85")
    # OSDs say a moment later that they are not nearly full any more; until then every load ends at once.
    deadline = time.monotonic() + 60
    while "NEARFULL" in ceph(lab, "health", "detail") and time.monotonic() < deadline:
        time.sleep(0.5)
    assert seen["state"] == "ended"
    assert seen["why"].startswith("the drives are nearly full: ")
    assert refused.code == 3
    assert "a load would fill the drives" in refused.err


def test_more_than_fits_is_refused(lab: Lab) -> None:
    done = load(lab, "start", "--space", "90GB")
    assert done.code == 3
    assert "90 GB of objects would bring an OSD to nearfull" in done.err


@pytest.mark.usefixtures("no_load")
def test_a_load_that_was_killed_is_said_to_be_lost_and_can_be_started_again(lab: Lab) -> None:
    assert load(lab, "start", *SMALL).code == 0
    paths = LabPaths(name=lab.name)
    state = json.loads((paths.runc_state / paths.container("load") / "state.json").read_text())
    os.kill(state["init_process_pid"], signal.SIGKILL)
    deadline = time.monotonic() + 10
    lost = load(lab, "status", "--output", "json")
    while lost.data["state"] != "lost" and time.monotonic() < deadline:
        lost = load(lab, "status", "--output", "json")
    assert (lost.code, lost.data["state"]) == (1, "lost")
    assert load(lab, "start", *SMALL, "--for", "2s").code == 0
    assert wait_for(lab, lambda s: s["state"] == "ended", limit=60)["why"] == "its time is over"
