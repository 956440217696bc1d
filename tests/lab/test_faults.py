"""Each kind of fault on a lab: begun by a command that is killed, seen, healed, and healed once more."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from rookery.design.faults import KINDS, Fault, FaultKind
from rookery.design.model import DaemonKind
from rookery.run.workspace import open_running
from rookery.systems.native.system import NativeSystem
from tests.kit.labs import Lab, environment, rookery

pytestmark = pytest.mark.on("default")
HOST = "storage-n"
LASTING = [kind for kind, traits in KINDS.items() if traits.lasts]
# As whoever began it: it is gone before anybody could heal what it broke.
BEGINS = """\
import os, signal, sys
from rookery.run.workspace import open_running
from rookery.design.faults import Fault, FaultKind
from rookery.systems.native.system import NativeSystem
name, kind, host, program = sys.argv[1:]
system = NativeSystem(open_running(name).design)
system.faults.begin(Fault(kind=FaultKind(kind), host=host, program=program))
os.kill(os.getpid(), signal.SIGKILL)
"""
WELL_LIMIT = 240.0  # seconds; a storage node that was cut off may take its managers with it


@pytest.fixture
def system(lab: Lab) -> Iterator[NativeSystem]:
    with closing(NativeSystem(open_running(lab.name).design)) as system:
        yield system
        for left in system.faults.begun():  # what a test that failed broke is whole for the next
            left.heal()
        until(lambda: is_well(lab), "all to be well")


def is_well(lab: Lab) -> bool:
    """Whether all is well, but for what Ceph remembers: for up to a quarter of an hour it has the pings of a
    server that hung in its averages (OSD_SLOW_PING_TIME)."""
    done = rookery("status", lab.name, "--output", "json")
    if done.code == 0:
        return True
    hosts = done.data["hosts"]
    runs = all(host["running"] and all(one["running"] for one in host["programs"]) for host in hosts)
    rest = re.sub(r"Slow OSD heartbeats on \w+ \(longest [0-9.]+ms\)(; )?", "", done.data["health"])
    return runs and rest.startswith("HEALTH_WARN (), ")


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WELL_LIMIT
    while not holds():
        assert time.monotonic() < deadline, f"waited {WELL_LIMIT:.0f} s for {what}"
        time.sleep(0.5)


def of_kind(system: NativeSystem, kind: FaultKind, host: str = HOST) -> Fault:
    """Return a fault of a kind: of a storage node, or of its first OSD."""
    daemons = system.design.host(host).daemons_of(DaemonKind.OSD)
    return Fault(kind=kind, host=host, program=daemons[0].name if KINDS[kind].of_program else "")


def begin(lab: Lab, fault: Fault) -> None:
    """Begin a fault by a process that is killed at once."""
    argv = (sys.executable, "-c", BEGINS, lab.name, fault.kind, fault.host, fault.program)
    done = subprocess.run(argv, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def begun(system: NativeSystem) -> set[Fault]:
    return {healing.fault for healing in system.faults.begun()}


def deviating(lab: Lab) -> set[tuple[str, str]]:
    done = rookery("drift", lab.name, "--output", "json")
    return {(one["subject"], one["item"]) for one in done.data["deviations"]}


@pytest.mark.parametrize("kind", LASTING)
def test_what_a_killed_command_broke_is_seen_and_healed(
    lab: Lab, system: NativeSystem, kind: FaultKind
) -> None:
    fault = of_kind(system, kind)
    assert system.faults.can(fault) == ""
    begin(lab, fault)
    assert begun(system) == {fault}
    assert system.faults.can(fault) != ""
    assert (HOST, fault.program) in deviating(lab)
    assert rookery("status", lab.name).code == 1
    (found,) = system.faults.begun()
    found.heal()
    found.heal()
    assert begun(system) == set()
    until(lambda: is_well(lab), "the system to be well")
    assert system.faults.can(fault) == ""


@pytest.mark.parametrize("processes", ["first", "all", "ceph-osd"])
def test_a_killed_program_comes_back_by_itself(system: NativeSystem, processes: str) -> None:
    fault = of_kind(system, FaultKind.KILL)
    name = fault.program.removeprefix("osd.")
    before = system.execute(HOST, ("supervisorctl", "pid", fault.program))
    fault = Fault(kind=fault.kind, host=HOST, program=fault.program, parameters=(("processes", processes),))
    healing = system.faults.begin(fault)
    assert begun(system) == set()
    healing.heal()
    assert system.execute(HOST, ("supervisorctl", "pid", fault.program)) != before
    healing.heal()
    until(lambda: system.ceph().mon("osd dump")["osds"][int(name)]["up"] == 1, "the OSD to be up")


def test_one_network_of_two_may_be_cut(lab: Lab, system: NativeSystem) -> None:
    fault = Fault(kind=FaultKind.CUT, host=HOST, parameters=(("network", "cluster"),))
    if not system.design.host(HOST).cluster_address:
        assert system.faults.can(fault) == "it has no cable to the cluster network"
        return
    with system.faults.begin(fault):
        assert begun(system) == {fault}
        assert (HOST, "eth1") in deviating(lab)
        assert (HOST, "eth0") not in deviating(lab)


def test_up_heals_what_it_can_and_says_how_the_rest_goes_on(lab: Lab, system: NativeSystem) -> None:
    """Four servers at once, and no more than the quorum bears."""
    hangs = Fault(kind=FaultKind.HANG, host="worker-b")
    others = {
        Fault(kind=FaultKind.POWER, host="worker-a"),
        Fault(kind=FaultKind.CUT, host=HOST),
        of_kind(system, FaultKind.STOP, "storage-k"),
        Fault(kind=FaultKind.STOP, host="storage-k", program="rgw.storage-k"),
    }
    for fault in (hangs, *others):
        begin(lab, fault)
    assert begun(system) == {hangs, *others}
    refused = rookery("up", str(lab.spec))
    assert refused.code == 1
    assert "worker-b does not answer" in refused.err
    assert "runc" in refused.err
    next(found for found in system.faults.begun() if found.fault == hangs).heal()
    assert begun(system) == others
    again = rookery("up", str(lab.spec), "--output", "json")
    assert again.code == 0, again.trouble
    assert begun(system) == set()


def test_a_server_that_lost_power_comes_back_with_its_volume_and_its_shares(system: NativeSystem) -> None:
    """What waits for storage starts with its server's healing, not with the server."""
    host = system.design.volumes[0].host
    before = {program.name for one in system.hosts() if one.name == host for program in one.programs}
    with system.faults.begin(Fault(kind=FaultKind.POWER, host=host)):
        assert not next(one for one in system.hosts() if one.name == host).running
    seen = next(one for one in system.hosts() if one.name == host)
    assert {program.name for program in seen.programs} == before
    until(
        lambda: all(
            program.running for one in system.hosts() if one.name == host for program in one.programs
        ),
        f"all programs of {host}",
    )
    assert system.applications.volumes.is_ready(system.design.volumes[0])
