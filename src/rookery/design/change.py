"""What differs between two designs of one system, and what of it a running system can become.

Each difference is said in the words of the spec's reader. One that a running system cannot take carries the
reason; without any such reason, `up` applies the others in place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rookery.design.model import AppDesign, DaemonKind, Design, Drive, Host, Role
from rookery.design.stored import Pool
from rookery.units import GB, format_size

Obstacle = Callable[[AppDesign, AppDesign], str]
"""Say why one application cannot change so while it runs; empty where it can."""

Obstacles = Mapping[str, Obstacle]

_NO_WAY_BACK = "monitors and OSDs of an older release do not read what a newer one has written"
_AWAY_FIRST = "what it holds would have to move away first; take the system down and bring it up anew"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference. `obstacle` says why a running system cannot take it, empty where it can.

    `subject` is what changes (`storage-o`, `pool block`), `what` how.
    """

    subject: str
    what: str
    obstacle: str = ""

    def __str__(self) -> str:
        return f"{self.subject}: {self.what}"


def changes(before: Design, after: Design, obstacles: Obstacles) -> tuple[Change, ...]:
    """Return what differs, from the whole to its parts; a description is no difference.

    `obstacles` has each application's own word on changes of it.
    """
    return (
        *_whole(before, after),
        *_hosts(before, after),
        *_pools(before, after),
        *_services(before, after),
        *_apps(before, after, obstacles),
    )


def _whole(before: Design, after: Design) -> Iterator[Change]:
    for name in ("name", "provider", "platform", "distribution"):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield Change(subject=name, what=f"{old} becomes {new}", obstacle="that is another system")
    if before.ceph != after.ceph:
        back = int(after.ceph) < int(before.ceph)
        yield Change(
            subject="ceph",
            what=f"{before.ceph} becomes {after.ceph}",
            obstacle=_NO_WAY_BACK if back else "",
        )
    network_obstacle = "every server's address and keys depend on it"
    for name in ("public", "cluster", "mtu", "encryption"):
        old, new = getattr(before.network, name), getattr(after.network, name)
        if old != new:
            yield Change(
                subject=f"network.{name}",
                what=f"{old or 'none'} becomes {new or 'none'}",
                obstacle=network_obstacle,
            )


def _hosts(before: Design, after: Design) -> Iterator[Change]:
    old = {host.name: host for host in before.hosts}
    new = {host.name: host for host in after.hosts}
    for name in old:
        if name not in new:
            yield Change(subject=name, what="goes", obstacle=_AWAY_FIRST)
    for name, host in new.items():
        if name not in old:
            yield Change(subject=name, what=f"new, {_machine(host)}")
        else:
            yield from _host(old[name], host)


def _machine(host: Host) -> str:
    if Role.LOAD_BALANCER in host.roles:
        return "a load balancer"
    drives = Counter(format_size(drive.size) for drive in host.drives)
    attached = (f"{size} drive" if n == 1 else f"{n} drives of {size}" for size, n in drives.items())
    return ", ".join((f"{host.cpus} CPU", format_size(host.memory), *attached))


def _host(before: Host, after: Host) -> Iterator[Change]:
    name = before.name
    sizes = (
        ("CPUs", str(before.cpus), str(after.cpus)),
        ("memory", format_size(before.memory), format_size(after.memory)),
        ("disk", format_size(before.disk), format_size(after.disk)),
        ("roles", ", ".join(before.roles), ", ".join(after.roles)),
    )
    for what, old, new in sizes:
        if old != new:
            yield Change(
                subject=name,
                what=f"{what} {old} becomes {new}",
                obstacle="a server's size and roles are set when it starts",
            )
    yield from _drives(name, before.drives, after.drives)
    yield from _daemons(before, after)
    yield from _instances(before, after)


def _drives(host: str, before: tuple[Drive, ...], after: tuple[Drive, ...]) -> Iterator[Change]:
    old, new = ({drive.name: drive for drive in drives} for drives in (before, after))
    for name in sorted(old.keys() | new.keys(), key=lambda name: (len(name), name)):
        if name not in old:
            drive = new[name]
            what = f"{name} new, {format_size(drive.size)} {drive.device_class}"
            yield Change(subject=host, what=what)
        elif name not in new:
            yield Change(subject=host, what=f"{name} goes", obstacle=_AWAY_FIRST)
        elif old[name] != new[name]:
            what = (
                f"{name} {format_size(old[name].size)} {old[name].device_class} becomes"
                f" {format_size(new[name].size)} {new[name].device_class}"
            )
            why = "an OSD keeps the drive that it was made with; add drives behind those there are"
            yield Change(subject=host, what=what, obstacle=why)


def _daemons(before: Host, after: Host) -> Iterator[Change]:
    old = {daemon.name: daemon for daemon in before.daemons}
    new = {daemon.name: daemon for daemon in after.daemons}
    drives = {drive.name for drive in before.drives} & {drive.name for drive in after.drives}
    fixed = {
        DaemonKind.MON: "the monitors' map is made when the cluster is",
        DaemonKind.OSD: "an OSD keeps its number",
    }
    for name, daemon in {**old, **new}.items():
        if (name in old) == (name in new):
            continue
        if daemon.kind is DaemonKind.OSD and daemon.drive not in drives:
            continue  # its drive comes or goes, and that is said of the drive
        why = fixed.get(daemon.kind, "")
        what = f"{name} {'new' if name in new else 'goes'}"
        yield Change(subject=after.name, what=what, obstacle=why)


