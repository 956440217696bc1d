"""Copies outside: what the system's bucket has and an S3 service outside of the system has not, object by
object.

A copy is compared by listing both sides and has the same keys below `SYSTEM/`, sets last: a set that is there
has all that it names. What is read is held against its digest on the way, and what is sent against its MD5.
Nothing of a kind is known here, so whatever kinds there are, all of them are copied.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hashlib
import itertools
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from . import checked
from .errors import BackupError
from .store import DIGEST, HEADERS, ORIGIN, Entry, Store
from .telling import Report
from .told import Told

FORMAT = 1
SETS = "sets/"
FETCHED = "fetched.json"
"""The object that says of a system that was built again that the sets of before are here."""

_MARK = "system.json"
_NOT_COPIED = (_MARK, FETCHED, checked.KEY)
_WHOLE = re.compile(r"^[0-9a-f]{32}$")
_PART = 16 << 20
_AT_ONCE = 4  # objects; each has a part in memory
_DAY = 86400


@dataclass(frozen=True, kw_only=True)
class Side:
    """A bucket, and the prefix below which a system's objects are in it."""

    store: Store
    prefix: str = ""

    def entries(self) -> dict[str, Entry]:
        """Return what is there by its key without the prefix, but for what speaks of this bucket alone."""
        found = {entry.key.removeprefix(self.prefix): entry for entry in self.store.list(self.prefix)}
        return {key: entry for key, entry in found.items() if key not in _NOT_COPIED}


def outside(told: Told, store: Store) -> Side:
    """Return the system's side of a bucket outside; raises BackupError where it is another system's.

    Whatever else lies in the bucket is left alone.
    """
    name, fsid = told.config["system"], told.keys["fsid"]
    mark = f"{name}/{_MARK}"
    found = store.get_json(mark)
    if found is None:
        store.put_json(mark, {"format": FORMAT, "system": name, "fsid": fsid})
    elif found["format"] > FORMAT:
        raise BackupError(f"{store} was written by a newer version: format {found['format']}, not {FORMAT}")
    elif found["fsid"] != fsid:
        raise BackupError(
            f"{name}/ in {store} is of another system of that name, with fsid {found['fsid']}",
            hint="Name another bucket in backup.copies, or give the system another name.",
        )
    return Side(store=store, prefix=f"{name}/")


def copy(source: Side, target: Side, report: Report, *, lock: int = 0) -> int:
    """Copy what the target has not; return the bytes that were moved. Raises BackupError, and goes on from
    there when it is run again.

    `lock` are the days for which what is written can not be removed, where the target's bucket can lock and
    does not by itself.
    """
    there, here = target.entries(), source.entries()
    missing = [entry for key, entry in here.items() if not _is_same(source, target, entry, there.get(key))]
    retained = _retention(target.store, lock)
    report(f"{len(missing)} objects to {target.store}")
    for are_sets in (False, True):
        entries = [one for one in missing if _key(source, one).startswith(SETS) is are_sets]
        _copy_all(source, target, entries, retained)
    return sum(entry.size for entry in missing)


def prune(source: Side, target: Side, older: float) -> int:
    """Remove from the target what the source has no more, if it was written more than `older` seconds ago;
    return how many objects went. A source without a set says nothing about what may go."""
    here = source.entries()
    if not any(key.startswith(SETS) for key in here):
        return 0
    gone = [key for key in target.entries() if key not in here]
    limit = time.time() - older
    old = [target.prefix + key for key in gone if _written(target, key) < limit]
    target.store.delete(*old)
    return len(old)


def _is_same(source: Side, target: Side, here: Entry, there: Entry | None) -> bool:
    if there is None or there.size != here.size:
        return False
    if there.etag == here.etag:
        return True
    origin = target.store.origin(there)
    return origin in (here.etag, source.store.origin(here))


def _key(side: Side, entry: Entry) -> str:
    return entry.key.removeprefix(side.prefix)


def _written(side: Side, key: str) -> float:
    head = side.store.head(side.prefix + key)
    return time.time() if head is None else float(head["LastModified"].timestamp())


