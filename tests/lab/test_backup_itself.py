"""The system's own backup in a lab, and copies outside: by the commands that a user types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rookery.apps.database.patroni import SOCKETS
from rookery.drivers.clients import s3
from rookery.drivers.clients.objects import Objects
from rookery.drivers.machine.process import run
from rookery.run.copy_keys import variable
from rookery.run.workspace import open_running
from rookery.systems.native.objects import gateway_url
from rookery.systems.native.system import NativeSystem
from tests.kit.lab_backups import backups
from tests.kit.lab_table import DEFAULT
from tests.kit.labs import Lab, rookery, write_spec
from tests.kit.waiting import until

pytestmark = pytest.mark.on("backup")


@pytest.fixture
def vault(system: NativeSystem, monkeypatch: pytest.MonkeyPatch) -> Objects:
    """A bucket of somebody else's, on the lab's own gateways; `rookery` has the keys in its environment."""
    argv = (
        *system.lab.admin_argv(),
        "radosgw-admin",
        "user",
        "create",
        "--uid=vault",
        "--display-name=vault",
    )
    keys = json.loads(run(argv))["keys"][0]
    monkeypatch.setenv(variable("vault", "access"), keys["access_key"])
    monkeypatch.setenv(variable("vault", "secret"), keys["secret_key"])
    client = s3.connect(
        gateway_url(system.design),
        access_key=keys["access_key"],
        secret_key=keys["secret_key"],
        ca_file=str(system.ca_file),
    )
    client.create_bucket(Bucket="copies")
    return Objects(client=client, bucket="copies")


def taken(lab: Lab, *kinds: str) -> Any:
    return backups(lab, "backup", "now", *(word for kind in kinds for word in ("--only", kind)))


def test_the_system_itself_is_read_with_its_key_only(lab: Lab, tmp_path: Path) -> None:
    label = taken(lab, "system")["label"]
    assert rookery("backup", "check", "--deep", label, "--system", lab.name).code == 0
    key, words = tmp_path / "key.age", tmp_path / "words"
    words.write_text("three dull words\n", encoding="utf-8")
    by_words = ("--passphrase-file", str(words))
    key.write_text(rookery("backup", "key", *by_words, "--system", lab.name).out, encoding="utf-8")
    given = ("restore", "system", "--at", label, "--system", lab.name, "--identity", str(key), *by_words)
    folder = tmp_path / "system"
    done = rookery(*given, "--into", str(folder))
    assert done.code == 0, done.trouble
    assert (folder / "identity/spec.json").read_bytes() == Path(open_running(lab.name).source).read_bytes()
    assert "ca.key" in json.loads((folder / "identity/secrets.json").read_bytes())
    assert json.loads((folder / "ceph/osd-dump.json").read_bytes())["osds"]
    assert (folder / "etcd/snapshot.db").stat().st_size > 10_000
    words.write_text("four dull words\n", encoding="utf-8")
    wrong = rookery(*given, "--into", str(tmp_path / "no"))
    assert (wrong.code, (tmp_path / "no").exists()) == (2, False)
    assert f"the passphrase of {key} is wrong" in wrong.err


# --- Switched off, and on again


def become(lab: Lab, folder: Path, backup: Any) -> None:
    """Bring the lab to the default design with other backups."""
    text = f"{DEFAULT}backup: {json.dumps(backup)}\n"
    came = rookery("up", str(write_spec(folder, lab.name, text)), "--output", "json")
    assert came.code == 0, came.trouble


def ask_database(system: NativeSystem, sql: str) -> str:
    (primary,) = (member.name for member in system.members() if member.is_primary)
    argv = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "psql", "-XAt")
    return system.execute(primary, (*argv, f"--host={SOCKETS}", f"--command={sql}")).strip()


@pytest.mark.on("backup", alters=True)
def test_backups_that_are_switched_off_let_go_of_the_system(
    lab: Lab, system: NativeSystem, tmp_path: Path
) -> None:
    taken(lab, "database", "files", "block")
    group = ("rbd", "group", "snap", "ls", "block/backup", "--format", "json")
    assert json.loads(system.execute("cp-1", group))
    become(lab, tmp_path, None)
    assert json.loads(system.execute("cp-1", group)) == []
    there = "/etc/rookery/backup* /usr/lib/rookery/backup/backups/*.py"
    look = f"ls {there} 2> /dev/null; supervisorctl status; true"
    for host in ("worker-a", "worker-b"):
        assert "backup" not in system.execute(host, ("sh", "-c", look))
    # What is written now waits for nobody.
    assert ask_database(system, "SHOW archive_command") == "/bin/true"
    ask_database(system, "SELECT pg_create_restore_point('off'), pg_switch_wal()")
    waiting = "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'"
    assert until(lambda: ask_database(system, waiting) == "0", limit=30)
    keys = system.s3_credentials("media-publisher")
    media = s3.connect(
        gateway_url(system.design),
        access_key=keys.user,
        secret_key=keys.password,
        ca_file=str(system.ca_file),
    )
    assert media.get_bucket_versioning(Bucket="media")["Status"] == "Suspended"
    refused = rookery("backup", "list", "--system", lab.name)
    assert (refused.code, "takes no backups" in refused.err) == (3, True)


@pytest.mark.on("backup", alters=True)
def test_they_come_back_with_a_copy_outside_and_one_of_another_system_is_left_alone(
    lab: Lab, system: NativeSystem, vault: Objects, tmp_path: Path
) -> None:
    place = {"name": "vault", "endpoint": gateway_url(system.design), "bucket": "copies"}
    place["authority"] = str(system.ca_file)
    become(lab, tmp_path, {"copies": [place]})
    before = [one for one in backups(lab, "backup", "list") if "database" in kinds_of(one)][-1]
    made = taken(lab, "database", "system")
    assert made["copies"] == [["vault", "whole"]]
    old, new = (part_of(one, "database")["base"] for one in (before, made))
    assert old < new, "the log has a gap behind it"
    for one in (before, made):
        assert backups(lab, "backup", "check", one["label"])["database"] == []
    key = part_of(made, "system")["key"]
    assert vault.has(f"{lab.name}/{key}")
    assert vault.get_json(f"{lab.name}/sets/{made['label']}.json")["state"] == "partial"
    theirs = json.dumps({"format": 1, "system": lab.name, "fsid": "another"}).encode()
    vault.put(f"{lab.name}/system.json", theirs)
    refused = taken(lab, "system")
    ((_, words),) = refused["copies"]
    assert "is of another system of that name, with fsid another" in words
    assert not vault.has(f"{lab.name}/sets/{refused['label']}.json")


def kinds_of(made: Any) -> list[str]:
    return [part["kind"] for part in made["parts"]]


def part_of(made: Any, kind: str) -> Any:
    return next(part["detail"] for part in made["parts"] if part["kind"] == kind)
