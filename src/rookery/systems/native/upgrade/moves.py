"""Programs of a lab's servers started again by the next release of Ceph."""

from __future__ import annotations

from pathlib import Path

from rookery.drivers.containers.supervisor import Supervisor
from rookery.drivers.machine.attach import attach_folder
from rookery.drivers.machine.files import write_whole
from rookery.systems.native.lab import Lab
from rookery.systems.native.next_release import MOVED, NEXT, began_by_next, read_moved, root_of, sees_next


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

    def has_moved(self, host: str, program: str) -> bool:
        """Tell whether a program runs, and by the next release."""
        pid = self._lab.pids().get(host)
        if pid is None or not began_by_next(pid, program):
            return False
        try:
            states = Supervisor(pid).programs()
        except OSError:
            return False
        return any(state.name == program and state.state == "RUNNING" for state in states)

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
            write_whole(root_of(self._pid(host)) / MOVED, text.encode(), mode=0o644)

    def listed(self, host: str) -> tuple[str, ...]:
        pid = self._lab.pids().get(host)
        return () if pid is None else read_moved(pid)

    def _pid(self, host: str) -> int:
        return self._lab.pids()[host]