def _instances(before: Host, after: Host) -> Iterator[Change]:
    old = Counter(instance.name for instance in before.instances)
    new = Counter(instance.name for instance in after.instances)
    for name in (new - old).elements():
        yield Change(subject=after.name, what=f"{name} new")
    for name in (old - new).elements():
        yield Change(subject=after.name, what=f"{name} goes")


def _pools(before: Design, after: Design) -> Iterator[Change]:
    old = {pool.name: pool for pool in before.pools}
    new = {pool.name: pool for pool in after.pools}
    for name in sorted(old.keys() - new.keys()):
        yield Change(subject=f"pool {name}", what="goes", obstacle="its data would go with it")
    for name, pool in new.items():
        if name not in old:
            yield Change(subject=f"pool {name}", what=f"new, {_scheme(pool)}")
            continue
        if old[name].pg_num != pool.pg_num:
            what = f"pg_num {old[name].pg_num} becomes {pool.pg_num}"
            yield Change(subject=f"pool {name}", what=what)
        if replace(old[name], pg_num=0, share=0) != replace(pool, pg_num=0, share=0):
            what = f"{_scheme(old[name])} becomes {_scheme(pool)}"
            why = "what is stored would have to be written anew"
            yield Change(subject=f"pool {name}", what=what, obstacle=why)


def _scheme(pool: Pool) -> str:
    code = pool.erasure_code
    scheme = f"{pool.size} copies" if code is None else f"k={code.k} m={code.m}"
    return f"{scheme} on {pool.device_class}" if pool.device_class else scheme


def _services(before: Design, after: Design) -> Iterator[Change]:
    pairs = (
        ("file storage", before.file_system, after.file_system),
        ("object storage", before.object_store, after.object_store),
        ("the dashboard", before.dashboard or None, after.dashboard or None),
    )
    for subject, old, new in pairs:
        if old is None and new is not None:
            yield Change(subject=subject, what="is turned on")
        if old is not None and new is None:
            yield Change(subject=subject, what="is turned off", obstacle="its data and settings would stay")
    old_system, new_system = before.file_system, after.file_system
    if old_system and new_system and old_system.active_mds != new_system.active_mds:
        what = f"{old_system.active_mds} active MDS become {new_system.active_mds}"
        yield Change(subject="file storage", what=what)


def _apps(before: Design, after: Design, obstacles: Obstacles) -> Iterator[Change]:
    old = {app.name: app for app in before.apps}
    new = {app.name: app for app in after.apps}
    for name in sorted(old.keys() - new.keys()):
        yield _gone(old[name], after)
    for name, app in new.items():
        if name not in old:
            yield Change(subject=_path(app), what="new")
        else:
            yield from _app(old[name], app, obstacles.get(name, _none))


def _path(app: AppDesign) -> str:
    """Return where the spec has it: what backs the others up stands beside them."""
    return app.name if app.keeping is not None else f"apps.{app.name}"


def _gone(app: AppDesign, after: Design) -> Change:
    if app.keeping is None:
        return Change(subject=_path(app), what="goes", obstacle="its data would stay behind")
    if after.platform == "kubernetes":
        return Change(
            subject=_path(app), what="goes", obstacle="operators in the cluster would go on with it"
        )
    what = f"goes; what is in bucket {app.keeping.bucket} stays, and can be restored once backup is back"
    return Change(subject=_path(app), what=what)


def _none(_before: AppDesign, _after: AppDesign) -> str:
    return ""


def _app(before: AppDesign, after: AppDesign, obstacle: Obstacle) -> Iterator[Change]:
    subject = _path(after)
    old, new = (app.settings.model_dump() for app in (before, after))
    why = obstacle(before, after)
    differing = list(_settings(subject, old, new))
    for path, what in differing:
        yield Change(subject=path, what=what, obstacle=why)
    if why and not differing:
        yield Change(subject=subject, what="is placed otherwise", obstacle=why)
    sizes = {volume.name: volume.size for volume in before.volumes}
    for volume in after.volumes:
        if volume.size < sizes.get(volume.name, 0):
            what = f"volume {volume.name} becomes smaller"
            yield Change(subject=subject, what=what, obstacle="a file system in use cannot shrink")
    for name in sorted(sizes.keys() - {volume.name for volume in after.volumes}):
        yield Change(subject=subject, what=f"volume {name} goes", obstacle="its data would go with it")


def _settings(path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the path of each setting that differs, and how; a list of what has names is looked at by them."""
    for key in {**old, **new}:
        place, was, now = f"{path}.{key}", _by_name(old.get(key)), _by_name(new.get(key))
        if was == now:
            continue
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            yield from _settings(place, was, now)
        elif isinstance(old.get(key), Mapping) or isinstance(new.get(key), Mapping):
            yield place, "new" if key in new else "goes"
        else:
            yield place, f"{_said(was, place)} becomes {_said(now, place)}"


def _by_name(value: object) -> object:
    if isinstance(value, tuple) and all(isinstance(one, Mapping) and "name" in one for one in value):
        return {one["name"]: one for one in value}
    return value


def _said(value: object, path: str) -> str:
    if value is None:
        # Applications choose what nobody says; of backups, what is not said is not.
        return "by itself" if path.startswith("apps.") else "none"
    if isinstance(value, tuple | Mapping):
        return ", ".join(map(str, value)) or "none"
    return format_size(value) if isinstance(value, int) and value >= GB // 1000 else str(value)
