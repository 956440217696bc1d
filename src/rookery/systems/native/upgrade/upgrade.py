"""The upgrade of one lab, as steps: what has moved is told by looking at what runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from rookery.design.model import DaemonKind, Design
from rookery.drivers.ceph.session import CephSession
from rookery.plan.step import Observation, Step
from rookery.plan.upgrade import plan_upgrade
from rookery.releases import RELEASES
from rookery.systems.native.applications import Applications
from rookery.systems.native.lab import Lab
from rookery.systems.native.root import ensure_image, image_root
from rookery.systems.native.upgrade.clients import Clients
from rookery.systems.native.upgrade.daemons import Daemons
from rookery.systems.native.upgrade.keys import Keys
from rookery.systems.native.upgrade.moves import Moves
from rookery.systems.protocol import Report, System

_NOTICES = (
    """Ceph {old} becomes Ceph {new}, daemon by daemon, while everything serves: monitors, managers, OSDs \
host by host, metadata servers; then new keys for all, gateways, and who uses Ceph; old keys end last.""",
    """No acknowledged write is lost. A request that meets a daemon as it is started again waits, or is made \
again by its client; the database's writes pause while its primary hands over.""",
    """There is no way back once the first OSD has moved: what one of Ceph {new} writes, one of Ceph {old} \
damages; once all monitors have, none of Ceph {old} joins. Old programs cannot read new keys.""",
    "Clients of your own making get new keys, too: `ceph auth get NAME` has them before the old ones end.",
    "Interrupted anywhere, the system serves with what has moved, and the same command goes on.",
)


def design_before(design: Design, running: str) -> Design:
    """Return what a lab is brought up as before it moves: of its old release, one metadata server active.

    One of the new release does not take over a rank while one of the old has another: the file system would
    stay degraded. The other ranks come back with the design itself.
    """
    system = design.file_system
    one = None if system is None else replace(system, active_mds=1)
    return replace(design, ceph=running, file_system=one)


@dataclass(frozen=True, kw_only=True)
class NativeUpgrade:
    """A lab on its way from one release of Ceph to the next.

    `before` is the lab by its old release: it is brought up first, so that nothing is upgraded that is not
    well.
    """

    before: System
    lab: Lab
    applications: Applications

    @property
    def design(self) -> Design:
        return self.lab.design

    @property
    def notices(self) -> tuple[str, ...]:
        """What whoever starts this is to know before."""
        old, new = self.before.design.ceph, self.design.ceph
        return tuple(line.format(old=old, new=new) for line in _NOTICES)

    def steps(self) -> tuple[Step, ...]:
        return plan_upgrade(self.design)

    def observe(self) -> Observation:
        """Return the facts that hold; what is a matter of moments is none of them."""
        return Observation(facts=frozenset(self._facts()))

    def apply(self, step: Step, report: Report) -> None:
        self._actions[step.id.rpartition(":")[0] if step.target else step.id](step, report)

    @cached_property
    def _actions(self) -> dict[str, Callable[[Step, Report], object]]:
        daemons, clients, keys = self._daemons, self._clients, self._keys
        return {
            "image": lambda _, report: ensure_image(self.design.ceph, report),
            "offered": lambda _, __: self._offer(),
            "moved:mon": lambda _, report: daemons.move_monitors(report),
            "tickets": lambda _, __: keys.shorten_tickets(),
            "moved:mgr": lambda _, report: daemons.move_managers(report),
            "moved:osd": lambda step, report: daemons.move_osds(self.design.host(step.target), report),
            "required": lambda _, __: self._require(),
            "moved:mds": lambda _, report: daemons.move_metadata_servers(report),
            "moved:rgw": lambda _, report: daemons.move_gateways(report),
            "commands": lambda _, __: clients.move_commands(),
            "rotated": lambda _, report: keys.rotate(report),
            "moved:clients": lambda _, report: clients.move(report),
            "moved:volume": lambda step, report: clients.move_volume(self.design.volume(step.target), report),
            "narrowed": lambda _, __: keys.narrow(),
            "settled": lambda _, report: keys.settle(report),
        }

    @cached_property
    def _moves(self) -> Moves:
        return Moves(self.lab, image_root(self.design.ceph))

    @cached_property
    def _daemons(self) -> Daemons:
        return Daemons(lab=self.lab, moves=self._moves)

    @cached_property
    def _clients(self) -> Clients:
        return Clients(lab=self.lab, moves=self._moves, applications=self.applications)

    @cached_property
    def _keys(self) -> Keys:
        return Keys(lab=self.lab, moves=self._moves)

    @property
    def _ceph(self) -> CephSession:
        return self.lab.ceph()

    def _facts(self) -> Iterator[str]:
        if image_root(self.design.ceph).is_dir():
            yield "image"
        if all(self._moves.is_offered(host.name) for host in self.design.servers):
            yield "offered"
        yield from self._daemon_facts()
        if self._clients.have_commands_moved():
            yield "commands"
        if self._clients.have_moved():
            yield "moved:clients"
        for volume in self.design.volumes:
            if self._clients.has_volume_moved(volume):
                yield f"moved:volume:{volume.name}"
        yield from self._cluster_facts()

    def _daemon_facts(self) -> Iterator[str]:
        for kind in (DaemonKind.MON, DaemonKind.MGR, DaemonKind.MDS, DaemonKind.RGW):
            if self._daemons.have_moved(kind):
                yield f"moved:{kind}"
        for host in self.design.hosts:
            if host.daemons_of(DaemonKind.OSD) and self._daemons.have_moved(DaemonKind.OSD, host.name):
                yield f"moved:osd:{host.name}"

    def _cluster_facts(self) -> Iterator[str]:
        ceph = self.lab.ceph_or_none()
        if ceph is None:
            return
        if ceph.mon("osd dump")["require_osd_release"] == self._codename:
            yield "required"
        yield from self._keys.facts()

    @property
    def _codename(self) -> str:
        return RELEASES[self.design.ceph].code_name

    def _offer(self) -> None:
        for host in self.design.servers:
            self._moves.offer(host.name)

    def _require(self) -> None:
        """From here on no OSD of the old release may join; Ceph refuses it where one is up."""
        self._ceph.mon("osd require-osd-release", release=self._codename)
