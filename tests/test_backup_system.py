"""The system's own part of backups: what is encrypted for whom, and what is said where it cannot be read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyrage
import pytest

from rookery.apps.backup.guest.backups import coordinators, maps, system
from rookery.apps.backup.guest.backups.errors import BackupError
from rookery.apps.backup.guest.backups.kind import Work
from rookery.apps.backup.guest.backups.store import Store
from rookery.apps.backup.guest.backups.told import Place, Told
from rookery.drivers.clients import age
from rookery.errors import InputError, NotPossibleError
from rookery.run.identity_part import FORMAT, pack, unpack
from tests.kit.memory_s3 import MemoryS3

BUCKET = "backups"
PLACE = Place(name="here", endpoint="https://s3", bucket=BUCKET, authority="", access="a", secret="s")
OWN = {
    "secrets.json": json.dumps({"fsid": "f-s-i-d", "ca.key": "most secret"}).encode(),
    "spec.json": b'{"name": "demo"}',
}
MAPS = {"ceph/osdmap": b"the OSDs' map", "ceph/monmap": b"the monitors' map"}


def _work(recipient: str, *, identity: bool = True) -> tuple[Work, MemoryS3]:
    service = MemoryS3(BUCKET)
    told = Told(
        config={"system": "demo", "coordinators": ["etcd:2379"], "identity": identity},
        keys={"recipients": [recipient], "fsid": "f-s-i-d"},
    )
    return Work(told=told, store=Store(PLACE, service), report=lambda _: None), service


def _lay_identity(service: MemoryS3, recipient: str, name: str = "system/identity-1.age") -> None:
    content = age.encrypt(pack("demo", OWN), [recipient])
    service.put_object(Bucket=BUCKET, Key=name, Body=content)
    told = {"format": 1, "key": name, "digest": "1", "sha256": "", "size": len(content)}
    service.put_object(Bucket=BUCKET, Key="system/identity.json", Body=json.dumps(told).encode())


@pytest.fixture
def _tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for what is on a lab's servers only: the monitors, etcd, and Debian's `age`."""

    def encrypted(folder: Path, bundle: bytes, recipients: list[str]) -> Path:
        path = folder / "bundle.tar.zst.age"
        path.write_bytes(age.encrypt(bundle, recipients))
        return path

    monkeypatch.setattr(maps, "read_maps", lambda: MAPS)
    monkeypatch.setattr(coordinators, "snapshot", lambda members: f"of {members[0]}".encode())
    monkeypatch.setattr(system, "_encrypted", encrypted)


def _keep(work: Work, label: str) -> dict[str, Any]:
    kind = system.System()
    return kind.keep(work, label, kind.mark(work, label), None)


@pytest.mark.usefixtures("_tools")
def test_a_part_names_its_file_and_the_identity_and_nothing_of_it_is_readable() -> None:
    key, recipient = age.make_key()
    work, service = _work(recipient)
    _lay_identity(service, recipient)
    part = _keep(work, "l1")
    assert part["key"] == "system/l1.tar.zst.age"
    assert part["identity"]["key"] == "system/identity-1.age"
    assert part["files"] == ["ceph/monmap", "ceph/osdmap", "etcd/snapshot.db"]
    stored = service.buckets[BUCKET][part["key"]]
    assert stored.metadata == {"sha256": part["sha256"], "format": "1"}
    assert b"map" not in stored.content
    assert b"the OSDs' map" in age.decrypt(stored.content, [key], what="it")
    assert b"most secret" not in service.buckets[BUCKET]["system/identity-1.age"].content


@pytest.mark.usefixtures("_tools")
def test_a_set_without_the_identity_part_fails_with_what_to_do() -> None:
    work, _ = _work(age.make_key()[1])
    with pytest.raises(BackupError) as told:
        _keep(work, "l1")
    assert told.value.what == (
        "what only the machine has that built the system is not in bucket backups at https://s3"
    )
    assert told.value.hint == "`rookery backup now` and `rookery up` lay it there."


@pytest.mark.usefixtures("_tools")
def test_check_names_what_is_missing_cut_or_changed() -> None:
    work, service = _work(age.make_key()[1])
    _lay_identity(service, age.make_key()[1])
    part = {**_keep(work, "l1")}
    part["identity"] = {
        **part["identity"],
        "sha256": work.store.digest_of("system/identity-1.age")[0],
    }
    kind = system.System()
    assert kind.check(work, {"l1": part}, deep=True) == []
    stored = service.buckets[BUCKET]["system/l1.tar.zst.age"]
    whole = stored.content
    stored.content = whole[:-1] + bytes([whole[-1] ^ 1])
    assert kind.check(work, {"l1": part}, deep=False) == []
    changed = "system/l1.tar.zst.age of set l1 is not what was written: its SHA-256 differs"
    assert kind.check(work, {"l1": part}, deep=True) == [changed]
    stored.content = whole[:-1]
    cut = f"system/l1.tar.zst.age of set l1 has {len(whole) - 1} bytes, {len(whole)} were written"
    assert kind.check(work, {"l1": part}, deep=False) == [cut]
    service.buckets[BUCKET].clear()
    assert kind.check(work, {"l1": part}, deep=False) == [
        "system/l1.tar.zst.age of set l1 is not there",
        "system/identity-1.age of set l1 is not there",
    ]
    newer = {**part, "format": 2}
    assert kind.check(work, {"l1": newer}, deep=False) == ["set l1 has format 2, this version reads 1"]


