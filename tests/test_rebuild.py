"""A system that is lost, laid again from a copy outside: what is chosen, what is refused, what is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rookery.apps.backup.guest.backups import archive, outside
from rookery.apps.backup.guest.backups.copies import FETCHED
from rookery.apps.backup.guest.backups.errors import BackupError
from rookery.apps.backup.guest.backups.kind import Work
from rookery.apps.backup.guest.backups.store import Store
from rookery.apps.backup.guest.backups.told import Place, Told
from rookery.apps.backup.model import parse_set
from rookery.drivers.clients import age, s3
from rookery.drivers.clients.objects import Objects
from rookery.errors import InputError, NotPossibleError
from rookery.run import rebuild
from rookery.run.identity_part import pack
from rookery.run.rebuild import find_copied_set, open_copy
from tests.kit.memory_s3 import MemoryS3

KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}
URL = "https://s3.example.org/copies"
OWN = {
    "secrets.json": b'{"fsid": "f-s-i-d", "s3.backup.secret": "hush"}',
    "spec.json": b'{"apiVersion": "rookery/v1", "name": "demo"}',
    "kept.json": b"{}",
    "ca.crt": b"a certificate",
}


def _put(service: MemoryS3, key: str, value: Any) -> None:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    service.put_object(Bucket="copies", Key=key, Body=content)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> MemoryS3:
    made = MemoryS3("copies")
    monkeypatch.setattr(s3, "connect", lambda *_, **__: made)
    return made


@pytest.fixture
def key(service: MemoryS3) -> str:
    """A copy of one system with two sets of which the later lacks a kind; return the key that reads it."""
    key, recipient = age.make_key()
    part = {"identity": {"key": "system/identity-1.age", "format": 1}}
    parts = {"system": part, "database": {"system": "7589"}}
    _put(service, "demo/system.json", {"format": 1, "system": "demo", "fsid": "f-s-i-d"})
    _put(service, "demo/system/identity-1.age", age.encrypt(pack("demo", OWN), [recipient]))
    for label, state in (("20261130t160000z", "whole"), ("20261130t170000z", "failed")):
        told = {"label": label, "system": "demo", "state": state, "parts": parts}
        _put(service, f"demo/sets/{label}.json", told)
    return key


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("ROOKERY_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(rebuild, "require_root", lambda _: None)
    monkeypatch.setattr("rookery.run.lock.runtime_folder", lambda: tmp_path / "run")
    return tmp_path / "home"


def test_the_latest_whole_set_is_laid_as_a_lab(
    service: MemoryS3, key: str, home: Path, tmp_path: Path
) -> None:
    copy = open_copy(URL, KEYS)
    found = find_copied_set(copy, "")
    done = rebuild.rebuild(copy, found, (key,), tmp_path / "demo.yaml")
    assert (done.system, done.label) == ("demo", "20261130t160000z")
    lab = home / "labs" / "demo"
    assert sorted(path.name for path in lab.iterdir()) == sorted(OWN)
    secrets = json.loads((lab / "secrets.json").read_bytes())
    assert secrets == {"fsid": "f-s-i-d", "s3.backup.secret": "hush", "backup.held": "7589"}
    assert (lab / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert (lab / "ca.crt").read_bytes() == b"a certificate"
    assert (tmp_path / "demo.yaml").read_bytes() == OWN["spec.json"]
    assert [path.name for path in home.iterdir()] == ["labs"]
    with pytest.raises(NotPossibleError, match=r"^there is a system demo on this machine"):
        rebuild.rebuild(copy, found, (key,), tmp_path / "demo.yaml")
    assert service.puts == [name for name in service.puts if name.startswith("demo/")]


def test_what_a_killed_one_left_is_in_nobodys_way(
    service: MemoryS3, key: str, home: Path, tmp_path: Path
) -> None:
    del service
    (home / ".rebuilding-demo").mkdir(parents=True)
    (home / ".rebuilding-demo" / "half").touch()
    copy = open_copy(URL, KEYS)
    rebuild.rebuild(copy, find_copied_set(copy, ""), (key,), tmp_path / "demo.yaml")
    assert sorted(path.name for path in (home / "labs" / "demo").iterdir()) == sorted(OWN)


@pytest.mark.usefixtures("key")
def test_with_another_key_nothing_is_laid(service: MemoryS3, home: Path, tmp_path: Path) -> None:
    del service
    copy = open_copy(URL, KEYS)
    other = age.make_key()[0]
    with pytest.raises(InputError, match=r"^system/identity-1\.age was encrypted for another key"):
        rebuild.rebuild(copy, find_copied_set(copy, ""), (other,), tmp_path / "demo.yaml")
    assert not (home / "labs").exists()


def test_another_spec_of_that_name_is_left_alone(
    service: MemoryS3, key: str, home: Path, tmp_path: Path
) -> None:
    del service
    (tmp_path / "demo.yaml").write_text("name: another\n", encoding="utf-8")
    copy = open_copy(URL, KEYS)
    with pytest.raises(InputError, match=r"demo\.yaml is there, and is another spec"):
        rebuild.rebuild(copy, find_copied_set(copy, ""), (key,), tmp_path / "demo.yaml")
    assert not (home / "labs").exists()


@pytest.mark.usefixtures("key")
def test_a_copy_is_named_as_far_as_it_must_be(service: MemoryS3) -> None:
    for url in ("s3://copies", "https://s3.example.org", f"{URL}/demo/sets"):
        with pytest.raises(InputError, match="not the address of a copy"):
            open_copy(url, KEYS)
    with pytest.raises(InputError, match=r"not in the environment: AWS_SECRET_ACCESS_KEY$"):
        open_copy(URL, {"AWS_ACCESS_KEY_ID": "a"})
    with pytest.raises(InputError) as told:
        open_copy(f"{URL}/other", KEYS)
    assert told.value.hint == "Name the system behind the bucket; there are: demo."
    _put(service, "letters/1", b"dear")  # no system's
    assert open_copy(URL, KEYS).prefix == "demo/"
    _put(service, "demo2/system.json", {"format": 1})
    with pytest.raises(InputError) as told:
        open_copy(URL, KEYS)
    assert told.value.hint == "Name the system behind the bucket; there are: demo, demo2."
    assert open_copy(f"{URL}/demo", KEYS).prefix == "demo/"


@pytest.mark.usefixtures("key")
def test_a_set_is_chosen_by_its_label(service: MemoryS3) -> None:
    copy = open_copy(URL, KEYS)
    assert find_copied_set(copy, "20261130t170000z")["state"] == "failed"
    with pytest.raises(InputError, match=r"^there is no set 20260101t000000z in "):
        find_copied_set(copy, "20260101t000000z")
    del service.buckets["copies"]["demo/sets/20261130t160000z.json"]
    with pytest.raises(InputError) as told:
        find_copied_set(copy, "")
    assert told.value.hint == "Name one by --at: 20261130t170000z."
    _put(service, "demo/sets/20261130t180000z.json", {"label": "x", "state": "whole", "parts": {}})
    with pytest.raises(InputError, match=r"^set 20261130t180000z has nothing of the system itself$"):
        find_copied_set(copy, "")


def test_a_bucket_that_is_not_there_is_said() -> None:
    client: Any = MemoryS3()
    objects = Objects(client=client, bucket="copies")
    with pytest.raises(Exception, match="there is no such bucket"):
        objects.folders()


def _work(service: MemoryS3, *, held: str) -> Work:
    place = Place(name="here", endpoint="https://here", bucket="copies", authority="", access="", secret="")
    told = Told(config={"system": "demo", "copies": []}, keys={"fsid": "f-s-i-d", "held": held})
    return Work(told=told, store=Store(place, service), report=lambda _: None)


def test_no_set_is_taken_before_those_of_before_are_back() -> None:
    service = MemoryS3("copies")
    outside.require_fetched(_work(service, held=""))
    with pytest.raises(BackupError) as told:
        outside.require_fetched(_work(service, held="7589"))
    assert told.value.what == "demo was built again from a copy, and its sets are not here yet"
    _put(service, FETCHED, {"from": "vault"})
    outside.require_fetched(_work(service, held="7589"))


def test_fetching_brings_all_back_and_then_says_so(
    service: MemoryS3, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del key
    here = MemoryS3("backups")
    place = Place(name="here", endpoint="https://here", bucket="backups", authority="", access="", secret="")
    vault = Place(name="vault", endpoint="https://s", bucket="copies", authority="", access="", secret="")
    told = Told(
        config={"system": "demo", "copies": [{"name": "vault"}]}, keys={"fsid": "f-s-i-d", "held": "7589"}
    )
    work = Work(told=told, store=Store(place, here), report=lambda _: None)
    monkeypatch.setattr(outside, "read_places", lambda _: (vault,))
    here.refused["PutObject"] = "QuotaExceeded"
    with pytest.raises(BackupError, match=r"its quota is used up \(403\)"):
        outside.fetch(work, "", lambda where: Store(where, service))
    here.refused.clear()
    done = outside.fetch(work, "vault", lambda where: Store(where, service))
    assert done["from"] == "vault"
    theirs = {key.removeprefix("demo/") for key in service.buckets["copies"]} - {"system.json"}
    assert set(here.buckets["backups"]) == theirs | {FETCHED}
    with pytest.raises(BackupError, match=r"^there is no copy other$"):
        outside.fetch(work, "other", lambda where: Store(where, service))


def test_the_log_of_another_database_is_not_archived(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place = {"endpoint": "https://here", "bucket": "backups", "authority": ""}
    config = {"store": place, "database": {"prefix": "database", "server": "database"}}
    keys = {"access": "a", "secret": "s", "held": "7589"}
    monkeypatch.setattr(archive, "read_told", lambda **_: Told(config=config, keys=keys))
    ran: list[str] = []
    monkeypatch.setattr("os.execvp", lambda program, _: ran.append(program))
    monkeypatch.setattr("os.environ", {})
    monkeypatch.chdir(tmp_path)
    control = tmp_path / "global" / "pg_control"
    control.parent.mkdir()
    control.write_bytes((7590).to_bytes(8, "little") + b"more")
    with pytest.raises(SystemExit, match="this log is not archived: the store has that of the system"):
        archive.main("pg_wal/000000010000000000000001")
    assert ran == []
    control.write_bytes((7589).to_bytes(8, "little") + b"more")
    archive.main("pg_wal/000000020000000000000001")
    assert ran == ["barman-cloud-wal-archive"]


def test_a_set_of_a_newer_version_is_refused(service: MemoryS3) -> None:
    _put(service, "demo/system.json", {"format": 1, "system": "demo", "fsid": "f-s-i-d"})
    told = {"format": 2, "label": "20261130t180000z", "system": "demo", "state": "whole", "parts": {}}
    _put(service, "demo/sets/20261130t180000z.json", told)
    with pytest.raises(
        InputError, match="was written by a newer version of rookery: format 2, this one reads 1"
    ):
        find_copied_set(open_copy(URL, KEYS), "")
    whole = {**told, "host": "a", "began": "", "ended": "", "wanted": [], "failed": {}}
    assert parse_set({**whole, "format": 1}).label == "20261130t180000z"
    with pytest.raises(InputError, match="set 20261130t180000z was written by a newer version") as error:
        parse_set(whole)
    assert error.value.hint == "Use that version, or a later one."
