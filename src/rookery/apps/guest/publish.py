"""Brings folders into a bucket: what differs is sent, each file before those that name it.

    python3 publish.py --bucket NAME --endpoint URL [--ca FILE] [--rules FILE] [--prune] FOLDER...

The folders are laid over each other, hidden files left out but for those in .well-known. Whether a file
differs, its digest says: one whose headers alone would change is not sent again. Keys come as
AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Exit status 2 says that an argument, a rule or a folder is wrong,
1 that S3 refused.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from rookery.apps.serving import Rules, is_published, parse_rules, turn
else:  # in our image, that file lies beside this one, and neither is in a package
    from serving import Rules, is_published, parse_rules, turn

_AT_ONCE = 4
_TRIES = 6  # of each request, with pauses that grow to some seconds: a gateway may be restarting
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
# What a person can do about what S3 answers, where that is known.
_ADVICE = {
    "NoSuchBucket": "it does not exist: is its ObjectBucketClaim bound?",
    "AccessDenied": "these keys may not do that: are they the bucket owner's?",
    "InvalidAccessKeyId": "the gateways do not know these keys",
    "SignatureDoesNotMatch": "the secret key does not fit the access key",
    "QuotaExceeded": "the bucket's or its owner's quota is used up",
}


class WrongInputError(Exception):
    """An argument cannot be used; the text says which and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One file: its key in the bucket, where it is, and how it is served."""

    key: str
    path: Path
    media_type: str
    cache_control: str
    encoding: str = ""

    def md5(self) -> str:
        """Return the digest that S3 gives an object as its ETag; nothing is secured by it."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def find_items(folders: Iterable[Path], rules: Rules) -> list[Item]:
    """Return the folders' files, each after those that it may name; raises WrongInputError."""
    found: dict[str, Item] = {}
    for folder in folders:
        if not folder.is_dir():
            raise WrongInputError(f"{folder}: is no folder")
        for path in sorted(folder.rglob("*")):
            key = path.relative_to(folder).as_posix()
            if not path.is_file() or not is_published(key):
                continue
            if key in found:
                raise WrongInputError(f"{path}: {found[key].path} would have the same place")
            found[key] = Item(
                key=key,
                path=path,
                media_type=rules.content_type(key, path),
                cache_control=rules.cache_control(key),
                encoding=rules.content_encoding(key),
            )
    if not found:
        raise WrongInputError(f"there is no file in {', '.join(map(str, folders))}")
    return sorted(found.values(), key=lambda item: (turn(item.key, item.media_type), item.key))


def connect(endpoint: str, *, ca: Path | None) -> S3Client:
    """Return a client of the S3 service at `endpoint`; raises WrongInputError without keys."""
    missing = [name for name in _KEYS if not os.environ.get(name)]
    if missing:
        raise WrongInputError(f"the environment has no {' and no '.join(missing)}")
    if ca is not None and not ca.is_file():
        raise WrongInputError(f"{ca}: is no file")
    config = Config(
        s3={"addressing_style": "path"},
        connect_timeout=3,
        read_timeout=60,
        retries={"total_max_attempts": _TRIES, "mode": "standard"},
        # Newer checksums are not understood by every Ceph; MD5 and TLS remain.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    verify: Any = str(ca) if ca is not None else True
    client: S3Client = boto3.session.Session().client(
        "s3", endpoint_url=endpoint, region_name="default", verify=verify, config=config
    )
    return client


def digests(client: S3Client, bucket: str) -> dict[str, str]:
    """Return each object's key with its ETag."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {one["Key"]: one["ETag"].strip('"') for page in pages for one in page.get("Contents", ())}


def publish(client: S3Client, bucket: str, items: list[Item], *, prune: bool) -> str:
    """Send what differs, remove what else is there where `prune` says so, and return what was done."""
    there = digests(client, bucket)
    changed = [item for item in items if there.get(item.key) != item.md5()]

    def put(item: Item) -> None:
        encoded: dict[str, Any] = {"ContentEncoding": item.encoding} if item.encoding else {}
        with item.path.open("rb") as body:
            client.put_object(
                Bucket=bucket,
                Key=item.key,
                Body=body,
                ContentType=item.media_type,
                CacheControl=item.cache_control,
                **encoded,
            )

    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        for number in sorted({turn(item.key, item.media_type) for item in changed}):
            list(pool.map(put, (one for one in changed if turn(one.key, one.media_type) == number)))
    removed = sorted(set(there) - {item.key for item in items}) if prune else []
    for key in removed:
        client.delete_object(Bucket=bucket, Key=key)
    return f"{len(changed)} of {len(items)} files sent to {bucket}, {len(removed)} removed"


def read_rules(path: Path | None) -> Rules:
    """Return the rules of a file, or those that hold without one; raises WrongInputError."""
    if path is None:
        return Rules()
    try:
        return parse_rules(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WrongInputError(f"{path}: {error}") from error


def explain(error: ClientError, bucket: str) -> str:
    """Return what S3 refused, and what to look at."""
    told = error.response.get("Error", {})
    code = told.get("Code", "")
    advice = _ADVICE.get(code) or told.get("Message") or "no reason given"
    return f"{bucket}: {error.operation_name} was refused with {code}: {advice}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Bring folders into a bucket.")
    parser.add_argument("--bucket", required=True, help="the bucket, which is there")
    parser.add_argument("--endpoint", required=True, help="URL of the S3 service")
    parser.add_argument("--ca", type=Path, help="certificate of who vouches for the S3 service")
    parser.add_argument("--rules", type=Path, help="how files are served, as JSON")
    parser.add_argument("--prune", action="store_true", help="remove what is in the bucket and in no folder")
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    try:
        items = find_items(given.folders, read_rules(given.rules))
        client = connect(given.endpoint, ca=given.ca)
        done = publish(client, given.bucket, items, prune=given.prune)
    except WrongInputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except ClientError as error:
        sys.stderr.write(f"{explain(error, given.bucket)}\n")
        return 1
    except (BotoCoreError, OSError) as error:
        sys.stderr.write(f"{given.bucket}: {error}\n")
        return 1
    sys.stdout.write(f"{done}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
