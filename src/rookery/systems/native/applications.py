"""The applications' steps on the native platform: what they make, start, and put where it belongs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from rookery.apps.table import APPS
from rookery.design.model import AppDesign
from rookery.design.stored import Share, Volume
from rookery.drivers.clients.http import Browser
from rookery.drivers.containers.supervisor import Supervisor
from rookery.drivers.machine.files import read_users, write_files
from rookery.drivers.machine.process import CommandError
from rookery.drivers.machine.waiting import Look, wait_for
from rookery.files import Program
from rookery.plan.step import Step
from rookery.projections.native.server import server_programs, share_programs
from rookery.systems.native import database, objects
from rookery.systems.native.lab import Lab
from rookery.systems.native.making import Workshop, ensure_made, look_at, made_folder, made_index
from rookery.systems.native.root import image_root
from rookery.systems.native.volumes import Volumes, is_mount_point
from rookery.systems.protocol import Pages, Report

_SHARE_LIMIT = 60.0  # seconds to mount CephFS
_WRITES_LIMIT = 120.0  # seconds; a failover takes some ten


class Applications:
    """The applications of one lab; to content of ours go `pages`."""

    def __init__(self, lab: Lab, pages: Pages) -> None:
        self._lab = lab
        self._design = lab.design
        self._pages = pages
        self.volumes = Volumes(lab)

    def attach(self, step: Step, report: Report) -> None:
        """Attach a volume to its host."""
        self.volumes.ensure(self._design.volume(step.target), report)

    def make(self, step: Step, report: Report) -> None:
        """Make the content that a program makes."""
        making = APPS[step.target].made_by(self._app(step.target))
        assert making is not None
        ensure_made(making, self._workshop(), report)

    def look(self, step: Step, report: Report) -> None:
        """Look at what the user brings for an application; raises InputError for what cannot be published."""
        making = APPS[step.target].made_by(self._app(step.target))
        assert making is not None
        look_at(making, self._workshop(), report)

    def start(self, step: Step, report: Report) -> None:
        """Mount the application's shares, then start what waited for its storage."""
        app = self._app(step.target)
        for share in app.shares:
            self._share(share, share.hosts, report)
        for host, program in self._gated(app):
            self._supervisor(host).start(program.name)

    def resume(self, host: str, report: Report) -> None:
        """Bring back what a server had that was started again: volumes, shares, and what waits for either."""
        for volume in self._design.volumes:
            if volume.host == host:
                self.volumes.ensure(volume, report)
        for app in self._design.apps:
            for share in app.shares:
                if host in share.hosts:
                    self._share(share, (host,), report)
            for name, program in self._gated(app):
                if name == host:
                    self._supervisor(host).start(program.name)

    def create_databases(self, report: Report) -> None:
        identity = self._lab.identity
        self._on_primary(
            lambda host: database.create_databases(self._design, identity, self._lab.exec_argv, host), report
        )

    def put(self, step: Step, report: Report) -> None:
        """Bring the application's content into its buckets and its schema into its database."""
        app = self._app(step.target)
        self._lay_late(app)
        if app.buckets:
            identity = self._lab.identity
            objects.publish_app(
                self._design, app, identity, pages=self._pages, ca_file=self._lab.paths.ca, report=report
            )
        if app.databases and app.service is None:
            self._apply_schema(app, report)
        if app.service is not None:
            self.wait_replicas(report)

    def wait_replicas(self, report: Report) -> None:
        """Wait until every instance of the database is the primary or follows it."""
        with self._browser() as browser:
            database.wait_replicas(self._design, browser, report, self.volumes.written)

    def facts(self) -> set[str]:
        """Return the facts of the applications' steps that can be seen without doing them again."""
        found = {f"volume:{v.name}" for v in self._design.volumes if self.volumes.is_ready(v)}
        running = cache(self._running)  # each supervisor is asked once
        for app in self._design.apps:
            making = APPS[app.name].made_by(app)
            if making is not None and made_folder(making).is_dir():
                found |= {f"made:{app.name}", f"looked:{app.name}"}
            if all(program.name in running(host) for host, program in self._gated(app)):
                found.add(f"started:{app.name}")
        return found

    def _workshop(self) -> Workshop:
        lab = self._lab
        return Workshop(paths=lab.paths, runc=lab.runc, image=image_root(lab.design.ceph))

    def users_of(self, volume: Volume) -> tuple[str, ...]:
        """Return the programs of a volume's host that keep their data on it."""
        found = []
        for app in self._design.apps:
            if volume in app.volumes:
                found += [program.name for host, program in self._gated(app) if host == volume.host]
        return tuple(found)

    def unmounted(self, host: str) -> list[str]:
        """Return the shares of a host that are not mounted there."""
        return [
            f"share {share.name}"
            for app in self._design.apps
            for share in app.shares
            if host in share.hosts and not self._is_mounted(host, share.path)
        ]

    def _lay_late(self, app: AppDesign) -> None:
        """Lay what an application's instances need of secrets that the gateways chose."""
        row = APPS[app.name].on_servers
        if row is None or row.late_files is None:
            return
        users = read_users(image_root(self._design.ceph))
        files = row.late_files(self._design, self._lab.identity.table)
        for host in dict(app.placements):
            write_files(self._lab.paths.server(host).root, files, users=users)

    def _apply_schema(self, app: AppDesign, report: Report) -> None:
        row = APPS[app.name].on_servers
        if row is None or row.schema is None:
            return
        made = {name: made_index(self._app(name)) for name in app.uses}
        sql = row.schema(self._design, app, made)
        report("schema and first rows")
        name = app.databases[0].name
        self._on_primary(
            lambda host: database.run_sql(self._lab.exec_argv, host, name, sql, timeout=600), report
        )

    def _on_primary(self, act: Callable[[str], None], report: Report) -> None:
        """Do something on the primary's host that may be done again: one that was just chosen takes no writes
        yet, and one may be lost at any moment."""

        def look() -> Look[bool]:
            host = self._primary(report)
            try:
                act(host)
            except CommandError as error:
                if not database.is_no_primary(error):
                    raise
                return Look(seen=f"{host} takes no writes")
            return Look(seen=f"done on {host}", value=True)

        wait_for("a primary that takes writes", look, limit=_WRITES_LIMIT, report=report)

    def _primary(self, report: Report) -> str:
        """Return the host of the primary, once there is one."""
        with self._browser() as browser:
            return database.wait_primary(self._design, browser, report, self.volumes.written)

    def _share(self, share: Share, hosts: Sequence[str], report: Report) -> None:
        """Make a share's directory and mount it on hosts of its own."""
        system = self._design.file_system
        assert system is not None
        uid, gid = read_users(image_root(self._design.ceph))[share.owner]
        self._lab.ceph().operation(
            "cephfs-folder", file_system=system.name, path=share.directory, uid=uid, gid=gid
        )
        for host in hosts:
            self._supervisor(host).start(f"share-{share.name}")

        def look() -> Look[bool]:
            missing = [host for host in hosts if not self._is_mounted(host, share.path)]
            return Look(seen=f"not yet on {', '.join(missing)}", value=None if missing else True)

        wait_for(f"share {share.name}", look, limit=_SHARE_LIMIT, report=report)

    def _gated(self, app: AppDesign) -> list[tuple[str, Program]]:
        """Return host and program of what the application's `started` step starts."""
        shares = {f"share-{share.name}" for share in app.shares}
        found = []
        for host in self._design.servers:
            own = {instance.name for instance in host.instances if instance.app == app.name}
            names = {program.name for program in share_programs(self._design, host)} & shares | own
            programs = (p for p in server_programs(self._design, host) if p.gated and p.name in names)
            # A share goes first: what is started after it may use it.
            found += [(host.name, p) for p in sorted(programs, key=lambda p: p.priority)]
        return found

    def _running(self, host: str) -> frozenset[str]:
        """Return the names of the programs that run on a host."""
        try:
            states = self._supervisor(host).programs()
        except (OSError, KeyError):
            return frozenset()
        return frozenset(state.name for state in states if state.state == "RUNNING")

    def _is_mounted(self, host: str, path: str) -> bool:
        return is_mount_point(Path(f"/proc/{self._pid(host)}/root{path}"))

    def _supervisor(self, host: str) -> Supervisor:
        return Supervisor(self._pid(host))

    def _pid(self, host: str) -> int:
        return self._lab.pids()[host]

    def _app(self, name: str) -> AppDesign:
        return next(app for app in self._design.apps if app.name == name)

    def _browser(self) -> Browser:
        return Browser(str(self._lab.paths.ca))
