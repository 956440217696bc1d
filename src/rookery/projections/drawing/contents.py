"""What stands in a host's box: rows above the line of persistent volumes, rows below it, drives, claims.

Only what really runs is shown. On Kubernetes a control plane has its five parts; on the native platform
there is no such thing, and its hosts administer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rookery.design.cluster import API_PORT
from rookery.design.model import Daemon, DaemonKind, Design, Frontend, Host, Instance, Role
from rookery.projections.drawing.folding import Card, osds_of
from rookery.units import format_size

_API_SERVER = "api-server"
_CONTROL_PLANE = ("etcd", "API server", "scheduler", "controller manager")
_MOST_DRIVES = 4
_DAEMONS = {
    DaemonKind.MON: "monitor",
    DaemonKind.MGR: "manager",
    DaemonKind.MDS: "file metadata",
    DaemonKind.RGW: "S3 gateway",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One program in a host's box. `key` is what its likes on other hosts share: they stand at one height.

    `ids` are what the row stands for: one id for each host of the card.
    """

    key: str
    label: str
    note: str
    style: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """OSDs and the drives under them: one pair, or several that are alike."""

    osd: str
    drive: tuple[str, ...]
    osd_ids: tuple[str, ...]
    drive_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Storage that instances on a host ask for.

    `kind` is `block`, `file` or `object`; `users` are the keys of the rows that use it.
    """

    name: str
    note: str
    kind: str
    users: tuple[str, ...]


def upper_rows(design: Design, card: Card) -> tuple[Row, ...]:
    """Return the rows above the line: the control plane's parts and the applications' instances."""
    rows: list[Row] = []
    if Role.CONTROL_PLANE in card.sample.roles:
        rows += _control_plane(design, card)
    rows += _numbered(_instance_row(card, instance) for instance in card.sample.instances)
    if design.platform == "kubernetes" and Role.WORKER in card.sample.roles:
        rows.append(_part(card, "CSI node plugin", "mounts volumes"))
    return tuple(rows)


def lower_rows(design: Design, card: Card) -> tuple[Row, ...]:
    """Return the rows below the line: Ceph's daemons but for the OSDs."""
    daemons = [daemon for daemon in card.sample.daemons if daemon.kind is not DaemonKind.OSD]
    rows = list(_numbered(_daemon_row(design, card, daemon) for daemon in daemons))
    if design.platform == "kubernetes" and Role.STORAGE in card.sample.roles and not _works(card.sample):
        rows.append(_part(card, "CSI node plugin", ""))
    return tuple(rows)


def _works(host: Host) -> bool:
    return Role.WORKER in host.roles


def _control_plane(design: Design, card: Card) -> list[Row]:
    if design.platform != "kubernetes":
        return [_part(card, "administration", "ceph, admin key")]
    parts = [*_CONTROL_PLANE, *(["cloud controller manager"] if design.traits.controller else [])]
    return [_part(card, name, "") for name in parts]


def _part(card: Card, name: str, note: str) -> Row:
    key = name.lower().replace(" ", "-")
    ids = tuple(f"{host.name}/{key}" for host in card.hosts)
    return Row(key=key, label=name, note=note, style="part", ids=ids)


def _instance_row(card: Card, instance: Instance) -> Row:
    return Row(
        key=instance.name,
        label=instance.name,
        note=_ports(instance.ports),
        style="app",
        ids=tuple(f"{host.name}/{instance.name}" for host in card.hosts),
    )


def _daemon_row(design: Design, card: Card, daemon: Daemon) -> Row:
    place = card.sample.daemons.index(daemon)
    note = _DAEMONS[daemon.kind]
    if daemon.kind is DaemonKind.MGR and design.dashboard:
        note = "manager, dashboard"
    ports = _ports(daemon.ports[:1])
    return Row(
        key=str(daemon.kind),
        label=str(daemon.kind),
        note=f"{note} {ports}".strip(),
        style="daemon",
        ids=tuple(host.daemons[place].name for host in card.hosts),
    )


def _ports(ports: Iterable[int]) -> str:
    return " ".join(f":{port}" for port in ports)


def _numbered(rows: Iterable[Row]) -> Iterable[Row]:
    """Yield the rows with keys that differ: the second of a kind on a host gets a number."""
    seen: dict[str, int] = {}
    for row in rows:
        count = seen[row.key] = seen.get(row.key, 0) + 1
        key = row.key if count == 1 else f"{row.key}-{count}"
        yield Row(key=key, label=row.label, note=row.note, style=row.style, ids=row.ids)


