"""An S3 service in memory: what the programs of backup ask of one, answered as Ceph's gateways answer it."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import IO, Any

from botocore.exceptions import ClientError


@dataclass
class Stored:
    """One object as it lies there."""

    content: bytes
    etag: str
    metadata: Mapping[str, str]
    more: Mapping[str, Any] = field(default_factory=dict)
    written: dt.datetime = field(default_factory=lambda: dt.datetime.fromtimestamp(time.time(), tz=dt.UTC))


HEADERS = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
)
"""What a service gives back with an object as it was given with it."""


class MemoryS3:
    """The client of one service; `refused` says with which code an operation is refused, by its name."""

    def __init__(self, *buckets: str) -> None:
        self.buckets: dict[str, dict[str, Stored]] = {bucket: {} for bucket in buckets}
        self.refused: dict[str, str] = {}
        self.lock: Mapping[str, Any] | None = None
        self.puts: list[str] = []
        self._uploads: dict[str, dict[int, bytes]] = {}
        self._given: dict[str, dict[str, Any]] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: Any, **more: Any) -> dict[str, Any]:  # noqa: N803
        there = self._objects("PutObject", Bucket)
        if more.get("IfNoneMatch") == "*" and Key in there:
            raise refusal("PreconditionFailed", "PutObject")
        content = Body if isinstance(Body, bytes) else Body.read()
        there[Key] = Stored(content, _md5(content), more.pop("Metadata", {}), more)
        self.puts.append(Key)
        return {"ETag": f'"{there[Key].etag}"'}

    def upload_fileobj(
        self,
        Fileobj: IO[bytes],  # noqa: N803
        Bucket: str,  # noqa: N803
        Key: str,  # noqa: N803
        ExtraArgs: Mapping[str, Any],  # noqa: N803
        Config: object,  # noqa: N803
    ) -> None:
        del Config
        self.put_object(Bucket=Bucket, Key=Key, Body=Fileobj.read(), **ExtraArgs)

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        found = self._found("GetObject", Bucket, Key)
        return {**self._head(found), "Body": io.BytesIO(found.content)}

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        return self._head(self._found("HeadObject", Bucket, Key, missing="404"))

    def delete_objects(self, *, Bucket: str, Delete: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N803
        there = self._objects("DeleteObjects", Bucket)
        for one in Delete["Objects"]:
            there.pop(one["Key"], None)
        return {}

    def get_paginator(self, name: str) -> MemoryS3:
        assert name == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str = "", Delimiter: str = "") -> Iterator[dict[str, Any]]:  # noqa: N803
        there = self._objects("ListObjectsV2", Bucket)
        for key in sorted(there):  # a page for each, so that what reads pages is seen to
            if not key.startswith(Prefix):
                continue
            folder, slash, _ = key.removeprefix(Prefix).partition("/")
            one = there[key]
            if Delimiter and slash:
                yield {"CommonPrefixes": [{"Prefix": f"{Prefix}{folder}/"}]}
            else:
                yield {"Contents": [{"Key": key, "Size": len(one.content), "ETag": f'"{one.etag}"'}]}

    @property
    def meta(self) -> MemoryS3:
        return self

    @property
    def endpoint_url(self) -> str:
        return "https://memory"

    def get_object_lock_configuration(self, *, Bucket: str) -> dict[str, Any]:  # noqa: N803
        self._objects("GetObjectLockConfiguration", Bucket)
        if self.lock is None:
            raise refusal("ObjectLockConfigurationNotFoundError", "GetObjectLockConfiguration")
        return {"ObjectLockConfiguration": self.lock}

    def create_multipart_upload(self, *, Bucket: str, Key: str, **more: Any) -> dict[str, Any]:  # noqa: N803
        self._objects("CreateMultipartUpload", Bucket)
        name = f"upload-{len(self._uploads)}"
        self._uploads[name], self._given[name] = {}, dict(more)
        return {"UploadId": name, "Key": Key, **more}

    def upload_part(
        self,
        *,
        Bucket: str,  # noqa: N803
        Key: str,  # noqa: N803
        UploadId: str,  # noqa: N803
        PartNumber: int,  # noqa: N803
        Body: bytes,  # noqa: N803
        ContentMD5: str,  # noqa: N803
    ) -> dict[str, Any]:
        del Key, ContentMD5
        self._objects("UploadPart", Bucket)
        self._uploads[UploadId][PartNumber] = Body
        return {"ETag": f'"{_md5(Body)}"'}

    def complete_multipart_upload(self, *, Bucket: str, Key: str, UploadId: str, **_: Any) -> None:  # noqa: N803
        parts = [content for _, content in sorted(self._uploads.pop(UploadId).items())]
        given = self._given[UploadId]
        self.buckets[Bucket][Key] = replace(multipart(parts, given.pop("Metadata", {})), more=given)
        self.puts.append(Key)

    def abort_multipart_upload(self, *, Bucket: str, Key: str, UploadId: str) -> None:  # noqa: N803
        del Bucket, Key
        self._uploads.pop(UploadId, None)

    @property
    def unfinished(self) -> int:
        """How many uploads were begun and neither completed nor given up."""
        return len(self._uploads)

    def _objects(self, operation: str, bucket: str) -> dict[str, Stored]:
        if operation in self.refused:
            raise refusal(self.refused[operation], operation)
        if bucket not in self.buckets:
            raise refusal("NoSuchBucket", operation)
        return self.buckets[bucket]

    def _found(self, operation: str, bucket: str, key: str, *, missing: str = "NoSuchKey") -> Stored:
        there = self._objects(operation, bucket)
        if key not in there:
            raise refusal(missing, operation)
        return there[key]

    def _head(self, found: Stored) -> dict[str, Any]:
        given = {name: value for name, value in found.more.items() if name in HEADERS}
        return {
            **given,
            "ContentLength": len(found.content),
            "ETag": f'"{found.etag}"',
            "Metadata": dict(found.metadata),
            "LastModified": found.written,
        }


def refusal(code: str, operation: str) -> ClientError:
    """Return what a client raises for an answer with that code."""
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)


def multipart(parts: list[bytes], metadata: Mapping[str, str] | None = None) -> Stored:
    """Return an object that was put in parts: its ETag is of the parts' digests."""
    digests = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in parts)
    return Stored(b"".join(parts), f"{_md5(digests)}-{len(parts)}", metadata or {})


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
