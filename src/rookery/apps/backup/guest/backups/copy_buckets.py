"""Copies buckets to an S3 service outside: what is not there, or is of another size or older there.

    python3 -m backups.copy_buckets CONFIG.json

The configuration has `sources` (each an `endpoint`, `authority`, `bucket` and the `variables` with its keys)
and the `target`, where each source lies below its own name. Nothing is removed there: what is lost here by
mistake or by malice is what the copy is for, and its own lifecycle says how long it keeps what.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import BackupError
from .store import Store
from .told import Place


@dataclass(frozen=True, kw_only=True)
class There:
    """An object as it is listed: its bytes, and when it was written."""

    size: int
    written: dt.datetime


def place_of(told: Mapping[str, Any], environment: Mapping[str, str]) -> Place:
    """Return a bucket and who comes to it; raises BackupError where its keys are not in the environment."""
    access, secret = (environment.get(name, "") for name in told["variables"])
    if not access or not secret:
        raise BackupError(
            f"bucket {told['bucket']} at {told['endpoint']}: there are no keys for it",
            hint="The guide says which Secret has them.",
            kind="not-possible",
        )
    authority = told["authority"]
    return Place(
        name=told["bucket"],
        endpoint=told["endpoint"],
        bucket=told["bucket"],
        # A public service is signed by an authority that the image knows, and brings none.
        authority=authority if authority and Path(authority).exists() else "",
        access=access,
        secret=secret,
        region=told["region"],
    )


def missing(source: Mapping[str, There], target: Mapping[str, There]) -> list[str]:
    """Return the keys that are to be copied, in their order."""

    def differs(key: str, here: There) -> bool:
        there = target.get(key)
        return there is None or there.size != here.size or there.written < here.written

    return [key for key, here in sorted(source.items()) if differs(key, here)]


def copy(source: Store, target: Store) -> tuple[int, int]:
    """Copy a bucket below its own name in another; return how many objects and bytes were sent."""
    prefix = f"{source.bucket}/"
    there = {key.removeprefix(prefix): known for key, known in _listed(target, prefix)}
    here = dict(_listed(source, ""))
    sent = 0
    wanted = missing(here, there)
    for key in wanted:
        found = source.client.get_object(Bucket=source.bucket, Key=key)
        target.put_stream(f"{prefix}{key}", found["Body"], metadata=found["Metadata"])
        arrived = target.head(f"{prefix}{key}")
        if arrived is None or arrived["ContentLength"] != found["ContentLength"]:
            raise BackupError(f"{prefix}{key} in {target} is not whole")
        sent += found["ContentLength"]
    return len(wanted), sent


def _listed(store: Store, prefix: str) -> Iterator[tuple[str, There]]:
    for page in store.client.get_paginator("list_objects_v2").paginate(Bucket=store.bucket, Prefix=prefix):
        for item in page.get("Contents", ()):
            yield item["Key"], There(size=item["Size"], written=item["LastModified"])


def main(path: str) -> int:
    """Copy all sources; one that fails keeps no other from being copied."""
    config = json.loads(Path(path).read_text(encoding="utf-8"))
    failed = False
    for told in config["sources"]:
        try:
            target = Store(place_of(config["target"], os.environ))
            count, size = copy(Store(place_of(told, os.environ)), target)
            print(f"{told['bucket']}: {count} objects, {size} bytes to {target}", flush=True)
        except Exception as error:  # noqa: BLE001 - whatever it is: the next bucket is another's matter
            failed = True
            print(f"{told['bucket']}: {error}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
