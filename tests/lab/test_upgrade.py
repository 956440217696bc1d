"""A running lab moves to the next release of Ceph while films play: killed on the way, and a server lost.

They come after what looks at the former release (tests run in the order of their files' names).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rookery.design.faults import Fault, FaultKind
from rookery.design.model import DaemonKind
from rookery.drivers.clients.ledger import Ledger
from rookery.drivers.containers.supervisor import Supervisor
from rookery.drivers.machine.files import read_users
from rookery.releases import RELEASES
from rookery.systems.native import ceph_setup
from rookery.systems.native.next_release import root_of
from rookery.systems.native.root import ensure_image, image_root
from rookery.systems.native.system import NativeSystem
from tests.kit.lab_backups import backups
from tests.kit.labs import Lab, kill_up, rookery

pytestmark = pytest.mark.on("former")
OLD, NEW = RELEASES["18"], RELEASES["20"]
LOAD = ("--viewers", "8", "--transactions", "2", "--churn", "1", "--space", "20000000")
KILL_AFTER = "OSDs of storage-k"  # the step after which `up` is killed, in the middle of the next


def wish(lab: Lab, release: str) -> None:
    text = lab.spec.read_text(encoding="utf-8")
    lab.spec.write_text(text.replace(f'ceph: "{OLD.name}"', f'ceph: "{release}"'), encoding="utf-8")


def versions(system: NativeSystem) -> Any:
    return system.ceph().mon("versions")


def load(lab: Lab, verb: str, *words: str) -> Any:
    done = rookery("load", verb, "--system", lab.name, *words, "--output", "json")
    assert done.code == 0, done.out + done.err
    return done.data


def test_it_moves_under_load_though_killed_and_a_server_lost(lab: Lab, system: NativeSystem) -> None:
    ensure_image(NEW.name, lambda _: None)
    load(lab, "start", *LOAD)
    with Ledger(system.database_door("load"), "upgrade") as ledger:
        wish(lab, NEW.name)
        kill_up(lab.spec, lambda line: "✓" in line and KILL_AFTER in line, then_seconds=1.5)
        told = versions(system)
        assert [text.split()[2].startswith(NEW.line) for text in told["mon"]] == [True]
        assert len(told["osd"]) == 2  # some of either release
        # Lost in between, a server comes back with what had moved, and without what had not.
        system.faults.begin(Fault(kind=FaultKind.POWER, host="storage-k"))
        done = rookery("up", str(lab.spec), "--output", "json")
        assert done.code == 0, done.trouble
        checks = done.data["verify"]["checks"]
    assert {check["name"]: check["outcome"] for check in checks if check["outcome"] != "pass"} == {}
    account = ledger.account()
    assert (account.acknowledged > 100, account.lost) == (True, ())
    ended = load(lab, "stop")
    print(ended["state"], ended["why"], ended["message"])  # noqa: T201 - to be read
    # In one of four runs it ended without its books (docs/traps.md); what the ledger wrote is all there.
    assert ended["books"] in ("held", "")
    for kind in ended["kinds"]:
        # A gateway, an origin and the primary's connections are cut once; a database that hands over refuses
        # writes for some seconds, and a lost server is one more loss.
        print(kind["name"], kind["count"], kind["errors"], kind["error_texts"])  # noqa: T201 - to be read
        if kind["name"] in ("pages", "video", "audio"):
            assert kind["errors"] <= max(3, kind["count"] // 50), kind["error_texts"]


def test_users_who_own_what_is_kept_are_the_same_in_both_images() -> None:
    old, new = (read_users(image_root(release.name)) for release in (OLD, NEW))
    for user in ("ceph", "etcd", "haproxy", "postgres", "www-data"):
        assert old[user] == new[user], user


def test_it_is_what_a_new_one_is(lab: Lab, system: NativeSystem) -> None:
    ceph = system.ceph()
    told = versions(system)
    assert (list(told["overall"]), len(told["mon"])) == (list(told["mon"]), 1)
    told = ceph.mon("mon dump")
    ciphers = (told["auth_service_cipher"]["name"], told["auth_preferred_cipher"]["name"])
    assert (told["min_mon_release_name"], *ciphers) == (NEW.code_name, NEW.key_type, NEW.key_type)
    assert [one["name"] for one in told["auth_allowed_ciphers"]] == [NEW.key_type]
    assert ceph.mon("osd dump")["require_osd_release"] == NEW.code_name
    assert {
        entry["entity"] for entry in ceph.mon("auth ls")["auth_dump"] if entry["key"][:2] != "Ag"
    } == set()
    status = ceph.mon("status")["health"]
    assert (status["status"], status["checks"], status.get("mutes", [])) == ("HEALTH_OK", {}, [])
    assert rookery("drift", lab.name).code == 0
    assert "ceph version 20." in rookery("shell", "cp-1", "--system", lab.name, "--", "ceph", "--version").out


def test_whoever_went_on_may_come_anew_to_every_osd(lab: Lab, system: NativeSystem) -> None:
    """A client shows its ticket as it connects: one from before service keys were renewed is refused."""
    load(lab, "start", *LOAD)
    for host, daemon in system.design.with_daemon(DaemonKind.OSD):
        supervisor = Supervisor(system.lab.pids()[host.name])
        supervisor.stop(daemon.name)
        supervisor.start(daemon.name)
        ceph_setup.wait_healthy(system.ceph(), system.design, lambda _: None)
    ended = load(lab, "stop")
    assert ended["books"] == "held"
    failed = {kind["name"]: kind["error_texts"] for kind in ended["kinds"] if kind["errors"]}
    assert failed == {}
    assert rookery("verify", lab.name).code == 0


def test_backups_of_before_can_be_restored_and_chains_go_on(lab: Lab, system: NativeSystem) -> None:
    before, made = backups(lab, "backup", "list")[-1], backups(lab, "backup", "now")
    assert made["state"] == "whole"
    volumes = next(part["detail"]["images"] for part in made["parts"] if part["kind"] == "block")
    assert {volume["links"][-1]["from"] for volume in volumes.values()} == {before["label"]}
    for one in (before, made):
        assert set(map(len, backups(lab, "backup", "check", one["label"]).values())) == {0}
    backups(lab, "restore", "database", "--at", before["label"])
    backups(lab, "restore", "database:drop")


def test_a_former_release_is_refused(lab: Lab, tmp_path: Path) -> None:
    spec = tmp_path / "demo.yaml"
    text = lab.spec.read_text(encoding="utf-8").replace(f'ceph: "{NEW.name}"', f'ceph: "{OLD.name}"')
    spec.write_text(text, encoding="utf-8")
    done = rookery("up", str(spec))
    assert done.code == 3
    assert f"ceph: {NEW.name} becomes {OLD.name}" in done.err
    assert "do not read what a newer one has written" in done.err


def test_a_server_that_starts_again_has_the_new_root(lab: Lab, system: NativeSystem) -> None:
    osd = system.design.host("storage-l").daemons_of(DaemonKind.OSD)[0]
    system.faults.begin(Fault(kind=FaultKind.POWER, host="storage-l"))
    done = rookery("up", str(lab.spec), "--output", "json")
    assert done.code == 0, done.trouble
    root = root_of(system.lab.pids()["storage-l"])
    assert (root / "usr/share/rookery/ceph-version").read_text().startswith(NEW.line)
    assert (root / f"var/lib/ceph/osd/ceph-{osd.id}/.release").read_text().strip() == NEW.name
    assert not (root / "opt/rookery/next/usr").exists()
