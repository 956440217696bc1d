"""Backups of a real system's objects: taken, ruined, brought back, and compared."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rookery.apps.backup.guest.backups import objects_restore
from rookery.apps.backup.guest.backups.kind import Part, Work
from rookery.apps.backup.guest.backups.objects import Objects
from rookery.apps.backup.guest.backups.objects_copy import Source, copy
from rookery.apps.backup.guest.backups.objects_history import read_history
from rookery.apps.backup.guest.backups.store import Store, connect
from rookery.apps.backup.guest.backups.told import Place, Told
from rookery.drivers.clients import s3
from rookery.drivers.clients.buckets import Rights, build_policy, ensure_bucket
from rookery.systems.native.edges import forget_copies
from rookery.systems.native.objects import gateway_url
from rookery.systems.native.system import NativeSystem
from tests.kit.buckets import FakeGateway
from tests.kit.labs import Lab, rookery

pytestmark = pytest.mark.on("backup")
OWNER, VAULT, WRITER = "media-publisher", "backup-vault", "backup"


def client_of(system: NativeSystem, user: str) -> Any:
    keys = system.s3_credentials(user)
    return s3.connect(
        gateway_url(system.design),
        access_key=keys.user,
        secret_key=keys.password,
        ca_file=str(system.ca_file),
    )


def state(client: Any, bucket: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return ETag and headers of what a bucket has, by key."""
    found = {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", ()):
            head = client.head_object(Bucket=bucket, Key=item["Key"])
            kept = ("ContentType", "CacheControl", "ContentEncoding", "Metadata", "ContentLength")
            found[item["Key"]] = (head["ETag"], {name: head.get(name) for name in kept})
    return found


def ruin(client: Any, bucket: str) -> None:
    """Delete, overwrite, change headers, and add."""
    keys = sorted(state(client, bucket))
    for key in keys[::3]:
        client.delete_object(Bucket=bucket, Key=key)
    for key in keys[1::3]:
        client.put_object(Bucket=bucket, Key=key, Body=b"broken", ContentType="text/x-broken")
    same = client.get_object(Bucket=bucket, Key=keys[2])["Body"].read()
    client.put_object(Bucket=bucket, Key=keys[2], Body=same, ContentType="text/x-broken")
    client.put_object(Bucket=bucket, Key="was/never/there.html", Body=b"new")


def now() -> dt.datetime:
    return dt.datetime.fromtimestamp(time.time(), tz=dt.UTC)


def take(lab: Lab) -> Any:
    done = rookery("backup", "now", "--only", "objects", "--system", lab.name, "--output", "json")
    assert done.code == 0, done.err + done.out
    return done.data


def bring_back(lab: Lab, what: str, *options: str) -> Any:
    done = rookery("restore", what, *options, "--system", lab.name, "--output", "json")
    assert done.code == 0, done.err + done.out
    return done.data


def test_buckets_that_were_ruined_are_as_of_the_set_again(system: NativeSystem, lab: Lab) -> None:
    owners = {bucket.name: bucket.owner for bucket in system.design.buckets if bucket.copied_by}
    assert {"media", "site"} <= owners.keys()
    owners = {bucket: owners[bucket] for bucket in ("media", "site")}
    clients = {bucket: client_of(system, owner) for bucket, owner in owners.items()}
    was = {bucket: state(client, bucket) for bucket, client in clients.items()}
    time.sleep(1.5)  # what is deleted in the second before a set is in it
    first = take(lab)
    for bucket, client in clients.items():
        ruin(client, bucket)
    forget_copies(system.lab)
    assert rookery("verify", lab.name, "--output", "json").code == 4  # and the edges have the ruins
    done = bring_back(lab, "objects", "--at", first["label"], "--to", "in-place")
    assert {bucket: state(client, bucket) for bucket, client in clients.items()} == was
    assert {one["bucket"]: one["hidden"] for one in done["buckets"]}.items() >= {
        "media": 1,
        "site": 1,
    }.items()
    again = bring_back(lab, "objects", "--at", first["label"], "--to", "in-place")
    assert {(one["written"], one["hidden"]) for one in again["buckets"]} == {(0, 0)}
    verified = rookery("verify", lab.name, "--output", "json")
    assert verified.code == 0, verified.out  # as soon as it is back
    assert rookery("backup", "check", first["label"], "--deep", "--system", lab.name).code == 0


def test_one_object_a_prefix_and_a_moment_between_sets(system: NativeSystem, lab: Lab) -> None:
    client = client_of(system, OWNER)
    take(lab)
    time.sleep(1.5)
    was = state(client, "media")
    key = min(was)
    time.sleep(1.0)
    moment = now().isoformat()
    time.sleep(1.0)
    client.delete_object(Bucket="media", Key=key)
    client.put_object(Bucket="media", Key="later", Body=b"later")
    bring_back(lab, f"objects:media/{key}", "--at", moment, "--to", "in-place")
    assert state(client, "media").keys() == {*was, "later"}
    bring_back(lab, "objects:media", "--at", moment, "--to", "in-place")
    assert state(client, "media") == was
    refused = rookery("restore", "objects:media", "--at", "2020-01-01", "--system", lab.name)
    assert refused.code == 2
    assert "its versions go back to" in refused.err


def test_scratch_is_a_bucket_of_its_own(system: NativeSystem, lab: Lab) -> None:
    client = client_of(system, "site-publisher")
    was = state(client, "site")
    made = take(lab)
    target = f"restored-site-{made['label']}"
    assert bring_back(lab, "objects:site")["buckets"][0]["bucket"] == target
    assert state(client, target) == was
    client.put_object(Bucket=target, Key="mine", Body=b"mine")
    refused = rookery("restore", "objects:site", "--at", made["label"], "--system", lab.name)
    assert refused.code != 0
    assert f"bucket {target} is not empty: it has mine" in refused.err
    assert client.get_object(Bucket=target, Key="mine")["Body"].read() == b"mine"
    empty_and_remove(client, target)


Doing = tuple[str, str, bytes]
DOING: tuple[Doing, ...] = (
    ("put", "from before", b"versions"),
    ("put", "from before", b"versions were kept"),
    ("put", "stays", b"null"),
    ("versions", "Enabled", b""),
    ("put", "from before", b"and after"),
    ("put", "a", b"1"),
    ("put", "a", b"2"),
    ("hide", "a", b""),
    ("put", "a", b"3"),
    ("hide", "never there", b""),
    ("put", "ä ö+%41/../x\ny'\"<>&", b"a key as bad as they come"),
    ("put", "b", b"one second"),
    ("hide", "b", b""),
    ("hide", "b", b""),
    ("take", "first", b""),
    ("put", "b", b"again"),
    ("hide", "ä ö+%41/../x\ny'\"<>&", b""),
    ("put", "a", b"4"),
    ("hide", "stays", b""),
    ("put", "prefix/new", b"new"),
    ("take", "second", b""),
    ("restore", "first", b""),
    ("versions", "Suspended", b""),
    ("put", "a", b"null again"),
    ("hide", "from before", b""),
    ("put", "from before", b"null again"),
    ("take", "third", b""),
    ("restore", "second", b""),
    ("restore", "first", b""),
    ("restore", "third", b""),
)


class Kept:
    """A bucket with a store of its own, as its owner and as who backs it up."""

    def __init__(self, owner: Any, writer: Any, place: Place, wish: dict[str, Any], kind: Objects) -> None:
        self.owner = owner
        self.kind = kind
        told = Told(config={"objects": {"buckets": ["test-history"]}}, keys={})
        self.work = Work(told=told, store=Store(place, writer), report=lambda _: None)
        self.wish = wish
        self.parts: dict[str, Part] = {}
        self.pause: Callable[[float], None] = time.sleep

    def do(self, what: str, name: str, content: bytes) -> None:
        bucket = "test-history"
        if what == "put":
            self.owner.put_object(
                Bucket=bucket, Key=name, Body=content, ContentType="x/y", Metadata={"of": str(len(content))}
            )
        elif what == "hide":
            self.owner.delete_object(Bucket=bucket, Key=name)
        elif what == "versions":
            self.owner.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": name})
        elif what == "take":
            self.pause(2.0)
            label = time.strftime("%Y%m%dt%H%M%Sz", time.gmtime(self.kind.clock()))
            self.parts[name] = self.kind.keep(self.work, label, self.kind.mark(self.work, label), None)
        else:
            self.kind.restore(self.work, self.parts[name], self.wish)

    def history(self) -> dict[str, list[tuple[bool, bool, str, int]]]:
        """Return the history, without the names of versions and times."""
        found = read_history(self.owner, "test-history")
        return {
            key: [(one.gone, one.version == "null", one.etag, one.size) for one in versions]
            for key, versions in found.items()
        }


def test_buckets_in_memory_do_what_a_gateway_does(
    system: NativeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, fake = real_bucket(system), fake_bucket(monkeypatch)
    try:
        for number, (what, name, content) in enumerate(DOING):
            for kept in (real, fake):
                kept.do(what, name, content)
            assert real.history() == fake.history(), f"after {number}: {what} {name}"
        assert real.kind.check(real.work, real.parts, deep=True) == []
        moved = [[kept.parts[name]["moved"] for name in kept.parts] for kept in (real, fake)]
        assert [len(one) for one in moved] == [3, 3]
        copied = [[kept.parts[name]["copied"] for name in kept.parts] for kept in (real, fake)]
        assert copied[0] == copied[1]
    finally:
        for bucket, user in (("test-history", OWNER), ("test-vault", VAULT)):
            empty_and_remove(client_of(system, user), bucket)


def real_bucket(system: NativeSystem) -> Kept:
    owner, vault = client_of(system, OWNER), client_of(system, VAULT)
    ensure_bucket(owner, "test-history", Rights())
    policy = build_policy("test-history", Rights(copiers=(WRITER,)))
    owner.put_bucket_policy(Bucket="test-history", Policy=json.dumps(policy))
    rights = Rights(writers=(WRITER,), lent=((OWNER, "objects/test-history"),))
    ensure_bucket(vault, "test-vault", rights)
    writer, keys = system.s3_credentials(WRITER), system.s3_credentials(OWNER)
    place = Place(
        name="here",
        endpoint=gateway_url(system.design),
        bucket="test-vault",
        authority=str(system.ca_file),
        access=writer.user,
        secret=writer.password,
    )
    return Kept(owner, None, place, wish(keys.user, keys.password), Objects())


def fake_bucket(monkeypatch: pytest.MonkeyPatch) -> Kept:
    now = [time.time()]
    gateway: Any = FakeGateway(lambda: now[0])
    for bucket in ("test-history", "test-vault"):
        gateway.create_bucket(Bucket=bucket)
    monkeypatch.setattr(
        objects_restore, "connect", lambda place: gateway if place.endpoint == "fake" else connect(place)
    )

    def pause(seconds: float) -> None:
        now[0] += seconds

    place = Place(name="here", endpoint="fake", bucket="test-vault", authority="", access="", secret="")
    kept = Kept(gateway, gateway, place, wish("", ""), Objects(clock=lambda: now[0], wait=pause))
    kept.pause = pause
    return kept


def wish(access: str, secret: str) -> dict[str, Any]:
    keys = {"test-history": {"access": access, "secret": secret}}
    return {"path": "test-history", "at": "", "to": "in-place", "credentials": keys}


def empty_and_remove(client: Any, bucket: str) -> None:
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for item in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            client.delete_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])
    client.delete_bucket(Bucket=bucket)


