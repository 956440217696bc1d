"""Prepares a bucket: that it is there, how long it keeps what is no longer current, and who else may write.

    python3 -m backups.prepare_bucket --bucket NAME... --endpoint URL --ca FILE --versions DAYS
        [--make] [--lock DAYS] [--writer USER]...

The keys of the owner of bucket NAME come as NAME_ACCESS and NAME_SECRET, in capitals and with _ for -. What
was set is read back, because gateways drop without a word what they do not know. Exit status 1 says that S3
refused or dropped something.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from .errors import BackupError
from .store import connect
from .told import Place

# What a writer may do: put, read, hide and list. It lacks all that removes a version or changes how long one
# is kept.
WRITES = (
    *("s3:PutObject", "s3:GetObject", "s3:GetObjectVersion", "s3:DeleteObject"),
    *("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
)
LISTS = (
    *("s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation"),
    *("s3:GetBucketVersioning", "s3:GetBucketObjectLockConfiguration", "s3:GetLifecycleConfiguration"),
)
# Who wrote an object owns it, and may do these with it where nobody forbids that.
NEVER = (
    *("s3:DeleteObjectVersion", "s3:PutObjectRetention", "s3:BypassGovernanceRetention"),
    *("s3:PutObjectLegalHold", "s3:PutObjectAcl", "s3:PutObjectVersionAcl"),
)


def policy(bucket: str, writers: Iterable[str]) -> dict[str, Any]:
    """Return who else may do what in a bucket, and what none of them may, with its own objects neither."""
    who = {"AWS": [f"arn:aws:iam:::user/{user}" for user in writers]}
    parts = (
        ("Write", "Allow", WRITES, f"{bucket}/*"),
        ("WriteList", "Allow", LISTS, bucket),
        ("WriteOnly", "Deny", NEVER, f"{bucket}/*"),
    )
    statements = [
        {
            "Sid": name,
            "Effect": effect,
            "Principal": who,
            "Action": list(actions),
            "Resource": [f"arn:aws:s3:::{resource}"],
        }
        for name, effect, actions, resource in parts
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def lifecycle(days: int) -> dict[str, Any]:
    """Return the rule for versions that are not current, and for uploads that nobody completed."""
    return {
        "ID": "versions",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": days},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }


def prepare(
    client: Any, bucket: str, *, make: bool, versions: int, lock: int, writers: Iterable[str]
) -> None:
    """See to all that is asked for of a bucket; raises BackupError where the gateway drops
    something, or what boto3 raises."""
    users = tuple(writers)
    if make:
        _make(client, bucket, locked=lock > 0)
    if client.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    _require("versions", client.get_bucket_versioning(Bucket=bucket), {"Status": "Enabled"})
    if lock:
        retention = {"Mode": "COMPLIANCE", "Days": lock}
        rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}
        client.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=rule)
        found = client.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
        _require("lock", found["Rule"]["DefaultRetention"], retention)
    _set_lifecycle(client, bucket, lifecycle(versions))
    if users:
        client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy(bucket, users)))


def _make(client: Any, bucket: str, *, locked: bool) -> None:
    """Make a bucket where it is not there; a lock can be had from its beginning only."""
    more = {"ObjectLockEnabledForBucket": True} if locked else {}
    try:
        client.create_bucket(Bucket=bucket, **more)
    except ClientError as error:
        if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
            raise


def _set_lifecycle(client: Any, bucket: str, wanted: Mapping[str, Any]) -> None:
    """Set the one rule of a bucket. Of a rule that is not kept whole nothing stays: it removes more than it
    was to."""
    client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [wanted]})
    [rule] = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    try:
        # Where it holds, Ceph says in other words.
        _require("lifecycle", rule, {name: value for name, value in wanted.items() if name != "Filter"})
    except BackupError:
        client.delete_bucket_lifecycle(Bucket=bucket)
        raise


def _require(what: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    kept = {name: found.get(name) for name in wanted}
    if kept != wanted:
        raise BackupError(f"{what}: asked for {dict(wanted)}, the gateway keeps {kept}")


def place_of(bucket: str, told: argparse.Namespace, environment: Mapping[str, str]) -> Place:
    """Return a bucket and who comes to it; raises BackupError where its owner's keys are not there."""
    name = bucket.upper().replace("-", "_")
    access, secret = environment.get(f"{name}_ACCESS", ""), environment.get(f"{name}_SECRET", "")
    if not access or not secret:
        raise BackupError(f"bucket {bucket}: {name}_ACCESS and {name}_SECRET are not in the environment")
    return Place(
        name=bucket,
        endpoint=told.endpoint,
        bucket=bucket,
        authority=told.ca,
        access=access,
        secret=secret,
    )


def _parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="prepare_bucket")
    parser.add_argument("--bucket", action="append", required=True)
    for name in ("--endpoint", "--ca"):
        parser.add_argument(name, required=True)
    parser.add_argument("--versions", type=int, required=True)
    parser.add_argument("--lock", type=int, default=0)
    parser.add_argument("--writer", action="append", default=[])
    parser.add_argument("--make", action="store_true")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Prepare the buckets that the arguments name."""
    told = _parse(words)
    for bucket in told.bucket:
        try:
            client = connect(place_of(bucket, told, os.environ))
            prepare(
                client,
                bucket,
                make=told.make,
                versions=told.versions,
                lock=told.lock,
                writers=told.writer,
            )
        except (BackupError, BotoCoreError, ClientError) as error:
            print(f"{bucket}: {error}", file=sys.stderr)
            return 1
        print(f"{bucket}: ready", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
