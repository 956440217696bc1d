"""A bucket with backups: what lies there, put and fetched so that a cut is noticed.

Every object that is put from here carries the SHA-256 of its content in its metadata: gateways keep no
checksum of a client's (Ceph 18.2 takes a wrong one without a word), so what is read is held against that.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from .errors import BackupError
from .told import Place

DIGEST = "sha256"
"""The name of the metadata with the SHA-256 of an object's content, in hexadecimal digits."""

ORIGIN = "source-etag"
"""The name of the metadata with the ETag that an object had where it was put first: one that is put in parts
gets another one at each place that it is copied to."""

HEADERS = (
    *("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType"),
    "Expires",
)
"""What an object is given with beside its metadata: it is as much a part of it."""

_PART = 8 << 20  # bytes, and more of what would have too many parts otherwise
_LONGEST_PART = 32 << 20
_MOST_PARTS = 9000  # of an object: S3 takes 10,000
_PARTS = 8  # of an object that are on their way at once, in as much memory
_CHUNK = 1 << 20
_GONE = ("NoSuchKey", "404", "NotFound")
# What an answer of S3 means to who reads it here.
_MEANT = {
    "AccessDenied": "it refuses these keys (403)",
    "UserSuspended": "it refuses these keys, whose user is suspended (403)",
    "QuotaExceeded": "its quota is used up (403)",
    "InsufficientCapacity": "it is full (507)",
    "NoSuchBucket": "there is no such bucket",
    "NoSuchKey": "there is no such object",
    "NoSuchVersion": "there is no such version of it",
    "PreconditionFailed": "it is not what it was a moment ago",
    "InvalidAccessKeyId": "it does not know this access key",
    "SignatureDoesNotMatch": "the secret key is wrong",
}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An object that is listed: its key, bytes, and ETag (the MD5 of one that was put whole)."""

    key: str
    size: int
    etag: str


def connect(place: Place) -> Any:
    """Return a client of an S3 service."""
    config = Config(
        s3={"addressing_style": "path"},
        connect_timeout=5,
        read_timeout=60,
        retries={"total_max_attempts": 4, "mode": "standard"},
        max_pool_connections=24,
        # Newer checksums are computed by default and not understood by every Ceph; MD5 and TLS remain.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        # Of the environment's none: the lab's own gateways are never behind one.
        proxies={"http": place.way, "https": place.way} if place.way else None,
    )
    return boto3.session.Session().client(
        "s3",
        endpoint_url=place.endpoint,
        region_name=place.region,
        aws_access_key_id=place.access,
        aws_secret_access_key=place.secret,
        verify=place.authority or None,
        config=config,
    )


def ask(doing: str, act: Callable[[], Any], *, missing: bool = False) -> Any:
    """Do something with an S3 service; None where what is asked for is not there, and may be `missing`.

    Raises BackupError, which says what `doing` that was and what the service's answer means.
    """
    try:
        return act()
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if missing and code in _GONE:
            return None
        meant = _MEANT.get(code, code)
        raise BackupError(f"cannot {doing}: {meant}", details=(str(error),)) from None
    except (BotoCoreError, Boto3Error, OSError) as error:
        raise BackupError(f"cannot {doing}: {type(error).__name__}", details=(str(error),)) from None


class Store:
    """One bucket. Every method raises BackupError where the service does not do what is asked."""

    def __init__(self, place: Place, client: Any = None) -> None:
        self.place = place
        self.client = connect(place) if client is None else client
        self.bucket = place.bucket

    def get_json(self, key: str) -> Any:
        """Return what a JSON object says, None where there is none; raises where it is not what was put."""
        found = self._ask("read", lambda: self.client.get_object(Bucket=self.bucket, Key=key), missing=True)
        if found is None:
            return None
        content = found["Body"].read()
        self._require_same(key, hashlib.sha256(content).hexdigest(), found["Metadata"])
        try:
            return json.loads(content)
        except ValueError:
            raise BackupError(f"{key} in {self} is no JSON") from None

    def put_json(self, key: str, value: Any) -> None:
        """Write a JSON object."""
        content = json.dumps(value, indent=1, sort_keys=True).encode()
        self.put(key, content, media_type="application/json")

    def put(self, key: str, content: bytes, *, media_type: str = "application/octet-stream") -> str:
        """Write an object whole; return the SHA-256 of what it holds."""
        digest = hashlib.sha256(content).hexdigest()
        named = {"Bucket": self.bucket, "Key": key, "Body": content, "ContentType": media_type}
        self._ask("write to", lambda: self.client.put_object(**named, Metadata={DIGEST: digest}))
        return digest

    def put_file(self, key: str, path: Path, *, metadata: Mapping[str, str] | None = None) -> str:
        """Write a file, in parts where it is long; return the SHA-256 of what it holds."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            told = {**(metadata or {}), DIGEST: digest}
            self.put_stream(key, file, metadata=told, most=path.stat().st_size)
        return digest

    def put_stream(self, key: str, stream: IO[bytes], *, metadata: Mapping[str, str], most: int = 0) -> None:
        """Write what a stream gives, in parts, of which some are in memory; `most` are the bytes that it has
        at most, where that is known.

        Who knows the digest beforehand gives it as metadata; nobody can add it afterwards.
        """
        part = min(max(_PART, -(-most // _MOST_PARTS)), _LONGEST_PART)
        parts = _PARTS * _PART // part
        transfer = TransferConfig(multipart_threshold=part, multipart_chunksize=part, max_concurrency=parts)
        # boto3 has no argument for it, and keeps ten in memory, however long they are.
        transfer.max_in_memory_upload_chunks = parts + 1
        extra = {"Metadata": dict(metadata)}
        send = self.client.upload_fileobj
        self._ask("write to", lambda: send(stream, self.bucket, key, ExtraArgs=extra, Config=transfer))

    def fetch(self, key: str, target: IO[bytes], *, version: str = "") -> int:
        """Write an object's content to a file and return its bytes; raises where it is not what was put."""
        digest, size, metadata = self._read(key, version, target.write)
        self._require_same(key, digest, metadata)
        return size

    def fetch_parts(self, key: str, size: int, target: IO[bytes]) -> None:
        """Write the content of an object whose bytes are known to a file, fetching several parts at once: one
        gateway's one answer waits for one disk at a time. Whoever reads it tells whether it is what was put.
        """

        def part(start: int) -> bytes:
            asked = {"Bucket": self.bucket, "Key": key, "Range": f"bytes={start}-{start + _PART - 1}"}
            found = self._ask(f"read {key} of", lambda: self.client.get_object(**asked))
            return self.read(key, found["Body"], _PART)

        with ThreadPoolExecutor(_PARTS) as threads:
            coming: deque[Future[bytes]] = deque()
            for start in range(0, size, _PART):
                coming.append(threads.submit(part, start))
                if len(coming) == _PARTS:
                    target.write(coming.popleft().result())
            while coming:
                target.write(coming.popleft().result())

    def digest_of(self, key: str, *, version: str = "") -> tuple[str, int]:
        """Read an object and return the SHA-256 and the bytes of its content."""
        digest, size, _ = self._read(key, version, len)
        return digest, size

    def head(self, key: str) -> dict[str, Any] | None:
        """Return what is known of an object (`ContentLength`, `ETag`, `Metadata`), None where it is not
        there."""
        found = self._ask(
            "look at", lambda: self.client.head_object(Bucket=self.bucket, Key=key), missing=True
        )
        return None if found is None else dict(found)

    def origin(self, entry: Entry) -> str:
        """Return the ETag that an object had where it was put first."""
        found = self.head(entry.key)
        return entry.etag if found is None else str(found["Metadata"].get(ORIGIN, entry.etag))

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Yield what lies below a prefix."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        iterator = iter(pages)
        while (page := self._ask("list", lambda: next(iterator, None))) is not None:
            for item in page.get("Contents", ()):
                yield Entry(key=item["Key"], size=item["Size"], etag=item["ETag"].strip('"'))

    def open(self, key: str) -> dict[str, Any] | None:
        """Return an object that is to be `read`: its `Body` and `Metadata`; None where it is not there."""
        asked = {"Bucket": self.bucket, "Key": key}
        found = self._ask(f"read {key} of", lambda: self.client.get_object(**asked), missing=True)
        return None if found is None else dict(found)

    def read(self, key: str, body: Any, size: int) -> bytes:
        """Return the next bytes of an object, fewer than `size` at its end only."""
        return bytes(self._ask(f"read {key} of", lambda: body.read(size)))

    def send(self, operation: str, **asked: Any) -> dict[str, Any]:
        """Carry out an operation on the bucket that writes: `put_object`, `upload_part`."""
        act = getattr(self.client, operation)
        return dict(self._ask(f"write {asked['Key']} to", lambda: act(Bucket=self.bucket, **asked)) or {})

    def lock_rules(self) -> dict[str, Any] | None:
        """Return how the bucket locks what is put (`Rule`, where it does so by itself), None where it cannot,
        or does not say."""
        act = self.client.get_object_lock_configuration
        try:
            found: dict[str, Any] = act(Bucket=self.bucket)["ObjectLockConfiguration"]
        except (ClientError, BotoCoreError):
            return None
        return found

    def delete(self, *keys: str) -> None:
        """Delete objects; in a bucket with versions they are hidden, and go when their lock is over."""
        for start in range(0, len(keys), 1000):
            asked = {"Objects": [{"Key": key} for key in keys[start : start + 1000]], "Quiet": True}
            act = self._deletion(asked)
            failed = self._ask("delete from", act).get("Errors")
            if failed:
                raise BackupError(
                    f"{failed[0]['Key']} cannot be deleted from {self}: {failed[0].get('Message')}"
                )

    def _deletion(self, asked: dict[str, Any]) -> Callable[[], Any]:
        return lambda: self.client.delete_objects(Bucket=self.bucket, Delete=asked)

    def __str__(self) -> str:
        return f"bucket {self.bucket} at {self.place.endpoint}"

    def _read(
        self, key: str, version: str, take: Callable[[bytes], object]
    ) -> tuple[str, int, dict[str, str]]:
        """Read an object through `take`; return SHA-256, bytes and metadata."""
        named = {"VersionId": version} if version else {}
        asked = {"Bucket": self.bucket, "Key": key, **named}
        found = self._ask(f"read {key} of", lambda: self.client.get_object(**asked))
        digest, size, body = hashlib.sha256(), 0, found["Body"]
        while chunk := self._ask(f"read {key} of", lambda: body.read(_CHUNK)):
            digest.update(chunk)
            size += len(chunk)
            take(chunk)
        return digest.hexdigest(), size, dict(found["Metadata"])

    def _require_same(self, key: str, digest: str, metadata: Mapping[str, str]) -> None:
        if metadata.get(DIGEST, digest) != digest:
            raise BackupError(f"{key} in {self} is not what was written: its SHA-256 differs")

    def _ask(self, doing: str, act: Callable[[], Any], *, missing: bool = False) -> Any:
        return ask(f"{doing} {self}", act, missing=missing)
