"""The default design as a user meets it: up, look, break a little, up again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from rookery.design.faults import Fault, FaultKind
from rookery.drivers.clients.http import Browser
from rookery.systems.faults import Faults
from rookery.systems.lab.paths import LabPaths
from rookery.systems.native.system import NativeSystem
from tests.kit.labs import Lab, rookery

pytestmark = pytest.mark.on("default")


def until(holds: Callable[[], bool], *, limit: float = 60.0) -> bool:
    """Look again and again, up to `limit` seconds, and tell whether it came to hold."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.2)
    return holds()


def test_every_check_passes_and_there_are_many(lab: Lab) -> None:
    checks = lab.arrival["verify"]["checks"]
    assert {check["name"]: check["outcome"] for check in checks if check["outcome"] != "pass"} == {}
    assert len(checks) >= 15


def test_seven_servers_and_the_balancer_run(lab: Lab) -> None:
    done = rookery("status", lab.name, "--output", "json")
    assert done.code == 0, done.err
    names = [host["name"] for host in done.data["hosts"]]
    storage = [f"storage-{letter}" for letter in "klmn"]
    assert names == ["cp-1", "worker-a", "worker-b", *storage, "lb-1"]
    assert done.data["health"].startswith("HEALTH_OK")
    assert all(program["running"] for host in done.data["hosts"] for program in host["programs"])


def test_json_output_holds_no_secret(lab: Lab) -> None:
    secrets = json.loads(LabPaths(name=lab.name).secrets.read_text())
    said = json.dumps(lab.arrival) + rookery("status", lab.name, "--output", "json").out
    hidden = {name: value for name, value in secrets.items() if not name.endswith((".crt", "fsid", ".uuid"))}
    assert [name for name, value in hidden.items() if value in said] == []


def test_secrets_are_their_owners_alone(lab: Lab) -> None:
    assert LabPaths(name=lab.name).secrets.stat().st_mode & 0o777 == 0o600


def test_a_shell_feels_like_a_server(lab: Lab) -> None:
    assert rookery("shell", "storage-k", "--system", lab.name, "--", "hostname").out == "storage-k\n"
    drives = rookery("shell", "storage-l", "--system", lab.name, "--", "ls", "/dev/vdb", "/dev/vdc")
    assert drives.out == "/dev/vdb\n/dev/vdc\n"
    assert "HEALTH_OK" in rookery("shell", "cp-1", "--system", lab.name, "--", "ceph", "-s").out
    status = rookery("shell", "storage-k", "--system", lab.name, "--", "supervisorctl", "status").out
    assert "mon.storage-k" in status
    assert "RUNNING" in status


def test_a_shells_exit_status_is_the_commands(lab: Lab) -> None:
    assert rookery("shell", "worker-a", "--system", lab.name, "--", "sh", "-c", "exit 7").code == 7


def test_a_worker_has_no_administrators_key(lab: Lab) -> None:
    listed = rookery("shell", "worker-a", "--system", lab.name, "--", "ls", "/etc/ceph").out
    assert "admin" not in listed
    assert "ceph.client.block.keyring" in listed


def test_a_host_that_is_none_is_refused_with_the_names_of_those_there_are(lab: Lab) -> None:
    done = rookery("shell", "storage-z", "--system", lab.name, "--", "true")
    assert done.code == 2
    assert "there is no host 'storage-z'" in done.err
    assert "storage-k" in done.err


def test_up_again_finds_nothing_broken_and_is_quick_about_it(lab: Lab) -> None:
    done = rookery("up", str(lab.spec), "--output", "json")
    assert done.code == 0, done.err
    # Looking whether these are done is doing them, and the catalogue stands on its database.
    always = {"databases", "started:catalogue", "frontends"}
    always |= {f"app:{name}" for name in ("database", "streaming", "catalogue", "cdn", "backup")}
    assert {step["step"] for step in done.data["steps"]} == always


@pytest.fixture
def faults(system: NativeSystem) -> Faults:
    return system.faults


# One program of each kind that a system has several of. OSDs are killed in `test_faults`, gateways and
# metadata servers under viewers in `test_losses`.
VICTIMS = (("storage-m", "mon.storage-m"), ("storage-n", "mgr.storage-n"), ("worker-a", "cdn-edge"))


