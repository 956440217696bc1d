"""Where the programs of backup run in a lab: on the database's primary, as their agent does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rookery.apps.backup.places import DATABASE, FOLDER, OBJECTS
from rookery.errors import RookeryError
from rookery.systems.backups import Programs
from rookery.systems.lab.paths import LabPaths
from rookery.systems.native.database_restore import InPlace
from rookery.systems.native.edges import forget_copies
from rookery.systems.native.identity import keep_secrets
from rookery.systems.native.lab import Lab
from rookery.systems.protocol import Report


def own_files(paths: LabPaths) -> Mapping[str, Path]:
    """Return what a lab is built from, and can be built from again elsewhere: it lies on no server."""
    return {path.name: path for path in (paths.spec, paths.kept, paths.secrets, paths.ca)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabCarrier:
    """Runs them on the server where backups are taken now."""

    lab: Lab

    def argv(self, command: str) -> Sequence[str]:
        """Return what starts a command on that server."""
        program = ("env", f"PYTHONPATH=/{FOLDER}", "python3", "-m", "backups", command)
        return self.lab.exec_argv(self.host(), program)

    def host(self) -> str:
        """Return the server with the database's primary, the first that runs where there is no database."""
        agents = [
            host.name
            for host in self.lab.design.hosts
            if any(instance.app == "backup" for instance in host.instances)
        ]
        running = [name for name in agents if name in self.lab.pids()]
        if self.lab.design.database is not None:
            leaders = [member.name for member in self.lab.members() if member.is_primary]
            running = [name for name in running if name in leaders]
        if not running:
            raise RookeryError(
                f"no server takes backups now: {', '.join(agents)} do not run, or none has the primary",
                hint="`rookery status` shows what runs, `rookery up` starts what is missing.",
            )
        return running[0]


class LabPrograms(Programs):
    """The programs of backup of a lab; what concerns all instances of the database is done from here."""

    def __init__(self, lab: Lab) -> None:
        keep = partial(keep_secrets, lab.paths.secrets)
        super().__init__(LabCarrier(lab=lab), own=own_files(lab.paths), keep=keep)
        self._lab = lab

    def restore(self, request: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        """Bring something back; the database in place by stopping all of its instances, objects in place with
        the edges' copies of them forgotten."""
        in_place = request["to"] == "in-place"
        if in_place and request["kind"] == DATABASE:
            return InPlace(self._lab).restore(request, super().restore, report)
        found = super().restore(request, report)
        return self._seen_by_visitors(found) if in_place and request["kind"] == OBJECTS else found

    def _seen_by_visitors(self, found: Mapping[str, Any]) -> Mapping[str, Any]:
        """Have the edges give what the buckets have now; return what is to be said, also of who is off."""
        silent = forget_copies(self._lab)
        if not silent:
            return found
        late = f"{', '.join(silent)}: off, and may give what it had before when it is back"
        return {**found, "says": f"{found['says']}\n{late}"}
