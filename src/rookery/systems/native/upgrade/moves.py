"""Programs of a lab's servers started again by the next release of Ceph."""

from __future__ import annotations

from pathlib import Path

from rookery.drivers.containers.supervisor import Supervisor
from rookery.drivers.machine.attach import attach_folder
from rookery.drivers.machine.files import write_whole
from rookery.systems.native.lab import Lab
from rookery.systems.native.next_release import MOVED, NEXT, began_by_next, read_moved, sees_next


class Moves:
    """The programs of one lab's servers, and the image of the release that they move to."""

    def __init__(self, lab: Lab, image: Path) -> None:
        self._lab = lab
        self._image = image

    def is_offered(self, host: str) -> bool:
        """Tell whether a server runs and sees the next release's image."""
        pid = self._lab.pids().get(host)
        return pid is not None and sees_next(pid)

    def offer(self, host: str) -> None:
        """Show the next release's image to a server that runs."""
        if not self.is_offered(host):
            attach_folder(self._image, self._pid(host), NEXT)

    def moved(self, host: str) -> frozenset[str]:
        """Return the programs of a server that run, and by the next release."""
        pid = self._lab.pids().get(host)
        if pid is None:
            return frozenset()
        try:
            states = Supervisor(pid).programs()
        except OSError:
            return frozenset()
        running = (state.name for state in states if state.state == "RUNNING")
        return frozenset(name for name in running if began_by_next(pid, name))

    def move(self, host: str, *programs: str) -> None:
        """Start programs of a server again, by the next release from now on."""
        self.enlist(host, *programs)
        supervisor = Supervisor(self._pid(host))
        for program in programs:
            supervisor.stop(program)
        for program in programs:
            supervisor.start(program)

    def enlist(self, host: str, *names: str) -> None:
        """Have programs, or commands, run by the next release from their next start on."""
        listed = self.listed(host)
        missing = [name for name in names if name not in listed]
        if missing:
            text = "".join(f"{name}\n" for name in (*listed, *missing))
            write_whole(self._root(host) / MOVED, text.encode(), mode=0o644)

    def listed(self, host: str) -> tuple[str, ...]:
        return read_moved(self._root(host))

    def _root(self, host: str) -> Path:
        return self._lab.paths.server(host).root

    def _pid(self, host: str) -> int:
        return self._lab.pids()[host]
