"""Copies of backups in another lab: made, refused, cut short; and a lab that comes back from there alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from rookery.design.model import DaemonKind
from rookery.drivers.clients import s3
from rookery.drivers.clients.objects import Objects
from rookery.drivers.containers.supervisor import Supervisor
from rookery.drivers.machine.process import run
from rookery.run.copy_keys import variable
from rookery.run.workspace import open_running
from rookery.systems.home import home
from rookery.systems.native.objects import gateway_url
from rookery.systems.native.system import NativeSystem
from tests.kit.lab_backups import client_of
from tests.kit.lab_table import LABS
from tests.kit.labs import Done, Lab, bring_up, environment, rookery
from tests.kit.waiting import until as eventually

pytestmark = pytest.mark.on("backup", alters=True)
LIMIT = 900.0  # seconds
SOON = 180.0
_OBJECTS = 30  # of 4 MiB: the first copy takes a while


@dataclass(frozen=True, kw_only=True)
class Away:
    """Another lab, with a bucket for copies and who may write there."""

    system: NativeSystem
    access: str
    secret: str
    copies: Objects

    def admin(self, *words: str) -> str:
        return run((*self.system.lab.admin_argv(), "radosgw-admin", *words))

    def gateways(self, *, on: bool) -> None:
        """Stop the gateways at once, or start them again."""
        pids = self.system.lab.pids()

        def turn(host: str, daemon: str) -> None:
            supervisor = Supervisor(pids[host])
            (supervisor.start if on else supervisor.stop)(daemon)

        every = [(host.name, daemon.name) for host, daemon in self.system.design.with_daemon(DaemonKind.RGW)]
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda one: turn(*one), every))
        assert not on or eventually(self.answers, limit=60.0)

    def answers(self) -> bool:
        try:
            self.copies.client.head_bucket(Bucket="copies-away")
        except (ClientError, BotoCoreError):
            return False
        return True

    @property
    def place(self) -> dict[str, str]:
        """What a spec calls it."""
        url = gateway_url(self.system.design)
        return {
            "name": "away",
            "endpoint": url,
            "bucket": "copies-away",
            "authority": str(self.system.ca_file),
        }


@pytest.fixture(scope="module")
def away(lab: Lab) -> Iterator[Away]:
    with closing(NativeSystem(open_running(lab.name).design)) as system:
        argv = (*system.lab.admin_argv(), "radosgw-admin", "user", "create", "--uid=away")
        keys = json.loads(run((*argv, "--display-name=away")))["keys"][0]
        client = s3.connect(
            gateway_url(system.design),
            access_key=keys["access_key"],
            secret_key=keys["secret_key"],
            ca_file=str(system.ca_file),
        )
        client.create_bucket(Bucket="copies-away", ObjectLockEnabledForBucket=True)
        copies = Objects(client=client, bucket="copies-away")
        yield Away(system=system, access=keys["access_key"], secret=keys["secret_key"], copies=copies)


@pytest.fixture(scope="module")
def lost(away: Away, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab whose copies lie in the other one; it may be destroyed."""
    copies = json.dumps({"backup": {"copies": [away.place]}})[1:-1]
    text = LABS["lost"].spec.replace("backup: {}", copies)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(variable("away", "access"), away.access)
        patch.setenv(variable("away", "secret"), away.secret)
        yield from bring_up(tmp_path_factory.mktemp("lost"), "lost", spec_text=text)


def now(lab: Lab, *more: str) -> Done:
    done = rookery("backup", "now", *more, "--system", lab.name, "--output", "json")
    assert done.code == 0, done.trouble
    return done


def words(done: Done) -> str:
    """Return what a set says of its copy."""
    ((name, said),) = done.data["copies"]
    assert name == "away"
    return str(said)


