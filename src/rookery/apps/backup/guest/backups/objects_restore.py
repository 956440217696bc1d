"""Objects brought back: a bucket, or what lies in it below a prefix, as of a set or as of a moment.

Whoever owns the bucket writes it, by keys that come with the wish; the programs' own can only read it. The
gateways copy: from the store as of a set, from what the bucket still has of its versions as of a moment.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .cluster import connected, room_of
from .errors import BackupError
from .kind import Part, Work
from .labels import FORM, label_at
from .objects_copy import MOST, Source, copy, each, headers
from .objects_history import Version, current_at, read_history
from .objects_manifest import FOLDER, Manifest, copy_key, label_of, read_manifest
from .store import Entry, Store, ask, connect

_DAY = 86400
_LIMIT = "30"  # seconds; an operation of Ceph's without an answer by then fails
_OWN = 4 << 20  # bytes of an object that a copy does not share with its source: its head
_RESERVE = 256 << 20  # bytes that shall be left in the pool
_LONGEST = 63  # characters of a bucket's name


@dataclass(frozen=True, kw_only=True)
class State:
    """What a bucket is to have: by key, the version and where it is copied from; `called` names the moment
    in words, `label` in the form of a set's."""

    bucket: str
    objects: Mapping[str, tuple[Version, Source]]
    called: str
    label: str


@dataclass(frozen=True, kw_only=True)
class Brought:
    """What was done in a bucket: objects written, hidden, and left as they were; bytes written."""

    bucket: str
    written: int
    hidden: int
    same: int
    size: int


def restore(work: Work, part: Part, wish: Mapping[str, Any]) -> dict[str, Any]:
    """Bring back what `path` (`BUCKET/PREFIX`; empty: all buckets) names; raises BackupError."""
    bucket, _, prefix = wish["path"].partition("/")
    known = work.told.config["objects"]["buckets"]
    if bucket and bucket not in known:
        raise BackupError(
            f"bucket {bucket} is not backed up", hint=f"These are: {', '.join(known)}.", kind="input"
        )
    states = _states(work, part, [bucket] if bucket else known, wish["at"])
    for state in states:
        _require_any(state, prefix)
    targets = [_opened(work, state, wish) for state in states]
    _require_room(work, states, prefix, targets)
    done = [_bring(work, state, prefix, target, wish) for state, target in zip(states, targets, strict=True)]
    return {
        "says": "\n".join(_says(one, state) for one, state in zip(done, states, strict=True)),
        "moment": states[0].called,
        "buckets": [
            {"bucket": one.bucket, "written": one.written, "hidden": one.hidden, "same": one.same}
            for one in done
        ],
        "bytes": sum(one.size for one in done),
    }


def _states(work: Work, part: Part, buckets: Sequence[str], at: str) -> list[State]:
    """Return what buckets had, as of a moment or else as of a set, of which one is all that it has."""
    if at:
        return [_state_at(work, bucket, at) for bucket in buckets]
    manifest = read_manifest(work.store, part)
    having = [bucket for bucket in buckets if bucket in manifest.buckets]
    if not having:
        raise BackupError(f"set {manifest.label} has no bucket {', '.join(buckets)}", kind="input")
    return [_state_of(work, manifest, bucket) for bucket in having]


def _state_of(work: Work, manifest: Manifest, bucket: str) -> State:
    there = {entry.key: entry for entry in work.store.list(f"{FOLDER}/{bucket}/")}
    found = {}
    for key, one in manifest.state(bucket).items():
        entry, expected = there.get(copy_key(bucket, one)), one.stored or one.etag
        back = entry is not None and entry.etag != expected and is_copy(work.store, entry, one)
        etag = entry.etag if back and entry is not None else expected
        kept = Source(
            bucket=work.store.bucket, key=copy_key(bucket, one), etag=etag, size=one.size, back=back
        )
        found[key] = (replace(one, stored=etag) if back else one, kept)
    return State(bucket=bucket, objects=found, called=f"set {manifest.label}", label=manifest.label)


def is_copy(store: Store, entry: Entry | None, one: Version) -> bool:
    """Tell whether what lies in the store is the copy of a version, also where it came back there from a
    copy outside: in parts, it has another ETag since."""
    if entry is None or entry.size != one.size:
        return False
    expected = one.stored or one.etag
    return entry.etag == expected or store.origin(entry) == expected


def _state_at(work: Work, bucket: str, at: str) -> State:
    """Return what a bucket had when a second began, by the versions that it has; raises BackupError of kind
    `input` for one before or after those."""
    moment = int(dt.datetime.fromisoformat(at).timestamp())
    if moment > time.time():
        raise BackupError(f"{at} lies in the future", kind="input")
    first = _first_moment(work, bucket)
    if moment < first:
        raise BackupError(
            f"bucket {bucket} cannot be seen as of {at}: its versions go back to {iso(first)}",
            hint="Name a set, or a moment since then. `rookery backup list` shows the sets.",
            kind="input",
        )
    found = {}
    for key, versions in read_history(work.store.client, bucket).items():
        one = current_at(versions, moment)
        if one is not None:
            own = Source(bucket=bucket, key=key, version=one.version, etag=one.etag, size=one.size)
            found[key] = (one, own)
    label = label_at(moment)
    return State(bucket=bucket, objects=found, called=iso(moment), label=label)


