"""What the Jobs of a cluster's backups do: a bucket prepared, a snapshot of etcd kept, buckets copied."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rookery.apps.backup.guest.backups import copy_buckets, keep_etcd, prepare_bucket
from rookery.apps.backup.guest.backups.errors import BackupError
from rookery.apps.backup.guest.backups.store import Store
from rookery.apps.backup.guest.backups.told import Place
from tests.kit.memory_s3 import MemoryS3, refusal

NOW = dt.datetime(2026, 11, 30, 12, 0, 0, tzinfo=dt.UTC)
RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"


def place(bucket: str, endpoint: str = "https://here.test") -> Place:
    return Place(name=bucket, endpoint=endpoint, bucket=bucket, authority="", access="a", secret="s")


def store(client: MemoryS3, bucket: str) -> Store:
    return Store(place(bucket), client)


# --- A bucket


class Gateway:
    """The settings of one bucket, as its owner sees them; it `drops` what it does not know of a rule."""

    def __init__(self, *, drops: str = "", there: str = "") -> None:
        self.said: dict[str, Any] = {}
        self.asked: list[str] = []
        self._drops, self._there = drops, there

    def create_bucket(self, **words: Any) -> None:
        self.asked.append("create_bucket")
        if self._there:
            raise refusal(self._there, "CreateBucket")
        self.said["create"] = words

    def get_bucket_versioning(self, **_: Any) -> dict[str, Any]:
        return dict(self.said.get("versioning", {}))

    def put_bucket_versioning(self, **words: Any) -> None:
        self.asked.append("put_bucket_versioning")
        self.said["versioning"] = words["VersioningConfiguration"]

    def put_object_lock_configuration(self, **words: Any) -> None:
        self.said["lock"] = words["ObjectLockConfiguration"]

    def get_object_lock_configuration(self, **_: Any) -> dict[str, Any]:
        return {"ObjectLockConfiguration": self.said["lock"]}

    def put_bucket_lifecycle_configuration(self, **words: Any) -> None:
        [rule] = words["LifecycleConfiguration"]["Rules"]
        kept = {name: value for name, value in rule.items() if name not in ("Filter", self._drops)}
        self.said["lifecycle"] = [{**kept, "Prefix": ""}]

    def get_bucket_lifecycle_configuration(self, **_: Any) -> dict[str, Any]:
        return {"Rules": self.said["lifecycle"]}

    def delete_bucket_lifecycle(self, **_: Any) -> None:
        del self.said["lifecycle"]

    def put_bucket_policy(self, **words: Any) -> None:
        self.said["policy"] = json.loads(words["Policy"])


def prepare(gateway: Gateway, **more: Any) -> None:
    told: dict[str, Any] = {"make": False, "versions": 8, "lock": 0, "writers": ()}
    prepare_bucket.prepare(gateway, "backups", **{**told, **more})


def test_a_bucket_is_made_with_its_lock_and_said_who_writes() -> None:
    gateway = Gateway()
    prepare(gateway, make=True, lock=3, writers=("backup", "other"))
    assert gateway.said["create"] == {"Bucket": "backups", "ObjectLockEnabledForBucket": True}
    assert gateway.said["versioning"] == {"Status": "Enabled"}
    retention = {"Mode": "COMPLIANCE", "Days": 3}
    assert gateway.said["lock"] == {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}
    [rule] = gateway.said["lifecycle"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 8}
    actions: dict[str, set[str]] = {"Allow": set(), "Deny": set()}
    for one in gateway.said["policy"]["Statement"]:
        actions[one["Effect"]] |= set(one["Action"])
    assert {"s3:PutObject", "s3:DeleteObject"} <= actions["Allow"]
    assert {"s3:DeleteObjectVersion", "s3:PutObjectRetention"} <= actions["Deny"]
    assert not actions["Allow"] & {*actions["Deny"], "s3:PutLifecycleConfiguration", "s3:PutBucketPolicy"}


def test_a_bucket_that_is_there_is_prepared_again_and_somebody_else_s_is_not() -> None:
    gateway = Gateway(there="BucketAlreadyOwnedByYou")
    prepare(gateway, make=True)
    prepare(gateway, make=True)
    assert gateway.asked.count("put_bucket_versioning") == 1
    assert not {"lock", "policy"} & gateway.said.keys()
    with pytest.raises(Exception, match="BucketAlreadyExists"):
        prepare(Gateway(there="BucketAlreadyExists"), make=True)


def test_a_rule_that_is_not_kept_whole_does_not_stay() -> None:
    """It would remove more than it was to."""
    gateway = Gateway(drops="NoncurrentVersionExpiration")
    with pytest.raises(BackupError, match=r"lifecycle: asked for .*, the gateway keeps"):
        prepare(gateway)
    assert "lifecycle" not in gateway.said


def test_each_bucket_has_keys_of_its_own() -> None:
    told = argparse.Namespace(endpoint="https://here.test", ca="/ca.crt")
    found = prepare_bucket.place_of("my-site", told, {"MY_SITE_ACCESS": "a", "MY_SITE_SECRET": "b"})
    assert (found.access, found.secret, found.bucket) == ("a", "b", "my-site")
    with pytest.raises(BackupError, match="MEDIA_ACCESS and MEDIA_SECRET are not in the environment"):
        prepare_bucket.place_of("media", told, {"MY_SITE_ACCESS": "a"})


# --- etcd


def test_a_snapshot_goes_with_the_keys_beside_it_and_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs, pki = tmp_path / "programs", tmp_path / "pki"
    programs.mkdir()
    pki.mkdir()
    (pki / "ca.key").write_text("the authority's key")
    (tmp_path / "etcd.db").write_bytes(b"everything")
    # It writes down its words, and seals by taking the first bytes away.
    age = programs / "age"
    age.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/words\ntail -c +2 "$6" > "$5"\n')
    age.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    packed = keep_etcd.pack(tmp_path / "etcd.db", pki)
    with tarfile.open(packed) as archive:
        assert sorted(archive.getnames()) == ["etcd.db", "pki", "pki/ca.key"]
    sealed = keep_etcd.encrypt(packed, [RECIPIENT])
    assert (tmp_path / "words").read_text().split()[:3] == ["--encrypt", "--recipient", RECIPIENT]
    client = MemoryS3("backups")
    key = keep_etcd.keep(store(client, "backups"), sealed, "cp-1", now=NOW, kept=3600, least=1)
    assert key == "system/etcd/cp-1-20261130t120000z.tar.age"
    assert client.buckets["backups"][key].content == packed.read_bytes()[1:]


def test_snapshots_go_when_their_time_is_over_but_for_the_newest() -> None:
    keys = [keep_etcd.key_of(f"cp-{day % 3}", NOW - dt.timedelta(days=day)) for day in range(6)]
    kept = 2 * 86400.0
    assert keep_etcd.over([*keys, "system/etcd/note"], NOW, kept, 1) == keys[:2:-1]
    assert keep_etcd.over(keys, NOW, kept, 5) == keys[5:]
    assert keep_etcd.over(keys, NOW, kept, 9) == []


def test_a_snapshot_that_does_not_arrive_removes_none(tmp_path: Path) -> None:
    client = MemoryS3("backups")
    old = keep_etcd.key_of("cp-1", NOW - dt.timedelta(days=9))
    client.put_object(Bucket="backups", Key=old, Body=b"old")
    (tmp_path / "sealed").write_bytes(b"new")
    client.refused["PutObject"] = "QuotaExceeded"
    with pytest.raises(BackupError, match="quota"):
        keep_etcd.keep(store(client, "backups"), tmp_path / "sealed", "cp-1", now=NOW, kept=1, least=1)
    assert client.buckets["backups"].keys() == {old}


# --- Copies


CONFIG: Mapping[str, Any] = {
    "system": "demo",
    "lock": 0,
    "sources": [
        {
            "endpoint": "https://here.test",
            "authority": "/nowhere/ca.crt",
            "bucket": name,
            "region": "default",
            "variables": [f"{name.upper()}_ACCESS", f"{name.upper()}_SECRET"],
        }
        for name in ("backups", "site")
    ],
    "target": {
        "endpoint": "https://away.test",
        "authority": "/nowhere/ca.crt",
        "bucket": "away",
        "region": "eu",
        "variables": ["OUTSIDE_ACCESS", "OUTSIDE_SECRET"],
    },
}
KEYS = {f"{name}_{key}": "x" for name in ("BACKUPS", "SITE", "OUTSIDE") for key in ("ACCESS", "SECRET")}


def test_every_bucket_is_copied_below_its_name_and_what_goes_here_stays_there() -> None:
    here, away = MemoryS3("backups", "site"), MemoryS3("away")
    here.put_object(Bucket="backups", Key="database/base/1", Body=b"base")
    here.put_object(Bucket="site", Key="index.html", Body=b"page")

    def opened(found: Place) -> Store:
        client: Any = away if found.endpoint == "https://away.test" else here
        return Store(found, client)

    assert copy_buckets.copy_all(CONFIG, KEYS, opened) == []
    there = {key: one.content for key, one in away.buckets["away"].items()}
    assert there == {"demo/backups/database/base/1": b"base", "demo/site/index.html": b"page"}

    here.buckets["site"].clear()
    here.put_object(Bucket="backups", Key="database/base/2", Body=b"more")
    away.puts.clear()
    assert copy_buckets.copy_all(CONFIG, KEYS, opened) == []
    assert away.puts == ["demo/backups/database/base/2"]
    assert "demo/site/index.html" in away.buckets["away"]


def test_a_bucket_that_fails_keeps_no_other_from_being_copied() -> None:
    here, away = MemoryS3("site"), MemoryS3("away")
    here.put_object(Bucket="site", Key="index.html", Body=b"page")

    def opened(found: Place) -> Store:
        client: Any = away if found.endpoint == "https://away.test" else here
        return Store(found, client)

    [problem] = copy_buckets.copy_all(CONFIG, KEYS, opened)
    assert problem.startswith("backups: cannot list bucket backups at https://here.test")
    assert away.buckets["away"].keys() == {"demo/site/index.html"}


def test_a_copy_without_keys_says_so() -> None:
    with pytest.raises(BackupError) as caught:
        copy_buckets.copy_all(CONFIG, {name: "x" for name in KEYS if "OUTSIDE" not in name}, Store)
    assert caught.value.what == "bucket away at https://away.test: there are no keys for it"