def _retention(store: Store, days: int) -> dict[str, Any]:
    """Return how an object is locked when it is put; nothing where the bucket does so itself, or cannot."""
    rules = store.lock_rules()
    if not days or rules is None or rules.get("Rule"):
        return {}
    until = dt.datetime.fromtimestamp(time.time() + days * _DAY, tz=dt.UTC)
    return {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}


def _copy_all(source: Side, target: Side, entries: Sequence[Entry], retained: Mapping[str, Any]) -> None:
    """Copy objects, some at a time; the first that fails ends it, without waiting for all others to fail."""
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        try:
            list(pool.map(lambda entry: _copy_one(source, target, entry, retained), entries))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _copy_one(source: Side, target: Side, entry: Entry, retained: Mapping[str, Any]) -> None:
    """Copy an object; one that changed meanwhile, or is not what it was, is not left there."""
    found = source.store.open(entry.key)
    if found is None:  # it went since the list was made
        return
    metadata = dict(found["Metadata"])
    if entry.size > _PART or not _WHOLE.match(entry.etag):
        metadata.setdefault(ORIGIN, entry.etag)
    seen = _Seen(entry, metadata, source.store)
    given = {name: found[name] for name in HEADERS if found.get(name)}
    named = {"Key": f"{target.prefix}{_key(source, entry)}", "Metadata": metadata, **given, **retained}
    with contextlib.closing(found["Body"]) as body:
        contents = iter(lambda: source.store.read(entry.key, body, _PART), b"")
        first = next(contents, b"")
        seen.add(first)
        if len(first) == entry.size:
            seen.require_same()
            target.store.send("put_object", **named, Body=first, ContentMD5=_md5(first))
            return
        _put_in_parts(target.store, named, itertools.chain((first,), map(seen.heard, contents)), seen)


def _put_in_parts(store: Store, named: dict[str, Any], contents: Iterator[bytes], seen: _Seen) -> None:
    upload = store.send("create_multipart_upload", **named)
    whole = {"Key": named["Key"], "UploadId": upload["UploadId"]}
    try:
        parts = []
        for number, content in enumerate(contents, 1):
            part = {"PartNumber": number, "Body": content, "ContentMD5": _md5(content)}
            parts.append({"PartNumber": number, "ETag": store.send("upload_part", **whole, **part)["ETag"]})
        seen.require_same()
        store.send("complete_multipart_upload", **whole, MultipartUpload={"Parts": parts})
    except BaseException:
        with contextlib.suppress(BackupError):
            store.send("abort_multipart_upload", **whole)
        raise


class _Seen:
    """What was read of an object, held against what it should be: its bytes, its SHA-256 where whoever put it
    kept one, and the MD5 that its ETag is where it was put whole. Of parts the ETag says nothing: their size
    is in no answer of Ceph's gateways."""

    def __init__(self, entry: Entry, metadata: Mapping[str, str], store: Store) -> None:
        self._entry, self._digest, self._store = entry, metadata.get(DIGEST, ""), store
        self._size, self._sha256, self._md5 = 0, hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        # What is a copy has an ETag of whoever keeps it, which need not be of its content.
        self._etag = metadata.get(ORIGIN, entry.etag)

    def heard(self, content: bytes) -> bytes:
        """Return content that was added."""
        self.add(content)
        return content

    def add(self, content: bytes) -> None:
        self._size += len(content)
        self._sha256.update(content)
        self._md5.update(content)

    def require_same(self) -> None:
        """Raise BackupError for content that is not what the list and its digest say."""
        name = f"{self._entry.key} in {self._store}"
        if self._size != self._entry.size:
            raise BackupError(f"{name} has {self._size} bytes, {self._entry.size} were listed")
        if self._digest not in ("", self._sha256.hexdigest()):
            raise BackupError(f"{name} is not what was written: its SHA-256 differs")
        if _WHOLE.match(self._etag) and self._etag != self._md5.hexdigest():
            raise BackupError(f"{name} is not what was written: its ETag differs")


def _md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
