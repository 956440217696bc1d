"""S3, through boto3, with the checksums and addressing that Ceph's gateways understand."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rookery.errors import RookeryError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_UPLOADS_AT_ONCE = 4


def connect(url: str, *, access_key: str, secret_key: str, ca_file: str, region: str = "default") -> S3Client:
    """Return a client of the S3 service at `url`, whose certificate `ca_file` vouches for; where that is
    empty, those that this machine trusts."""
    import boto3
    from botocore.config import Config

    config = Config(
        s3={"addressing_style": "path"},
        connect_timeout=3,
        read_timeout=30,
        retries={"total_max_attempts": 4, "mode": "standard"},
        max_pool_connections=16,
        # Newer checksums are computed by default and not understood by every Ceph; MD5 and TLS remain.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    client: S3Client = boto3.session.Session().client(
        "s3",
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        verify=ca_file or None,
        config=config,
    )
    return client


def digests(client: S3Client, bucket: str) -> dict[str, str]:
    """Return each object's key with its MD5 (the ETag of an object that was put whole)."""
    from botocore.exceptions import ClientError

    found = {}
    try:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for item in page.get("Contents", ()):
                found[item["Key"]] = item["ETag"].strip('"')
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchBucket":
            return {}
        raise RookeryError(f"bucket {bucket} cannot be listed: {error}") from None
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """Something to publish: its key, what it holds (bytes, or a file), and its headers.

    They are Content-Type, Cache-Control and, where it is not empty, Content-Encoding. What has a lower `turn`
    is sent before.
    """

    path: str
    source: bytes | Path
    media_type: str
    cache_control: str
    encoding: str = ""
    turn: int = 0

    def md5(self) -> str:
        """Return the digest that S3 gives an object as its ETag; nothing is secured by it."""
        if isinstance(self.source, bytes):
            return hashlib.md5(self.source, usedforsecurity=False).hexdigest()
        with self.source.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def publish(client: S3Client, bucket: str, items: Iterable[Upload], *, there: dict[str, str]) -> int:
    """Make a bucket hold exactly `items`; return how many were sent.

    What is `there` with the same digest is not sent again; pages and indexes go after what they name, and
    what no longer belongs is deleted last, so that no visitor meets a page without its parts.
    """
    wanted = {item.path: item for item in items}
    changed = [item for path, item in wanted.items() if there.get(path) != item.md5()]

    def put(item: Upload) -> None:
        with contextlib.ExitStack() as stack:
            source = item.source
            encoded: dict[str, Any] = {"ContentEncoding": item.encoding} if item.encoding else {}
            client.put_object(
                Bucket=bucket,
                Key=item.path,
                Body=source if isinstance(source, bytes) else stack.enter_context(source.open("rb")),
                ContentType=item.media_type,
                CacheControl=item.cache_control,
                **encoded,
            )

    with ThreadPoolExecutor(max_workers=_UPLOADS_AT_ONCE) as pool:
        for number in sorted({item.turn for item in changed}):
            list(pool.map(put, (item for item in changed if item.turn == number)))
    for path in sorted(set(there) - set(wanted)):
        client.delete_object(Bucket=bucket, Key=path)
    return len(changed)