@pytest.mark.usefixtures("_tools")
def test_an_identity_stays_for_as_long_as_a_set_or_the_system_has_it() -> None:
    work, service = _work(age.make_key()[1])
    parts = {}
    for number in (1, 2, 3):
        _lay_identity(service, age.make_key()[1], f"system/identity-{number}.age")
        parts[f"l{number}"] = _keep(work, f"l{number}")
    kind = system.System()
    kind.prune(work, {"l2": parts["l2"]}, {"l1": parts["l1"], "l3": parts["l3"]})
    assert sorted(service.buckets[BUCKET]) == [
        "system/identity-2.age",
        "system/identity-3.age",
        "system/identity.json",
        "system/l2.tar.zst.age",
    ]


def test_the_identity_part_comes_back_as_it_was() -> None:
    key, recipient = age.make_key()
    content = age.encrypt(pack("demo", OWN), [recipient])
    found = unpack(age.decrypt(content, [key], what="it"), what="it")
    assert (found.system, found.fsid, dict(found.files)) == ("demo", "f-s-i-d", OWN)
    assert pack("demo", OWN) == pack("demo", dict(reversed(OWN.items())))


def test_another_key_is_told_from_a_file_that_was_changed() -> None:
    key, recipient = age.make_key()
    other, others = age.make_key()
    content = age.encrypt(b"words", [recipient])
    with pytest.raises(InputError) as told:
        age.decrypt(content, [other], what="system/identity-1.age")
    assert told.value.what == "system/identity-1.age was encrypted for another key"
    assert others in told.value.hint
    with pytest.raises(InputError, match=r"^system/identity-1\.age is not as it was written"):
        age.decrypt(content[:-1], [key], what="system/identity-1.age")


def test_a_key_by_passphrase_is_read_with_the_right_one_only() -> None:
    key, recipient = age.make_key()
    locked = age.lock_key(key, "three dull words")
    assert key.encode() not in locked
    assert age.needs_passphrase(locked)
    assert age.read_keys(locked, passphrase="three dull words", what="key.age") == (key,)
    with pytest.raises(InputError, match=r"^the passphrase of key\.age is wrong"):
        age.read_keys(locked, passphrase="four dull words", what="key.age")
    plain = f"# recipient: {recipient}\n{key}\n".encode()
    assert not age.needs_passphrase(plain)
    assert age.read_keys(plain, passphrase="", what="key.txt") == (key,)
    with pytest.raises(InputError, match=r"^there is no key in key\.txt"):
        age.read_keys(b"# nothing\n", passphrase="", what="key.txt")


def test_a_busy_machine_does_not_take_the_passphrase_for_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    key, _ = age.make_key()
    text, tries = f"{key}\n".encode(), []

    def decrypt(file: bytes, passphrase: str) -> bytes:
        del file, passphrase
        tries.append("")
        if len(tries) < 3:
            raise pyrage.DecryptError("Excessive work parameter for passphrase.")
        return text

    monkeypatch.setattr(pyrage.passphrase, "decrypt", decrypt)
    locked = b"age-encryption.org/v1\n"
    assert age.read_keys(locked, passphrase="words", what="key.age") == (key,)
    del tries[:]
    monkeypatch.setattr(age, "_TRIES", 2)
    with pytest.raises(NotPossibleError, match=r"^this machine is too busy, or too slow"):
        age.read_keys(locked, passphrase="words", what="key.age")


def test_what_a_newer_version_wrote_is_refused() -> None:
    written = pack("demo", OWN)
    newer = written.replace(b'"format": 1', f'"format": {FORMAT + 1}'.encode(), 1)
    with pytest.raises(InputError, match=r"^it was written by a newer version of rookery: format 2"):
        unpack(newer, what="it")
    damaged = written.replace(b"most secret", b"most sacred", 1)
    with pytest.raises(InputError, match=r"^it is not as it was written: secrets\.json$"):
        unpack(damaged, what="it")


def test_the_next_member_of_etcd_is_asked_where_one_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def run(argv: Sequence[str], *, what: str, limit: float) -> str:
        del limit
        asked.append(argv[1])
        if "a:2379" in argv[1]:
            raise BackupError(f"{what} failed (exit 1)", details=("context deadline exceeded",))
        Path(argv[-1]).write_bytes(b"a snapshot")
        return ""

    monkeypatch.setattr(coordinators, "run", run)
    assert coordinators.snapshot(("a:2379", "b:2379", "c:2379")) == b"a snapshot"
    assert asked == ["--endpoints=https://a:2379", "--endpoints=https://b:2379"]
    with pytest.raises(BackupError) as told:
        coordinators.snapshot(("a:2379",))
    assert told.value.what == "no member of etcd gives a snapshot"
    assert told.value.details == (
        "a snapshot of etcd at a:2379 failed (exit 1)",
        "context deadline exceeded",
    )
