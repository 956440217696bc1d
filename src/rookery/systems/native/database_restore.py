"""The database restored in place: a restored instance becomes the primary, and all others copy it.

The restored one is made beside the running one first (`apps/backup/guest`), so that there is no database for
some seconds only. From when programs are stopped on, a note in the lab's folder says what was begun: killed
at any point, the same command goes on, and what was there before lies beside until the new primary serves.
Patroni's keys in etcd go, as they tell of positions that the restored database never had: with them, it would
be overruled by whoever has the data from before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rookery.apps.backup.places import FOLDER
from rookery.design.model import DatabaseService
from rookery.drivers.clients.http import Browser
from rookery.drivers.containers.supervisor import Supervisor
from rookery.drivers.machine.files import write_whole
from rookery.errors import NotPossibleError, RookeryError
from rookery.systems.native import database
from rookery.systems.native.lab import Lab
from rookery.systems.protocol import Report

_STOP_LIMIT = 120.0  # seconds; a primary writes out what it has in memory
_MOVE_LIMIT = 240.0
_ASKED = ("path", "label", "at")

Prepare = Callable[[Mapping[str, Any], Report], Mapping[str, Any]]
"""Makes the restored instance beside the running one, and returns what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoring:
    """A restore in place that was begun: on which host, what was asked for, and what was made."""

    host: str
    asked: Mapping[str, str]
    made: Mapping[str, Any]


class InPlace:
    """The restores in place of one lab's database."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._note = lab.paths.folder / "restoring.json"

    def restore(self, request: Mapping[str, Any], prepare: Prepare, report: Report) -> Mapping[str, Any]:
        """Restore what is asked for, or go on with what was begun; returns once every instance follows.

        Raises InputError where something else was begun and is not done, NotPossibleError where an instance's
        server does not run.
        """
        self._require_servers()
        asked = {name: str(request.get(name) or "") for name in _ASKED}
        begun = self._begun()
        if begun is None:
            made = prepare({**request, "to": "beside"}, report)
            begun = Restoring(host=made["host"], asked=asked, made=made)
            self._write(begun)
        elif begun.asked != asked:
            raise NotPossibleError(
                f"a restore in place is not done yet: {begun.made['says']}",
                hint=f"First let it come to its end: `rookery restore database{_option(begun.asked)}"
                " --to in-place`.",
            )
        self._take_place(begun, report)
        self._note.unlink()
        return {
            **begun.made,
            "says": f"{begun.made['says']}, in place: {begun.host} is the primary, and all others follow;"
            " what was written after that moment is gone",
        }

    def _take_place(self, begun: Restoring, report: Report) -> None:
        """Carry out what is left of it; each part may have been done already."""
        others = [host for host in self._instances if host != begun.host]
        if self._in_place(begun.host, "begun") == "yes" or not self._serves(begun.host):
            # The primary last: none of the others is to take over.
            for host in sorted(self._instances, key=self._serves):
                report(f"stopping the database on {host}")
                self._supervisor(host).stop(self._program(host))
            # The others' first: started in between, one of them would lead, and the restored one follow.
            for host in others:
                self._in_place(host, "aside")
            self._in_place(begun.host, "swap")
            self._forget_cluster()
            report(f"starting the restored database on {begun.host}")
            self._supervisor(begun.host).start(self._program(begun.host))
        with Browser(str(self._lab.paths.ca)) as browser:
            database.wait_primary(self._lab.design, browser, report)
            for host in others:
                # Now the copy needs the room.
                self._in_place(host, "forget")
                self._supervisor(host).start(self._program(host))
            database.wait_replicas(self._lab.design, browser, report)
        self._in_place(begun.host, "forget")

    @property
    def _service(self) -> DatabaseService:
        service = self._lab.design.database
        assert service is not None
        return service

    @property
    def _instances(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self._service.instances)

    def _require_servers(self) -> None:
        """An instance that is away would come back with what it had, and be believed."""
        missing = [name for name in self._instances if name not in self._lab.pids()]
        if missing:
            raise NotPossibleError(
                f"the database cannot be restored in place without {', '.join(missing)}",
                hint="`rookery up` starts what is missing.",
            )

    def _serves(self, host: str) -> bool:
        return any(member.name == host and member.is_primary for member in self._lab.members())

    def _program(self, host: str) -> str:
        instances = self._lab.design.host(host).instances
        return next(one.name for one in instances if one.app == "database" and one.component == "postgres")

    def _supervisor(self, host: str) -> Supervisor:
        return Supervisor(self._lab.pids()[host], limit=_STOP_LIMIT)

    def _in_place(self, host: str, command: str) -> str:
        argv = ("env", f"PYTHONPATH=/{FOLDER}", "python3", "-m", "backups.in_place", command)
        return self._lab.execute(host, argv, timeout=_MOVE_LIMIT).strip()

    def _forget_cluster(self) -> None:
        """Remove all that Patroni noted of the cluster but its settings."""
        host = self._service.coordinators[0][0]
        root = f"/database/{self._lab.design.name}/"
        keys = self._lab.execute(host, ("etcdctl", "get", "--prefix", "--keys-only", root)).split()
        for key in keys:
            if key != f"{root}config":
                self._lab.execute(host, ("etcdctl", "del", key))

    def _begun(self) -> Restoring | None:
        try:
            told = json.loads(self._note.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:
            raise RookeryError(f"{self._note} is no note of a restore", hint="Look at it.") from None
        return Restoring(host=told["host"], asked=told["asked"], made=told["made"])

    def _write(self, begun: Restoring) -> None:
        told = {"host": begun.host, "asked": begun.asked, "made": begun.made}
        write_whole(self._note, json.dumps(told, indent=1).encode())


def _option(asked: Mapping[str, str]) -> str:
    path = f":{asked['path']}" if asked["path"] else ""
    moment = asked["label"] or asked["at"]
    return path + (f" --at {moment}" if moment else "")
