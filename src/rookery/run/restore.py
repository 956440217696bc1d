"""Bringing back what was backed up: what is meant by a word, from which moment, and to where."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rookery.apps.backup.config import kinds_of
from rookery.apps.backup.guest.backups.labels import is_label
from rookery.apps.backup.places import OBJECTS
from rookery.errors import InputError
from rookery.run.backup import backups_of
from rookery.run.lock import hold
from rookery.systems.protocol import Report, System

To = Literal["scratch", "in-place"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be brought back: the kind, and what of it by a `path` (empty: all); from the set `label` or
    as of the moment `at` (both empty: the latest set that has it); beside what runs or in its place."""

    kind: str
    path: str
    label: str
    at: str
    to: To


def parse_wish(system: System, what: str, at: str, to: To) -> Wish:
    """Return what is meant by `KIND[:PATH]` and by a moment; raises InputError."""
    kind, _, path = what.partition(":")
    known = kinds_of(system.design)
    if kind not in known:
        raise InputError(
            f"{system.design.name} has no backups of {kind!r}", hint=f"It has: {', '.join(known)}."
        )
    label = at if is_label(at) else ""
    return Wish(kind=kind, path=path, label=label, at="" if label else _moment(at), to=to)


def restore(system: System, wish: Wish, report: Report) -> Mapping[str, Any]:
    """Bring back what is wished, and return what was brought where; raises RookeryError."""
    request: dict[str, Any] = {
        "kind": wish.kind,
        "path": wish.path,
        "label": wish.label,
        "at": wish.at,
        "to": wish.to,
    }
    if wish.kind == OBJECTS:
        request["credentials"] = _owners_keys(system, wish.path)
    with hold(system.design.name):
        return backups_of(system).restore(request, report)


def _owners_keys(system: System, path: str) -> dict[str, dict[str, str]]:
    """Return the keys of who owns the bucket of a path, or each bucket: the programs' own only read them.

    They go with the request and nowhere else; raises InputError for a bucket that is not backed up.
    """
    name = path.partition("/")[0]
    kept = {bucket.name: bucket.owner for bucket in system.design.buckets if bucket.copied_by}
    if name and name not in kept:
        raise InputError(
            f"bucket {name} of {system.design.name} is not backed up",
            hint=f"These are: {', '.join(kept)}.",
        )
    found = {}
    for bucket in [name] if name else kept:
        keys = system.s3_credentials(kept[bucket])
        found[bucket] = {"access": keys.user, "secret": keys.password}
    return found


def _moment(text: str) -> str:
    """Return a moment in UTC as ISO 8601, empty for none; one without an offset is UTC already."""
    if not text:
        return ""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"--at {text}: neither a set nor a moment",
            hint="A set is named as in `rookery backup list`, a moment is written 2026-11-30T16:00:00.",
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return moment.astimezone(dt.UTC).isoformat()
