"""What the drill asks for inside a system: a place for each kind prepared, written, read, lost and cleared.

Entries are written to all kinds by one hand, the row last: whoever finds a row may expect all the others.
"""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from . import drill_census
from .drill_entries import Place, build_entry
from .errors import BackupError
from .kind import Work, now
from .told import Place as S3Place

Request = Mapping[str, Any]

_STOP, _WRITING = Path("/run/rookery-drill.stop"), Path("/run/rookery-drill.lock")
_STOP_LIMIT = 60.0  # seconds
_BATCH = 16 << 20  # bytes that are written at once
_PACE = 0.25  # seconds from one entry of the steady writer to the next
_STEADY_LIMIT = 900.0  # seconds after which a steady writer ends that nobody stopped


def act(work: Work, request: Request) -> Any:
    """Do one thing for the drill; raises BackupError."""
    return _ACTS[request["do"]](_places(work, request), work, request)


def _places(work: Work, request: Request) -> dict[str, Place]:
    """Return the place of each kind that is asked for. What a place needs is imported with it: a system
    without CephFS may lack the library."""
    config, kinds = work.told.config, request["kinds"]
    user = (config["cluster"] or {}).get("user", "")
    found: dict[str, Place] = {}
    if "objects" in kinds:
        from .drill_bucket import Bucket

        found["objects"] = Bucket(_owner(work, request))
    if "files" in kinds:
        from .drill_tree import Tree

        found["files"] = Tree(config["files"]["fileSystem"], user)
    if "block" in kinds:
        from .drill_image import Image

        found["block"] = Image(work.told, request["slot"], request["slots"])
    if "database" in kinds:
        from .drill_table import Table

        found["database"] = Table(config["database"])
    return found


def _owner(work: Work, request: Request) -> S3Place:
    """Return the store as who owns the drill's bucket: those keys come with the request."""
    place, keys = work.told.place, request["credentials"]
    return S3Place(
        name=place.name,
        endpoint=place.endpoint,
        bucket=place.bucket,
        authority=place.authority,
        access=keys["access"],
        secret=keys["secret"],
    )


def _prepare(places: Mapping[str, Place], work: Work, _: Request) -> Any:
    """Make every place, empty, once no writer of an earlier drill is left."""
    _stop_writer()
    work.report(f"room for the drill's own data: {', '.join(places)}")
    return _each(places, lambda _, place: place.prepare())


def _write(places: Mapping[str, Place], work: Work, request: Request) -> Any:
    """Write `count` entries to each kind, many at once; return when each kind had them, and the digests."""
    size, drill = request["size"], request["drill"]
    step = max(1, _BATCH // size)

    def fill(kind: str, place: Place) -> dict[str, Any]:
        began, digests = time.monotonic(), {}
        for first in range(1, request["count"] + 1, step):
            numbers = range(first, min(first + step, request["count"] + 1))
            entries = [build_entry(drill, kind, number, size) for number in numbers]
            place.put(entries)
            digests.update({entry.number: entry.digest for entry in entries})
        return {"at": now(), "seconds": round(time.monotonic() - began, 3), "digests": digests}

    work.report(f"{request['count']} entries of {size:,} bytes to each of {', '.join(places)}")
    return _each(places, fill)


def _steady(places: Mapping[str, Place], work: Work, request: Request) -> Any:
    """Write one entry after the other to all kinds until told to stop; return each with its time."""
    written: list[dict[str, Any]] = []
    limit = time.monotonic() + _STEADY_LIMIT
    with _one_writer():
        number = request["first"]
        while number <= request["slots"] and time.monotonic() < limit and not _STOP.exists():
            began, digests = time.monotonic(), {}
            for kind, place in places.items():
                entry = build_entry(request["drill"], kind, number, request["size"])
                place.put([entry])
                digests[kind] = entry.digest
            written.append({"number": number, "at": now(), "digests": digests})
            number += 1
            time.sleep(max(0.0, _PACE - (time.monotonic() - began)))
    del work
    return written


def _stop(places: Mapping[str, Place], work: Work, request: Request) -> Any:
    del places, work, request
    _stop_writer()


def _lose(places: Mapping[str, Place], work: Work, _: Request) -> Any:
    """Destroy everything, kind after kind; return what was done to each, and when."""
    done = {}
    for kind, place in places.items():
        work.report(f"{kind}: losing it on purpose")
        done[kind] = {"at": now(), "says": place.lose()}
    return done


def _read(places: Mapping[str, Place], work: Work, _: Request) -> Any:
    """Return the digest of every entry that is there; of a kind that cannot be read, why."""
    work.report(f"reading all entries of {', '.join(places)}")

    def read(_: str, place: Place) -> dict[str, Any]:
        began = time.monotonic()
        try:
            found: dict[str, Any] = {"entries": place.read()}
        except BackupError as error:
            found = {"unseen": "; ".join((error.what, *error.details[-1:]))}
        return {**found, "seconds": round(time.monotonic() - began, 3)}

    return _each(places, read)


def _settle(places: Mapping[str, Place], work: Work, _: Request) -> Any:
    for kind, place in places.items():
        work.report(f"{kind}: from beside into its place")
        place.settle()


def _clear(places: Mapping[str, Place], work: Work, _: Request) -> Any:
    _stop_writer()
    work.report(f"removing the drill's own data: {', '.join(places)}")
    return _each(places, lambda _, place: place.clear())


def _census(places: Mapping[str, Place], work: Work, request: Request) -> Any:
    """Tell what the system has itself of some kinds."""
    del places
    return drill_census.count(work, request["of"])


_ACTS: Mapping[str, Callable[[Mapping[str, Place], Work, Request], Any]] = {
    "prepare": _prepare,
    "write": _write,
    "steady": _steady,
    "stop": _stop,
    "lose": _lose,
    "read": _read,
    "settle": _settle,
    "clear": _clear,
    "census": _census,
}


def _each(places: Mapping[str, Place], do: Callable[[str, Place], Any]) -> dict[str, Any]:
    """Do something with all places side by side; return what came of each."""
    with ThreadPoolExecutor(max_workers=max(1, len(places))) as pool:
        asked = {kind: pool.submit(do, kind, place) for kind, place in places.items()}
        return {kind: future.result() for kind, future in asked.items()}


@contextlib.contextmanager
def _one_writer() -> Iterator[None]:
    """Write steadily, alone on this host; whoever wants it to stop waits for this lock."""
    with _WRITING.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError("a drill writes here already", kind="not-possible") from None
        _STOP.unlink(missing_ok=True)
        yield


def _stop_writer() -> None:
    """Have the steady writer of this host end, and wait until it has."""
    _STOP.touch()
    limit = time.monotonic() + _STOP_LIMIT
    with _WRITING.open("a", encoding="utf-8") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > limit:
                    raise BackupError(f"the drill's writer does not end within {_STOP_LIMIT:.0f} s") from None
                time.sleep(0.1)
            else:
                return
