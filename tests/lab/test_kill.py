"""`up` killed without warning, at many points: `up` goes on from there, `down` leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rookery.drivers.machine.network import delete_namespaces, ensure_namespace
from rookery.systems.lab.leftovers import find_leftovers
from rookery.systems.lab.paths import LabPaths
from tests.kit.lab_table import LABS
from tests.kit.labs import environment, kill_up, rookery, write_spec

pytestmark = pytest.mark.on("kill")
NAME = "test-kill"


@pytest.fixture
def spec(tmp_path: Path) -> Iterator[Path]:
    yield write_spec(tmp_path, NAME, LABS["kill"].spec)
    rookery("down", NAME)


def kill_after(spec: Path, *, steps: int, then_seconds: float = 0.0) -> None:
    """Kill `up` once it has reported that many steps done."""
    done = 0

    def here(line: str) -> bool:
        nonlocal done
        done += "✓" in line
        # The first line of the plan comes before anything is made.
        return done >= steps and bool(done or "steps" in line)

    kill_up(spec, here, then_seconds=then_seconds)


@pytest.mark.parametrize("steps", [0, 2, 8, 16, 27])
def test_down_leaves_nothing_after_a_kill(spec: Path, steps: int) -> None:
    """Before anything is made, and in each phase: machine, servers, Ceph, applications."""
    kill_after(spec, steps=steps, then_seconds=0.05)
    gone = rookery("down", NAME)
    assert gone.code == 0, gone.out + gone.err
    assert find_leftovers(LabPaths(name=NAME)) == ()


def test_up_goes_on_after_every_kill(spec: Path) -> None:
    """One lab is killed on its way again and again, each time further on, and arrives whole."""
    for steps, then_seconds in (
        (0, 0.02),
        (1, 0.0),
        (1, 0.15),
        (2, 0.0),
        (1, 0.4),
        (2, 0.0),
        (2, 0.1),
        (1, 0.3),
    ):
        kill_after(spec, steps=steps, then_seconds=then_seconds)
    done = rookery("up", str(spec), "--output", "json")
    assert done.code == 0, done.trouble
    assert {check["outcome"] for check in done.data["verify"]["checks"]} == {"pass"}


def test_a_namespace_that_was_half_made_is_made() -> None:
    """`ip netns add` makes a file first, and then puts the namespace there; killed between, it has not."""
    name = "rookery.test-half.one"
    place = Path("/run/netns") / name
    place.parent.mkdir(exist_ok=True)
    place.touch()
    try:
        ensure_namespace(name, ())
        assert os.path.ismount(place)
    finally:
        delete_namespaces((name,))
    assert not place.exists()


def test_down_itself_may_be_killed(spec: Path) -> None:
    kill_after(spec, steps=12)
    process = subprocess.Popen(
        (sys.executable, "-m", "rookery", "down", NAME), stdout=subprocess.DEVNULL, env=environment()
    )
    time.sleep(0.7)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=30)
    assert rookery("down", NAME).code == 0
    assert find_leftovers(LabPaths(name=NAME)) == ()