def test_a_copy_is_the_stores_own(system: NativeSystem) -> None:
    """On Ceph a copy shares objects of RADOS with its source: neither may lose them when the other goes."""
    client = client_of(system, OWNER)
    client.create_bucket(Bucket="test-copies")
    content = bytes(range(256)) * (12 << 12)
    put = client.put_object(Bucket="test-copies", Key="source", Body=content)
    source = Source(bucket="test-copies", key="source", etag=put["ETag"].strip('"'), size=len(content))
    assert copy(client, source, "test-copies", "whole", what="copy") == source.etag
    parts = copy(client, source, "test-copies", "parts", what="copy", most=5 << 20)
    assert parts.endswith("-3")
    client.delete_object(Bucket="test-copies", Key="source")
    collect = ("radosgw-admin", "--name", "client.admin", "gc", "process", "--include-all")
    system.execute(system.design.admin_host.name, collect, timeout=120)
    for key in ("whole", "parts"):
        assert client.get_object(Bucket="test-copies", Key=key)["Body"].read() == content
    empty_and_remove(client, "test-copies")


def test_who_writes_backups_cannot_remove_them(system: NativeSystem) -> None:
    writer = client_of(system, WRITER)
    named: dict[str, Any] = {"Bucket": "backups", "Key": "test/locked"}
    version = writer.put_object(**named, Body=b"locked")["VersionId"]
    soon = now() + dt.timedelta(minutes=1)
    retention = {"Mode": "COMPLIANCE", "RetainUntilDate": soon}
    lock = {"ObjectLockEnabled": "Enabled"}
    rules = {"Rules": [{"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]}
    of_bucket = {"Bucket": "backups"}
    refused: dict[str, Callable[[], Any]] = {
        "delete a version": lambda: writer.delete_object(**named, VersionId=version),
        "shorten": lambda: writer.put_object_retention(**named, VersionId=version, Retention=retention),
        "open": lambda: writer.put_object_acl(**named, VersionId=version, ACL="public-read"),
        "change the lock": lambda: writer.put_object_lock_configuration(
            **of_bucket, ObjectLockConfiguration=lock
        ),
        "change the lifecycle": lambda: writer.put_bucket_lifecycle_configuration(
            **of_bucket, LifecycleConfiguration=rules
        ),
        "end the lifecycle": lambda: writer.delete_bucket_lifecycle(**of_bucket),
        "change the policy": lambda: writer.put_bucket_policy(**of_bucket, Policy="{}"),
        "keep no versions": lambda: writer.put_bucket_versioning(
            **of_bucket, VersioningConfiguration={"Status": "Suspended"}
        ),
        "remove the bucket": lambda: writer.delete_bucket(**of_bucket),
        "write to a source": lambda: writer.put_object(Bucket="media", Key="x", Body=b"x"),
    }
    assert {name: status_of(act) for name, act in refused.items()} == dict.fromkeys(refused, 403)
    writer.delete_object(**named)
    assert status_of(lambda: writer.get_object(**named)) == 404
    assert writer.get_object(**named, VersionId=version)["Body"].read() == b"locked"


def status_of(act: Callable[[], Any]) -> int:
    """Return the status of what S3 answers."""
    try:
        return int(act()["ResponseMetadata"]["HTTPStatusCode"])
    except ClientError as error:
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"])


def test_backup_comes_to_a_bucket_and_goes_again(system: NativeSystem) -> None:
    client, reader = client_of(system, OWNER), client_of(system, WRITER)
    without = Rights(readers=("192.0.2.1",))
    kept = Rights(readers=("192.0.2.1",), copiers=(WRITER,), versions=8)
    named: dict[str, Any] = {"Bucket": "test-toggled", "Key": "one"}
    try:
        for rights, what in (
            (without, ("", [], ["ReadFromTheEdges"])),
            (kept, ("Enabled", [8], ["ReadFromTheEdges", "Copy", "CopyList"])),
            (without, ("Suspended", [], ["ReadFromTheEdges"])),
            (kept, ("Enabled", [8], ["ReadFromTheEdges", "Copy", "CopyList"])),
        ):
            for _ in range(2):  # it may be set again and again
                ensure_bucket(client, named["Bucket"], rights)
                assert seen(client, named["Bucket"]) == what
            client.put_object(**named, Body=f"{len(what[2])}".encode())
            expected = 200 if rights.copiers else 403
            assert status_of(lambda: reader.head_object(**named)) == expected
        # Of those from before and while none were kept there is the last one.
        assert [one.version == "null" for one in read_history(client, named["Bucket"])["one"]] == [
            False,
            True,
            False,
        ]
    finally:
        empty_and_remove(client, named["Bucket"])


def seen(client: Any, bucket: str) -> tuple[str, list[int], list[str]]:
    """Return what is set at a bucket: versioning, days that versions stay, whose rights."""
    status = client.get_bucket_versioning(Bucket=bucket).get("Status", "")
    try:
        rules = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    except ClientError as error:
        assert error.response["Error"]["Code"] == "NoSuchLifecycleConfiguration"  # noqa: PT017
        rules = []
    policy = json.loads(client.get_bucket_policy(Bucket=bucket)["Policy"])
    days = [rule["NoncurrentVersionExpiration"]["NoncurrentDays"] for rule in rules]
    return status, days, [statement["Sid"] for statement in policy["Statement"]]