def _first_moment(work: Work, bucket: str) -> float:
    """Return from when on a bucket has every version: the first set that is kept was taken of a bucket with
    versions, and its lifecycle removes those that were hidden longer ago than it says."""
    labels = sorted(filter(None, (label_of(entry.key) for entry in work.store.list(f"{FOLDER}/2"))))
    if not labels:
        raise BackupError(f"nothing tells since when bucket {bucket} keeps versions: no set has objects")
    began = dt.datetime.strptime(labels[0], FORM).replace(tzinfo=dt.UTC).timestamp()
    client = work.store.client
    told = ask(f"read the lifecycle of bucket {bucket}", lambda: _lifecycle(client, bucket))
    days: list[int] = [rule["NoncurrentVersionExpiration"]["NoncurrentDays"] for rule in told]
    return max([began, *(time.time() - number * _DAY for number in days)])


def _lifecycle(client: Any, bucket: str) -> list[dict[str, Any]]:
    rules = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    return [rule for rule in rules if "NoncurrentVersionExpiration" in rule]


def _require_any(state: State, prefix: str) -> None:
    if prefix and not any(key.startswith(prefix) for key in state.objects):
        raise BackupError(
            f"bucket {state.bucket} has nothing below {prefix} as of {state.called}",
            hint="Name a key, or what a key begins with.",
            kind="input",
        )


@dataclass(frozen=True, kw_only=True)
class Target:
    """The bucket that is brought to what a state says, and a client of who owns it."""

    bucket: str
    client: Any


def _opened(work: Work, state: State, wish: Mapping[str, Any]) -> Target:
    """Return where a bucket is brought back to: in place, or beside it."""
    keys = wish.get("credentials", {}).get(state.bucket)
    if keys is None:
        raise BackupError(f"the keys of who owns bucket {state.bucket} did not come with the wish")
    client = connect(replace(work.store.place, access=keys["access"], secret=keys["secret"]))
    beside = f"restored-{state.bucket}-{state.label}"
    return Target(bucket=state.bucket if wish["to"] == "in-place" else beside, client=client)


def _require_room(work: Work, states: Sequence[State], prefix: str, targets: Sequence[Target]) -> None:
    """See that there is room for what is to be written, before anything is. The gateways copy: what lies
    behind an object's first piece they share with its source, unless it is so large that it goes in parts.

    Where no cluster is known nobody can tell, and nothing is refused.
    """
    cluster, pool = work.told.config.get("cluster"), work.told.config["objects"].get("pool", "")
    if not cluster or not pool:
        return
    needed = sum(
        one.size if one.size > MOST else min(one.size, _OWN)
        for state, target in zip(states, targets, strict=True)
        for one in _to_write(state, prefix, target)
    )
    room = pool_room(cluster["user"], pool) - _RESERVE
    if needed > room:
        raise BackupError(
            f"no room: {needed >> 20} MiB are to be written, pool {pool} has {max(0, room) >> 20} MiB",
            hint="Make room, or bring back less: a bucket, or a prefix (objects:BUCKET/PREFIX).",
            kind="not-possible",
        )


def pool_room(user: str, pool: str) -> int:
    """Return the bytes of content for which a pool has room."""
    with connected(user, limit=_LIMIT) as client:
        return room_of(client, pool)


def _to_write(state: State, prefix: str, target: Target) -> Iterator[Version]:
    """Yield what a bucket is to have and has not; of a bucket that is not there, all."""
    known = ask(f"look for bucket {target.bucket}", lambda: target.client.list_buckets()["Buckets"])
    is_there = target.bucket in {one["Name"] for one in known}
    there = _current(target.client, target.bucket, prefix) if is_there else {}
    for key, (one, _) in state.objects.items():
        if key.startswith(prefix) and not (key in there and _is_same_content(there[key], one)):
            yield one


def _bring(work: Work, state: State, prefix: str, target: Target, wish: Mapping[str, Any]) -> Brought:
    """Bring one bucket back."""
    if wish["to"] != "in-place":
        prepare_scratch(target.client, state, target.bucket)
    return bring_back(target.client, state, target.bucket, prefix, work.report)


def prepare_scratch(client: Any, state: State, target: str) -> None:
    """Make the bucket beside. One that is there must have nothing but what is to be brought there: then a
    restore that was interrupted goes on. Raises BackupError."""
    if len(target) > _LONGEST:
        raise BackupError(f"{target} is too long for the name of a bucket", kind="not-possible")
    ask(f"make bucket {target}", lambda: client.create_bucket(Bucket=target))
    for key, there in _current(client, target, "").items():
        if key not in state.objects or not _is_same_content(there, state.objects[key][0]):
            raise BackupError(
                f"bucket {target} is not empty: it has {key}, which is not of {state.called}",
                hint="Remove that bucket, or what is in it, and run the command again.",
                kind="not-possible",
            )


