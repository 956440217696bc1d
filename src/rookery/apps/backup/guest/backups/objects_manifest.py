"""A set's manifest of objects: what was current in each bucket, and where its copy lies.

It lies beside the copies, as compressed JSON. The part of its set has its SHA-256.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import BackupError
from .objects_history import Version
from .store import Store

FOLDER = "objects"
"""Below it lie a manifest for each set, and a folder with copies for each bucket."""

_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What was current in each bucket at any time from `since` to `moment`, both in seconds since 1970."""

    label: str
    since: int
    moment: int
    buckets: Mapping[str, tuple[Version, ...]]

    def entries(self) -> list[tuple[str, Version]]:
        """Return all versions, each with its bucket."""
        return [(bucket, version) for bucket, versions in self.buckets.items() for version in versions]

    def state(self, bucket: str) -> dict[str, Version]:
        """Return what the bucket has once it is restored, by key.

        That is what was current at the moment, and what ceased to be since the set began: rows of the
        database, whose moment lies between, may name it.
        """
        found: dict[str, Version] = {}
        for version in self.buckets[bucket]:
            found.setdefault(version.key, version)  # the newest comes first
        return found


def copy_key(bucket: str, version: Version) -> str:
    """Return where the copy of a version lies: a key of its own for each, whatever its own key looks like.

    Versions from before a bucket kept them are all called `null`; their times tell them apart.
    """
    names = (version.key, version.version, version.etag, str(version.modified))
    return f"{FOLDER}/{bucket}/{hashlib.sha256(chr(0).join(names).encode()).hexdigest()}"


def manifest_key(label: str) -> str:
    """Return where the manifest of a set lies."""
    return f"{FOLDER}/{label}.json.gz"


def label_of(key: str) -> str:
    """Return the label of the set whose manifest a key is, empty for any other key."""
    name = key.removeprefix(f"{FOLDER}/")
    return "" if "/" in name else name.removesuffix(".json.gz")


def pack(manifest: Manifest) -> bytes:
    """Return a manifest as it is stored."""
    told = {
        "format": _FORMAT,
        "label": manifest.label,
        "since": manifest.since,
        "moment": manifest.moment,
        "buckets": {
            bucket: [version.told() for version in versions] for bucket, versions in manifest.buckets.items()
        },
    }
    return gzip.compress(json.dumps(told, sort_keys=True).encode(), mtime=0)


def read_manifest(store: Store, part: Mapping[str, Any]) -> Manifest:
    """Return the manifest of a set's part; raises BackupError where it is not there, or not what it was."""
    content = io.BytesIO()
    store.fetch(part["manifest"], content)
    if hashlib.sha256(content.getvalue()).hexdigest() != part["digest"]:
        raise BackupError(f"{part['manifest']} in {store} is not the one that its set names")
    told = json.loads(gzip.decompress(content.getvalue()))
    if told["format"] > _FORMAT:
        raise BackupError(
            f"{part['manifest']} has format {told['format']}, this version reads {_FORMAT}",
            hint="Use the version of rookery that wrote it, or a later one.",
            kind="not-possible",
        )
    buckets = {
        bucket: tuple(Version(**version) for version in versions)
        for bucket, versions in told["buckets"].items()
    }
    return Manifest(label=told["label"], since=told["since"], moment=told["moment"], buckets=buckets)
