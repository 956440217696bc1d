"""Buckets: whose rights are in their policies, and what is set when backup comes and goes."""

# ruff: noqa: N803 - arguments are called as boto3 calls them

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rookery.drivers.clients.buckets import Rights, build_policy, ensure_bucket
from rookery.errors import RookeryError
from rookery.systems.native.objects import rights_of
from tests.kit.designs import designed

LISTS = [
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:ListBucketMultipartUploads",
    "s3:GetBucketLocation",
    "s3:GetBucketVersioning",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetLifecycleConfiguration",
]
NEVER = [
    "s3:DeleteObjectVersion",
    "s3:PutObjectRetention",
    "s3:BypassGovernanceRetention",
    "s3:PutObjectLegalHold",
    "s3:PutObjectAcl",
    "s3:PutObjectVersionAcl",
]
EDGES = {
    "Sid": "ReadFromTheEdges",
    "Effect": "Allow",
    "Principal": "*",
    "Action": ["s3:GetObject"],
    "Resource": ["arn:aws:s3:::media/*"],
    "Condition": {"IpAddress": {"aws:SourceIp": ["10.0.0.1/32", "10.0.0.2/32"]}},
}


class FakeBuckets:
    """The calls that make a bucket what it is; `dropped` is what the gateway forgets of a rule."""

    def __init__(self, *, lockable: bool = False, dropped: tuple[str, ...] = ()) -> None:
        self.lockable = lockable
        self.dropped = dropped
        self.policy: dict[str, Any] | None = None
        self.status = ""
        self.rules: list[dict[str, Any]] = []
        self.lock: dict[str, Any] | None = None
        self.changes: list[str] = []

    def create_bucket(self, **_: Any) -> None:
        self.changes.append("made")

    def put_bucket_policy(self, *, Bucket: str, Policy: str) -> None:
        self.policy = json.loads(Policy)

    def delete_bucket_policy(self, *, Bucket: str) -> None:
        self.policy = None

    def get_bucket_versioning(self, *, Bucket: str) -> dict[str, str]:
        return {"Status": self.status} if self.status else {}

    def put_bucket_versioning(self, *, Bucket: str, VersioningConfiguration: dict[str, str]) -> None:
        self.status = VersioningConfiguration["Status"]
        self.changes.append(self.status)

    def get_bucket_lifecycle_configuration(self, *, Bucket: str) -> dict[str, Any]:
        if not self.rules:
            raise _refusal("NoSuchLifecycleConfiguration")
        return {"Rules": self.rules}

    def put_bucket_lifecycle_configuration(
        self, *, Bucket: str, LifecycleConfiguration: dict[str, Any]
    ) -> None:
        told = json.loads(json.dumps(LifecycleConfiguration["Rules"]))
        for rule in told:
            rule["Prefix"] = rule.pop("Filter")["Prefix"]
            for name in self.dropped:
                rule.pop(name)
        self.rules = told
        self.changes.append("rule")

    def delete_bucket_lifecycle(self, *, Bucket: str) -> None:
        self.rules = []
        self.changes.append("no rule")

    def get_object_lock_configuration(self, *, Bucket: str) -> dict[str, Any]:
        if self.lock is None:
            raise _refusal("ObjectLockConfigurationNotFoundError")
        return {"ObjectLockConfiguration": self.lock}

    def put_object_lock_configuration(self, *, Bucket: str, ObjectLockConfiguration: dict[str, Any]) -> None:
        if self.lock is None and not self.lockable:
            raise _refusal("InvalidBucketState")
        self.lock = ObjectLockConfiguration
        self.changes.append("lock")


def _refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}}, "Operation")


def allowed(sid: str, users: list[str], actions: list[str], resource: str) -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"AWS": [f"arn:aws:iam:::user/{user}" for user in users]},
        "Action": actions,
        "Resource": [f"arn:aws:s3:::{resource}"],
    }


def test_a_bucket_of_one_owner_has_no_policy() -> None:
    assert build_policy("media", Rights(versions=3)) is None


def test_edges_and_the_copier_stand_side_by_side() -> None:
    rights = Rights(readers=("10.0.0.1", "10.0.0.2"), copiers=("backup",), versions=8)
    assert build_policy("media", rights) == {
        "Version": "2012-10-17",
        "Statement": [
            EDGES,
            allowed("Copy", ["backup"], ["s3:GetObject", "s3:GetObjectVersion"], "media/*"),
            allowed("CopyList", ["backup"], LISTS, "media"),
        ],
    }


