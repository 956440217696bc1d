"""The way out of a lab: what leads its servers to the places of copies outside, and nowhere else.

A lab's servers have no route to anything but their own network, and this machine forwards nothing for them. A
proxy of the lab's own (guest/way-out) stands at this machine's address there, in a container on its network,
and goes with the lab.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

from rookery.apps.backup.places import WAY_OUT_PORT
from rookery.design.model import Design
from rookery.drivers.containers.runc import HOST_NETWORK, Container
from rookery.drivers.machine.files import write_whole
from rookery.drivers.machine.waiting import Look, wait_for
from rookery.files import File
from rookery.systems.lab.paths import ServerPaths
from rookery.systems.lab.roots import lay_root
from rookery.systems.native.lab import Lab
from rookery.systems.native.root import image_root
from rookery.systems.protocol import Report
from rookery.units import MIB

NAME = "way-out"
_PROGRAM = "usr/lib/rookery/way-out"
_MEMORY = 128 * MIB
_LIMIT = 15.0  # seconds
_PORTS = {"http": 80, "https": 443}
# By these the machine finds names; the container sees them, too.
_NAMES = ("/etc/resolv.conf", "/etc/hosts")


def reached(design: Design) -> tuple[str, ...]:
    """Return HOST:PORT of each place outside to which the lab's servers are let through; none where there is
    no copy."""
    keeping = design.backup.keeping if design.backup is not None else None
    found: dict[str, None] = {}
    for url in keeping.copies if keeping is not None else ():
        parts = urlsplit(url)
        found[f"{parts.hostname}:{parts.port or _PORTS[parts.scheme]}"] = None
    return tuple(found)


class WayOut:
    """The proxy of one lab."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def is_open(self) -> bool:
        """Tell whether it leads where the design says, and is there."""
        return self._container in self._lab.runc.running() and self._noted() == self._digest()

    def open(self, report: Report) -> None:
        """Open it, or let it lead to other places than before; returns once it answers."""
        if self.is_open():
            return
        place, digest = self._place, self._digest()
        self._lab.runc.delete(self._container)
        program = File(path=_PROGRAM, content=_program(), mode=0o755)
        lay_root(place, (program,), image=image_root(self._lab.design.ceph))
        place.console.write_text("", encoding="utf-8")
        self._lab.runc.start(
            Container(
                id=self._container,
                hostname=NAME,
                root=place.root,
                namespace=HOST_NETWORK,
                argv=("python3", f"/{_PROGRAM}", self._listens, *reached(self._lab.design)),
                cgroup=self._lab.paths.cgroup(NAME),
                memory=_MEMORY,
                cpus=1,
                binds=(),
                shared=tuple((name, str(Path(name).resolve())) for name in _NAMES if Path(name).exists()),
                fuse=False,
            ),
            bundle=place.folder,
            console=place.console,
        )

        def look() -> Look[bool]:
            said = place.console.read_text(errors="replace", encoding="utf-8").strip().splitlines()
            with contextlib.suppress(OSError):
                socket.create_connection((self._lab.design.network.gateway, WAY_OUT_PORT), timeout=2).close()
                return Look(seen="it answers", value=True)
            return Look(seen=said[-1] if said else "it starts")

        wait_for("the way out to the copies", look, limit=_LIMIT, report=report)
        write_whole(self._note, digest.encode())

    @property
    def _container(self) -> str:
        return self._lab.paths.container(NAME)

    @property
    def _place(self) -> ServerPaths:
        return self._lab.paths.server(NAME)

    @property
    def _note(self) -> Path:
        return self._place.folder / "leads-to"

    @property
    def _listens(self) -> str:
        return f"{self._lab.design.network.gateway}:{WAY_OUT_PORT}"

    def _noted(self) -> str:
        try:
            return self._note.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    def _digest(self) -> str:
        """Return what tells two of them apart: the program, and where it stands and leads."""
        told = json.dumps([self._listens, *reached(self._lab.design)]).encode()
        return hashlib.sha256(_program() + told).hexdigest()


def _program() -> bytes:
    return (files("rookery.systems.native") / "guest" / "way-out").read_bytes()
