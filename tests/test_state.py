"""What `status` says of a database's instances: one whose program runs may follow nobody."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from rich.console import Console

from rookery.cli.views import apps_view, status_view
from rookery.run.state import AppInstance, app_instances
from rookery.systems.native.looks import is_reachable
from rookery.systems.protocol import HostStatus, Member, ProgramStatus
from tests.kit.designs import designed

PROGRAM = "database-postgres"


def hosts() -> tuple[HostStatus, ...]:
    design = designed()
    return tuple(
        HostStatus(
            name=host.name,
            running=True,
            programs=tuple(
                ProgramStatus(host=host.name, name=instance.name, running=True, detail="")
                for instance in host.instances
            ),
            memory=None,
        )
        for host in design.hosts
    )


def instances(*members: Member) -> list[AppInstance]:
    return [one for one in app_instances(designed(), hosts(), members) if one.component == "postgres"]


def postgres(host: str, note: str, trouble: str = "") -> AppInstance:
    return AppInstance(
        app="database", component="postgres", host=host, running=True, note=note, trouble=trouble
    )


@pytest.mark.parametrize(
    ("replica", "expected"),
    [
        (Member(name="worker-b", role="replica", state="streaming"), postgres("worker-b", "replica")),
        (
            Member(name="worker-b", role="replica", state="start failed"),
            postgres("worker-b", "replica", "does not follow: start failed"),
        ),
        # It runs and has lost its primary: Patroni says `running` of a replica that does not stream.
        (
            Member(name="worker-b", role="sync_standby", state="running"),
            postgres("worker-b", "sync standby", "does not follow: running"),
        ),
        (
            Member(name="worker-c", role="replica", state="streaming"),
            postgres("worker-b", "", "no instance tells of it"),
        ),
    ],
)
def test_an_instance_that_follows_is_told_from_one_that_does_not(
    replica: Member, expected: AppInstance
) -> None:
    leader = Member(name="worker-a", role="leader", state="running")
    assert instances(leader, replica) == [postgres("worker-a", "leader"), expected]


def test_a_leader_that_takes_no_writes_is_no_primary() -> None:
    leader = Member(name="worker-a", role="leader", state="crashed")
    assert instances(leader)[0] == postgres("worker-a", "leader", "takes no writes: crashed")


def shown(view: object) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=80, highlight=False).print(view)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_status_shows_who_does_not_follow() -> None:
    lines = shown(
        apps_view(
            [postgres("worker-a", "leader"), postgres("worker-b", "replica", "does not follow: crashed")]
        )
    )
    assert lines == [
        "app       component  up   where",
        "database  postgres   1/2  worker-a (leader)  worker-b (replica, does not follow:",
        "                          crashed)",
    ]


def test_status_names_a_server_that_hangs() -> None:
    design = designed()
    name = design.hosts[0].name
    program = ProgramStatus(host=name, name="etcd", running=False, detail="does not answer")
    status = HostStatus(name=name, running=True, programs=(program,), memory=None, trouble="does not answer")
    assert shown(status_view([status], design)) == [
        "host  address        memory  programs",
        f"{name}  {design.hosts[0].address}          does not answer: etcd",
    ]


def test_a_host_that_is_there_refuses_and_one_that_is_cut_off_does_not_answer() -> None:
    assert is_reachable("127.0.0.1")
    # In a network namespace of its own without any address, nobody can be reached.
    text = "from rookery.systems.native.looks import is_reachable; print(is_reachable('127.0.0.1'))"
    done = subprocess.run(
        ("unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", text),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if done.returncode and "unshare" in done.stderr:
        pytest.skip("no network namespace can be made here")
    assert done.stdout == "False\n"
