"""How the storage nodes of a cluster share their memory between Ceph's daemons.

A node has room for one daemon of each kind beside its OSDs (`pods.beside_daemons` says why); OSDs share what
is left, for they use whatever they are given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rookery.design.model import DaemonKind
from rookery.design.node import allocatable_memory
from rookery.design.placement import MEMORY_NEEDS
from rookery.design.pods import Storage, beside_daemons, requested_memory
from rookery.units import GIB, MIB

# https://docs.ceph.com/en/reef/start/hardware-recommendations/: below 2 GiB an OSD is not recommended.
GOOD_OSD_MEMORY = 2 * GIB
_OSD = MEMORY_NEEDS[DaemonKind.OSD]


def share_memory(storage: Storage, memory: int, *, others: int = 0) -> Mapping[DaemonKind, int]:
    """Return what a daemon of each kind is given on storage nodes of `memory` bytes; `others` bytes are for
    what further roles bring there.

    The daemons beside the OSDs get what Ceph recommends where OSDs keep 2 GiB each, or at least what they
    work with; else a metadata server gets half, or all of them the least.
    """
    left = allocatable_memory(memory) - others - beside_daemons(storage).memory
    choices = list(_choices(storage, memory))
    for goal in (GOOD_OSD_MEMORY, _OSD.least):
        for given in choices:
            osd = _osd_memory(left, storage, given)
            if osd >= goal:
                return {**given, DaemonKind.OSD: min(osd, _OSD.recommended)}
    return {**choices[-1], DaemonKind.OSD: _OSD.least}


def _choices(storage: Storage, memory: int) -> Iterator[dict[DaemonKind, int]]:
    """Yield what the daemons beside the OSDs may be given, the best first."""
    best = {kind: MEMORY_NEEDS[kind].recommended for kind in storage.kinds}
    if memory >= 16 * GIB:
        yield best
        if DaemonKind.MDS in best:
            yield {**best, DaemonKind.MDS: best[DaemonKind.MDS] // 2}
    yield {kind: MEMORY_NEEDS[kind].least for kind in storage.kinds}


def _osd_memory(left: int, storage: Storage, given: Mapping[DaemonKind, int]) -> int:
    requests = sum(requested_memory(kind, memory) for kind, memory in given.items())
    osd = (left - requests) // storage.drives
    return osd - osd % MIB
