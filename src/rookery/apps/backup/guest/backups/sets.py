"""Sets: one moment of all kinds, taken, listed, looked at, and removed when their time is over.

A set is an object below `sets/`, written when it begins and again when it ends. What says `whole` has every
kind that the system has; one that was interrupted says so by what it still says.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import outside
from .errors import BackupError
from .gently import at_once
from .kind import Kind, Part, Work, now
from .kinds import KINDS
from .labels import is_label, label_at

FORMAT = 1
_FOLDER = "sets/"

Set = dict[str, Any]
"""A set as JSON: `format`, `label`, `system`, `host`, `state` (`begun`, `whole`, `failed`, or `partial` where
only some kinds were asked for), `began`, `ended`, `wanted`, `parts` by kind, `failed`: a reason by kind, and
`copies`: `whole` or a reason by place outside."""


def take(work: Work, wanted: Iterable[str]) -> Set:
    """Take a set of the wanted kinds: first the moment of each, one right after the other, then the copies.

    A kind that fails costs the others nothing; it is named in the set, which is not whole then.
    """
    label = label_at(time.time())
    kinds = [KINDS[name] for name in KINDS if name in set(wanted)]
    made: Set = {
        "format": FORMAT,
        "label": label,
        "system": work.told.config["system"],
        "host": work.told.config["host"],
        "state": "begun",
        "began": now(),
        "ended": "",
        "wanted": [kind.name for kind in kinds],
        "parts": {},
        "failed": {},
    }
    before = _latest_whole(work)
    work.store.put_json(_key(label), made)
    with at_once():
        marks = _marks(work, kinds, label, made)
    for kind in kinds:
        if kind.name in marks:
            last = before["parts"].get(kind.name) if before else None
            part = _tried(made, kind, lambda kind=kind, last=last: _keep(work, kind, label, marks, last))
            if part is not None:
                made["parts"][kind.name] = part
    made["state"] = _state(work, made)
    made["ended"] = now()
    work.store.put_json(_key(label), made)
    return _copied(work, made)


def _marks(work: Work, kinds: Sequence[Kind], label: str, made: Set) -> dict[str, Any]:
    """Mark the moment of each kind, one right after the other; return the marks of those that could be."""
    marks = {}
    for kind in kinds:
        work.report(f"{kind.name}: the moment")
        found = _tried(made, kind, lambda kind=kind: kind.mark(work, label))
        if found is not None:
            marks[kind.name] = found
    return marks


def copy_outside(work: Work) -> dict[str, str]:
    """Copy what there is to all places outside; return `whole` or why not, by their names."""
    copied = outside.copy_all(work, outside.read_places(work.told))
    for one in read_sets(work):
        known = one.get("copies", {})
        # A copy is of all that there is, so what failed of an earlier set is there now.
        there = {name: words for name, words in copied.items() if words == outside.WHOLE}
        if one["state"] != "begun" and {**known, **there} != known:
            work.store.put_json(_key(one["label"]), {**one, "copies": {**known, **there}})
    return copied


def _copied(work: Work, made: Set) -> Set:
    """Copy a set that was just taken outside, and say in it where it is."""
    try:
        copies = copy_outside(work)
    except BackupError as error:
        copies = {one["name"]: error.what for one in work.told.config["copies"]}
    told = {**made, "copies": copies}
    if any(words != outside.WHOLE for words in copies.values()):
        work.store.put_json(_key(made["label"]), told)
    return told


def read_sets(work: Work) -> list[Set]:
    """Return all sets, the oldest first."""
    found = (work.store.get_json(_key(label)) for label in _labels(work))
    return [one for one in found if one is not None]


def find(work: Work, label: str, kind: str, at: str = "") -> Set:
    """Return the set of a label, or the latest that has a part of that kind where the label is empty: the
    latest whose moment is not after `at`, where that is given.

    Raises BackupError of kind `input` where there is none.
    """
    sets = read_sets(work)
    having = [one for one in sets if kind in one["parts"]]
    chosen = [one for one in having if label in ("", one["label"])]
    if chosen and at:
        return _before(chosen, kind, at)
    if chosen:
        return chosen[-1]
    if label in {one["label"] for one in sets}:
        raise BackupError(
            f"set {label} has no {kind}", hint=f"Sets that have: {_named(having)}.", kind="input"
        )
    what = f"there is no set {label}" if label else f"no set has {kind} yet"
    raise BackupError(what, hint=f"There are: {_named(sets)}.", kind="input")


def prune(work: Work) -> list[str]:
    """Remove the sets whose time is over, and what only they need; return their labels.

    At least as many whole sets stay as the retention says, and what is not whole goes by its age alone.
    """
    sets = read_sets(work)
    dropped = [one for one in sets if one["label"] in _over(work, sets)]
    kept = [one for one in sets if one not in dropped]
    for name, kind in KINDS.items():
        mine = _parts(dropped, name)
        if mine:
            work.report(f"{name}: removing what {len(mine)} sets had")
            kind.prune(work, _parts(kept, name), mine)
    work.store.delete(*(_key(one["label"]) for one in dropped))
    places = outside.read_places(work.told)
    if places and not any(check(work, (), deep=False).values()):
        outside.prune_all(work, places)
    return [one["label"] for one in dropped]


def check(work: Work, labels: Iterable[str], *, deep: bool) -> dict[str, list[str]]:
    """Look at what is stored of the sets of these labels, of all where none is named; return the problems of
    each kind."""
    wanted = set(labels)
    sets = [one for one in read_sets(work) if not wanted or one["label"] in wanted]
    found = {}
    for name, kind in KINDS.items():
        parts = _parts(sets, name)
        if parts:
            work.report(f"{name}: {len(parts)} sets")
            found[name] = kind.check(work, parts, deep=deep)
    return found


def _keep(work: Work, kind: Kind, label: str, marks: Mapping[str, Any], last: Part | None) -> Part:
    began = time.monotonic()
    work.report(f"{kind.name}: copying")
    part = kind.keep(work, label, marks[kind.name], last)
    return {**part, "seconds": round(time.monotonic() - began, 3)}


def _tried(made: Set, kind: Kind, act: Any) -> Any:
    """Do a kind's part; None where it fails, with the reason in the set."""
    try:
        return act()
    except BackupError as error:
        made["failed"][kind.name] = "; ".join((error.what, *error.details[-1:]))
        return None