def test_killed_programs_come_back(lab: Lab, system: NativeSystem) -> None:
    def pid(victim: tuple[str, str]) -> int:
        host, program = victim
        answer = system.execute(host, ("sh", "-c", f"supervisorctl pid {program} || true")).strip()
        return int(answer) if answer.isdigit() else 0

    before = {victim: pid(victim) for victim in VICTIMS}
    assert 0 not in before.values()
    for host, program in VICTIMS:
        system.faults.begin(Fault(kind=FaultKind.KILL, host=host, program=program))
    for victim, number in before.items():
        assert until(lambda v=victim, n=number: pid(v) not in (0, n)), f"{victim} did not come back"  # type: ignore[misc]
    assert until(lambda: rookery("status", lab.name).code == 0), "the system did not recover"


def test_a_lost_server_fails_verification_and_up_brings_it_back_with_its_data(
    lab: Lab, faults: Faults
) -> None:
    """A storage node's power is cut: its drives are kept, and so is what was on them."""
    shell = ("shell", "cp-1", "--system", lab.name, "--")
    assert rookery(*shell, "rados", "-p", "block", "put", "kept", "/etc/hosts").code == 0
    faults.begin(Fault(kind=FaultKind.POWER, host="storage-n"))
    broken = rookery("verify", lab.name, "--output", "json")
    assert broken.code == 4
    failed = {check["name"] for check in broken.data["checks"] if check["outcome"] == "fail"}
    assert {"programs", "osds"} <= failed
    again = rookery("up", str(lab.spec), "--output", "json")
    assert again.code == 0, again.trouble
    assert rookery(*shell, "rados", "-p", "block", "stat", "kept").code == 0


def test_the_site_is_served_from_the_edges_while_every_gateway_is_gone(lab: Lab, faults: Faults) -> None:
    with Browser(lab.ca) as browser, ExitStack() as gone:
        assert browser.get(lab.url).status == 200
        for host in ("storage-k", "storage-n"):
            gone.enter_context(faults.begin(Fault(kind=FaultKind.STOP, host=host, program=f"rgw.{host}")))
        answers = [browser.get(lab.url).status for _ in range(10)]
        assert answers == [200] * 10
        down = rookery("verify", lab.name, "--output", "json")
        assert down.code == 4
    assert until(lambda: all(fetches(lab) for _ in range(6))), "an edge does not go to its gateways again"


def fetches(lab: Lab) -> bool:
    """Whether whoever comes anew gets what no edge has: they leave a gateway that failed alone for 5 s."""
    with Browser(lab.ca) as browser:
        return browser.get(f"{lab.url}{time.monotonic_ns()}").status == 404


def test_the_site_has_the_design_as_a_document_that_may_carry_its_style(lab: Lab) -> None:
    with Browser(lab.ca) as browser:
        page, start = browser.get(f"{lab.url}document.html"), browser.get(lab.url)
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert lab.name in page.body.decode()
    assert "'unsafe-inline'" in page.headers["content-security-policy"]
    assert "'unsafe-inline'" not in start.headers["content-security-policy"]


def test_drift_sees_what_was_done_by_hand(lab: Lab) -> None:
    assert rookery("drift", lab.name).code == 0
    conf = LabPaths(name=lab.name).server("cp-1").root / "etc/ceph/ceph.conf"
    whole = conf.read_bytes()
    ceph = ("shell", "cp-1", "--system", lab.name, "--", "ceph", "osd", "pool")
    try:
        conf.write_bytes(whole + b"# by hand\n")
        assert rookery(*ceph, "create", "mine", "1").code == 0
        found = rookery("drift", lab.name, "--output", "json")
        assert found.code == 4
        assert [(one["kind"], one["subject"], one["item"]) for one in found.data["deviations"]] == [
            ("different", "cp-1", "/etc/ceph/ceph.conf"),
            ("extra", "cluster", "pool mine"),
        ]
    finally:
        conf.write_bytes(whole)
        rookery(*ceph, "delete", "mine", "mine", "--yes-i-really-really-mean-it")
    assert rookery("drift", lab.name).code == 0


def test_one_command_at_a_time(lab: Lab) -> None:
    from rookery.run.lock import hold

    with hold(lab.name):
        done = rookery("up", str(lab.spec))
    assert done.code == 3
    assert f"another command works on {lab.name}" in done.err
