"""The handle on one lab: its folders, its servers, its secrets, and the ways into it.

Whoever works on a lab (its steps, observation, drift, applications, load) is given this one thing.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence

from rookery.design.model import Design, Host
from rookery.drivers.ceph.session import CephError, CephSession
from rookery.drivers.clients.http import Browser
from rookery.drivers.containers.runc import Runc
from rookery.drivers.machine.process import run
from rookery.errors import InputError
from rookery.projections.native.server import SCRIPTS, server_programs
from rookery.systems.lab.memory import cgroup_memory
from rookery.systems.lab.paths import LabPaths
from rookery.systems.native import database, objects
from rookery.systems.native.identity import Identity, blank_key, load_identity
from rookery.systems.native.looks import Seen, look_at, volume_uses
from rookery.systems.native.next_release import COMMANDS, read_moved
from rookery.systems.native.servers import start_server
from rookery.systems.protocol import HostStatus, Member, ProgramStatus, Report, VolumeUse

_MEMBER_LIMIT = 2.0  # seconds


class Lab:
    """One lab, whole or in part; nothing of it is made by looking at it.

    `next_release` is the release of Ceph that it is on its way to, empty where it is on none.
    """

    def __init__(self, design: Design, *, next_release: str = "") -> None:
        self.design = design
        self._next_release = next_release
        self.paths = LabPaths(name=design.name)
        self.runc = Runc(self.paths.runc_state)
        self._sessions: dict[tuple[str, str], CephSession] = {}
        self._lock = threading.Lock()

    @property
    def identity(self) -> Identity:
        return load_identity(self.paths.secrets)

    def pids(self) -> dict[str, int]:
        """Return the first process of each designed server that runs, by its host's name."""
        running = self.runc.running()
        found = {host.name: running.get(self.paths.container(host.name)) for host in self.design.hosts}
        return {name: pid for name, pid in found.items() if pid is not None}

    def is_reachable(self) -> bool:
        """Tell whether the host from which the cluster is administered runs."""
        return self.design.admin_host.name in self.pids()

    def hosts(self) -> tuple[HostStatus, ...]:
        pids = self.pids()
        seen = look_at({host: pids[host.name] for host in self.design.hosts if host.name in pids})
        return tuple(self._host_status(host, seen.get(host.name)) for host in self.design.hosts)

    def volumes(self) -> tuple[VolumeUse, ...]:
        """Return how full each volume is, as its server has it mounted, and by what."""
        return volume_uses(self.design.volumes, self.pids(), blank_key(self.design.ceph))

    def members(self) -> tuple[Member, ...]:
        # An instance that hangs is not waited for: another tells of all.
        with Browser(str(self.paths.ca), limit=_MEMBER_LIMIT) as browser:
            return database.members(self.design, browser)

    def ceph(self, user: str = "admin", host: str = "") -> CephSession:
        name = host or self.design.admin_host.name
        with self._lock:
            key = (user, name)
            if key not in self._sessions or not self._sessions[key].alive:
                agent = ("python3", f"{SCRIPTS}/agent.py", "--user", user)
                self._sessions[key] = CephSession(self.exec_argv(name, agent))
            return self._sessions[key]

    def ceph_or_none(self) -> CephSession | None:
        """Return the admin session if the monitors answer, else None, without waiting long."""
        if not self.is_reachable():
            return None
        with contextlib.suppress(CephError):
            session = self.ceph()
            session.mon("quorum_status")
            return session
        return None

    def exec_argv(self, host: str, argv: Sequence[str], *, terminal: bool = False) -> list[str]:
        """Return the command that runs `argv` on a host; raises where there is none or it is off."""
        known = [known.name for known in self.design.hosts]
        if host not in known:
            raise InputError(f"there is no host {host!r}", hint=f"Hosts: {', '.join(known)}.")
        if COMMANDS in read_moved(self.paths.server(host).root):
            argv = (f"{SCRIPTS}/in-release", *argv)
        return self.runc.exec_argv(self.paths.container(host), argv, terminal=terminal)

    def execute(self, host: str, argv: Sequence[str], *, timeout: float = 60.0) -> str:
        return run(self.exec_argv(host, argv), timeout=timeout)

    def admin_argv(self) -> list[str]:
        """Return what precedes a command that is run on the host from which the cluster is administered."""
        return self.exec_argv(self.design.admin_host.name, ())

    def s3_users_there(self) -> frozenset[str]:
        return objects.existing_users(self.admin_argv())

    def power_on(self, host: str, report: Report) -> None:
        """Start a server again, on what it had written. One that runs goes on."""
        if host not in self.pids():
            start_server(
                self.design,
                self.design.host(host),
                self.paths,
                identity=self.identity,
                runc=self.runc,
                report=report,
                next_release=self._next_release,
            )

    def close(self) -> None:
        with self._lock:
            sessions = tuple(self._sessions.values())
            self._sessions.clear()
        for session in sessions:
            session.close()

    def _host_status(self, host: Host, seen: Seen | None) -> HostStatus:
        if seen is None:
            return HostStatus(name=host.name, running=False, programs=(), memory=None)
        states = {state.name: state for state in seen.programs}
        missing = seen.trouble or "its supervisor lacks it"
        programs = tuple(
            ProgramStatus(
                host=host.name,
                name=program.name,
                running=program.name in states and states[program.name].state == "RUNNING",
                detail=states[program.name].description if program.name in states else missing,
                stopped=program.name in states and states[program.name].was_stopped,
            )
            for program in server_programs(self.design, host)
        )
        memory = cgroup_memory(self.paths.cgroup(host.name))
        return HostStatus(
            name=host.name, running=True, programs=programs, memory=memory, trouble=seen.trouble
        )
