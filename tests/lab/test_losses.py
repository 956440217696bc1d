"""One of each redundant thing is killed and kept down under viewers, who go on; what they notice is counted.

The errors are those of clients that are not told to try again; a person's player does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from rookery.design.faults import Fault, FaultKind
from rookery.design.model import DaemonKind
from rookery.run.workspace import open_running
from rookery.systems.native.system import NativeSystem
from tests.kit.labs import Lab, rookery

pytestmark = pytest.mark.on("default")
DOWN = 12.0  # seconds that the lost one stays away
SHARE = 0.10  # of the requests meanwhile that may fail: those under way, and those until it is left out
VIEWERS = ("--viewers", "12", "--transactions", "2", "--churn", "1", "--space", "20000000")


@pytest.fixture(scope="module")
def viewers(lab: Lab) -> Iterator[Lab]:
    started = rookery("load", "start", "--system", lab.name, *VIEWERS)
    assert started.code == 0, started.err
    time.sleep(5)
    yield lab
    stopped = rookery("load", "stop", "--system", lab.name, "--output", "json")
    assert stopped.code == 0, stopped.out + stopped.err
    assert stopped.data["books"] == "held"


@pytest.fixture
def system(viewers: Lab) -> Iterator[NativeSystem]:
    system = NativeSystem(open_running(viewers.name).design)
    yield system
    system.close()


def kinds(lab: Lab) -> dict[str, tuple[int, int, dict[str, int]]]:
    done = rookery("load", "status", "--system", lab.name, "--output", "json")
    assert done.code == 0, done.err
    return {k["name"]: (k["count"], k["errors"], dict(k["error_texts"])) for k in done.data["kinds"]}


def lose(lab: Lab, system: NativeSystem, host: str, program: str) -> tuple[int, int, Any]:
    """Kill a program with all its processes, keep it down, bring it back; return what viewers met meanwhile:
    requests, errors and their texts."""
    before = kinds(lab)
    killed = Fault(kind=FaultKind.STOP, host=host, program=program, parameters=(("how", "killed"),))
    with system.faults.begin(killed):
        time.sleep(DOWN)
        after = kinds(lab)
    requests = sum(after[name][0] - before[name][0] for name in after)
    errors = sum(after[name][1] - before[name][1] for name in after)
    return requests, errors, {name: texts for name, (_, _, texts) in after.items() if texts}


def judge(met: tuple[int, int, Any]) -> None:
    requests, errors, texts = met
    print(f"{errors} errors in {requests} requests: {texts}")  # noqa: T201 - the count is what is asked for
    assert requests > 50
    assert errors <= max(SHARE * requests, 3), texts


def test_one_edge(viewers: Lab, system: NativeSystem) -> None:
    judge(lose(viewers, system, "worker-a", "cdn-edge"))


def test_one_streaming_origin(viewers: Lab, system: NativeSystem) -> None:
    judge(lose(viewers, system, "worker-b", "streaming-origin"))


def test_one_catalogue(viewers: Lab, system: NativeSystem) -> None:
    judge(lose(viewers, system, "worker-a", "catalogue-api"))


def test_one_gateway(viewers: Lab, system: NativeSystem) -> None:
    host, daemon = system.design.with_daemon(DaemonKind.RGW)[0]
    judge(lose(viewers, system, host.name, daemon.name))


def test_the_active_mds(viewers: Lab, system: NativeSystem) -> None:
    state = system.ceph().mon("fs dump")
    info = state["filesystems"][0]["mdsmap"]["info"].values()
    active = next(mds["name"] for mds in info if mds["state"] == "up:active")
    judge(lose(viewers, system, active, f"mds.{active}"))


def test_all_is_well_afterwards(viewers: Lab) -> None:
    deadline = time.monotonic() + 90
    done = rookery("verify", viewers.name, "--output", "json")
    while done.code != 0 and time.monotonic() < deadline:
        time.sleep(2)
        done = rookery("verify", viewers.name, "--output", "json")
    assert done.code == 0, done.out
