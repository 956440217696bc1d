"""Backups of a lab, proven by losing something and bringing it back."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from rookery.drivers.clients import s3
from rookery.drivers.clients.postgres import DatabaseError, Door, query
from rookery.systems.lab.paths import LabPaths
from rookery.systems.native.system import NativeSystem
from tests.kit.lab_backups import AT_WORK, LEASE_LIMIT, backups, beside, take_set
from tests.kit.labs import STRICTEST, Lab, environment

pytestmark = pytest.mark.on("backup")
_LINES = 400  # of a restore's progress


@pytest.fixture
def door(system: NativeSystem) -> Iterator[Door]:
    """The way to a database with a table `kept` of the numbers to 100."""
    door = system.database_door("load")
    query(door, "DROP TABLE IF EXISTS kept")
    query(door, "CREATE TABLE kept AS SELECT generate_series(1, 100) AS n")
    yield door
    query(door, "DROP TABLE IF EXISTS kept")


# --- The database


def test_a_dropped_table_is_restored_to_a_set_and_to_a_time(
    lab: Lab, system: NativeSystem, door: Door
) -> None:
    label = take_set(lab)
    query(door, "INSERT INTO kept SELECT generate_series(101, 200)")
    time.sleep(1)
    moment = f"{dt.datetime.fromtimestamp(time.time(), tz=dt.UTC):%Y-%m-%dT%H:%M:%S}"
    time.sleep(1)
    query(door, "DROP TABLE kept")

    assert beside(system, backups(lab, "restore", "database", "--at", label)) == "100|5050"
    restored = backups(lab, "restore", "database", "--at", moment)
    assert beside(system, restored) == "200|20100"
    assert restored["moment"] < moment
    with pytest.raises(DatabaseError, match='relation "kept" does not exist'):
        query(door, "SELECT FROM kept")
    assert "removed" in backups(lab, "restore", "database:drop")["says"]
    listed = system.execute(restored["host"], ("ls", "/var/lib/rookery/scratch"))
    assert listed.strip() == ""


def test_a_transaction_is_left_out(lab: Lab, system: NativeSystem, door: Door) -> None:
    take_set(lab)
    sql = (
        "WITH gone AS (DELETE FROM kept WHERE n > 50 RETURNING n) SELECT pg_current_xact_id()::text FROM gone"
    )
    number = query(door, sql)[0][0]
    assert beside(system, backups(lab, "restore", f"database:before={number}")) == "100|5050"
    assert beside(system, backups(lab, "restore", f"database:xid={number}")) == "50|1275"


@pytest.mark.parametrize("moment", ["2020-01-01T00:00:00", "2999-01-01T00:00:00"])
def test_a_moment_that_is_not_there_is_refused_with_the_window(lab: Lab, moment: str) -> None:
    said = backups(lab, "restore", "database", "--at", moment, code=2)
    assert f"the database cannot be restored as of {moment}" in said
    assert "Possible: from " in said


def test_a_missing_segment_is_named(lab: Lab, system: NativeSystem, door: Door) -> None:
    del door
    label = take_set(lab)
    assert backups(lab, "backup", "check", label)["database"] == []
    made = backups(lab, "backup", "show", label)
    name = next(part for part in made["parts"] if part["kind"] == "database")["detail"]["segment"]
    key = f"database/database/wals/{name[:16]}/{name}.gz"
    keys = system.s3_credentials("backup-vault")
    url = next(one.url for one in system.endpoints() if one.name == "s3")
    ca = str(system.ca_file)
    vault = s3.connect(url, access_key=keys.user, secret_key=keys.password, ca_file=ca)
    marker = vault.delete_object(Bucket="backups", Key=key)["VersionId"]
    try:
        said = backups(lab, "backup", "check", label, code=4)
        assert said["database"] == [f"{name} is missing: set {label} cannot be restored"]
    finally:
        vault.delete_object(Bucket="backups", Key=key, VersionId=marker)
    assert backups(lab, "backup", "check", label, "--deep")["database"] == []


def test_a_restore_in_place_that_is_killed_goes_on_and_every_instance_follows(
    lab: Lab, system: NativeSystem, door: Door
) -> None:
    label = take_set(lab)
    query(door, "DELETE FROM kept")
    what = ("restore", "database", "--at", label, "--to", "in-place")
    kill_when(lab, what, "starting the restored database")
    note = LabPaths(name=lab.name).folder / "restoring.json"
    assert note.exists()
    said = backups(lab, "restore", "database", "--to", "in-place", code=3)
    assert f"a restore in place is not done yet: the database of set {label}" in said

    done = backups(lab, *what)
    assert "what was written after that moment is gone" in done["says"]
    assert not note.exists()
    assert query(door, "SELECT count(*), sum(n) FROM kept") == [(100, 5050)]
    members = system.members()
    assert sorted(member.name for member in members) == ["worker-a", "worker-b"]
    assert all(member.is_primary or member.follows for member in members)
    for member in members:
        assert system.execute(member.name, ("ls", "/var/lib/postgresql/17")).split() == ["main"]

    # What is on the timeline that was left can be restored still, and so can what came after.
    query(door, "INSERT INTO kept SELECT generate_series(101, 200)")
    after = take_set(lab)
    assert beside(system, backups(lab, "restore", "database", "--at", label)) == "100|5050"
    assert beside(system, backups(lab, "restore", "database", "--at", after)) == "200|20100"
    assert backups(lab, "backup", "check", "--deep")["database"] == []
    assert "removed" in backups(lab, "restore", "database:drop")["says"]


def test_verification_sees_the_archive_and_the_lock(lab: Lab) -> None:
    checks = {one["name"]: one for one in lab.arrival["verify"]["checks"]}
    assert [checks[name]["outcome"] for name in ("archiving", "locked")] == ["pass", "pass"]


def kill_when(lab: Lab, arguments: tuple[str, ...], words: str) -> None:
    """Run a command, and kill it when it says some words."""
    limit = time.monotonic() + LEASE_LIMIT
    while True:
        process = subprocess.Popen(
            (sys.executable, "-m", "rookery", *arguments, "--system", lab.name),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            umask=STRICTEST,
        )
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if words in line:
                process.kill()
                break
        process.wait(timeout=30)
        process.stderr.close()
        if words in said[-1]:
            return
        assert any(AT_WORK in line for line in said), said[-_LINES:]
        assert time.monotonic() < limit
        time.sleep(1)


# --- Files

_TREE = "/srv/live/kept"  # of the file system's /live


@pytest.fixture
def tree(system: NativeSystem) -> Iterator[str]:
    """A tree in the shared file system, as `ls` and checksums tell it."""
    made = (
        f"rm -rf {_TREE}; mkdir -p {_TREE}/sub; cd {_TREE};"
        " head -c 3000000 /dev/urandom > big; echo one > 'a *[b]';"
        " ln -s big link; chmod 640 big; chown 33:34 big; touch -d 2020-01-02 big; chmod 711 sub;"
        " touch -d 2019-01-02 sub"
    )
    shell(system, made)
    yield told_of(system)
    shell(system, f"rm -rf {_TREE}")


def shell(system: NativeSystem, words: str) -> str:
    return system.execute("worker-a", ("sh", "-c", words), timeout=120).strip()


def told_of(system: NativeSystem, folder: str = _TREE) -> str:
    """Return names, modes, owners and times of a tree, and its files' checksums."""
    stated = "find . ! -name . -printf '%P %M %U:%G %T@ %l\\n' | sort"
    sums = "find . -type f | sort | xargs -d '\\n' sha256sum"
    return shell(system, f"cd {folder} && {stated} && {sums}")


