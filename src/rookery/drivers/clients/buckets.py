"""Buckets of S3: made, and who may do what in them, through boto3, as Ceph's gateways understand it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
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
# Who wrote an object owns it, and may do these with it where nobody forbids that. Ceph checks none of them
# where a request to write names a retention or an ACL of its own: what is written so is locked for less.
_NEVER = (
    *("s3:DeleteObjectVersion", "s3:PutObjectRetention", "s3:BypassGovernanceRetention"),
    *("s3:PutObjectLegalHold", "s3:PutObjectAcl", "s3:PutObjectVersionAcl"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Who else than its owner may do what in a bucket, and what it keeps.

    `readers` are addresses that may read objects without credentials, `writers` users that may put, read and
    hide objects, `copiers` users that may read all versions, `lent` users with the folder of which each may
    read all. A version that is not the current one stays for `versions` days (0: there is one version only);
    none can be removed for `lock` days after it was written.
    """

    readers: tuple[str, ...] = ()
    writers: tuple[str, ...] = ()
    copiers: tuple[str, ...] = ()
    lent: tuple[tuple[str, str], ...] = ()
    versions: int = 0
    lock: int = 0


def ensure_bucket(client: S3Client, name: str, rights: Rights) -> None:
    """Make a bucket of ours if it is not there, and see that its rights are these and no more.

    What it had and has no longer goes: rights of others, and the rule by which versions end. Versions
    that are there stay. Raises RookeryError.
    """
    from botocore.exceptions import ClientError

    _make(client, name, locked=rights.lock > 0)
    try:
        _set_policy(client, name, build_policy(name, rights))
        if rights.versions:
            _keep_versions(client, name, rights.versions)
            _set_lock(client, name, rights.lock)
        else:
            _keep_no_versions(client, name)
    except ClientError as error:
        raise RookeryError(f"the rights of bucket {name} cannot be set: {error}") from None


def build_policy(bucket: str, rights: Rights) -> dict[str, Any] | None:
    """Return the policy of a bucket, None for one that is its owner's alone."""
    statements = [*_readers(bucket, rights.readers), *_users(bucket, rights), *_lent(bucket, rights.lent)]
    return {"Version": "2012-10-17", "Statement": statements} if statements else None


def _make(client: S3Client, name: str, *, locked: bool) -> None:
    from botocore.exceptions import ClientError

    asked: dict[str, Any] = {"ObjectLockEnabledForBucket": True} if locked else {}
    try:
        client.create_bucket(Bucket=name, **asked)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "BucketAlreadyExists":
            raise RookeryError(f"bucket {name} belongs to somebody else") from None
        if code != "BucketAlreadyOwnedByYou":
            raise RookeryError(f"bucket {name} cannot be made: {error}") from None


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
            found.append(_allowed(name, _named(users), may, f"{bucket}/*"))
            found.append(_allowed(f"{name}List", _named(users), _LISTS, bucket))
    if rights.writers:
        never = _allowed("WriteOnly", _named(rights.writers), _NEVER, f"{bucket}/*")
        found.append({**never, "Effect": "Deny"})
    return found


def _lent(bucket: str, lent: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        _allowed(f"Lend{number}", _named((user,)), _READS, f"{bucket}/{folder}/*")
        for number, (user, folder) in enumerate(lent, 1)
    ]


def _named(users: Iterable[str]) -> dict[str, list[str]]:
    return {"AWS": [f"arn:aws:iam:::user/{user}" for user in users]}


def _allowed(name: str, who: object, actions: Iterable[str], resource: str) -> dict[str, Any]:
    return {
        "Sid": name,
        "Effect": "Allow",
        "Principal": who,
        "Action": list(actions),
        "Resource": [f"arn:aws:s3:::{resource}"],
    }


def _set_policy(client: S3Client, name: str, policy: dict[str, Any] | None) -> None:
    if policy is None:
        client.delete_bucket_policy(Bucket=name)
    else:
        client.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))


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
    wanted = [_without_place(rule)]
    if _rules(client, name) == wanted:
        return
    client.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [rule]})
    # Ceph 18.2 drops what it does not understand of a rule, which then removes more than it was to.
    kept = _rules(client, name)
    if kept != wanted:
        client.delete_bucket_lifecycle(Bucket=name)
        raise RookeryError(
            f"bucket {name}: the gateway keeps another rule for versions than it was told",
            details=(f"told: {json.dumps(wanted)}", f"kept: {json.dumps(kept)}"),
        )


def _rules(client: S3Client, name: str) -> list[dict[str, Any]]:
    """Return a bucket's lifecycle, without where its rules hold."""
    found = _asked(
        lambda: client.get_bucket_lifecycle_configuration(Bucket=name), "NoSuchLifecycleConfiguration"
    )
    return [] if found is None else [_without_place(rule) for rule in found["Rules"]]


def _without_place(rule: dict[str, Any]) -> dict[str, Any]:
    """Return a rule without where it holds: Ceph answers with a prefix where it was told a filter."""
    return {name: value for name, value in rule.items() if name not in ("Filter", "Prefix")}


def _keep_no_versions(client: S3Client, name: str) -> None:
    """Keep no further versions where some were kept until now; the rule goes first, as it says that."""
    if client.get_bucket_versioning(Bucket=name).get("Status") == "Enabled":
        client.delete_bucket_lifecycle(Bucket=name)
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})


def _set_lock(client: S3Client, name: str, days: int) -> None:
    """Lock what is written from now on for some days. What was locked before stays so for as long as it was
    told then."""
    from botocore.exceptions import ClientError

    rule: Any = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": days}} if days else None
    found = _asked(
        lambda: client.get_object_lock_configuration(Bucket=name), "ObjectLockConfigurationNotFoundError"
    )
    there = None if found is None else found["ObjectLockConfiguration"].get("Rule")
    if there == rule:
        return
    wanted: Any = {"ObjectLockEnabled": "Enabled", **({"Rule": rule} if rule else {})}
    try:
        client.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=wanted)
    except ClientError as error:
        if error.response["Error"]["Code"] != "InvalidBucketState":
            raise
        # Ceph 20.2 takes a lock for a bucket that was made without; 18.2 does not.
        raise RookeryError(
            f"bucket {name} was made without a lock, and this release of Ceph can add none",
            hint="Write `backup: {lock: null}`, or remove the bucket with the backups in it.",
        ) from None


def _asked(act: Callable[[], Any], absent: str) -> Any:
    """Return what is asked for, None where S3 answers that it is `absent`."""
    from botocore.exceptions import ClientError

    try:
        return act()
    except ClientError as error:
        if error.response["Error"]["Code"] != absent:
            raise
        return None
