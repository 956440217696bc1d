"""What a running system keeps when its spec changes.

A design says where each daemon stands. Computed anew for more hosts or drives it could move daemons and give
OSDs other numbers, and nobody moves a monitor because a server was added. So what stands, stands; only what
is new is placed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rookery.design.model import DaemonKind, Design, Role
from rookery.releases import FIRST_RELEASE

# No host has these names: theirs have a number or a letter behind a hyphen.
_RELEASE, _HOSTS = "ceph", "hosts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Where daemons stand, how OSDs are numbered, which Ceph runs; an empty one keeps nothing.

    `kinds` are the daemons of each storage node but for its OSDs; `numbers` are the OSDs' by host and drive;
    `ceph` is the release.
    """

    kinds: Mapping[str, tuple[DaemonKind, ...]] = field(default_factory=dict)
    numbers: Mapping[tuple[str, str], int] = field(default_factory=dict)
    ceph: str = ""


def keep(design: Design) -> Kept:
    """Return what a system of this design keeps."""
    hosts = design.with_role(Role.STORAGE)
    return Kept(
        kinds={
            host.name: tuple(daemon.kind for daemon in host.daemons if not daemon.drive) for host in hosts
        },
        numbers={
            (host.name, daemon.drive): int(daemon.id)
            for host in hosts
            for daemon in host.daemons_of(DaemonKind.OSD)
        },
        ceph=design.ceph,
    )


def kept_data(kept: Kept) -> dict[str, object]:
    """Return what is kept as JSON holds it: the release, and by host the kinds of daemons and the drives with
    their number."""
    hosts = dict.fromkeys((*kept.kinds, *(host for host, _ in kept.numbers)))
    return {
        _RELEASE: kept.ceph,
        _HOSTS: {
            host: {
                "daemons": list(kept.kinds.get(host, ())),
                "osds": {drive: number for (of, drive), number in kept.numbers.items() if of == host},
            }
            for host in hosts
        },
    }


def parse_kept(data: Mapping[str, Any]) -> Kept:
    """Read what `kept_data` wrote; raises KeyError, TypeError or ValueError for anything else.

    What was noted before there were releases to choose from has the hosts alone.
    """
    if _RELEASE not in data:
        data = {_RELEASE: FIRST_RELEASE, _HOSTS: data}
    kinds: dict[str, tuple[DaemonKind, ...]] = {}
    numbers: dict[tuple[str, str], int] = {}
    for host, told in data[_HOSTS].items():
        daemons, osds = told["daemons"], told["osds"]
        if not isinstance(daemons, list) or not isinstance(osds, dict):
            raise TypeError(f"{host}: daemons must be a list, osds a table")
        kinds[host] = tuple(DaemonKind(kind) for kind in daemons)
        numbers |= {(host, str(drive)): int(number) for drive, number in osds.items()}
    return Kept(kinds=kinds, numbers=numbers, ceph=str(data[_RELEASE]))
