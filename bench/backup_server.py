"""The server of a lab that takes backups, for the measurement of them: what runs there, and what it took."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import FailedError
from rookery.apps.backup.places import DRILL, FOLDER
from rookery.systems.native.backups import LabCarrier
from rookery.systems.native.system import NativeSystem

_GUESTS = ("backup_guest.py", "backup_floor.py")
_PHASE = re.compile(r"^(\w+): (?:the moment|copying)$")


class Guest:
    """The server that takes backups, with the bench's own programs on it."""

    def __init__(self, system: NativeSystem, size: int) -> None:
        self._system, self._size = system, size
        self.host = LabCarrier(lab=system.lab).host()
        self.agents = [h.name for h in system.design.hosts if any(i.app == "backup" for i in h.instances)]
        keys = system.s3_credentials(DRILL)
        self.keys = {"access": keys.user, "secret": keys.password}
        for host in self.agents:
            for name in _GUESTS:
                text = (Path(__file__).parent / name).read_text(encoding="utf-8")
                (system.lab.paths.server(host).root / "srv" / name).write_text(text, encoding="utf-8")

    def ask(self, verb: str, *, host: str = "", **request: Any) -> Any:
        """Have the guest do one thing, and return its answer."""
        program = ("env", f"PYTHONPATH=/{FOLDER}", "python3", "/srv/backup_guest.py", verb)
        argv = self._system.lab.exec_argv(host or self.host, program)
        told = {"size": self._size, "credentials": self.keys, **request}
        done = subprocess.run(
            argv, input=json.dumps(told), capture_output=True, text=True, check=False, encoding="utf-8"
        )
        if done.returncode:
            raise FailedError(
                f"{verb} {request.get('kinds', request.get('kind', ''))}: {done.stderr[-2000:]}"
            )
        return json.loads(done.stdout)

    def ours(self, command: str, request: dict[str, Any], *, gently: bool = False) -> Timed:
        """Run a command of ours, `gently` as the schedule does; return what it answers and took."""
        argv = ("python3", "-m", "backups.gently" if gently else "backups", command)
        timed = Timed(**self.ask("timed", argv=argv, stdin=json.dumps(request)))
        said = json.loads(timed.lines[-1][1]) if timed.lines else {}
        if timed.code or "error" in said:
            raise FailedError(f"`backups {command}` failed: {said}")
        timed.answer = said["result"]
        if command == "now" and timed.answer["failed"]:
            raise FailedError(f"a set failed: {timed.answer['failed']}")
        return timed

    def floor(self, verb: str, kind: str, number: str) -> Timed:
        """Have it done by hand."""
        argv = ("python3", "/srv/backup_floor.py", verb, kind, number, *self.keys.values())
        timed = Timed(**self.ask("timed", argv=argv))
        if timed.code:
            raise FailedError(f"the floor's {verb} of {kind} failed: {timed.said}")
        return timed


@dataclass(slots=True, kw_only=True)
class Timed:
    """A command that ended: seconds, seconds of CPU in its server, its lines with their times, its answer."""

    code: int
    seconds: float
    cpu: float
    lines: list[tuple[float, str]]
    said: str
    answer: Any = None

    def by_kind(self) -> dict[str, float]:
        """Return the seconds that a set took for each kind: its moment, and its copies."""
        told = [(at, _PHASE.match(json.loads(line).get("at", ""))) for at, line in self.lines]
        phases = [(at, found[1]) for at, found in told if found is not None]
        ends = [*(at for at, _ in phases[1:]), self.lines[-1][0]]
        taken: dict[str, float] = {}
        for (began, kind), end in zip(phases, ends, strict=True):
            taken[kind] = taken.get(kind, 0.0) + end - began
        return taken


def note(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S', time.gmtime())} {text}", file=sys.stderr, flush=True)
