"""What there is before a loss, counted once, and what is left after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from rookery.design.capacity import host_raw
from rookery.design.model import Daemon, DaemonKind, Design, Drive, Host, Instance, Role
from rookery.design.survival.loss import Loss

# Ceph marks no more OSDs out by itself while fewer than this part of all is in (mon_osd_min_in_ratio).
_LEAST_IN = 0.75
# OSDs of so many hosts must miss one before the monitors take it for lost (mon_osd_min_down_reporters and
# mon_osd_reporter_subtree_level); without them they wait for 15 minutes (mon_osd_report_timeout).
REPORTERS = 2


class Whole:
    """How much of everything a design has."""

    def __init__(self, design: Design) -> None:
        self.design = design
        self.device_class = design.pools[0].device_class  # all pools of a design use the same
        self.hosts = {host.name: host for host in design.hosts}
        self.there = Count(self.device_class)
        self.there.add(design.hosts)
        self.electing: dict[str, Instance] = {
            one.name: one for app in design.apps for _, one in app.placements if one.elects
        }

    def has(self, drive: Drive) -> bool:
        """Whether the pools are on such drives."""
        return self.device_class in ("", drive.device_class)


class Count:
    """How many there are of everything, or how many are gone: hosts by their raw bytes, daemons by their
    kind, instances by their name, hosts by their role, OSDs."""

    def __init__(self, device_class: str) -> None:
        self._device_class = device_class
        self.weights: Counter[int] = Counter()
        self.daemons: Counter[DaemonKind] = Counter()
        self.instances: Counter[str] = Counter()
        self.roles: Counter[Role] = Counter()

    def add(self, hosts: Iterable[Host]) -> None:
        for host in hosts:
            self.weights.update([raw] if (raw := host_raw(host, self._device_class)) else [])
            self.daemons.update(daemon.kind for daemon in host.daemons)
            self.instances.update(instance.name for instance in host.instances)
            self.roles.update(host.roles)


class Left:
    """What a loss takes (`gone`, and of it what goes `with_hosts`), and what it leaves.

    Of the hosts with drives that pools use, `lost_hosts` are gone whole, `hit` have lost at least a drive,
    on `silent` of them at least one OSD does not run, on `mute` none does. `out` counts OSDs whose drives are
    gone, `weights` the raw bytes of the hosts that are left. `bare` are lost hosts without such drives.
    """

    def __init__(self, whole: Whole, loss: Loss) -> None:
        self.whole = whole
        self.gone = Count(whole.device_class)
        hosts = [whole.hosts[name] for name in dict.fromkeys(loss.hosts)]
        self.gone.add(hosts)
        self.with_hosts = Count(whole.device_class)
        self.with_hosts.add(hosts)
        self.bare = tuple(host for host in hosts if not host_raw(host, whole.device_class))
        self.lost_hosts = len(hosts) - len(self.bare)
        self.hit = self.lost_hosts
        self.silent = self.lost_hosts
        self.mute = self.lost_hosts
        self.out = self.gone.daemons[DaemonKind.OSD]
        self.weights = whole.there.weights - self.gone.weights
        for name in dict.fromkeys(host for host, _ in (*loss.drives, *loss.daemons)):
            if name not in loss.hosts:
                self._part(whole.hosts[name], loss)

    def _part(self, host: Host, loss: Loss) -> None:
        """Take drives and programs out of a host that stays."""
        drives = {drive for name, drive in loss.drives if name == host.name}
        programs = {program for name, program in loss.daemons if name == host.name}
        used = {drive.name: drive for drive in host.drives if self.whole.has(drive)}
        ended = [one for one in host.daemons if one.name in programs or (one.drive and one.drive in drives)]
        self.gone.daemons.update(daemon.kind for daemon in ended)
        self.gone.instances.update(one.name for one in host.instances if one.name in programs)
        self.out += sum(daemon.drive in drives for daemon in ended if daemon.drive)
        if drives & used.keys():
            raw = host_raw(host, self.whole.device_class)
            left = raw - sum(used[name].size for name in drives & used.keys())
            self.weights = self.weights - Counter([raw]) + Counter([left] if left else [])
            self.hit += 1
        self.silent += any(daemon.drive in used for daemon in ended)
        self.mute += self._is_mute(host, ended)

    @staticmethod
    def _is_mute(host: Host, ended: Iterable[Daemon]) -> bool:
        """Whether none of the host's OSDs is left to report others."""
        osds = {daemon.name for daemon in host.daemons_of(DaemonKind.OSD)}
        return bool(osds) and osds <= {daemon.name for daemon in ended}

    def daemons(self, kind: DaemonKind) -> int:
        return self.whole.there.daemons[kind] - self.gone.daemons[kind]

    def instances(self, name: str) -> int:
        return self.whole.there.instances[name] - self.gone.instances[name]

    def hosts(self, role: Role) -> int:
        return self.whole.there.roles[role] - self.gone.roles[role]

    @property
    def has_quorum(self) -> bool:
        """Whether a majority of the monitors is left: without it no change of the cluster is agreed on."""
        return 2 * self.daemons(DaemonKind.MON) > self.whole.there.daemons[DaemonKind.MON]

    @property
    def is_noticed(self) -> bool:
        """Whether lost OSDs are taken for lost within seconds.

        A program that ended is: its port refuses. Of a host that is gone, others have to say so.
        """
        return not self.lost_hosts or self.whole.there.weights.total() - self.mute >= REPORTERS

    @property
    def is_marked_out(self) -> bool:
        """Whether Ceph itself gives up all OSDs whose drives are lost, so that others take their data."""
        total = self.whole.there.daemons[DaemonKind.OSD]
        return not self.out or (total - self.out + 1) / total >= _LEAST_IN

    @property
    def changes_are_made(self) -> bool:
        """Whether whoever moves or changes what runs is there: on Kubernetes its API, by a majority."""
        left, total = self.hosts(Role.CONTROL_PLANE), self.whole.there.roles[Role.CONTROL_PLANE]
        return left >= 1 if self.whole.design.platform == "native" else 2 * left > total