def test_a_tree_that_was_removed_comes_back_in_place(lab: Lab, system: NativeSystem, tree: str) -> None:
    label = backups(lab, "backup", "now", "--only", "files")["label"]
    shell(system, f"cd {_TREE}; rm -r sub big; mkdir big; touch big/new later; chmod 777 'a *[b]'")
    assert told_of(system) != tree
    done = backups(lab, "restore", "files:/live/kept", "--at", label, "--to", "in-place")
    assert done["path"] == "/live/kept"
    assert told_of(system) == tree
    # What is beside it in its folder is as it was: the channel's newest segments.
    assert shell(system, "ls /srv/live/*.ts | wc -l") != "0"


def test_a_file_comes_back_beside(lab: Lab, system: NativeSystem, tree: str) -> None:
    del tree
    label = backups(lab, "backup", "now", "--only", "files")["label"]
    shell(system, f"echo changed > '{_TREE}/a *[b]'")
    done = backups(lab, "restore", "files:/live/kept/a *[b]", "--at", label)
    assert (done["path"], done["files"]) == (f"/restored-{label}/live/kept/a *[b]", 1)
    assert shell(system, f"cat '{_TREE}/a *[b]'") == "changed"
    said = backups(lab, "restore", "files:/live/none", "--at", label, code=2)
    assert f"set {label} has no /live/none" in said
    said = backups(lab, "restore", "files:/live", "--at", "2020-01-01T00:00:00", code=2)
    assert "files cannot be brought back as of 2020-01-01T00:00:00" in said


