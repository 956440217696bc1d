"""Objects: every version of the kept buckets that a set names, copied into the store by the gateways.

Copies lie apart from the buckets that they were made from, below other keys and under the store's lock. On
Ceph a copy shares what lies behind an object's first 4 MiB with its source until one of both goes: it costs
little, and a flipped byte in there is one of both.
"""

from __future__ import annotations

import calendar
import datetime as dt
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from .errors import BackupError
from .kind import Part, Problem, Work
from .labels import FORM
from .objects_copy import Source, copy, each, read_digest
from .objects_history import Version, current_between, read_history
from .objects_manifest import (
    FOLDER,
    Manifest,
    copy_key,
    label_of,
    manifest_key,
    pack,
    read_manifest,
)
from .objects_restore import is_copy, restore
from .store import Entry, Store

SLACK = 0.25
"""Seconds by which the clocks of a cluster's hosts may differ; Ceph warns from 0.05 on."""


class Objects:
    """Buckets, by copies of their objects' versions."""

    name = "objects"

    def __init__(
        self, clock: Callable[[], float] = time.time, wait: Callable[[float], None] = time.sleep
    ) -> None:
        self.clock = clock
        self._wait = wait

    def mark(self, work: Work, label: str) -> dict[str, Any]:
        """List what is current in each bucket at one moment, and what ceased to be since the set began.

        The moment lies a little after now, and the list is made after it: by then every version that was
        there at the moment says so itself, whichever gateway's clock it has its time from, and one that is
        written while the list is made says that it came later. So all of the list is of one moment, however
        long it takes: no page without its parts.

        The database's restore point was written between the set's label and this moment. What its rows name
        was there at the restore point (films go before their rows). It is here still, or it was hidden or
        overwritten since; then the list has it too, as it holds what was current at any time in between. So
        every title of the restored catalogue has its films.
        """
        since = calendar.timegm(time.strptime(label, FORM)) - 1
        now = self.clock()
        moment = math.ceil(now + SLACK)
        self._wait(moment + SLACK - now)
        found = {}
        for bucket in work.told.config["objects"]["buckets"]:
            history = read_history(work.store.client, bucket)
            seen = (current_between(versions, since, moment) for _, versions in sorted(history.items()))
            found[bucket] = tuple(version for versions in seen for version in versions)
        return {"manifest": Manifest(label=label, since=since, moment=moment, buckets=found)}

    def keep(self, work: Work, label: str, mark: dict[str, Any], last: Part | None) -> Part:
        """Copy each version that is not in the store yet, then write down which they are."""
        manifest: Manifest = mark["manifest"]
        there = {entry.key: entry for entry in work.store.list(f"{FOLDER}/")}
        known = {} if last is None else _known(read_manifest(work.store, last))
        entries = {copy_key(bucket, one): (bucket, one) for bucket, one in manifest.entries()}
        for key, (bucket, one) in entries.items():
            if key in known:
                entries[key] = bucket, replace(one, sha256=known[key].sha256, stored=known[key].stored)
        missing = [key for key, (_, one) in entries.items() if not is_copy(work.store, there.get(key), one)]
        work.report(f"objects: {len(missing)} of {len(entries)} to copy")
        entries |= each(lambda key: self._copy(work, key, *entries[key]), missing, _count(work, "copied"))
        self._read_once(work, entries)
        kept = replace(manifest, buckets=_by_bucket(manifest, entries.values()))
        content = pack(kept)
        digest = work.store.put(manifest_key(label), content, media_type="application/gzip")
        return {
            "moment": dt.datetime.fromtimestamp(manifest.moment, tz=dt.UTC).isoformat(),
            "moved": len(content) + sum(entries[key][1].size for key in missing),
            "whole": sum(one.size for _, one in entries.values()),
            "objects": len(entries),
            "copied": len(missing),
            "manifest": manifest_key(label),
            "digest": digest,
        }

    def check(self, work: Work, parts: dict[str, Part], *, deep: bool) -> list[Problem]:
        """Look whether each version that a set names has its copy; `deep` reads each of them once."""
        problems: list[Problem] = []
        wanted: dict[str, tuple[str, Version]] = {}
        for label, part in parts.items():
            try:
                manifest = read_manifest(work.store, part)
            except BackupError as error:
                _require_answer(work, part["manifest"])
                problems.append(f"set {label}: its list of objects cannot be used: {error.what}")
                continue
            wanted |= {copy_key(bucket, one): (bucket, one) for bucket, one in manifest.entries()}
        there = {entry.key: entry for entry in work.store.list(f"{FOLDER}/")}
        work.report(f"objects: {len(wanted)} copies")
        bad = {key: _complaint(work.store, key, there.get(key), one) for key, (_, one) in wanted.items()}
        if deep:
            good = [key for key, complaint in bad.items() if not complaint]
            bad |= dict(each(lambda key: _look(work, key, wanted[key][1]), good, _count(work, "read")))
        return problems + [f"{_named(*wanted[key])}: {bad[key]}" for key in sorted(bad) if bad[key]]

    def prune(self, work: Work, kept: dict[str, Part], dropped: dict[str, Part]) -> None:
        """Remove the copies and lists that no kept set names, of interrupted sets too.

        Where the list of a kept set cannot be read, nobody knows what it needs: BackupError, nothing goes.
        """
        del dropped
        needed = {manifest_key(label) for label in kept}
        for part in kept.values():
            needed |= {copy_key(bucket, one) for bucket, one in read_manifest(work.store, part).entries()}
        over = [entry.key for entry in work.store.list(f"{FOLDER}/") if entry.key not in needed]
        # Lists first: one that is there has all its copies, wherever this is interrupted.
        over.sort(key=lambda key: not label_of(key))
        work.store.delete(*over)

    def restore(self, work: Work, part: Part, wish: dict[str, Any]) -> dict[str, Any]:
        """Bring buckets back, in place or beside them."""
        return restore(work, part, wish)

    def _copy(self, work: Work, key: str, bucket: str, one: Version) -> tuple[str, Version]:
        """Copy a version into the store; return it with what is known of its copy."""
        source = Source(bucket=bucket, key=one.key, version=one.version, etag=one.etag, size=one.size)
        what = f"copy {_named(bucket, one)} to {work.store}"
        etag = copy(work.store.client, source, work.store.bucket, key, what=what)
        return bucket, replace(one, sha256="", stored=etag if etag != one.etag else "")

    def _read_once(self, work: Work, entries: dict[str, tuple[str, Version]]) -> None:
        """Read copies whose ETag is no MD5 of their content once, and note the SHA-256 of it."""
        unread = [key for key, (_, one) in entries.items() if not one.sha256 and not _is_md5(one)]
        for key, (digest, size) in each(lambda key: _read(work, key, "sha256"), unread, _count(work, "read")):
            bucket, one = entries[key]
            if size != one.size:
                raise BackupError(f"{_named(bucket, one)}: its copy has {size} bytes, not {one.size}")
            entries[key] = bucket, replace(one, sha256=digest)


