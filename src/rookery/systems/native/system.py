"""The native system on the lab, behind the one protocol of all systems."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rookery.design.model import DaemonKind, Design
from rookery.drivers.ceph.session import CephSession
from rookery.drivers.clients.http import Browser
from rookery.drivers.clients.postgres import DatabaseError, Door, query
from rookery.drivers.containers.supervisor import Supervisor
from rookery.drivers.machine.files import read_users, write_files, write_whole
from rookery.drivers.machine.waiting import Look, wait_for
from rookery.errors import RookeryError
from rookery.plan.native import plan_native
from rookery.plan.step import Observation, Step
from rookery.projections.native.server import program_name
from rookery.releases import RELEASES
from rookery.systems.faults import Faults
from rookery.systems.lab.faults import lab_breakers
from rookery.systems.lab.networks import ensure_network
from rookery.systems.lab.preflight import require_lab_root
from rookery.systems.lab.removal import LabRemoval, lab_removal
from rookery.systems.lab.sockets import tcp_listeners
from rookery.systems.load import Run
from rookery.systems.native import ceph_setup, objects
from rookery.systems.native.applications import Applications
from rookery.systems.native.backups import LabPrograms
from rookery.systems.native.drift import find_drift
from rookery.systems.native.faults import program_breakers
from rookery.systems.native.identity import ensure_identity, keep_secrets
from rookery.systems.native.lab import Lab
from rookery.systems.native.load import LoadContainer
from rookery.systems.native.looks import SILENT
from rookery.systems.native.observe import observe_native
from rookery.systems.native.preflight import require_native_lab
from rookery.systems.native.refresh import refresh_server
from rookery.systems.native.root import ensure_image, image_root
from rookery.systems.native.servers import gateway_keyring
from rookery.systems.native.upgrade.upgrade import NativeUpgrade, design_before
from rookery.systems.native.way_out import WayOut
from rookery.systems.protocol import (
    Backups,
    ClusterView,
    Credentials,
    Deviation,
    Endpoint,
    HostStatus,
    Listener,
    Load,
    Member,
    Pages,
    Report,
    VolumeUse,
)

_ANSWER_LIMIT = 60.0


class NativeSystem:
    """A lab: implements `System` with runc, supervisord and librados."""

    def __init__(self, design: Design, *, pages: Pages = tuple, next_release: str = "") -> None:
        self.lab = lab = Lab(design, next_release=next_release)
        self._pages = pages
        self.applications = Applications(lab, pages)
        self._actions: dict[str, Callable[[Step, Report], object]] = {
            "image": lambda _, report: ensure_image(design.ceph, report),
            "identity": lambda _, __: self._ensure_identity(),
            "network": lambda _, __: ensure_network(design, lab.paths),
            "way-out": lambda _, report: WayOut(lab).open(report),
            "server": lambda step, report: self._start(step.target, report),
            "quorum": lambda _, report: ceph_setup.wait_quorum(lab.ceph(), design, report),
            "settings": lambda _, __: ceph_setup.apply_settings(lab.ceph(), design),
            "registered": lambda _, report: ceph_setup.register(lab.ceph(), design, lab.identity, report),
            "osds": lambda _, report: ceph_setup.wait_osds(lab.ceph(), design, report),
            "pools": lambda _, __: ceph_setup.create_pools(lab.ceph(), design),
            "filesystem": lambda _, report: ceph_setup.create_file_system(lab.ceph(), design, report),
            "gateways": lambda _, report: self._start_gateways(report),
            "dashboard": lambda _, report: ceph_setup.wait_dashboard(lab.ceph(), report),
            "dashboard-user": lambda _, __: ceph_setup.create_dashboard_user(
                lab.ceph(), lab.identity["dashboard.password"]
            ),
            "healthy": lambda _, report: ceph_setup.wait_healthy(
                lab.ceph(), design, report, expected=_expected(next_release)
            ),
            "s3-users": lambda _, __: keep_secrets(
                lab.paths.secrets, objects.create_users(lab.admin_argv(), design, lab.identity.table)
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
        return self.lab.design

    @property
    def ca_file(self) -> Path:
        return self.lab.paths.ca

    @property
    def addresses(self) -> Mapping[str, str]:
        return {}  # every URL of a lab has its address in it

    def require_access(self) -> None:
        require_lab_root()

    def require(self) -> None:
        require_native_lab(self.design)

    def require_answers(self) -> None:
        """Raise where a server hangs: what is to be done would wait for it."""
        hung = [host.name for host in self.hosts() if host.trouble == SILENT]
        if hung:
            container = self.lab.paths.container(hung[0])
            resume = shlex.join(self.lab.runc.command("resume", container))
            end = shlex.join(self.lab.runc.command("delete", "--force", container))
            raise RookeryError(
                f"{', '.join(hung)} {'does' if len(hung) == 1 else 'do'} not answer",
                hint="A server that hangs may go on at any moment, so it is not started again unasked."
                f" Let it go on (`{resume}` where it is paused), or end it as a power cut would"
                f" (`{end}`), and run the command again.",
            )

    def steps(self) -> tuple[Step, ...]:
        return plan_native(self.design)

    def observe(self) -> Observation:
        return observe_native(self.lab, self.applications)

    def apply(self, step: Step, report: Report) -> None:
        self._actions[step.id.partition(":")[0]](step, report)

    def upgrade(self, running: str) -> NativeUpgrade | None:
        if running in ("", self.design.ceph):
            return None
        return NativeUpgrade(
            before=NativeSystem(
                design_before(self.design, running), pages=self._pages, next_release=self.design.ceph
            ),
            lab=self.lab,
            applications=self.applications,
        )

    def drift(self) -> tuple[Deviation, ...]:
        return find_drift(self.lab)

    def endpoints(self) -> tuple[Endpoint, ...]:
        balancer = self.design.load_balancer
        if balancer is None:
            return ()
        found = []
        for front in self.design.frontends:
            port = "" if front.port == 443 else f":{front.port}"
            url = f"{front.scheme}://{balancer.address}{port}/"
            found.append(Endpoint(name=front.name, url=url, credentials=self._credentials(front.name)))
        return tuple(found)

    def s3_credentials(self, user: str) -> Credentials:
        identity = self.lab.identity
        return Credentials(user=identity[f"s3.{user}.access"], password=identity[f"s3.{user}.secret"])

    def database_door(self, user: str, *, reads: bool = False) -> Door:
        service = self.design.database
        assert service is not None
        return Door(
            host=service.address,
            port=service.read_port if reads else service.port,
            database=user,
            user=user,
            password=self.lab.identity[f"database.user.{user}"],
            ca_file=str(self.ca_file),
        )

    def is_reachable(self) -> bool:
        return self.lab.is_reachable()

    def hosts(self) -> tuple[HostStatus, ...]:
        return self.lab.hosts()

    def members(self) -> tuple[Member, ...]:
        return self.lab.members()

    def ceph(self, user: str = "admin", host: str = "") -> CephSession:
        return self.lab.ceph(user, host)

    def ceph_or_none(self) -> CephSession | None:
        return self.lab.ceph_or_none()

    def execute(self, host: str, argv: Sequence[str], *, timeout: float = 60.0) -> str:
        return self.lab.execute(host, argv, timeout=timeout)

    def close(self) -> None:
        self.lab.close()

    @property
    def load(self) -> Load:
        return Run(LoadContainer(lab=self.lab))

    @property
    def backups(self) -> Backups | None:
        return LabPrograms(self.lab) if self.design.backup is not None else None

    @property
    def removal(self) -> LabRemoval:
        return lab_removal(self.design)

    @property
    def faults(self) -> Faults:
        servers = lab_breakers(self.design, self.lab.paths, self.lab.runc, self._power_on)
        return Faults(self.design, {**servers, **program_breakers(self.lab)})

    def listeners(self) -> tuple[Listener, ...]:
        return tuple(
            listener for name, pid in sorted(self.lab.pids().items()) for listener in tcp_listeners(name, pid)
        )

    def volumes(self) -> tuple[VolumeUse, ...]:
        return self.lab.volumes()

    @property
    def cluster(self) -> ClusterView | None:
        return None

    def shell(self, host: str, argv: Sequence[str]) -> int:
        terminal = os.isatty(0) and os.isatty(1)
        command = tuple(argv) or ("bash", "--login")
        line = self.lab.exec_argv(host, command, terminal=terminal)
        if host not in self.lab.pids():
            raise RookeryError(f"{host} does not run", hint="`rookery up` starts what is missing.")
        return subprocess.run(line, check=False).returncode

    def _ensure_identity(self) -> None:
        identity = ensure_identity(self.lab.paths.secrets, self.design)
        write_whole(self.lab.paths.ca, identity["ca.crt"].encode())

    def _start(self, name: str, report: Report) -> None:
        """Start a server; one that runs is brought to what the design says now."""
        design, host, identity = self.design, self.design.host(name), self.lab.identity
        pid = self.lab.pids().get(name)
        if pid is None:
            self.lab.power_on(name, report)
            return
        refresh_server(
            design,
            host,
            self.lab.paths.server(name),
            identity=identity,
            pid=pid,
            execute=lambda argv: self.execute(name, argv),
            report=report,
        )

    def _power_on(self, name: str, report: Report) -> None:
        """Start a server with all that ran on it; what waits for storage does not start by itself."""
        self._start(name, report)
        self._start_gateways(report, only=name)
        self.applications.resume(name, report)

    def _start_gateways(self, report: Report, *, only: str = "") -> None:
        """Hand the gateways their keys, start them, and wait until each answers; `only` those of one host."""
        every = self.design.with_daemon(DaemonKind.RGW)
        gateways = [(host, daemon) for host, daemon in every if only in ("", host.name)]
        if not gateways:
            return
        users = read_users(image_root(self.design.ceph))
        pids = self.lab.pids()
        for host, daemon in gateways:
            write_files(
                self.lab.paths.server(host.name).root,
                (gateway_keyring(daemon, self.lab.identity),),
                users=users,
            )
            Supervisor(pids[host.name]).start(program_name(daemon))
        store = self.design.object_store
        assert store is not None
        urls = [f"https://{host.address}:{store.port}/swift/healthcheck" for host, _ in gateways]
        self._wait_answers("the S3 gateways", urls, report)

    def _wait_frontends(self, report: Report) -> None:
        """Wait until each service answers through the load balancer, which looks at what is behind it too."""
        endpoints = self.endpoints()
        urls = [endpoint.url for endpoint in endpoints if endpoint.url.startswith("https:")]
        self._wait_answers("the services", urls, report)
        databases = [endpoint.name for endpoint in endpoints if endpoint.name.startswith("database")]
        if databases:
            wait_for(
                "the database's ports", lambda: self._databases(databases), limit=_ANSWER_LIMIT, report=report
            )

    def _databases(self, names: Sequence[str]) -> Look[bool]:
        for name in names:
            try:
                query(self.database_door("load", reads=name != "database"), "SELECT 1")
            except DatabaseError as error:
                return Look(seen=f"{name}: {error.what}")
        return Look(seen="all answer", value=True)

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

    def _credentials(self, frontend: str) -> Credentials | None:
        if frontend == "dashboard":
            return Credentials(
                user=ceph_setup.DASHBOARD_USER, password=self.lab.identity["dashboard.password"]
            )
        if frontend == "s3" and self.design.buckets:
            return self.s3_credentials(self.design.buckets[0].owner)
        if frontend.startswith("database"):
            # Where people may try things: a database of its own, not the applications'.
            return Credentials(user="load", password=self.lab.identity["database.user.load"])
        return None


def _expected(next_release: str) -> tuple[str, ...]:
    """Return the beginnings of health codes that a lab has on its way to a release."""
    return RELEASES[next_release].on_the_way if next_release else ()
