"""Buckets in memory that answer boto3's calls as Ceph's gateways do: versions, markers, times in seconds.

`tests/lab/test_backup.py` does the same to these and to a real gateway.
"""

# ruff: noqa: N803 - arguments are called as boto3 calls them

from __future__ import annotations

import datetime as dt
import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from rookery.apps.backup.guest.backups.objects_history import ORDER

_KEPT = ("CacheControl", "ContentEncoding", "ContentType", "Metadata")


@dataclass(kw_only=True)
class Entry:
    """A version of an object, or a delete marker, which has no content."""

    version: str
    modified: float
    content: bytes | None
    etag: str = ""
    headers: dict[str, Any] = field(default_factory=dict)


@dataclass
class FakeBucket:
    """A bucket: by key its entries, the newest first."""

    versioning: str = ""
    lifecycle: list[dict[str, Any]] = field(default_factory=list)
    keys: dict[str, list[Entry]] = field(default_factory=dict)
    locked: bool = False


class FakeGateway:
    """An S3 service and a client of it at once; `refuse` may raise before anything is done."""

    def __init__(self, clock: Callable[[], float], *, page: int = 3) -> None:
        self.clock = clock
        self.page = page
        self.buckets: dict[str, FakeBucket] = {}
        self.asked: list[tuple[str, str]] = []
        self.refuse: Callable[[str, str], None] = lambda _operation, _key: None
        self.meta = SimpleNamespace(events=SimpleNamespace(register=lambda *_, **__: None))
        self._uploads: dict[str, tuple[dict[str, Any], dict[int, bytes]]] = {}
        self._count = 0

    def create_bucket(self, *, Bucket: str, ObjectLockEnabledForBucket: bool = False) -> None:
        status = "Enabled" if ObjectLockEnabledForBucket else ""
        self.buckets.setdefault(Bucket, FakeBucket(versioning=status, locked=ObjectLockEnabledForBucket))

    def list_buckets(self) -> dict[str, Any]:
        return {"Buckets": [{"Name": name} for name in self.buckets]}

    def put_bucket_versioning(self, *, Bucket: str, VersioningConfiguration: dict[str, str]) -> None:
        self.buckets[Bucket].versioning = VersioningConfiguration["Status"]

    def get_bucket_lifecycle_configuration(self, *, Bucket: str) -> dict[str, Any]:
        return {"Rules": self.buckets[Bucket].lifecycle}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, **headers: Any) -> dict[str, str]:
        self._begin("PutObject", Bucket, Key)
        etag = hashlib.md5(Body, usedforsecurity=False).hexdigest()
        return self._put(Bucket, Key, Body, etag, headers)

    def delete_object(self, *, Bucket: str, Key: str) -> None:
        self._begin("DeleteObject", Bucket, Key)
        bucket = self.buckets[Bucket]
        entries = bucket.keys.setdefault(Key, [])
        if bucket.versioning:
            self._add(bucket, entries, Entry(version="", modified=self.clock(), content=None))
        else:
            entries.clear()

    def delete_objects(self, *, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:
        for item in Delete["Objects"]:
            self.delete_object(Bucket=Bucket, Key=item["Key"])
        return {}

    def get_object(self, *, Bucket: str, Key: str, VersionId: str = "") -> dict[str, Any]:
        self._begin("GetObject", Bucket, Key)
        found = self._find(Bucket, Key, VersionId)
        return {**self._head(found), "Body": io.BytesIO(found.content or b"")}

    def head_object(self, *, Bucket: str, Key: str, VersionId: str = "") -> dict[str, Any]:
        self._begin("HeadObject", Bucket, Key)
        return self._head(self._find(Bucket, Key, VersionId))

    def copy_object(
        self,
        *,
        Bucket: str,
        Key: str,
        CopySource: dict[str, str],
        CopySourceIfMatch: str,
        MetadataDirective: str = "COPY",
        **headers: Any,
    ) -> dict[str, Any]:
        self._begin("CopyObject", Bucket, Key)
        source = self._find(**CopySource)
        if source.etag != CopySourceIfMatch:
            raise refusal("PreconditionFailed", 412)
        assert source.content is not None
        # Ceph keeps the ETag of what is copied whole, be it one of parts.
        kept = headers if MetadataDirective == "REPLACE" else source.headers
        made = self._put(Bucket, Key, source.content, source.etag, kept)
        return {"CopyObjectResult": made}

    def create_multipart_upload(self, *, Bucket: str, Key: str, **headers: Any) -> dict[str, str]:
        self._begin("CreateMultipartUpload", Bucket, Key)
        self._count += 1
        self._uploads[f"upload-{self._count}"] = (headers, {})
        return {"UploadId": f"upload-{self._count}"}

    def upload_part_copy(
        self,
        *,
        Bucket: str,
        Key: str,
        UploadId: str,
        PartNumber: int,
        CopySource: dict[str, str],
        CopySourceIfMatch: str,
        CopySourceRange: str,
    ) -> dict[str, Any]:
        self._begin("UploadPartCopy", Bucket, Key)
        source = self._find(**CopySource)
        if source.etag != CopySourceIfMatch:
            raise refusal("PreconditionFailed", 412)
        first, last = map(int, CopySourceRange.removeprefix("bytes=").split("-"))
        part = (source.content or b"")[first : last + 1]
        assert len(part) == last + 1 - first, "a range beyond the end"
        self._uploads[UploadId][1][PartNumber] = part
        return {"CopyPartResult": {"ETag": hashlib.md5(part, usedforsecurity=False).hexdigest()}}

    def complete_multipart_upload(
        self, *, Bucket: str, Key: str, UploadId: str, MultipartUpload: dict[str, Any]
    ) -> dict[str, str]:
        self._begin("CompleteMultipartUpload", Bucket, Key)
        headers, parts = self._uploads.pop(UploadId)
        named = [part["PartNumber"] for part in MultipartUpload["Parts"]]
        assert named == sorted(parts)
        digests = b"".join(hashlib.md5(parts[number], usedforsecurity=False).digest() for number in named)
        etag = f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(named)}"
        return self._put(Bucket, Key, b"".join(parts[number] for number in named), etag, headers)

    def abort_multipart_upload(self, *, Bucket: str, Key: str, UploadId: str) -> None:
        self._begin("AbortMultipartUpload", Bucket, Key)
        del self._uploads[UploadId]

    @property
    def uploads(self) -> int:
        """How many uploads have begun and neither ended nor been given up."""
        return len(self._uploads)

    def get_paginator(self, operation: str) -> SimpleNamespace:
        pages = {"list_objects_v2": self._objects, "list_object_versions": self._versions}
        return SimpleNamespace(paginate=pages[operation])

    def current(self, bucket: str) -> dict[str, tuple[bytes, dict[str, Any]]]:
        """Return content and headers of what a bucket has, by key."""
        heads = {key: entries[0] for key, entries in self.buckets[bucket].keys.items() if entries}
        return {key: (head.content, head.headers) for key, head in heads.items() if head.content is not None}

    def _objects(self, *, Bucket: str, Prefix: str = "") -> Iterator[dict[str, Any]]:
        self._begin("ListObjects", Bucket, Prefix)
        found = [
            {"Key": key, "Size": len(entries[0].content), "ETag": f'"{entries[0].etag}"'}
            for key, entries in sorted(self._bucket(Bucket).keys.items())
            if key.startswith(Prefix) and entries and entries[0].content is not None
        ]
        for start in range(0, max(1, len(found)), self.page):
            yield {"Contents": found[start : start + self.page]}

    def _versions(self, *, Bucket: str, Prefix: str = "") -> Iterator[dict[str, Any]]:
        self._begin("ListObjectVersions", Bucket, Prefix)
        found = [
            (entry.content is None, _listed(key, entry, is_latest=entry is entries[0]))
            for key, entries in sorted(self._bucket(Bucket).keys.items())
            if key.startswith(Prefix)
            for entry in entries
        ]
        for start in range(0, max(1, len(found)), self.page):
            page = found[start : start + self.page]
            yield {
                "Versions": [item for gone, item in page if not gone],
                "DeleteMarkers": [item for gone, item in page if gone],
                ORDER: ["DeleteMarker" if gone else "Version" for gone, _ in page],
            }

    def _put(
        self, bucket: str, key: str, content: bytes, etag: str, headers: dict[str, Any]
    ) -> dict[str, str]:
        place = self._bucket(bucket)
        kept = {name: value for name, value in headers.items() if name in _KEPT}
        entry = Entry(version="", modified=self.clock(), content=content, etag=etag, headers=kept)
        self._add(place, place.keys.setdefault(key, []), entry)
        return {"ETag": f'"{etag}"'}

    def _add(self, bucket: FakeBucket, entries: list[Entry], entry: Entry) -> None:
        self._count += 1
        entry.version = f"v{self._count}" if bucket.versioning == "Enabled" else "null"
        if entry.version == "null":
            entries[:] = [one for one in entries if one.version != "null"]
        entries.insert(0, entry)

    def _find(self, Bucket: str, Key: str, VersionId: str = "") -> Entry:
        entries = self._bucket(Bucket).keys.get(Key, [])
        found = [one for one in entries if VersionId in ("", one.version)][:1]
        if not found or found[0].content is None:
            raise refusal("NoSuchKey", 404)
        return found[0]

    def _bucket(self, name: str) -> FakeBucket:
        if name not in self.buckets:
            raise refusal("NoSuchBucket", 404)
        return self.buckets[name]

    def _head(self, entry: Entry) -> dict[str, Any]:
        assert entry.content is not None
        return {
            "Metadata": {},
            **entry.headers,
            "ETag": f'"{entry.etag}"',
            "ContentLength": len(entry.content),
            "VersionId": entry.version,
        }

    def _begin(self, operation: str, bucket: str, key: str) -> None:
        self.asked.append((operation, f"{bucket}/{key}"))
        self.refuse(operation, f"{bucket}/{key}")


def refusal(code: str, status: int) -> ClientError:
    """Return an answer of S3 that refuses."""
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Operation")


def _listed(key: str, entry: Entry, *, is_latest: bool) -> dict[str, Any]:
    item = {
        "Key": key,
        "VersionId": entry.version,
        "IsLatest": is_latest,
        "LastModified": dt.datetime.fromtimestamp(int(entry.modified), tz=dt.UTC),
    }
    if entry.content is None:
        return item
    return {**item, "ETag": f'"{entry.etag}"', "Size": len(entry.content)}
