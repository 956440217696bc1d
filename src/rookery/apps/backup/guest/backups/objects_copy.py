"""Copies of objects that the gateway makes by itself: no content goes through whoever asks for it.

A copy has the content, the headers and the metadata of what it was made from. Above what one request may
copy it is made in parts.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any, TypeVar

from .errors import BackupError
from .store import HEADERS, ORIGIN, ask

MOST = 5 << 30
"""Bytes that one request copies at most."""

_PART = 1 << 30
_CHUNK = 1 << 20
_AT_ONCE = 16  # a copy waits for disks, most of its time; more at once than this makes it no faster
_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True, kw_only=True)
class Source:
    """What is copied: an object, or a version of it, with the ETag and the bytes that it must have. One that
    came `back` from a copy outside has a note of the store's that is no part of it."""

    bucket: str
    key: str
    etag: str
    size: int
    version: str = ""
    back: bool = False

    def named(self) -> dict[str, str]:
        """Return how requests name it."""
        version = {"VersionId": self.version} if self.version else {}
        return {"Bucket": self.bucket, "Key": self.key, **version}


def copy(client: Any, source: Source, bucket: str, key: str, *, what: str, most: int = MOST) -> str:
    """Copy an object into a bucket and return the copy's ETag; raises BackupError, which calls it `what`."""
    where = {"Bucket": bucket, "Key": key}
    if source.size > most:
        return _copy_parts(client, source, where, what, min(most, _PART))
    asked: dict[str, Any] = {**where, "CopySource": source.named(), "CopySourceIfMatch": source.etag}
    if source.back:
        asked |= {**headers(client, source, what), "MetadataDirective": "REPLACE"}
    return _etag(ask(what, lambda: client.copy_object(**asked))["CopyObjectResult"])


def headers(client: Any, source: Source, what: str) -> dict[str, Any]:
    """Return the headers and the metadata of an object, as they are put; raises BackupError."""
    head = ask(what, lambda: client.head_object(**source.named()))
    found = {name: head[name] for name in (*HEADERS, "Metadata") if head.get(name)}
    # What the store notes of its own is no part of what was put there.
    own = {name: value for name, value in found.pop("Metadata", {}).items() if name != ORIGIN}
    return {**found, "Metadata": own} if own else found


def read_digest(client: Any, bucket: str, key: str, name: str) -> tuple[str, int]:
    """Read an object, and return the digest of its content by an algorithm, and its bytes."""
    what = f"read {key} of bucket {bucket}"
    body = ask(what, lambda: client.get_object(Bucket=bucket, Key=key))["Body"]
    digest, size = hashlib.new(name, usedforsecurity=False), 0
    while chunk := ask(what, lambda: body.read(_CHUNK)):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def each(act: Callable[[_T], _R], items: Iterable[_T], told: Callable[[int], None]) -> list[tuple[_T, _R]]:
    """Do something with each of some items, a few at a time; tell now and then how many are done.

    The first that fails ends it: what had begun ends, the rest is left.
    """
    done: list[tuple[_T, _R]] = []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        waiting: dict[Future[_R], _T] = {pool.submit(act, item): item for item in items}
        try:
            for future in as_completed(waiting):
                done.append((waiting[future], future.result()))
                if len(done) % 500 == 0:
                    told(len(done))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return done


def _copy_parts(client: Any, source: Source, where: dict[str, str], what: str, part: int) -> str:
    kept = headers(client, source, what)
    upload = ask(what, lambda: client.create_multipart_upload(**where, **kept))["UploadId"]
    named = {**where, "UploadId": upload}
    try:
        parts = [
            _copy_part(client, source, named, what, (number, start, min(start + part, source.size) - 1))
            for number, start in enumerate(range(0, source.size, part), 1)
        ]
        whole = {**named, "MultipartUpload": {"Parts": parts}}
        return _etag(ask(what, lambda: client.complete_multipart_upload(**whole)))
    except BaseException:
        with contextlib.suppress(BackupError):
            ask(what, lambda: client.abort_multipart_upload(**named))
        raise


def _copy_part(
    client: Any, source: Source, named: dict[str, str], what: str, part: tuple[int, int, int]
) -> dict[str, Any]:
    number, first, last = part
    asked = {
        **named,
        "PartNumber": number,
        "CopySource": source.named(),
        "CopySourceIfMatch": source.etag,
        "CopySourceRange": f"bytes={first}-{last}",
    }
    made = ask(what, lambda: client.upload_part_copy(**asked))
    return {"PartNumber": number, "ETag": made["CopyPartResult"]["ETag"]}


def _etag(answer: dict[str, Any]) -> str:
    return str(answer["ETag"]).strip('"')