def test_each_set_is_copied_outside_or_says_why_not(lost: Lab, away: Away) -> None:
    lab = lost
    with closing(NativeSystem(open_running(lab.name).design)) as system:
        client = client_of(system, next(one.owner for one in system.design.buckets if one.name == "site"))
        for number in range(_OBJECTS):
            client.put_object(Bucket="site", Key=f"large/{number}", Body=os.urandom(4 << 20))
        # A file system without any file is no set's (docs/limits.md).
        assert system.design.file_system is not None
        host = next(user for user in system.design.users if user.name == "file").hosts[0]
        place = {"file_system": system.design.file_system.name, "path": "/kept"}
        system.ceph("file", host).operation("cephfs-write", text="kept", **place)
    # Gone in the middle of the first copy, which is of all that there is.
    try:
        cut = until(
            lab, ("backup", "now"), "objects to bucket copies-away", lambda _: away.gateways(on=False)
        )
    finally:
        away.gateways(on=True)
    assert (cut.code, cut.data["state"]) == (0, "whole"), cut.out
    assert "cannot write" in words(cut) or "cannot list" in words(cut)
    assert not away.copies.has(f"{lab.name}/sets/{cut.data['label']}.json")
    small = ("--only", "system")
    assert words(now(lab, *small)) == "whole"
    assert away.copies.get_json(f"{lab.name}/sets/{cut.data['label']}.json")["state"] == "whole"

    away.admin("user", "suspend", "--uid=away")
    assert "it refuses these keys" in words(now(lab, *small))
    away.admin("user", "enable", "--uid=away")
    away.admin("quota", "set", "--quota-scope=user", "--uid=away", "--max-size=4096")
    away.admin("quota", "enable", "--quota-scope=user", "--uid=away")
    assert "its quota is used up (403)" in words(now(lab, *small))
    away.admin("quota", "disable", "--quota-scope=user", "--uid=away")
    mark = away.copies.get(f"{lab.name}/system.json")
    assert mark is not None
    theirs = json.dumps({"format": 1, "system": lab.name, "fsid": "another"}).encode()
    away.copies.put(f"{lab.name}/system.json", theirs)
    refused = now(lab, *small)
    assert "is of another system of that name, with fsid another" in words(refused)
    assert not away.copies.has(f"{lab.name}/sets/{refused.data['label']}.json")
    away.copies.put(f"{lab.name}/system.json", mark)
    assert words(now(lab, *small)) == "whole"
    assert away.copies.has(f"{lab.name}/sets/{refused.data['label']}.json")


def test_a_lab_that_was_destroyed_comes_back_from_elsewhere_though_the_drill_is_killed(
    lost: Lab, tmp_path: Path
) -> None:
    lab = lost
    report = tmp_path / "drill.html"
    drill = ("drill", "--full", "--yes", "--no-journal", "--report", str(report))
    killed = until(lab, drill, "laying what", lambda process: process.send_signal(signal.SIGKILL))
    assert killed.code == -signal.SIGKILL
    assert (home() / "drills" / lab.name / "drill.json").exists()
    done = rookery(*drill, "--system", lab.name, "--output", "json")
    assert done.code == 0, done.err + done.out
    found = done.data["drill"]
    assert {one["kind"]: one["verdict"] for one in found["kinds"]} == dict.fromkeys(
        ("database", "objects", "files", "block"), "same"
    )
    assert all(one["back"] >= one["owed"] >= 8 for one in found["kinds"])
    things = {one["kind"]: one["things"] for one in found["own"]}
    assert things["database"] >= 1
    assert things["objects"] >= 3
    assert not any(one["problems"] or one["unseen"] for one in found["own"])
    assert "the whole lab was destroyed" in report.read_text(encoding="utf-8")
    assert not (home() / "drills").exists()
    limit = time.monotonic() + SOON
    while (seen := rookery("verify", lab.name, "--output", "json")).code != 0:
        assert time.monotonic() < limit, seen.trouble


def until(lab: Lab, words: tuple[str, ...], said: str, act: Any) -> Done:
    """Run a command, do something once it says some words, and wait for its end."""
    process = subprocess.Popen(
        (sys.executable, "-m", "rookery", *words, "--system", lab.name, "--output", "json"),
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        heard = []
        for line in process.stderr:
            heard.append(line)
            if said in line:
                act(process)
                break
        out, err = process.communicate(timeout=LIMIT)
    assert any(said in line for line in heard), "".join(heard)
    return Done(code=process.returncode, out=out, err="".join(heard) + err)