def bring_back(client: Any, state: State, target: str, prefix: str, report: Callable[[str], None]) -> Brought:
    """Make a bucket, below a prefix, what the state says; raises BackupError where it is not so afterwards.

    What is missing is written first, then what differs, then what was not there is hidden: pages come after
    what they name. It may be interrupted and done again: what is right already is left alone.
    """
    wanted = {key: found for key, found in state.objects.items() if key.startswith(prefix)}
    there = _current(client, target, prefix)
    missing = sorted(wanted.keys() - there.keys())
    different = _different(client, target, wanted, there, report)
    extra = sorted(there.keys() - wanted.keys())
    report(f"{target}: {len(missing) + len(different)} objects to write, {len(extra)} to hide")

    def write(key: str) -> None:
        what = f"write {target}/{key}"
        copy(client, wanted[key][1], target, key, what=what)

    for keys in (missing, different):
        each(write, keys, lambda number: report(f"{target}: {number} written"))
    _hide(client, target, extra)
    _require_state(client, target, prefix, wanted)
    written = (*missing, *different)
    return Brought(
        bucket=target,
        written=len(written),
        hidden=len(extra),
        same=len(wanted) - len(written),
        size=sum(wanted[key][0].size for key in written),
    )


def _current(client: Any, bucket: str, prefix: str) -> dict[str, Version]:
    """Return what a bucket has now, by key."""
    history = read_history(client, bucket, prefix)
    return {key: versions[0] for key, versions in history.items() if not versions[0].gone}


def _different(
    client: Any,
    target: str,
    wanted: Mapping[str, tuple[Version, Source]],
    there: Mapping[str, Version],
    report: Callable[[str], None],
) -> list[str]:
    """Return the keys with another content or other headers than they are to have."""
    both = sorted(wanted.keys() & there.keys())
    other = [key for key in both if not _is_same_content(there[key], wanted[key][0])]
    alike = [key for key in both if key not in set(other) and not _is_version(there[key], wanted[key][0])]

    def differs(key: str) -> bool:
        what, now = f"look at {target}/{key}", there[key]
        mine = Source(bucket=target, key=key, version="", etag=now.etag, size=now.size)
        return headers(client, mine, what) != headers(client, wanted[key][1], what)

    looked = each(differs, alike, lambda number: report(f"{target}: {number} looked at"))
    return sorted([*other, *(key for key, it_does in looked if it_does)])


def _is_version(there: Version, wanted: Version) -> bool:
    """Tell whether it is the very version that is wanted."""
    return (there.version, there.etag, there.modified) == (wanted.version, wanted.etag, wanted.modified)


def _is_same_content(there: Version, wanted: Version) -> bool:
    if there.size > MOST and there.size == wanted.size:
        return True  # copies in parts have ETags of their own
    return (there.size, there.etag) == (wanted.size, wanted.stored or wanted.etag)


def _hide(client: Any, bucket: str, keys: list[str]) -> None:
    """Hide objects; their versions stay for as long as the bucket keeps them."""
    for start in range(0, len(keys), 1000):
        asked = {"Objects": [{"Key": key} for key in keys[start : start + 1000]], "Quiet": True}
        _hide_some(client, bucket, asked)


def _hide_some(client: Any, bucket: str, asked: dict[str, Any]) -> None:
    what = f"hide objects in bucket {bucket}"
    failed = ask(what, lambda: client.delete_objects(Bucket=bucket, Delete=asked)).get("Errors")
    if failed:
        raise BackupError(f"{bucket}/{failed[0]['Key']} cannot be hidden: {failed[0].get('Message')}")


def _require_state(
    client: Any, target: str, prefix: str, wanted: Mapping[str, tuple[Version, Source]]
) -> None:
    """Raise where a bucket is not what it was made: somebody else writes to it."""
    there = _current(client, target, prefix)
    wrong = [
        key
        for key in sorted(there.keys() | wanted.keys())
        if key not in there or key not in wanted or not _is_same_content(there[key], wanted[key][0])
    ]
    if wrong:
        raise BackupError(
            f"bucket {target} was written to meanwhile: {len(wrong)} objects are not as they were restored,"
            f" the first is {wrong[0]}",
            hint="Stop who writes there, and run the command again.",
        )


def _says(one: Brought, state: State) -> str:
    return (
        f"bucket {one.bucket} as of {state.called}: {one.written} objects written, {one.hidden} hidden,"
        f" {one.same} as they were"
    )


def iso(moment: float) -> str:
    """Return a moment in UTC, to the second."""
    return dt.datetime.fromtimestamp(moment, tz=dt.UTC).isoformat(timespec="seconds")