def _state(work: Work, made: Set) -> str:
    if made["failed"]:
        return "failed"
    return "whole" if set(work.told.kinds) <= set(made["parts"]) else "partial"


def _latest_whole(work: Work) -> Set | None:
    """Return the latest set that has all kinds. Of the others none is read: there may be many."""
    for label in reversed(_labels(work)):
        known: Set | None = work.store.get_json(_key(label))
        if known is not None and known["state"] == "whole":
            return known
    return None


def _labels(work: Work) -> list[str]:
    """Return the labels of all sets, the oldest first. What lies there and is none is left out."""
    names = (entry.key.removeprefix(_FOLDER).removesuffix(".json") for entry in work.store.list(_FOLDER))
    return sorted(name for name in names if is_label(name))


def _over(work: Work, sets: list[Set]) -> set[str]:
    """Return the labels of the sets whose time is over."""
    kept = work.told.config["retention"]
    limit = time.time() - kept["seconds"]
    old = [one for one in sets if dt.datetime.fromisoformat(one["began"]).timestamp() < limit]
    whole = [one["label"] for one in sets if one["state"] == "whole"]
    return {one["label"] for one in old} - set(whole[-kept["least"] :])


def _before(sets: list[Set], kind: str, at: str) -> Set:
    """Return the latest set that holds a kind as it was at a moment or before; one that is to come has not
    been backed up."""
    moments = [dt.datetime.fromisoformat(one["parts"][kind]["moment"]) for one in sets]
    wished = dt.datetime.fromisoformat(at)
    fitting = [one for one, moment in zip(sets, moments, strict=True) if moment <= wished]
    if fitting and wished.timestamp() <= time.time():
        return fitting[-1]
    window = f"from {min(moments):%Y-%m-%dT%H:%M:%S} until now"
    raise BackupError(
        f"{kind} cannot be brought back as of {at}", hint=f"Possible: {window}, in UTC.", kind="input"
    )


def _parts(sets: Iterable[Set], kind: str) -> dict[str, Part]:
    return {one["label"]: one["parts"][kind] for one in sets if kind in one["parts"]}


def _key(label: str) -> str:
    return f"{_FOLDER}{label}.json"


def _named(sets: Iterable[Set]) -> str:
    return ", ".join(one["label"] for one in sets) or "none"
