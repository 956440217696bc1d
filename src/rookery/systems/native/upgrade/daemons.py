"""Ceph's daemons moved to the next release: each kind in its own way, none before what must be well is.

Every function may run again where it was killed: what has moved is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

from rookery.design.model import Daemon, DaemonKind, Design, Host
from rookery.drivers.ceph.health import health_of
from rookery.drivers.ceph.session import CephError, CephSession
from rookery.drivers.clients.http import Browser
from rookery.drivers.machine.waiting import Look, wait_for
from rookery.systems.native import ceph_setup
from rookery.systems.native.lab import Lab
from rookery.systems.native.upgrade.moves import Moves
from rookery.systems.protocol import Report

_DAEMON_LIMIT = 60.0  # seconds without anything new
_CLEAN_LIMIT = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemons:
    """The daemons of one lab on their way."""

    lab: Lab
    moves: Moves

    @property
    def _design(self) -> Design:
        return self.lab.design

    @property
    def _ceph(self) -> CephSession:
        return self.lab.ceph()

    def have_moved(self, kind: DaemonKind, host: str = "") -> bool:
        """Tell whether all daemons of a kind have, those of a host or of all."""
        return not self._left(kind, host)

    def move_monitors(self, report: Report) -> None:
        """One after the other: two of three keep the quorum."""
        for host, daemon in self._left(DaemonKind.MON):
            ceph_setup.wait_quorum(self._ceph, self._design, report)
            report(daemon.name)
            self.moves.move(host.name, daemon.name)
            self._wait_running(host, [daemon], report)
        ceph_setup.wait_quorum(self._ceph, self._design, report)

    def move_managers(self, report: Report) -> None:
        """Those that stand by first, so that the active one hands over to one of the new release."""
        left = self._left(DaemonKind.MGR)
        active = self._ceph.mon("mgr dump")["active_name"] if left else ""
        for host, daemon in sorted(left, key=lambda one: one[1].id == active):
            report(daemon.name)
            self.moves.move(host.name, daemon.name)
            self._wait_running(host, [daemon], report)
            self._wait_managers(report)

    def move_osds(self, host: Host, report: Report) -> None:
        """All of a host at once, as losing the host would take them; what they missed is copied before the
        next host's turn. Nothing is moved elsewhere meanwhile."""
        left = [daemon for one, daemon in self._left(DaemonKind.OSD, host.name) if one is host]
        self._wait_clean(report)
        if not left:
            return
        ids = [daemon.id for daemon in left]
        self._wait_may_stop(ids, report)
        self._ceph.mon("osd set-group", flags="noout", who=[host.name])
        try:
            report(", ".join(daemon.name for daemon in left))
            self.moves.move(host.name, *(daemon.name for daemon in left))
            self._wait_running(host, left, report)
            self._wait_osds(ids, report)
        finally:
            self._ceph.mon("osd unset-group", flags="noout", who=[host.name])
        self._wait_clean(report)

    def move_metadata_servers(self, report: Report) -> None:
        """Those that stand by first; then the active one, of which there is one now, is succeeded by one of
        the new release."""
        left = self._left(DaemonKind.MDS)
        active = self._active_mds() if left else frozenset()
        for host, daemon in sorted(left, key=lambda one: one[1].id in active):
            report(daemon.name)
            self.moves.move(host.name, daemon.name)
            self._wait_running(host, [daemon], report)
            self._wait_file_system(report)

    def move_gateways(self, report: Report) -> None:
        """One after the other, each once the one before serves again."""
        store = self._design.object_store
        assert store is not None
        with Browser(str(self.lab.paths.ca)) as browser:
            for host, daemon in self._left(DaemonKind.RGW):
                report(daemon.name)
                self.moves.move(host.name, daemon.name)
                url = f"https://{host.address}:{store.port}/swift/healthcheck"

                def look(url: str = url) -> Look[bool]:
                    answer = browser.get(url)
                    return Look(seen=f"{answer.status or answer.error}", value=answer.status == 200 or None)

                wait_for(f"{daemon.name} to serve", look, limit=_DAEMON_LIMIT, report=report)

    def _left(self, kind: DaemonKind, host: str = "") -> list[tuple[Host, Daemon]]:
        moved = cache(self.moves.moved)  # each server is asked once
        return [
            (one, daemon)
            for one, daemon in self._design.with_daemon(kind)
            if host in ("", one.name) and daemon.name not in moved(one.name)
        ]

    def _wait_running(self, host: Host, daemons: Iterable[Daemon], report: Report) -> None:
        names = {daemon.name for daemon in daemons}

        def look() -> Look[bool]:
            missing = sorted(names - self.moves.moved(host.name))
            return Look(seen=f"{', '.join(missing)} not yet", value=None if missing else True)

        wait_for(f"programs of {host.name}", look, limit=_DAEMON_LIMIT, report=report)

    def _wait_managers(self, report: Report) -> None:
        wanted = {daemon.id for _, daemon in self._design.with_daemon(DaemonKind.MGR)}

        def look() -> Look[bool]:
            told = self._ceph.mon("mgr dump")
            there = {told["active_name"], *(one["name"] for one in told["standbys"])}
            done = told["available"] and wanted <= there
            return Look(seen=f"{', '.join(sorted(there - {''}))} there", value=done or None)

        wait_for("the managers", look, limit=_DAEMON_LIMIT, report=report)

    def _wait_may_stop(self, ids: list[str], report: Report) -> None:
        """Wait until no PG would stop for want of these OSDs, as Ceph itself judges."""

        def look() -> Look[bool]:
            try:
                self._ceph.mgr("osd ok-to-stop", ids=ids)
            except CephError as error:
                return Look(seen=error.status)
            return Look(seen="they may stop", value=True)

        wait_for("that OSDs may stop", look, limit=_CLEAN_LIMIT, report=report)

    def _wait_osds(self, ids: list[str], report: Report) -> None:
        def look() -> Look[bool]:
            up = {str(osd["osd"]) for osd in self._ceph.mon("osd dump")["osds"] if osd["up"]}
            missing = [f"osd.{one}" for one in ids if one not in up]
            return Look(seen=f"{', '.join(missing)} not up", value=None if missing else True)

        wait_for("the OSDs to be up", look, limit=_DAEMON_LIMIT, report=report)

    def _wait_clean(self, report: Report) -> None:
        """Wait until every PG is active+clean, and the managers have said so twice."""

        def look() -> ceph_setup.Reported:
            _, clean, total = health_of(self._ceph.mon("status"))
            seen = f"{clean} of {total} active+clean"
            return ceph_setup.Reported(seen=seen, counts=clean == total, holds=True)

        ceph_setup.wait_reported(self._ceph, "the PGs", look, limit=_CLEAN_LIMIT, report=report)

    def _active_mds(self) -> frozenset[str]:
        assert self._design.file_system is not None
        told = self._ceph.mon("fs get", fs_name=self._design.file_system.name)
        info = told["mdsmap"]["info"].values()
        return frozenset(mds["name"] for mds in info if mds["state"] != "up:standby-replay")

    def _wait_file_system(self, report: Report) -> None:
        system = self._design.file_system
        assert system is not None
        one = replace(system, active_mds=1)
        ceph_setup.wait_mds(self._ceph, one, len(self._design.with_daemon(DaemonKind.MDS)), report)