def stacks(card: Card) -> tuple[Stack, ...]:
    """Return the OSDs with their drives: each pair while they are few, else one for each kind of drive."""
    host = card.sample
    osds = {daemon.drive: daemon.name for daemon in host.daemons_of(DaemonKind.OSD)}
    if len(host.drives) <= _MOST_DRIVES:
        kinds = [[place] for place in range(len(host.drives))]
    else:
        groups: dict[tuple[str, int], list[int]] = {}
        for place, drive in enumerate(host.drives):
            groups.setdefault((drive.device_class, drive.size), []).append(place)
        kinds = list(groups.values())
    found = []
    for places in kinds:
        drives = [host.drives[place] for place in places]
        names = [osds[drive.name] for drive in drives if drive.name in osds]
        first, count = drives[0], len(places)
        label = names[0] if names else "no OSD"
        if card.folded or count > 1:
            label = f"{count} OSDs" if count > 1 else "OSD"
        name = first.name if count == 1 else f"{first.name} … {drives[-1].name}"
        found.append(
            Stack(
                osd=label,
                drive=(name, format_size(first.size), first.device_class),
                osd_ids=tuple(_osd_ids(card.hosts, {drive.name for drive in drives})),
                drive_ids=tuple(f"{one.name}/{drive.name}" for one in card.hosts for drive in drives),
            )
        )
    return tuple(found)


def _osd_ids(hosts: Iterable[Host], drives: set[str]) -> Iterable[str]:
    return (d.name for host in hosts for d in host.daemons_of(DaemonKind.OSD) if d.drive in drives)


def osd_range(card: Card) -> str:
    """Return which OSDs a folded card stands for; empty where each shows its own number."""
    several = card.folded or len(card.sample.drives) > _MOST_DRIVES
    return osds_of(card) if several and card.sample.drives else ""


def claims(design: Design, host: Host) -> tuple[Claim, ...]:
    """Return the storage that a host's instances use, volumes first."""
    found = []
    for app in design.apps:
        own = tuple(dict.fromkeys(row.name for row in host.instances if row.app == app.name))
        found += [
            Claim(name=volume.app, note=f"{format_size(volume.size)} RBD", kind="block", users=own[:1])
            for volume in app.volumes
            if volume.host == host.name
        ]
        found += [
            Claim(name=share.name, note="CephFS", kind="file", users=own)
            for share in app.shares
            if host.name in share.hosts
        ]
        for bucket in app.buckets:
            if host.address in bucket.readers:
                users = _readers(design, host, bucket.name) or own
                found.append(Claim(name=bucket.name, note="S3 bucket", kind="object", users=users))
        if app.keeping is not None:
            found.append(Claim(name=app.keeping.bucket, note="S3 bucket", kind="object", users=own))
    return tuple(claim for claim in found if claim.users)


def _readers(design: Design, host: Host, bucket: str) -> tuple[str, ...]:
    """Return the instances that read a bucket which a route leads to: those that serve the site."""
    if all(route.bucket != bucket for route in design.routes):
        return ()
    site = next((frontend for frontend in design.frontends if frontend.name == "site"), None)
    return () if site is None else tuple(key for key in (target_key(site, host),) if key)


def target_key(frontend: Frontend, host: Host) -> str:
    """Return the key of the row on `host` that a frontend leads to; empty where it leads to none there."""
    if all(name != host.name for name, _ in frontend.backends):
        return ""
    if frontend.backend_port == API_PORT:
        return _API_SERVER
    for instance in host.instances:
        if frontend.backend_port in instance.ports:
            return instance.name
    for daemon in host.daemons:
        if frontend.backend_port in daemon.ports:
            return str(daemon.kind)
    # The managers' dashboard is served by the proxy before it, which is no daemon of the design.
    return str(DaemonKind.MGR) if host.daemons_of(DaemonKind.MGR) else ""


def slots(cards_rows: Sequence[Sequence[Row]]) -> dict[str, int]:
    """Return at which height, counted from the top, the rows of each key stand.

    A row stands below those before it on every card, and no lower than that needs: kinds of daemons that
    never share a host may share a height.
    """
    heights = {row.key: 0 for rows in cards_rows for row in rows}
    for _ in heights:  # each round settles at least one key
        for rows in cards_rows:
            for upper, lower in pairwise(rows):
                heights[lower.key] = max(heights[lower.key], heights[upper.key] + 1)
    return heights
