"""A running lab held against its design, thing by thing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rookery.design.model import DaemonKind, Design, Host
from rookery.drivers.ceph.session import CephError, CephSession
from rookery.drivers.machine import network
from rookery.projections.native.server import server_programs
from rookery.releases import RELEASES
from rookery.systems.lab.networks import host_cables
from rookery.systems.lab.paths import LabPaths
from rookery.systems.native.ceph_setup import designed_classes
from rookery.systems.native.identity import Identity, cephx_entities
from rookery.systems.native.lab import Lab
from rookery.systems.native.looks import Seen, look_at
from rookery.systems.native.servers import server_files
from rookery.systems.protocol import Deviation, DeviationKind

_MISSING, _EXTRA, _DIFFERENT = DeviationKind.MISSING, DeviationKind.EXTRA, DeviationKind.DIFFERENT
# What belongs to a lab and is no server: the storage daemons of volumes, the load's generator, the way out.
_OTHER_CONTAINERS = ("volume", "load", "way-out")


def find_drift(lab: Lab) -> tuple[Deviation, ...]:
    """Return what is missing, extra or different, servers first, then the cluster."""
    found = [*_servers(lab), *_databases(lab)]
    ceph = lab.ceph_or_none()
    if ceph is None:
        return (*found, Deviation(kind=_MISSING, subject="cluster", what="no monitor answers"))
    return (*found, *_cluster(lab.design, ceph))


def _servers(lab: Lab) -> Iterator[Deviation]:
    design, paths, identity = lab.design, lab.paths, lab.identity
    pids = lab.runc.running()
    up = {host: pid for host in design.hosts if (pid := pids.get(paths.container(host.name))) is not None}
    seen = look_at(up)
    for host in design.hosts:
        if host not in up:
            yield Deviation(kind=_MISSING, subject=host.name, what="does not run")
            continue
        pid = up[host]
        yield from _cables(design, host, paths)
        yield from _programs(design, host, seen[host.name])
        yield from _drives(host, pid)
        yield from _files(design, host, identity, paths.server(host.name).root)
    designed = {paths.container(host.name) for host in design.hosts}
    for container in sorted(pids.keys() - designed):
        name = container.removeprefix(f"{design.name}.")
        if name.partition(".")[0] not in _OTHER_CONTAINERS:
            yield Deviation(kind=_EXTRA, subject=name, what="runs")


def _cables(design: Design, host: Host, paths: LabPaths) -> Iterator[Deviation]:
    for cable in host_cables(design, paths, host):
        if not (network.is_plugged(cable.outside, cable.bridge) and network.is_on(cable.outside)):
            yield Deviation(kind=_MISSING, subject=host.name, item=cable.inside, what="its cable is out")


def _programs(design: Design, host: Host, seen: Seen) -> Iterator[Deviation]:
    if seen.trouble:
        yield Deviation(kind=_DIFFERENT, subject=host.name, what=seen.trouble)
        if not seen.programs:
            return
    states = {state.name: state for state in seen.programs}
    designed = {program.name for program in server_programs(design, host)}
    for name in sorted(designed):
        if name not in states:
            yield Deviation(kind=_MISSING, subject=host.name, item=name, what="its supervisor lacks it")
        elif states[name].state != "RUNNING":
            said = f"{states[name].state.lower()}: {states[name].description}"
            yield Deviation(kind=_MISSING, subject=host.name, item=name, what=said)
    for name in sorted(states.keys() - designed):
        yield Deviation(kind=_EXTRA, subject=host.name, item=name, what=states[name].state.lower())


def _databases(lab: Lab) -> Iterator[Deviation]:
    """An instance whose program runs may follow nobody."""
    if lab.design.database is None:
        return
    seen = {member.name: member for member in lab.members()}
    for name, _ in lab.design.database.instances:
        if name not in seen:
            yield Deviation(kind=_MISSING, subject=name, item="postgres", what="no instance tells of it")
        elif trouble := seen[name].trouble:
            yield Deviation(kind=_DIFFERENT, subject=name, item="postgres", what=trouble)


def _drives(host: Host, pid: int) -> Iterator[Deviation]:
    dev = Path(f"/proc/{pid}/root/dev")
    there = {path.name: path.stat().st_size for path in dev.glob("vd*") if path.is_file()}
    for drive in host.drives:
        size = there.pop(drive.name, 0)
        if not size:
            yield Deviation(kind=_MISSING, subject=host.name, item=drive.name, what="not attached")
        elif size != drive.size:
            what = f"{size} bytes instead of {drive.size}"
            yield Deviation(kind=_DIFFERENT, subject=host.name, item=drive.name, what=what)
    for name in sorted(there):
        yield Deviation(kind=_EXTRA, subject=host.name, item=name, what="a drive that is not designed")


def _files(design: Design, host: Host, identity: Identity, root: Path) -> Iterator[Deviation]:
    for file in server_files(design, host, identity):
        path = root / file.path
        if not path.exists():
            yield Deviation(kind=_MISSING, subject=host.name, item=f"/{file.path}", what="not there")
        elif path.read_bytes() != file.content:
            yield Deviation(kind=_DIFFERENT, subject=host.name, item=f"/{file.path}", what="changed by hand")


def _cluster(design: Design, ceph: CephSession) -> Iterator[Deviation]:
    yield from _versions(design, ceph.mon("versions"))
    yield from _monitors(design, ceph)
    yield from _osds(design, ceph)
    yield from _pools(design, ceph)
    yield from _file_system(design, ceph)
    known = {entry["entity"] for entry in ceph.mon("auth ls")["auth_dump"]}
    for entity in cephx_entities(design):
        if entity not in known and entity != "mon.":
            yield Deviation(kind=_MISSING, subject="cluster", item=entity, what="no such cephx user")


def _versions(design: Design, told: dict[str, dict[str, int]]) -> Iterator[Deviation]:
    """What runs by another release, as in the middle of an upgrade; `told` is what `ceph versions` says."""
    line = RELEASES[design.ceph].line
    for kind, texts in told.items():
        others = {text.split()[2]: count for text, count in texts.items() if kind != "overall"}
        for version, count in others.items():
            if not version.startswith(f"{line}."):
                what = f"{count} {kind} daemons run {version} instead of {line}"
                yield Deviation(kind=_DIFFERENT, subject="cluster", item="Ceph", what=what)


def _monitors(design: Design, ceph: CephSession) -> Iterator[Deviation]:
    status = ceph.mon("quorum_status")
    inside = set(status["quorum_names"])
    mapped = {mon["name"] for mon in status["monmap"]["mons"]}
    designed = {daemon.id: host.name for host, daemon in design.with_daemon(DaemonKind.MON)}
    for name, host in designed.items():
        if name not in inside:
            yield Deviation(kind=_MISSING, subject=host, item=f"mon.{name}", what="not in the quorum")
    for name in sorted(mapped - designed.keys()):
        yield Deviation(kind=_EXTRA, subject="cluster", item=f"mon.{name}", what="in the monitors' map")


def _osds(design: Design, ceph: CephSession) -> Iterator[Deviation]:
    there = {f"osd.{osd['osd']}": osd for osd in ceph.mon("osd dump")["osds"]}
    nodes = ceph.mon("osd tree")["nodes"]
    classes = {node["name"]: node.get("device_class", "") for node in nodes}
    wanted = designed_classes(design)
    for host, daemon in design.with_daemon(DaemonKind.OSD):
        osd = there.pop(daemon.name, None)
        what = _osd_trouble(osd, classes.get(daemon.name, ""), wanted[daemon.name])
        if what:
            kind = _MISSING if osd is None else _DIFFERENT
            yield Deviation(kind=kind, subject=host.name, item=daemon.name, what=what)
    for name in sorted(there):
        yield Deviation(kind=_EXTRA, subject="cluster", item=name, what="in the OSD map")


def _osd_trouble(osd: dict[str, Any] | None, seen: str, wanted: str) -> str:
    if osd is None:
        return "the monitors do not know it"
    if not osd["up"]:
        return "down"
    if not osd["in"]:
        return "out: data is kept off it"
    return "" if seen == wanted else f"class {seen or 'none'} instead of {wanted}"


def _pools(design: Design, ceph: CephSession) -> Iterator[Deviation]:
    there = {pool["pool_name"]: pool for pool in ceph.mon("osd pool ls", detail="detail")}
    for pool in design.pools:
        seen = there.pop(pool.name, None)
        if seen is None:
            yield Deviation(kind=_MISSING, subject="cluster", item=f"pool {pool.name}", what="not there")
            continue
        figures = {
            "size": pool.size,
            "min_size": pool.min_size,
            "pg_num": pool.pg_num,
        }
        told = [
            f"{name} {seen[name]} instead of {is_to}"
            for name, is_to in figures.items()
            if seen[name] != is_to
        ]
        if told:
            what = ", ".join(told)
            yield Deviation(kind=_DIFFERENT, subject="cluster", item=f"pool {pool.name}", what=what)
    for name in sorted(there):
        yield Deviation(kind=_EXTRA, subject="cluster", item=f"pool {name}", what="not designed")


def _file_system(design: Design, ceph: CephSession) -> Iterator[Deviation]:
    wanted = design.file_system
    there = {system["name"] for system in ceph.mon("fs ls")}
    for name in sorted(there - ({wanted.name} if wanted else set())):
        yield Deviation(kind=_EXTRA, subject="cluster", item=f"file system {name}", what="not designed")
    if wanted is None:
        return
    if wanted.name not in there:
        yield Deviation(kind=_MISSING, subject="cluster", item=f"file system {wanted.name}", what="not there")
        return
    try:
        info = ceph.mon("fs get", fs_name=wanted.name)["mdsmap"]["info"]
    except CephError as error:
        yield Deviation(
            kind=_DIFFERENT, subject="cluster", item=f"file system {wanted.name}", what=str(error)
        )
        return
    active = sum(mds["state"] == "up:active" for mds in info.values())
    if active != wanted.active_mds:
        what = f"{active} active MDS instead of {wanted.active_mds}"
        yield Deviation(kind=_DIFFERENT, subject="cluster", item=f"file system {wanted.name}", what=what)
