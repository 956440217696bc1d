"""From what was kept of a run to its record, and the record as JSON and back."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rookery import __version__
from rookery.errors import RookeryError
from rookery.experiments.record import Books, Broken, Event, Mark, Operation, Phases, Promised, Record
from rookery.run.experiment.keep import Kept
from rookery.systems.protocol import System

RECORD = "record.json"
_FORMAT = 1


def gather(system: System, kept: Kept) -> Record:
    """Return the record of a run that ended, and keep it; of one that was killed, what it left."""
    note = kept.known()
    if "phases" not in note:
        raise RookeryError(f"run {kept.id} ended before its load was steady: there is nothing to report")
    load = _json(system.load.records / note["load"])
    record = Record(
        id=kept.id,
        system=system.design.name,
        began=dt.datetime.fromtimestamp(note["origin"], tz=dt.UTC).isoformat(timespec="seconds"),
        phases=Phases(**note["phases"]),
        broken=tuple(Broken(**one) for one in note.get("broken", ())),
        events=tuple(_events(kept)),
        operations=tuple(_operations(system.load.records / note["history"], note["origin"])),
        books=_books(load),
        promised=Promised(**note["promised"]) if "promised" in note else None,
        asked=_asked(load),
        environment=tuple(_environment(system, load)),
        stopped=note.get("stopped", "it was killed") if note["state"] == "ended" else "it was killed",
    )
    kept.write(RECORD, json.dumps({"format": _FORMAT, **_plain(record)}))
    return record


def read_record(path: Path) -> Record:
    """Return the record of a run; raises RookeryError for a file that is none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data.pop("format") != _FORMAT:
            raise RookeryError(f"{path} is of another version of rookery", hint="Make it with that version.")
        return Record(
            **{
                **data,
                "phases": Phases(**data["phases"]),
                "broken": tuple(Broken(**one) for one in data["broken"]),
                "events": tuple(Event(**{**one, "mark": Mark(one["mark"])}) for one in data["events"]),
                "operations": tuple(Operation(*one) for one in data["operations"]),
                "books": Books(**data["books"]) if data["books"] else None,
                "promised": Promised(**data["promised"]) if data["promised"] else None,
                "environment": tuple((name, value) for name, value in data["environment"]),
            }
        )
    except FileNotFoundError:
        raise RookeryError(f"{path} is not there: the run did not come to its end") from None
    except (ValueError, TypeError, KeyError) as error:
        raise RookeryError(f"{path} is no record of a run: {error!r}") from None


def _plain(record: Record) -> dict[str, Any]:
    return {
        "id": record.id,
        "system": record.system,
        "began": record.began,
        "phases": asdict(record.phases),
        "broken": [asdict(one) for one in record.broken],
        "events": [asdict(one) for one in record.events],
        "operations": [list(one) for one in record.operations],
        "books": asdict(record.books) if record.books else None,
        "promised": asdict(record.promised) if record.promised else None,
        "asked": dict(record.asked),
        "environment": [list(pair) for pair in record.environment],
        "stopped": record.stopped,
    }


def _json(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _events(kept: Kept) -> Iterator[Event]:
    for line in _lines(kept.folder / "events.jsonl"):
        yield Event(**{**line, "mark": Mark(line["mark"])})


def _operations(path: Path, origin: float) -> Iterator[Operation]:
    for kind, ended, took, error in _lines(path):
        yield Operation(kind=kind, ended=round(ended - origin, 4), took=took or 0.0, error=error)


def _lines(path: Path) -> Iterator[Any]:
    """Yield what the lines of a file say; its last one may be half of one, where its writer was killed."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return


def _books(load: Mapping[str, Any]) -> Books | None:
    books = load.get("books")
    if not books:
        return None
    return Books(
        acknowledged=int(books["acknowledged"]),
        uncertain=int(books["uncertain"]),
        found=books.get("found"),
        even=books.get("balance", 0) == 0,
        why=str(books.get("error", "")),
    )


def _asked(load: Mapping[str, Any]) -> dict[str, float]:
    """Return the rates that were asked for: a transaction goes with a read of a replica."""
    settings, kinds = load.get("settings", {}), load.get("kinds", {})
    rate = float(settings.get("transactions") or 0)
    return {kind: rate for kind in ("transactions", "reads") if kind in kinds and rate}


def _environment(system: System, load: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    design = system.design
    yield "rookery", __version__
    yield "Ceph", design.ceph
    yield "platform", design.platform
    yield "servers", f"{len(design.hosts)} on {design.traits.place}"
    if design.traits.here:
        yield "machine", f"{platform.system()} {platform.release()}, {_cpus()} CPUs"
    settings = load.get("settings", {})
    asked = (
        f"{name} {settings[name]:g}" for name in ("viewers", "transactions", "churn") if name in settings
    )
    yield "load", ", ".join(asked)


def _cpus() -> int:
    return len(os.sched_getaffinity(0))
