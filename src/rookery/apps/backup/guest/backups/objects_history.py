"""The history of a bucket: every version of every object, and which of them was current when.

A version is current from when it was written until the next one of its key was, or a delete marker: a bucket
that keeps its versions can be seen as of any moment, although a list of it takes a while.

Ceph's gateways list times in whole seconds, with what is behind them cut off. So a moment is the beginning of
a second here: what was written before it says an earlier second, what was written after it does not. Which of
two versions of one second is the newer, the order of the list says alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from .store import ask

History = dict[str, tuple["Version", ...]]
"""What a bucket's list says: versions and delete markers by key, the newest of each first."""

ORDER = "RookeryOrder"
"""What pages of a list have beside boto3's: for each entry, in the list's order, which of the two it is."""

_ENTRY = re.compile(rb"<(Version|DeleteMarker)>")


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version of an object, or a delete marker, which is `gone`.

    `modified` is the second in which it was written, `until` that in which it ceased to be current (None: it
    is), by the gateway's clock, counted from 1970. `sha256` is of its content, empty where the ETag is the
    MD5 of that; `stored` is the ETag of its copy in the store, empty where that is the same.
    """

    key: str
    version: str
    etag: str
    size: int
    modified: int
    until: int | None = None
    gone: bool = False
    sha256: str = ""
    stored: str = ""

    def told(self) -> dict[str, Any]:
        """Return it as JSON, without what says nothing."""
        empty = (None, "", False)
        return {name: value for name, value in asdict(self).items() if value not in empty or name == "size"}


def read_history(client: Any, bucket: str, prefix: str = "") -> History:
    """List all versions of what lies in a bucket below a prefix; raises BackupError."""
    # boto3 gives versions and delete markers apart, and how they follow each other is lost by that.
    client.meta.events.register(
        "before-parse.s3.ListObjectVersions", _note_order, unique_id="rookery-list-order"
    )
    pages = iter(client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix))
    found: dict[str, list[Version]] = {}
    while (page := ask(f"list bucket {bucket}", lambda: next(pages, None))) is not None:
        lists = {
            "Version": iter(page.get("Versions", ())),
            "DeleteMarker": iter(page.get("DeleteMarkers", ())),
        }
        for kind in page[ORDER]:
            one = _parse(next(lists[kind]), gone=kind == "DeleteMarker")
            found.setdefault(one.key, []).append(one)
    return {key: _with_ends(versions) for key, versions in found.items()}


def current_at(versions: Sequence[Version], moment: int) -> Version | None:
    """Return which of a key's versions, the newest first, was current at a moment."""
    for version in versions:
        if version.modified < moment:
            return None if version.gone else version
    return None


def current_between(versions: Sequence[Version], since: int, moment: int) -> Iterator[Version]:
    """Yield which of a key's versions, the newest first, were current at any time from one moment to another.

    `until` is what was so at the second: None for the one that was current then.
    """
    for version in versions:
        if version.until is not None and version.until < since:
            return
        if version.modified < moment and not version.gone:
            over = version.until is not None and version.until < moment
            yield version if over else replace(version, until=None)


def _note_order(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
    customized_response_dict[ORDER] = [kind.decode() for kind in _ENTRY.findall(response_dict["body"])]


def _parse(item: dict[str, Any], *, gone: bool) -> Version:
    return Version(
        key=item["Key"],
        version=item["VersionId"],
        etag=item.get("ETag", "").strip('"'),
        size=item.get("Size", 0),
        modified=int(item["LastModified"].timestamp()),
        gone=gone,
    )


def _with_ends(versions: Sequence[Version]) -> tuple[Version, ...]:
    """Return a key's versions, the newest first, each with when it ceased to be current."""
    ends = (None, *(one.modified for one in versions[:-1]))
    return tuple(replace(one, until=end) for one, end in zip(versions, ends, strict=True))
