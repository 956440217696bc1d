"""`python3 -m backups COMMAND`: what is asked for comes as JSON by standard input, the answer as lines of
JSON."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from . import checked, drill, leaving, outside, schedule, sets
from .errors import BackupError
from .kind import Work
from .kinds import ENDS, KINDS
from .lease import alone
from .store import Store
from .telling import answer, refuse, say
from .told import Told, read_told

Request = dict[str, Any]

# Who serves on this server goes first while a set is taken. A restore is waited for, and takes what it gets.
_NICE = 10
_PATIENCE, _LOOK = 600.0, 2.0  # seconds to wait for a set that is being taken, and between looks

# What is kept between sets, too: its kind looks for a moment itself. All others go back to a set.
_ANY_MOMENT = ("database", "objects")


def _now(work: Work, request: Request) -> Any:
    """Take a set of the kinds that are asked for, by default of all."""
    wanted = request.get("kinds") or work.told.kinds
    outside.require_fetched(work)
    os.nice(_NICE)
    with alone(work.told, "taking a set"):
        return sets.take(work, wanted)


def _list(work: Work, _: Request) -> Any:
    return sets.read_sets(work)


def _check(work: Work, request: Request) -> Any:
    """Look at what is stored; what a look at all of it finds is kept."""
    labels, deep = request.get("labels", ()), bool(request.get("deep"))
    try:
        found = sets.check(work, labels, deep=deep)
    except BackupError as error:
        if not labels:
            checked.keep(work, {}, deep=deep, error="; ".join((error.what, *error.details[-1:])))
        raise
    if not labels:
        checked.keep(work, found, deep=deep)
    return found


def _age(work: Work, _: Request) -> Any:
    """Tell all sets, and what the last look at them found."""
    return {"sets": sets.read_sets(work), "check": checked.read(work)}


def _prune(work: Work, _: Request) -> Any:
    outside.require_fetched(work)
    with alone(work.told, "removing old sets"):
        return sets.prune(work)


def _restore(work: Work, request: Request) -> Any:
    """Bring back what is wished of one kind, from the set of a label or from the latest that has it."""
    kind = KINDS[request["kind"]]
    at = "" if kind.name in _ANY_MOMENT else request.get("at", "")
    with alone(work.told, f"restoring {kind.name}"):
        found = sets.find(work, request.get("label", ""), kind.name, at)
        return kind.restore(work, found["parts"][kind.name], request)


def _fetch(work: Work, request: Request) -> Any:
    """Bring the sets of a copy outside back into the system's own bucket."""
    with alone(work.told, "fetching from a copy"):
        return outside.fetch(work, request.get("copy", ""))


def _drill(work: Work, request: Request) -> Any:
    """Do one thing for the drill, with data of its own; it takes no part in who works on backups."""
    return drill.act(work, request)


def _leave(work: Work, _: Request) -> Any:
    """Let go of the system's storage: backups are switched off. A set that is being taken is waited for."""
    limit = time.monotonic() + _PATIENCE
    while True:
        try:
            with alone(work.told, "letting go of the system"):
                return leaving.leave(work, ENDS)
        except BackupError as error:
            if error.kind != "not-possible" or time.monotonic() > limit:
                raise
            work.report(error.what)
        time.sleep(_LOOK)


_COMMANDS: Mapping[str, Callable[[Work, Request], Any]] = {
    "now": _now,
    "list": _list,
    "check": _check,
    "age": _age,
    "prune": _prune,
    "restore": _restore,
    "fetch": _fetch,
    "leave": _leave,
    "drill": _drill,
}


def main(command: str) -> int:
    """Carry a command out; the exit status is 1 where it failed, which its last line tells of."""
    if command == "run":
        schedule.run()
        return 0
    try:
        request = json.loads(sys.stdin.read() or "{}")
        told: Told = read_told()
        answer(_COMMANDS[command](Work(told=told, store=Store(told.place), report=say), request))
    except BackupError as error:
        refuse(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
