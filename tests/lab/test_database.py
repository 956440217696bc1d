"""The database under loss: what was acknowledged stays, and writers wait for seconds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rookery.design.faults import Fault, FaultKind
from rookery.drivers.clients.ledger import Ledger
from rookery.drivers.clients.postgres import DatabaseError, query
from rookery.run.engine import apply_steps
from rookery.run.prepared import steps_left
from rookery.run.state import read_state
from rookery.run.workspace import open_running
from rookery.systems.native.system import NativeSystem
from tests.kit.lab_table import LABS
from tests.kit.labs import Lab, rookery, write_spec
from tests.kit.steps import Listener

pytestmark = pytest.mark.on("database")
TEXT = LABS["database"].spec
LIMIT = 90.0  # seconds; far above what is expected: how long it takes is measured in bench/failover.py
RIGHTS = """\
SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles WHERE rolname = current_user"""


@pytest.fixture
def system(lab: Lab) -> Iterator[NativeSystem]:
    system = NativeSystem(open_running(lab.name).design)
    yield system
    # What a test broke is whole again for the next.
    apply_steps(steps_left(system), system.apply, Listener())
    system.close()


def primary(system: NativeSystem) -> str:
    return next((member.name for member in system.members() if member.is_primary), "")


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, f"waited {LIMIT:.0f} s for {what}"
        time.sleep(0.1)


def test_losing_the_primarys_host_under_writes_loses_no_acknowledged_row(system: NativeSystem) -> None:
    old = primary(system)
    with Ledger(system.database_door("load"), "host-lost") as ledger:
        until(lambda: ledger.acknowledged > 50, "the first rows")
        before = ledger.acknowledged
        system.faults.begin(Fault(kind=FaultKind.POWER, host=old))
        until(lambda: ledger.acknowledged > before + 50, "rows after the loss")
    account = ledger.account()
    assert account.lost == ()
    assert account.acknowledged > before
    assert account.errors, "a writer cannot but notice"
    assert primary(system) not in ("", old)


def test_after_all_servers_lost_power_at_once_every_instance_follows(system: NativeSystem) -> None:
    """Whoever was ahead of the next primary with what nobody else had is rewound."""
    with Ledger(system.database_door("load"), "all-lost") as ledger:
        until(lambda: ledger.acknowledged > 50, "the first rows")
        for host in system.design.hosts:
            system.faults.begin(Fault(kind=FaultKind.POWER, host=host.name))
    apply_steps(steps_left(system), system.apply, Listener())
    until(lambda: sum(member.follows for member in system.members()) == 1, "the other instance to follow")
    assert ledger.account().lost == ()


def test_a_killed_postgres_comes_back_with_all_that_was_acknowledged(system: NativeSystem) -> None:
    with Ledger(system.database_door("load"), "process-killed") as ledger:
        until(lambda: ledger.acknowledged > 50, "the first rows")
        before = ledger.acknowledged
        system.faults.begin(
            Fault(
                kind=FaultKind.KILL,
                host=primary(system),
                program="database-postgres",
                parameters=(("processes", "postgres"),),
            )
        )
        until(lambda: ledger.acknowledged > before + 50, "rows after the kill")
    assert ledger.account().lost == ()


def test_a_killed_postmaster_leaves_nothing_that_keeps_its_instance_down(system: NativeSystem) -> None:
    """A backend that waits for the replica's confirmation outlives its postmaster, with its shared memory."""
    old = primary(system)
    other = next(member.name for member in system.members() if member.name != old)
    receiver = system.execute(other, ("pgrep", "-f", "walreceiver")).split()[0]
    with Ledger(system.database_door("load"), "postmaster-killed") as ledger:
        until(lambda: ledger.acknowledged > 50, "the first rows")
        before = ledger.acknowledged
        system.execute(other, ("kill", "-STOP", receiver))
        try:
            time.sleep(1)  # the next commit waits now
            own = "$(head -n 1 /var/lib/postgresql/17/main/postmaster.pid)"
            system.execute(old, ("sh", "-c", f'kill -KILL "{own}"'))
        finally:
            system.execute(other, ("kill", "-CONT", receiver))
        until(lambda: ledger.acknowledged > before + 50, "rows after the kill")
    assert ledger.account().lost == ()
    until(lambda: sum(member.follows for member in system.members()) == 1, "the killed instance to follow")
    assert not any(instance.trouble for instance in read_state(system).instances)


def test_the_volume_grows_under_writes(lab: Lab, system: NativeSystem, tmp_path: Path) -> None:
    host = primary(system)
    point = f"/proc/{system.lab.runc.running()[system.lab.paths.container(host)]}/root/var/lib/postgresql"
    before = os.statvfs(point)
    larger = write_spec(tmp_path, lab.name, TEXT.replace("10GB", "12GB"))
    with Ledger(system.database_door("load"), "growing") as ledger:
        until(lambda: ledger.acknowledged > 20, "the first rows")
        done = rookery("up", str(larger))
        assert done.code == 0, done.trouble
    after = os.statvfs(point)
    assert after.f_blocks * after.f_frsize > 1.15 * before.f_blocks * before.f_frsize
    account = ledger.account()
    assert account.lost == ()
    assert account.errors == ()
    lab.spec.write_text(larger.read_text())


def test_a_volume_cannot_shrink_and_nothing_is_touched(lab: Lab, tmp_path: Path) -> None:
    smaller = write_spec(tmp_path, lab.name, TEXT.replace("10GB", "5GB"))
    done = rookery("up", str(smaller))
    assert done.code == 3
    assert "becomes smaller: a file system in use cannot shrink" in " ".join(done.err.split())


def test_a_role_reaches_its_own_database_alone(system: NativeSystem) -> None:
    load = system.database_door("load")
    with pytest.raises(DatabaseError, match="permission denied for database"):
        query(replace(load, database="verify"), "SELECT 1")
    assert query(load, RIGHTS) == [(False, False, False, False)]
