"""The drill's objects: a bucket of its own, reached by the keys of its owner."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from .drill_entries import DRILL, Entry
from .errors import BackupError
from .store import connect
from .told import Place as S3Place

_FOLDER = "entries/"
_AT_ONCE = 4


class Bucket:
    """Objects below one prefix."""

    def __init__(self, place: S3Place) -> None:
        self._client = connect(place)

    def prepare(self) -> None:
        self._remove()

    def put(self, entries: list[Entry]) -> None:
        def send(entry: Entry) -> None:
            self._client.put_object(Bucket=DRILL, Key=_key(entry.number), Body=entry.content)

        self._each(send, entries)

    def read(self) -> dict[int, str]:
        def digest(key: str) -> tuple[int, str]:
            body = self._client.get_object(Bucket=DRILL, Key=key)["Body"]
            found = hashlib.sha256()
            while chunk := body.read(1 << 20):
                found.update(chunk)
            return _number(key), found.hexdigest()

        try:
            keys = [item["Key"] for item in self._listed("list_objects_v2", "Contents")]
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchBucket":
                return {}
            raise BackupError(f"the drill's bucket cannot be listed: {error}") from None
        except BotoCoreError as error:
            raise BackupError(f"the drill's bucket cannot be listed: {error}") from None
        return dict(self._each(digest, keys))

    def lose(self) -> str:
        count = self._remove()
        return f"the bucket {DRILL} was emptied: {count} versions and markers removed for good"

    def settle(self) -> None:
        """It comes back in place."""

    def clear(self) -> None:
        self._remove()

    def _remove(self) -> int:
        """Remove all objects with all their versions; return how many those were."""
        named = [
            {"Key": item["Key"], "VersionId": item["VersionId"]}
            for kind in ("Versions", "DeleteMarkers")
            for item in self._listed("list_object_versions", kind)
        ]
        slices = [named[start : start + 500] for start in range(0, len(named), 500)]
        self._each(self._delete, slices)
        return len(named)

    def _delete(self, named: list[dict[str, str]]) -> None:
        done = self._client.delete_objects(Bucket=DRILL, Delete={"Objects": named, "Quiet": True})
        if done.get("Errors"):
            raise BackupError(f"the bucket {DRILL} cannot be emptied: {done['Errors'][0].get('Message')}")

    def _listed(self, operation: str, what: str) -> Iterator[dict[str, Any]]:
        for page in self._client.get_paginator(operation).paginate(Bucket=DRILL):
            yield from page.get(what, ())

    def _each(self, act: Any, items: Any) -> list[Any]:
        """Do something with each item, several at a time."""
        try:
            with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
                return list(pool.map(act, items))
        except (ClientError, BotoCoreError, OSError) as error:
            raise BackupError(f"the drill's bucket: {error}") from None


def _key(number: int) -> str:
    return f"{_FOLDER}{number:06d}"


def _number(key: str) -> int:
    """Return the number of an entry by its key; 0 for an object that is none of ours."""
    digits = key.removeprefix(_FOLDER)
    return int(digits) if digits.isdigit() else 0
