"""Who uses Ceph's libraries, moved to the next release: mounts of CephFS, applications, block volumes.

One host at a time, so that what has two instances goes on serving.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rookery.design.model import Host
from rookery.design.stored import Volume
from rookery.drivers.clients.http import Browser
from rookery.drivers.containers.supervisor import Supervisor
from rookery.drivers.machine.waiting import Look, wait_for
from rookery.projections.native.server import SCRIPTS, server_programs
from rookery.systems.native import database
from rookery.systems.native.applications import Applications
from rookery.systems.native.lab import Lab
from rookery.systems.native.next_release import COMMANDS
from rookery.systems.native.upgrade.moves import Moves
from rookery.systems.protocol import Report

_LIMIT = 60.0  # seconds without anything new
_PATIENCE = 20  # seconds for a program that was stopped to leave its volume; PostgreSQL writes a checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """The clients of one lab on their way."""

    lab: Lab
    moves: Moves
    applications: Applications

    def move_commands(self) -> None:
        """Have commands on servers, and the agents through which the cluster is asked, be of the next
        release: those of the old one cannot read a new key."""
        for host in self.lab.design.servers:
            self.moves.enlist(host.name, COMMANDS)
        self.lab.close()

    def have_commands_moved(self) -> bool:
        return all(COMMANDS in self.moves.listed(host.name) for host in self.lab.design.servers)

    def have_moved(self) -> bool:
        return not any(self._left(host) for host in self.lab.design.servers)

    def move(self, report: Report) -> None:
        """Start shares and programs again, a host's shares before what uses them."""
        for host in self.lab.design.servers:
            left = self._left(host)
            if left:
                report(f"{', '.join(left)} of {host.name}")
                self.moves.move(host.name, *left)
                self._wait(host, left, report)

    def _wait(self, host: Host, programs: tuple[str, ...], report: Report) -> None:
        def look() -> Look[bool]:
            missing = sorted(set(programs) - self.moves.moved(host.name))
            missing += self.applications.unmounted(host.name)
            return Look(seen=f"{', '.join(missing)} not yet", value=None if missing else True)

        wait_for(f"programs of {host.name}", look, limit=_LIMIT, report=report)

    def _left(self, host: Host) -> tuple[str, ...]:
        moved = self.moves.moved(host.name)
        return tuple(name for name in self._programs(host) if name not in moved)

    def _programs(self, host: Host) -> Iterator[str]:
        daemons = {daemon.name for daemon in host.daemons}
        programs = sorted(server_programs(self.lab.design, host), key=lambda program: program.priority)
        for program in programs:
            if program.uses_ceph and program.name not in daemons:
                yield program.name

    def has_volume_moved(self, volume: Volume) -> bool:
        return self.applications.volumes.is_current(volume)

    def move_volume(self, volume: Volume, report: Report) -> None:
        """Attach a volume anew, by a client of the next release. Who keeps data on it is stopped meanwhile; a
        primary hands over first."""
        if self.has_volume_moved(volume):
            return
        if self.lab.design.database is not None:
            self._hand_over(volume.host, report)
        users = self.applications.users_of(volume)
        supervisor = Supervisor(self.lab.pids()[volume.host])
        for program in users:
            report(f"{program} stops")
            supervisor.stop(program)
        ending = (f"{SCRIPTS}/end-users", volume.path, str(_PATIENCE))
        self.lab.execute(volume.host, ending, timeout=3 * _PATIENCE)
        self.applications.volumes.detach(volume, report)
        self.applications.volumes.ensure(volume, report)
        for program in users:
            supervisor.start(program)
        if self.lab.design.database is not None:
            self.applications.wait_replicas(report)

    def _hand_over(self, host: str, report: Report) -> None:
        """Let another instance be primary, where there is another and this host's is."""
        with Browser(str(self.lab.paths.ca)) as browser:
            database.hand_over(self.lab.design, browser, self.lab.exec_argv, host, report)
