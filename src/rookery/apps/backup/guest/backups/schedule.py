"""The agent: works by its schedules, for as long as its server runs.

It runs on several hosts and works on one: where the database's primary is, as that one can be read with the
least harm, or on the first host where there is no database. What it did last is read from the store, so a
restart, or another host, goes on where the last one ended.
"""

from __future__ import annotations

import datetime as dt
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

from . import checked, outside, sets
from .errors import BackupError
from .kind import Work
from .store import Store
from .told import Told, read_told
from .tools import child

_FIRST = 300.0  # seconds after its start before the first set: a system that comes up has other things to do
_LOOK = 60.0  # seconds between looks whether it is this host's turn, and at what is due
_AGAIN = 900.0  # seconds before what failed is tried again
_ANSWER = 3.0
_WORK_LIMIT = 6 * 3600.0


def run() -> None:
    """Work until the process ends."""
    pause = _FIRST
    while True:
        time.sleep(pause)
        try:
            told = read_told()
            pause = work(told) if is_mine(told) else _LOOK
        except BackupError as error:
            _log(error.what)
            pause = _AGAIN


def is_mine(told: Told) -> bool:
    """Tell whether this host is the one that works."""
    database = told.config["database"]
    if database is None:
        return bool(told.config["host"] == told.config["hosts"][0])
    if not database["primary"]:
        return False
    context = ssl.create_default_context(cafile=told.config["store"]["authority"])
    try:
        asked = urllib.request.urlopen(database["primary"], timeout=_ANSWER, context=context)  # noqa: S310
        with asked as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def work(told: Told) -> float:
    """Take a set where one is due, and remove what is over; else look at what is stored, where that is due.
    Return the seconds until the next look at what there is to do."""
    wanted = Work(told=told, store=Store(told.place), report=_log)
    outside.require_fetched(wanted)
    known = sets.read_sets(wanted)
    age = _age(known)
    if age is not None and age <= told.config["schedules"]["sets"]:
        return _look(wanted)
    # A set that is not whole is no error of the command's; it is tried again all the same, but not at once.
    if _is_done("now"):
        _is_done("prune")
    return _AGAIN


def _look(work: Work) -> float:
    """Look at what is stored, where the last look is as old as the schedule says."""
    last = checked.read(work)
    if last is not None and _since(last["at"]) <= work.told.config["schedules"]["check"]:
        return _LOOK
    return _LOOK if _is_done("check") else _AGAIN


def _is_done(command: str) -> bool:
    """Carry a command out in a process of its own: what it took of memory goes with it."""
    argv = child(sys.executable, "-m", "backups.gently", command)
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, timeout=_WORK_LIMIT, check=False)
    return done.returncode == 0


def _age(known: list[sets.Set]) -> float | None:
    """Return the seconds since the last set began that has all kinds; None where there is none."""
    whole = [one for one in known if one["state"] == "whole"]
    if not whole:
        return None
    return _since(whole[-1]["began"])


def _since(moment: str) -> float:
    return time.time() - dt.datetime.fromisoformat(moment).timestamp()


def _log(words: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S', time.gmtime())} {words}\n")
    sys.stdout.flush()