def _look(work: Work, key: str, one: Version) -> Problem:
    """Read a copy; return what is wrong with it, nothing where it is what was written."""
    name, digest = ("sha256", one.sha256) if one.sha256 else ("md5", one.etag)
    try:
        found, size = _read(work, key, name)
    except BackupError as error:
        _require_answer(work, key)
        return f"its copy {key} cannot be read: {error.what}"
    if size != one.size:
        return f"its copy {key} gives {size} bytes, not {one.size}"
    return "" if found == digest else f"its copy {key} is not what was written: its {name.upper()} differs"


def _read(work: Work, key: str, name: str) -> tuple[str, int]:
    return read_digest(work.store.client, work.store.bucket, key, name)


def _require_answer(work: Work, key: str) -> None:
    """Raise BackupError where it is the store that does not answer, not one object of it."""
    work.store.head(key)


def _known(manifest: Manifest) -> dict[str, Version]:
    return {copy_key(bucket, one): one for bucket, one in manifest.entries()}


def _by_bucket(manifest: Manifest, entries: Iterable[tuple[str, Version]]) -> dict[str, tuple[Version, ...]]:
    found: dict[str, list[Version]] = {bucket: [] for bucket in manifest.buckets}
    for bucket, one in entries:
        found[bucket].append(one)
    return {bucket: tuple(versions) for bucket, versions in found.items()}


def _is_md5(one: Version) -> bool:
    """Tell whether an ETag is the MD5 of the content: that of an object in parts has their number in it."""
    return "-" not in (one.stored or one.etag)


def _complaint(store: Store, key: str, entry: Entry | None, one: Version) -> Problem:
    if entry is None:
        return f"its copy {key} is missing"
    return "" if is_copy(store, entry, one) else f"its copy {key} is another object (ETag {entry.etag})"


def _count(work: Work, done: str) -> Callable[[int], None]:
    return lambda number: work.report(f"objects: {number} {done}")


def _named(bucket: str, one: Version) -> str:
    return f"{bucket}/{one.key} (version {one.version})"