def test_who_writes_backups_can_hide_and_not_remove() -> None:
    rights = Rights(writers=("backup",), lent=(("owner", "objects/media"),), versions=1, lock=1)
    policy = build_policy("backups", rights)
    writes = [
        *("s3:PutObject", "s3:GetObject", "s3:GetObjectVersion", "s3:DeleteObject"),
        *("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
    ]
    assert policy == {
        "Version": "2012-10-17",
        "Statement": [
            allowed("Write", ["backup"], writes, "backups/*"),
            allowed("WriteList", ["backup"], LISTS, "backups"),
            {**allowed("WriteOnly", ["backup"], NEVER, "backups/*"), "Effect": "Deny"},
            allowed("Lend1", ["owner"], ["s3:GetObject", "s3:GetObjectVersion"], "backups/objects/media/*"),
        ],
    }
    allows = [statement for statement in policy["Statement"] if statement["Effect"] == "Allow"]
    given = {action for statement in allows for action in statement["Action"]}
    assert not given & {
        *("s3:*", "s3:DeleteObjectVersion", "s3:PutObjectRetention", "s3:BypassGovernanceRetention"),
        *("s3:PutBucketObjectLockConfiguration", "s3:PutLifecycleConfiguration", "s3:PutBucketPolicy"),
    }


def test_the_buckets_of_a_system_with_backups() -> None:
    rights = {
        one.name: rights_of(one) for one in designed("backup: {}", apps="{streaming: {}, cdn: {}}").buckets
    }
    assert {name: (one.copiers, one.writers, one.versions, one.lock) for name, one in rights.items()} == {
        "media": (("backup",), (), 8, 0),
        "site": (("backup",), (), 8, 0),
        "drill": (("backup",), (), 8, 0),
        "backups": ((), ("backup",), 8, 1),
    }
    assert sorted(rights["backups"].lent) == [
        ("drill", "objects/drill"),
        ("media-publisher", "objects/media"),
        ("site-publisher", "objects/site"),
    ]
    assert rights["media"].readers
    assert not rights["media"].lent


def test_backup_comes_to_a_bucket_and_goes_again() -> None:
    bucket: Any = FakeBuckets()
    edges, kept = (
        Rights(readers=("10.0.0.1",)),
        Rights(readers=("10.0.0.1",), copiers=("backup",), versions=8),
    )
    ensure_bucket(bucket, "media", edges)
    without = bucket.policy
    assert (bucket.status, bucket.rules, bucket.changes) == ("", [], ["made"])
    ensure_bucket(bucket, "media", kept)
    assert bucket.status == "Enabled"
    assert bucket.rules == [
        {
            "ID": "versions",
            "Status": "Enabled",
            "Prefix": "",
            "NoncurrentVersionExpiration": {"NoncurrentDays": 8},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        }
    ]
    assert [one["Sid"] for one in bucket.policy["Statement"]] == ["ReadFromTheEdges", "Copy", "CopyList"]
    bucket.changes.clear()
    ensure_bucket(bucket, "media", kept)
    assert bucket.changes == ["made"], "what is right is not set again"
    ensure_bucket(bucket, "media", edges)
    # A rule that is there while no versions are added would remove those that stay.
    assert bucket.changes == ["made", "made", "no rule", "Suspended"]
    assert (bucket.policy, bucket.rules) == (without, [])
    ensure_bucket(bucket, "media", kept)
    assert (bucket.status, len(bucket.rules)) == ("Enabled", 1)
    ensure_bucket(bucket, "media", Rights())
    assert bucket.policy is None


def test_a_rule_that_the_gateway_keeps_otherwise_is_no_rule() -> None:
    bucket: Any = FakeBuckets(dropped=("AbortIncompleteMultipartUpload",))
    with pytest.raises(RookeryError, match="bucket media: the gateway keeps another rule for versions"):
        ensure_bucket(bucket, "media", Rights(versions=8))
    assert bucket.rules == []


def test_a_lock_is_set_changed_and_ended() -> None:
    bucket: Any = FakeBuckets(lockable=True)
    for days in (1, 3, 3, 0):
        ensure_bucket(bucket, "backups", Rights(versions=3, lock=days))
        retention = {"Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": days}}} if days else {}
        assert bucket.lock == {"ObjectLockEnabled": "Enabled", **retention}
    assert bucket.changes.count("lock") == 3


def test_a_lock_cannot_come_to_a_bucket_that_was_made_without() -> None:
    bucket: Any = FakeBuckets()
    ensure_bucket(bucket, "backups", Rights(versions=1))
    with pytest.raises(RookeryError, match="backups was made without a lock, and this release") as found:
        ensure_bucket(bucket, "backups", Rights(versions=1, lock=1))
    assert found.value.hint == "Write `backup: {lock: null}`, or remove the bucket with the backups in it."