# --- Block volumes


@pytest.fixture
def volume(system: NativeSystem) -> str:
    """A volume of 64 MiB that is backed up, and that nobody has open."""
    rbd = "rbd --id backup"
    made = (
        f"head -c 5000000 /dev/urandom | {rbd} import --no-progress - block/kept"
        f" && {rbd} resize --no-progress -s 64M block/kept"
    )
    shell(
        system,
        f"{rbd} info block/kept > /dev/null 2>&1 || {{ {made}; {rbd} group create block/backup || true;"
        f" {rbd} group image add block/backup block/kept; }}",
    )
    return "kept"


def content(system: NativeSystem, image: str) -> str:
    return shell(system, f"rbd --id backup export --no-progress block/{image} - | sha256sum")


def write(system: NativeSystem, image: str) -> None:
    """Write some of a volume."""
    bench = "bench --io-type write --io-size 4K --io-total 256K --io-pattern rand"
    shell(system, f"rbd --id backup {bench} block/{image} > /dev/null")


def test_a_volume_comes_back_by_its_chain(lab: Lab, system: NativeSystem, volume: str) -> None:
    first, then = backups(lab, "backup", "now"), content(system, volume)
    assert first["state"] == "whole"
    write(system, volume)
    second, later = backups(lab, "backup", "now", "--only", "block"), content(system, volume)
    assert then != later
    links = links_of(second, volume)
    assert [(link["from"], link["to"]) for link in links] == [
        ("", first["label"]),
        (first["label"], second["label"]),
    ]
    assert links[1]["stored"] < links[0]["stored"] / 5
    write(system, volume)

    for made, wanted in ((first, then), (second, later)):
        done = backups(lab, "restore", f"block:{volume}", "--at", made["label"])
        assert [one["image"] for one in done["images"]] == [f"restored-{volume}-{made['label']}"]
        assert content(system, f"restored-{volume}-{made['label']}") == wanted
    done = backups(lab, "restore", f"block:{volume}", "--at", second["label"], "--to", "in-place")
    assert content(system, volume) == later
    assert content(system, done["images"][0]["aside"]) not in (then, later)


def test_a_volume_that_is_in_use_is_not_replaced(lab: Lab, system: NativeSystem, volume: str) -> None:
    del system, volume
    backups(lab, "backup", "now", "--only", "block")
    said = backups(lab, "restore", "block:database-worker-a", "--to", "in-place", code=3)
    assert "block/database-worker-a is in use, by " in said


def test_a_missing_link_is_named(lab: Lab, system: NativeSystem, volume: str) -> None:
    made = backups(lab, "backup", "now", "--only", "block")
    key = links_of(made, volume)[-1]["key"]
    keys = system.s3_credentials("backup-vault")
    url = next(one.url for one in system.endpoints() if one.name == "s3")
    vault = s3.connect(url, access_key=keys.user, secret_key=keys.password, ca_file=str(system.ca_file))
    marker = vault.delete_object(Bucket="backups", Key=key)["VersionId"]
    try:
        found = backups(lab, "backup", "check", made["label"], code=4)["block"]
        assert found == [f"{key} is missing: a link of {volume} that set {made['label']} needs"]
    finally:
        vault.delete_object(Bucket="backups", Key=key, VersionId=marker)
    assert backups(lab, "backup", "check", made["label"], "--deep")["block"] == []


def links_of(made: Any, image: str) -> Any:
    part = next(part for part in made["parts"] if part["kind"] == "block")
    return part["detail"]["images"][image]["links"]
