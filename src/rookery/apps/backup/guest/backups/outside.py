"""What becomes of sets outside of the system: copied after each, and removed there once their time is over.

A copy that fails costs the set nothing and is named in it; the next one goes on where it ended.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from . import copies
from .copies import Side
from .errors import BackupError
from .kind import Work
from .store import Store
from .told import Place, Told

WHOLE = "whole"
# Root's alone: the database's archiver, which reads the other keys, has nothing to do outside.
KEYS = Path("/etc/rookery/backup-copies.json")

Connect = Callable[[Place], Store]


def read_places(told: Told) -> tuple[Place, ...]:
    """Return where copies go; raises BackupError where their keys are not there."""
    known = told.config["copies"]
    if not known:
        return ()
    try:
        keys: Mapping[str, Any] = json.loads(KEYS.read_text(encoding="utf-8"))
        return tuple(Place(**one, **keys[one["name"]]) for one in known)
    except (OSError, ValueError, KeyError):
        raise BackupError(
            f"there are no keys for the copies outside in {KEYS}", hint="`rookery up` lays them there."
        ) from None


def copy_all(work: Work, places: tuple[Place, ...], connect: Connect = Store) -> dict[str, str]:
    """Copy what is not there yet to each place; return `whole` or why not, by their names."""
    found = {}
    for place in places:
        work.report(f"copy {place.name}: looking")
        try:
            target = copies.outside(work.told, connect(place))
            copies.copy(Side(store=work.store), target, work.report, lock=work.told.config["lock"])
        except BackupError as error:
            found[place.name] = "; ".join((error.what, *error.details[-1:]))
        else:
            found[place.name] = WHOLE
    return found


def fetch(work: Work, name: str, connect: Connect = Store) -> dict[str, Any]:
    """Copy what lies outside back into the system's own bucket, from the place of that name, or the only one.

    Raises BackupError of kind `input` where there is none; run again, it goes on where it ended.
    """
    places = [place for place in read_places(work.told) if name in ("", place.name)]
    if len(places) != 1:
        known = ", ".join(one["name"] for one in work.told.config["copies"]) or "none"
        what = f"there is no copy {name}" if name else "it is not clear which copy is meant"
        raise BackupError(what, hint=f"Name one; there are: {known}.", kind="input")
    source = copies.outside(work.told, connect(places[0]))
    if not any(key.startswith(copies.SETS) for key in source.entries()):
        raise BackupError(f"there is no set of {work.told.config['system']} in {source.store}", kind="input")
    moved = copies.copy(source, Side(store=work.store), work.report)
    work.store.put_json(copies.FETCHED, {"from": places[0].name})
    return {"from": places[0].name, "moved": moved}


def require_fetched(work: Work) -> None:
    """Raise BackupError on a system that was built again while the sets of before are not here: what it would
    write now stands where theirs belongs."""
    if work.told.keys.get("held") and work.store.head(copies.FETCHED) is None:
        raise BackupError(
            f"{work.told.config['system']} was built again from a copy, and its sets are not here yet",
            hint="`rookery backup fetch` brings them here.",
            kind="not-possible",
        )


def prune_all(work: Work, places: tuple[Place, ...], connect: Connect = Store) -> None:
    """Remove from each place what is kept no more, once it is older than a set may get.

    The caller has looked whether what is kept here is all there: what somebody removed here stays there.
    """
    for place in places:
        try:
            target = copies.outside(work.told, connect(place))
            gone = copies.prune(Side(store=work.store), target, work.told.config["retention"]["seconds"])
        except BackupError as error:
            work.report(f"copy {place.name}: {error.what}")
        else:
            work.report(f"copy {place.name}: {gone} objects removed")
