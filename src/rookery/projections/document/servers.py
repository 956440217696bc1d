"""What the document says of servers, daemons, drives and networks; alike ones together where many."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

from rookery.apps.cdn.site.pages.facts import Group, decimal_size, drive_summary, group_hosts
from rookery.design.model import Daemon, DaemonKind, Design, Host, Role
from rookery.projections.document.blocks import Facts, Section, Table, Words, code, codes
from rookery.projections.document.source import count, names
from rookery.units import format_size

_MOST_HOSTS = 40  # listed one by one; more are listed by kind
_MOST_DRIVES = 12  # of a host, named one by one
_ROLES = {
    Role.CONTROL_PLANE: "control plane",
    Role.WORKER: "worker",
    Role.STORAGE: "storage",
    Role.LOAD_BALANCER: "load balancer",
}
_TASKS = {
    DaemonKind.MON: "the cluster's maps, agreed on by a majority",
    DaemonKind.MGR: "figures and administration; one is active",
    DaemonKind.OSD: "one drive each: stores, copies, heals",
    DaemonKind.MDS: "names and directories of CephFS",
    DaemonKind.RGW: "S3 over HTTPS",
}


def servers_section(design: Design) -> Section:
    """Return what there is: hosts, Ceph's daemons, drives, networks."""
    return Section(
        id="servers",
        title="Servers",
        blocks=(_hosts(design),),
        sections=(
            Section(id="daemons", title="Ceph's daemons", blocks=(_daemons(design),)),
            Section(id="drives", title="Drives", blocks=(_drives(design),)),
            Section(id="networks", title="Networks", blocks=(_networks(design),)),
        ),
    )


def _groups(design: Design) -> tuple[Group, ...]:
    if len(design.hosts) <= _MOST_HOSTS:
        return tuple(Group(hosts=(host,)) for host in design.hosts)
    return group_hosts(design)


def _hosts(design: Design) -> Table:
    cluster = any(host.cluster_address for host in design.hosts)
    heads = ("Host", "Role", "Address", *(("Replication",) if cluster else ()), "Machine", "Runs")
    rows = []
    for group in _groups(design):
        host = group.one
        replication = tuple(each.cluster_address for each in group.hosts if each.cluster_address)
        row: list[Words] = [
            names([each.name for each in group.hosts]),
            " + ".join(_ROLES[role] for role in host.roles),
            _addresses(tuple(each.address for each in group.hosts)),
            *((_addresses(replication),) if cluster else ()),
            _machine(host),
            _runs(host, alone=len(group.hosts) == 1),
        ]
        rows.append(tuple(row))
    return Table(caption="Hosts of the system", heads=heads, rows=tuple(rows))


def _addresses(found: tuple[str, ...]) -> Words:
    if len(found) <= 2:
        return codes(found)
    return (code(found[0]), " to ", code(found[-1]))


def _machine(host: Host) -> str:
    if not host.cpus:
        return "the provider's"
    return f"{count(host.cpus, 'CPU')}, {format_size(host.memory)}, {decimal_size(host.disk)} disk"


def _runs(host: Host, *, alone: bool) -> str:
    """Return what runs on a host: OSDs counted, further daemons by kind, instances by name."""
    kinds = Counter(daemon.kind for daemon in host.daemons)
    words = [str(kind) if number == 1 else f"{number} {kind}" for kind, number in kinds.items()]
    words += [instance.name for instance in host.instances]
    if Role.CONTROL_PLANE in host.roles:
        words.append("administration")
    if Role.LOAD_BALANCER in host.roles:
        words.append("load balancer")
    return ", ".join(words) or ("nothing yet" if alone else "nothing of the design")


def _daemons(design: Design) -> Table:
    """Return a row for each kind of daemon and size of it."""
    rows = []
    for kind in DaemonKind:
        by_memory: dict[int, list[tuple[Host, Daemon]]] = {}
        for host, daemon in design.with_daemon(kind):
            by_memory.setdefault(daemon.memory, []).append((host, daemon))
        for memory, found in by_memory.items():
            hosts = list(dict.fromkeys(host.name for host, _ in found))
            row = (str(kind), f"{len(found):,}", names(hosts), format_size(memory), _TASKS[kind])
            rows.append(row)
    heads = ("Daemon", "Count", "On", "Memory of each", "For")
    return Table(caption="Daemons of Ceph", heads=heads, rows=tuple(rows), right=(1, 3))


def _drives(design: Design) -> Table:
    """Return the drives of each storage node with their OSDs; where nodes are many, by runs of alike ones."""
    storage = [host for host in design.hosts if host.drives]
    if len(storage) > _MOST_HOSTS:
        return _drive_groups(storage)
    rows = tuple((host.name, drive_summary(host), _osds(host)) for host in storage)
    return Table(caption="Data drives", heads=("Host", "Drives", "OSDs"), rows=rows)


def _osds(host: Host) -> str:
    found = [(daemon.name, daemon.drive) for daemon in host.daemons_of(DaemonKind.OSD)]
    if len(found) > _MOST_DRIVES:
        (first, first_drive), (last, last_drive) = found[0], found[-1]
        return f"{len(found)}, from {first} on {first_drive} to {last} on {last_drive}"
    return ", ".join(f"{name} on {drive}" for name, drive in found)


def _drive_groups(hosts: list[Host]) -> Table:
    rows = []
    for _, alike in groupby(hosts, key=lambda host: host.drives):
        group = list(alike)
        osds = sum(len(host.daemons_of(DaemonKind.OSD)) for host in group)
        rows.append((names([host.name for host in group]), drive_summary(group[0]), f"{osds:,}"))
    heads = ("Hosts", "Data drives of each", "OSDs in all")
    return Table(caption="Data drives", heads=heads, rows=tuple(rows), right=(2,))


def _networks(design: Design) -> Facts:
    network = design.network
    return Facts(
        pairs=(
            ("Public network", (code(network.public), ", way out ", code(network.gateway))),
            ("Replication", code(network.cluster) if network.cluster else "over the public network"),
            ("Largest packet", f"{network.mtu:,} bytes"),
            ("Between Ceph's daemons", _encryption(design)),
        )
    )


def _encryption(design: Design) -> str:
    """Return how Ceph's own traffic is protected."""
    if design.network.encryption:
        return "encrypted (msgr2 in secure mode)"
    return "authenticated and checked for damage, not encrypted (msgr2 in crc mode)"
