"""The system's own backup in a lab, and copies outside: by the commands that a user types."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rookery.drivers.clients import s3
from rookery.drivers.clients.objects import Objects
from rookery.drivers.machine.process import run
from rookery.run.copy_keys import variable
from rookery.run.workspace import open_running
from rookery.systems.native.objects import gateway_url
from rookery.systems.native.system import NativeSystem
from tests.kit.lab_table import LABS
from tests.kit.labs import Lab, rookery, write_spec

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


def test_the_system_itself_is_read_with_its_key_only(lab: Lab, tmp_path: Path) -> None:
    made = rookery("backup", "now", "--only", "system", "--system", lab.name, "--output", "json")
    assert made.code == 0, made.trouble
    label = made.data["label"]
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


@pytest.mark.on("backup", alters=True)
def test_a_set_is_copied_outside_and_one_of_another_system_is_left_alone(
    lab: Lab, system: NativeSystem, vault: Objects, tmp_path: Path
) -> None:
    place = {"name": "vault", "endpoint": gateway_url(system.design), "bucket": "copies"}
    place["authority"] = str(system.ca_file)
    text = LABS["backup"].spec.replace("backup: {}", json.dumps({"backup": {"copies": [place]}})[1:-1])
    came = rookery("up", str(write_spec(tmp_path, lab.name, text)), "--output", "json")
    assert came.code == 0, came.trouble
    now = ("backup", "now", "--only", "system", "--system", lab.name, "--output", "json")
    made = rookery(*now)
    assert (made.code, made.data["copies"]) == (0, [["vault", "whole"]]), made.trouble
    key = made.data["parts"][0]["detail"]["key"]
    assert vault.has(f"{lab.name}/{key}")
    assert vault.get_json(f"{lab.name}/sets/{made.data['label']}.json")["state"] == "partial"
    theirs = json.dumps({"format": 1, "system": lab.name, "fsid": "another"}).encode()
    vault.put(f"{lab.name}/system.json", theirs)
    refused = rookery(*now)
    ((_, words),) = refused.data["copies"]
    assert refused.code == 0
    assert "is of another system of that name, with fsid another" in words
    assert not vault.has(f"{lab.name}/sets/{refused.data['label']}.json")
