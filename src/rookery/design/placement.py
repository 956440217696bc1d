"""Where Ceph's daemons run, and with how much memory.

Daemons of one kind go to different hosts while hosts last; each kind starts where the one before ended, so
that every storage node carries its part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count

from rookery.design.kept import Kept
from rookery.design.model import Daemon, DaemonKind, Drive
from rookery.spec import model as spec_model
from rookery.units import GIB, MIB

MON_PORTS = (3300, 6789)
DASHBOARD_PORT = 8443
RGW_PORT = 7443


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryNeed:
    """Memory of one daemon kind, in bytes: what Ceph recommends, and the least it is useful with.

    Recommended: https://docs.ceph.com/en/reef/start/hardware-recommendations/ and the requests of Rook's
    chart. Least: what the daemons of a small, lightly loaded system were measured to take; for an OSD the
    lowest osd_memory_target that Ceph accepts (896 MiB).
    """

    recommended: int
    least: int


MEMORY_NEEDS: Mapping[DaemonKind, MemoryNeed] = {
    DaemonKind.MON: MemoryNeed(recommended=1 * GIB, least=256 * MIB),
    DaemonKind.MGR: MemoryNeed(recommended=1 * GIB, least=512 * MIB),
    DaemonKind.OSD: MemoryNeed(recommended=4 * GIB, least=896 * MIB),
    DaemonKind.MDS: MemoryNeed(recommended=4 * GIB, least=256 * MIB),
    DaemonKind.RGW: MemoryNeed(recommended=1 * GIB, least=256 * MIB),
}

_NOTHING = Kept()

# What the operating system and its services keep for themselves, in bytes, where no kubelet runs; on
# Kubernetes see `node.py`, and `pods.py` for the pods that run on every node.
SYSTEM_MEMORY = 256 * MIB


def build_drives(kinds: Iterable[spec_model.Drives]) -> tuple[Drive, ...]:
    """Return a storage node's data drives: vdb, vdc, ... as a hypervisor attaches them."""
    drives: list[Drive] = []
    for kind in kinds:
        for _ in range(kind.count):
            name = f"vd{_drive_letters(len(drives) + 1)}"
            drives.append(Drive(name=name, size=int(kind.size), device_class=kind.device_class))
    return tuple(drives)


def _drive_letters(number: int) -> str:
    first, second = divmod(number, 26)
    return (chr(ord("a") + first - 1) if first else "") + chr(ord("a") + second)


def place_daemons(
    storage: spec_model.Storage,
    hosts: tuple[str, ...],
    drives: tuple[Drive, ...],
    memory: int,
    *,
    reserve: int = 0,
    kept: Kept = _NOTHING,
) -> dict[str, tuple[Daemon, ...]]:
    """Return the daemons of each storage host; `memory` is what each of these hosts has, in bytes.

    `reserve` bytes of it are for the host's further roles (a worker's applications, a control plane). What a
    running system has already, `kept`, stays where it is.
    """
    kinds = _place_kinds(daemon_counts(storage), hosts, kept)
    free = count(max(kept.numbers.values(), default=-1) + 1)
    places = ((host, drive.name) for host in hosts for drive in drives)
    numbers = {place: kept.numbers[place] if place in kept.numbers else next(free) for place in places}
    return {
        host: _host_daemons(
            host,
            tuple(kinds[host]),
            {drive.name: numbers[host, drive.name] for drive in drives},
            memory,
            reserve=reserve,
        )
        for host in hosts
    }


def _place_kinds(
    counts: tuple[tuple[DaemonKind, int], ...], hosts: tuple[str, ...], kept: Kept
) -> dict[str, list[DaemonKind]]:
    """Return the kinds of daemons of each host: those that are kept first, then what is missing."""
    kinds: dict[str, list[DaemonKind]] = {host: [] for host in hosts}
    turn = 0
    for kind, wanted in counts:
        left = wanted
        for host in hosts:
            there = min(kept.kinds.get(host, ()).count(kind), left)
            kinds[host] += [kind] * there
            left -= there
        for number in range(left):
            if kept.kinds:
                host = min(hosts, key=lambda name: (kinds[name].count(kind), len(kinds[name])))
            else:
                host = hosts[(turn + number) % len(hosts)]
            kinds[host].append(kind)
        turn += wanted
    return kinds


def as_rook_starts(storage: spec_model.Storage) -> spec_model.Storage:
    """Return storage with as many metadata servers as Rook starts: with standbys, one for each active one.

    Its file system has a switch for them, `activeStandby`, and no number (rook,
    pkg/operator/ceph/file/mds/mds.go: `replicas = activeCount * 2` where it is on).
    """
    mds = storage.file.mds
    counted = mds.model_copy(update={"standby": mds.active if mds.standby else 0})
    file = storage.file.model_copy(update={"mds": counted})
    return storage.model_copy(update={"file": file})


def daemon_counts(storage: spec_model.Storage) -> tuple[tuple[DaemonKind, int], ...]:
    """Return how many daemons of each kind but OSDs there are."""
    mds = storage.file.mds.active + storage.file.mds.standby if storage.file.enabled else 0
    gateways = storage.object.gateways if storage.object.enabled else 0
    return (
        (DaemonKind.MON, storage.mons),
        (DaemonKind.MGR, storage.mgrs),
        (DaemonKind.MDS, mds),
        (DaemonKind.RGW, gateways),
    )


def _host_daemons(
    host: str,
    kinds: tuple[DaemonKind, ...],
    numbers: Mapping[str, int],
    memory: int,
    *,
    reserve: int,
) -> tuple[Daemon, ...]:
    """Return one host's daemons: its OSDs, by drive and number, share the memory that the others leave."""
    others: list[Daemon] = []
    for kind in kinds:
        seen = sum(daemon.kind is kind for daemon in others)
        need = MEMORY_NEEDS[kind]
        others.append(
            Daemon(
                kind=kind,
                id=host if not seen else f"{host}-{seen + 1}",
                memory=need.recommended if memory >= 16 * GIB else need.least,
                ports=_ports(kind),
            )
        )
    left = memory - reserve - SYSTEM_MEMORY - sum(daemon.memory for daemon in others)
    need = MEMORY_NEEDS[DaemonKind.OSD]
    target = min(max(left // len(numbers), need.least), need.recommended)
    target -= target % MIB
    osds = tuple(
        Daemon(kind=DaemonKind.OSD, id=str(number), memory=target, drive=drive)
        for drive, number in numbers.items()
    )
    return (*others, *osds)


def _ports(kind: DaemonKind) -> tuple[int, ...]:
    if kind is DaemonKind.MON:
        return MON_PORTS
    if kind is DaemonKind.RGW:
        return (RGW_PORT,)
    return ()
