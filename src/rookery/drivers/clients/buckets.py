"""Buckets of S3: made, and who may do what in them, through boto3, as Ceph's gateways understand it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rookery.errors import RookeryError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# What a user may do who writes: put, read and hide. It lacks all that removes a version or changes how long
# one is kept: s3:DeleteObjectVersion, s3:PutObjectRetention, s3:PutBucketObjectLockConfiguration,
# s3:PutLifecycleConfiguration, s3:PutBucketPolicy, s3:BypassGovernanceRetention.
_WRITES = (
    *("s3:PutObject", "s3:GetObject", "s3:GetObjectVersion", "s3:DeleteObject"),
    *("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
)
_LISTS = (
    *("s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation"),
    *("s3:GetBucketVersioning", "s3:GetBucketObjectLockConfiguration", "s3:GetLifecycleConfiguration"),
)
_READS = ("s3:GetObject", "s3:GetObjectVersion")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Who else than its owner may do what in a bucket, and what it keeps.

    `readers` are addresses that may read objects without credentials, `writers` users that may put, read and
    hide objects, `copiers` users that may read all versions. A version that is not the current one stays for
    `versions` days (0: there is one version only); none can be removed for `lock` days after it was written.
    """

    readers: tuple[str, ...] = ()
    writers: tuple[str, ...] = ()
    copiers: tuple[str, ...] = ()
    versions: int = 0
    lock: int = 0


def ensure_bucket(client: S3Client, name: str, rights: Rights) -> None:
    """Make a bucket of ours if it is not there, and see to its rights; raises RookeryError."""
    from botocore.exceptions import ClientError

    locked: dict[str, Any] = {"ObjectLockEnabledForBucket": True} if rights.lock else {}
    try:
        client.create_bucket(Bucket=name, **locked)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise RookeryError(f"bucket {name} cannot be made: {error}") from None
        if error.response["Error"]["Code"] == "BucketAlreadyExists":
            raise RookeryError(f"bucket {name} belongs to somebody else") from None
    statements = [*_readers(name, rights.readers), *_users(name, rights)]
    if statements:
        policy = {"Version": "2012-10-17", "Statement": statements}
        client.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
    if rights.versions:
        _keep_versions(client, name, rights.versions)
    if rights.lock:
        retention = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": rights.lock}}
        rule: Any = {"ObjectLockEnabled": "Enabled", "Rule": retention}
        client.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=rule)


def _readers(bucket: str, readers: Iterable[str]) -> list[dict[str, Any]]:
    addresses = [f"{address}/32" for address in readers]
    if not addresses:
        return []
    allowed = _allowed("ReadFromTheEdges", "*", ("s3:GetObject",), f"{bucket}/*")
    return [{**allowed, "Condition": {"IpAddress": {"aws:SourceIp": addresses}}}]


def _users(bucket: str, rights: Rights) -> list[dict[str, Any]]:
    found = []
    for name, users, may in (("Write", rights.writers, _WRITES), ("Copy", rights.copiers, _READS)):
        if users:
            who = {"AWS": [f"arn:aws:iam:::user/{user}" for user in users]}
            found.append(_allowed(name, who, may, f"{bucket}/*"))
            found.append(_allowed(f"{name}List", who, _LISTS, bucket))
    return found


def _allowed(name: str, who: object, actions: Iterable[str], resource: str) -> dict[str, Any]:
    return {
        "Sid": name,
        "Effect": "Allow",
        "Principal": who,
        "Action": list(actions),
        "Resource": [f"arn:aws:s3:::{resource}"],
    }


def _keep_versions(client: S3Client, name: str, days: int) -> None:
    """Keep versions that are not current for some days; parts of uploads that were never completed go."""
    if client.get_bucket_versioning(Bucket=name).get("Status") != "Enabled":
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    rule: Any = {
        "ID": "versions",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": days},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }
    client.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [rule]})
