"""What a node offers to pods: its server's memory and CPUs, less what is taken before the first pod comes."""

from __future__ import annotations

from rookery.units import GIB, MIB

# What kubelet is told to keep for the system, the runtime and itself, and what it evicts pods below
# (`systemReserved` and `evictionHard` of its configuration); CPU in thousandths, memory in bytes.
RESERVED_CPU = 100
RESERVED_MEMORY = 412 * MIB
EVICTION = 100 * MIB
# The part of a server's memory that its kernel never shows as MemTotal: firmware, the kernel itself, 64 bytes
# for each page of 4 KiB (1.6 %). Clouds add a hypervisor's own: of 4 GiB, servers show 3.8 GiB, which kubelet
# takes for the node's capacity. An autoscaler that knows the types of all clouds assumes 7.5 % for the worst
# of them (karpenter.sh, settings: vmMemoryOverheadPercent).
UNSEEN = 0.05

# Rook asks ceph-volume for a node's drives, and it rejects what is smaller: "Insufficient space (<5GB)" by
# 5 x 1024^3 (ceph, src/ceph-volume/ceph_volume/util/device.py).
SMALLEST_DRIVE = 5 * GIB


def allocatable_memory(memory: int) -> int:
    """Return the bytes that pods may request on a server of `memory` bytes, as kubelet says it."""
    return int(memory * (1 - UNSEEN)) - RESERVED_MEMORY - EVICTION


def allocatable_cpu(cpus: int) -> int:
    """Return the thousandths of CPUs that pods may request on a server."""
    return cpus * 1000 - RESERVED_CPU
