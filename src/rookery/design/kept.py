"""What a running system keeps when its spec changes.

A design says where each daemon stands. Computed anew for more hosts or drives it could move daemons and give
OSDs other numbers, and nobody moves a monitor because a server was added. So what stands, stands; only what
is new is placed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rookery.design.model import DaemonKind, Design, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Where daemons stand and how OSDs are numbered; an empty one keeps nothing.

    `kinds` are the daemons of each storage node but for its OSDs; `numbers` are the OSDs' by host and drive.
    """

    kinds: Mapping[str, tuple[DaemonKind, ...]] = field(default_factory=dict)
    numbers: Mapping[tuple[str, str], int] = field(default_factory=dict)


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
    )


def kept_data(kept: Kept) -> dict[str, object]:
    """Return what is kept as JSON holds it: by host, then kinds of daemons and drives with their number."""
    hosts = dict.fromkeys((*kept.kinds, *(host for host, _ in kept.numbers)))
    return {
        host: {
            "daemons": list(kept.kinds.get(host, ())),
            "osds": {drive: number for (of, drive), number in kept.numbers.items() if of == host},
        }
        for host in hosts
    }


def parse_kept(data: Mapping[str, Mapping[str, object]]) -> Kept:
    """Read what `kept_data` wrote; raises KeyError, TypeError or ValueError for anything else."""
    kinds: dict[str, tuple[DaemonKind, ...]] = {}
    numbers: dict[tuple[str, str], int] = {}
    for host, told in data.items():
        daemons, osds = told["daemons"], told["osds"]
        if not isinstance(daemons, list) or not isinstance(osds, dict):
            raise TypeError(f"{host}: daemons must be a list, osds a table")
        kinds[host] = tuple(DaemonKind(kind) for kind in daemons)
        numbers |= {(host, str(drive)): int(number) for drive, number in osds.items()}
    return Kept(kinds=kinds, numbers=numbers)
