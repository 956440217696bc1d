"""The native system on the lab: every step of its plan, and everything one can ask of it while it runs."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rookery.design.model import DaemonKind, Design, Host
from rookery.drivers.ceph.session import CephError, CephSession
from rookery.drivers.clients.http import Browser
from rookery.drivers.clients.postgres import Door
from rookery.drivers.containers.runc import Runc
from rookery.drivers.containers.supervisor import Supervisor
from rookery.drivers.machine.files import read_users, write_files, write_whole
from rookery.drivers.machine.process import run
from rookery.drivers.machine.waiting import Look, wait_for
from rookery.errors import InputError, RookeryError
from rookery.plan.native import plan_native
from rookery.plan.step import Observation, Step
from rookery.projections.native.server import SCRIPTS, program_name, server_programs
from rookery.systems.lab.paths import LabPaths
from rookery.systems.lab.sockets import tcp_listeners
from rookery.systems.native import ceph_setup, database, objects
from rookery.systems.native.applications import Applications
from rookery.systems.native.drift import find_drift
from rookery.systems.native.identity import Identity, ensure_identity, keep_secrets, load_identity
from rookery.systems.native.load import NativeActivity
from rookery.systems.native.looks import SILENT, Seen, look_at
from rookery.systems.native.observe import observe_native
from rookery.systems.native.refresh import refresh_server
from rookery.systems.native.root import ensure_image, image_root
from rookery.systems.native.servers import ensure_network, gateway_keyring, start_server
from rookery.systems.protocol import (
    Credentials,
    Deviation,
    Endpoint,
    HostStatus,
    Listener,
    Member,
    Pages,
    ProgramStatus,
    Report,
)

_ANSWER_LIMIT = 60.0
_MEMBER_LIMIT = 2.0  # seconds


class NativeSystem:
    """A lab: implements `System` with runc, supervisord and librados."""

    def __init__(self, design: Design, *, pages: Pages = tuple) -> None:
        self._design = design
        self.paths = LabPaths(name=design.name)
        self.runc = Runc(self.paths.runc_state)
        self._sessions: dict[tuple[str, str], CephSession] = {}
        self._lock = threading.Lock()
        self.applications = Applications(
            design,
            self.paths,
            self.runc,
            identity=lambda: self.identity,
            ceph=self.ceph,
            exec_argv=self.exec_argv,
            pages=pages,
        )
        self._actions: dict[str, Callable[[Step, Report], None]] = {
            "image": lambda _, report: _ignore(ensure_image(report)),
            "identity": lambda _, __: self._ensure_identity(),
            "network": lambda _, __: ensure_network(design, self.paths),
            "server": lambda step, report: self._start(step.target, report),
            "quorum": lambda _, report: ceph_setup.wait_quorum(self.ceph(), design, report),
            "settings": lambda _, __: ceph_setup.apply_settings(self.ceph(), design),
            "registered": lambda _, report: ceph_setup.register(self.ceph(), design, self.identity, report),
            "osds": lambda _, report: ceph_setup.wait_osds(self.ceph(), design, report),
            "pools": lambda _, __: ceph_setup.create_pools(self.ceph(), design),
            "filesystem": lambda _, report: ceph_setup.create_file_system(self.ceph(), design, report),
            "gateways": lambda _, report: self._start_gateways(report),
            "dashboard": lambda _, report: ceph_setup.wait_dashboard(self.ceph(), report),
            "dashboard-user": lambda _, __: ceph_setup.create_dashboard_user(
                self.ceph(), self.identity["dashboard.password"]
            ),
            "healthy": lambda _, report: ceph_setup.wait_healthy(self.ceph(), design, report),
            "s3-users": lambda _, __: keep_secrets(
                self.paths.secrets, objects.create_users(self._admin_exec(), design)
            ),
            "volume": self.applications.attach,
            "looked": self.applications.look,
            "made": self.applications.make,
            "started": self.applications.start,
            "databases": lambda _, report: self.applications.create_databases(report),
            "app": self.applications.put,
            "frontends": lambda _, report: self._wait_frontends(report),
        }

    @property
    def design(self) -> Design:
        return self._design

    @property
    def ca_file(self) -> Path:
        return self.paths.ca

    @property
    def addresses(self) -> Mapping[str, str]:
        return {}  # every URL of a lab has its address in it

    @property
    def identity(self) -> Identity:
        return load_identity(self.paths.secrets)

    def require_answers(self) -> None:
        """Raise where a server hangs: what is to be done would wait for it."""
        hung = [host.name for host in self.hosts() if host.trouble == SILENT]
        if hung:
            container = self.paths.container(hung[0])
            resume = shlex.join(self.runc.command("resume", container))
            end = shlex.join(self.runc.command("delete", "--force", container))
            raise RookeryError(
                f"{', '.join(hung)} {'does' if len(hung) == 1 else 'do'} not answer",
                hint="A server that hangs may go on at any moment, so it is not started again unasked."
                f" Let it go on (`{resume}` where it is paused), or end it as a power cut would"
                f" (`{end}`), and run the command again.",
            )

    def steps(self) -> tuple[Step, ...]:
        return plan_native(self._design)

    def observe(self) -> Observation:
        return observe_native(self)

    def apply(self, step: Step, report: Report) -> None:
        self._actions[step.id.partition(":")[0]](step, report)

    def hosts(self) -> tuple[HostStatus, ...]:
        running = self.runc.running()
        pids = {
            host: pid
            for host in self._design.hosts
            if (pid := running.get(self.paths.container(host.name))) is not None
        }
        seen = look_at(pids)
        return tuple(self._host_status(host, seen.get(host.name)) for host in self._design.hosts)

    def drift(self) -> tuple[Deviation, ...]:
        return find_drift(self)

    def endpoints(self) -> tuple[Endpoint, ...]:
        balancer = self._design.load_balancer
        if balancer is None:
            return ()
        found = []
        for front in self._design.frontends:
            port = "" if front.port == 443 else f":{front.port}"
            url = f"{front.scheme}://{balancer.address}{port}/"
            found.append(Endpoint(name=front.name, url=url, credentials=self._credentials(front.name)))
        return tuple(found)

    def s3_credentials(self, user: str) -> Credentials:
        identity = self.identity
        return Credentials(user=identity[f"s3.{user}.access"], password=identity[f"s3.{user}.secret"])

    def database_door(self, user: str, *, reads: bool = False) -> Door:
        service = self._design.database
        assert service is not None
        return Door(
            host=service.address,
            port=service.read_port if reads else service.port,
            database=user,
            user=user,
            password=self.identity[f"database.user.{user}"],
            ca_file=str(self.ca_file),
        )

    def members(self) -> tuple[Member, ...]:
        # An instance that hangs is not waited for: another tells of all.
        with Browser(str(self.ca_file), limit=_MEMBER_LIMIT) as browser:
            return database.members(self._design, browser)

    def ceph(self, user: str = "admin", host: str = "") -> CephSession:
        name = host or self._design.admin_host.name
        with self._lock:
            key = (user, name)
            if key not in self._sessions or not self._sessions[key].alive:
                agent = ("python3", f"{SCRIPTS}/agent.py", "--user", user)
                self._sessions[key] = CephSession(self.exec_argv(name, agent))
            return self._sessions[key]

    @property
    def load(self) -> NativeActivity:
        return NativeActivity(self._design, self.paths, self.runc, identity=lambda: self.identity)

    def listeners(self) -> tuple[Listener, ...]:
        names = {self.paths.container(host.name): host.name for host in self._design.hosts}
        return tuple(
            listener
            for container, pid in sorted(self.runc.running().items())
            if container in names
            for listener in tcp_listeners(names[container], pid)
        )

    def exec_argv(self, host: str, argv: Sequence[str], *, terminal: bool = False) -> list[str]:
        """Return the command that runs `argv` on a host; raises where there is none or it is off."""
        known = [known.name for known in self._design.hosts]
        if host not in known:
            raise InputError(f"there is no host {host!r}", hint=f"Hosts: {', '.join(known)}.")
        return self.runc.exec_argv(self.paths.container(host), argv, terminal=terminal)

    def execute(self, host: str, argv: Sequence[str], *, timeout: float = 60.0) -> str:
        return run(self.exec_argv(host, argv), timeout=timeout)

    def shell(self, host: str, argv: Sequence[str]) -> int:
        terminal = os.isatty(0) and os.isatty(1)
        command = tuple(argv) or ("bash", "--login")
        line = self.exec_argv(host, command, terminal=terminal)
        if self.paths.container(host) not in self.runc.running():
            raise RookeryError(f"{host} does not run", hint="`rookery up` starts what is missing.")
        return subprocess.run(line, check=False).returncode

    def close(self) -> None:
        with self._lock:
            sessions = tuple(self._sessions.values())
            self._sessions.clear()
        for session in sessions:
            session.close()

    def _ensure_identity(self) -> None:
        identity = ensure_identity(self.paths.secrets, self._design)
        write_whole(self.paths.ca, identity["ca.crt"].encode())

    def _start(self, name: str, report: Report) -> None:
        """Start a server; one that runs is brought to what the design says now."""
        design, host, identity = self._design, self._design.host(name), self.identity
        pid = self.runc.running().get(self.paths.container(name))
        if pid is None:
            start_server(design, host, self.paths, identity=identity, runc=self.runc, report=report)
            return
        refresh_server(
            design,
            host,
            self.paths.server(name),
            identity=identity,
            pid=pid,
            execute=lambda argv: self.execute(name, argv),
            report=report,
        )

    def _start_gateways(self, report: Report) -> None:
        """Hand the gateways their keys, start them, and wait until each answers."""
        users = read_users(image_root())
        pids = self.runc.running()
        gateways = self._design.with_daemon(DaemonKind.RGW)
        for host, daemon in gateways:
            write_files(
                self.paths.server(host.name).root, (gateway_keyring(daemon, self.identity),), users=users
            )
            Supervisor(pids[self.paths.container(host.name)]).start(program_name(daemon))
        store = self._design.object_store
        assert store is not None
        urls = [f"https://{host.address}:{store.port}/swift/healthcheck" for host, _ in gateways]
        self._wait_answers("the S3 gateways", urls, report)

    def _wait_frontends(self, report: Report) -> None:
        urls = [endpoint.url for endpoint in self.endpoints() if endpoint.url.startswith("https:")]
        self._wait_answers("the services", urls, report)

    def _wait_answers(self, what: str, urls: Sequence[str], report: Report) -> None:
        """Wait until each URL answers with what a visitor may get (a bucket's listing may be denied)."""

        def look(browser: Browser) -> Look[bool]:
            for url in urls:
                answer = browser.get(url)
                # The catalogue has nothing at its root; that it says so is an answer.
                if answer.status not in (200, 403, 404):
                    return Look(seen=f"{url} answers {answer.status or answer.error}")
            return Look(seen="all answer", value=True)

        with Browser(str(self.ca_file)) as browser:
            wait_for(what, lambda: look(browser), limit=_ANSWER_LIMIT, report=report)

    def _admin_exec(self) -> list[str]:
        return self.exec_argv(self._design.admin_host.name, ())

    def _credentials(self, frontend: str) -> Credentials | None:
        if frontend == "dashboard":
            return Credentials(user=ceph_setup.DASHBOARD_USER, password=self.identity["dashboard.password"])
        if frontend == "s3" and self._design.buckets:
            return self.s3_credentials(self._design.buckets[0].owner)
        if frontend.startswith("database"):
            # Where people may try things: a database of its own, not the applications'.
            return Credentials(user="load", password=self.identity["database.user.load"])
        return None

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
            )
            for program in server_programs(self._design, host)
        )
        memory = self._memory(host.name)
        return HostStatus(
            name=host.name, running=True, programs=programs, memory=memory, trouble=seen.trouble
        )

    def _memory(self, name: str) -> int | None:
        """Return what a server's processes take of the machine's memory, without the page cache."""
        from rookery.systems.lab.memory import cgroup_memory

        return cgroup_memory(self.paths.cgroup(name))

    def is_reachable(self) -> bool:
        """Tell whether the host from which the cluster is administered runs."""
        return self.paths.container(self._design.admin_host.name) in self.runc.running()

    def ceph_or_none(self) -> CephSession | None:
        """Return the admin session if the monitors answer, else None, without waiting long."""
        if not self.is_reachable():
            return None
        with contextlib.suppress(CephError):
            session = self.ceph()
            session.mon("quorum_status")
            return session
        return None

    def s3_users_there(self) -> frozenset[str]:
        return objects.existing_users(self._admin_exec())


def _ignore(_: object) -> None:
    """An action returns nothing; some of what it calls does."""
