"""Checks of a cluster: whether every pod that lands on its nodes finds one that takes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rookery.design.checks.finding import Remark, Subject, error, info
from rookery.design.checks.hosts import section_of
from rookery.design.cluster import monitoring_storage
from rookery.design.model import Design, Host, Role
from rookery.design.node import SMALLEST_DRIVE, allocatable_cpu, allocatable_memory
from rookery.design.pod import Reach
from rookery.design.scheduling import Unplaced, requested, unplaced_pods
from rookery.units import GIB, MIB, format_size


def short_node_memory(subject: Subject) -> Iterator[Remark]:
    """What lands on a node requests more memory than it has for pods."""
    for section, one in _by_section(subject.design, "memory").items():
        host = subject.design.host(one.nodes[0])
        there = allocatable_memory(host.memory)
        yield error(
            f"{section}.memory",
            f"{_said(subject.design, one, 'memory')} Of {format_size(host.memory)},"
            f" {_mib(there)} are left for pods: its kernel, kubelet and the system keep the rest.",
            f"Set it to {_enough(subject.design, host, 'memory')}GiB or more.",
        )


def short_node_cpus(subject: Subject) -> Iterator[Remark]:
    """What lands on a node requests more of its CPUs than it has for pods."""
    for section, one in _by_section(subject.design, "cpu").items():
        host = subject.design.host(one.nodes[0])
        yield error(
            f"{section}.cpus",
            f"{_said(subject.design, one, 'cpu')} Of {host.cpus} CPU, {allocatable_cpu(host.cpus)}m are left"
            " for pods: kubelet and the system keep the rest.",
            f"Set it to {_enough(subject.design, host, 'cpu')} or more.",
        )


def no_open_node(subject: Subject) -> Iterator[Remark]:
    """Operators, certificates and monitoring tolerate no taint: without a worker they have no node."""
    design = subject.design
    if design.platform != "kubernetes" or any(host.is_open for host in design.servers):
        return
    yield error(
        "hosts.workers.count",
        "There is no worker, and every other node is tainted: nothing takes the pods of cert-manager, of"
        " Rook's operator and of monitoring. Ceph would never begin.",
        "Set it to 1 or more, or add `also: [worker]` to hosts.storage.",
    )


def small_drives(subject: Subject) -> Iterator[Remark]:
    """Rook makes no OSD on a drive that ceph-volume rejects."""
    design = subject.design
    if design.platform != "kubernetes":
        return
    drives = design.with_role(Role.STORAGE)[0].drives
    small = sorted({drive.size for drive in drives if drive.size < SMALLEST_DRIVE})
    if small:
        yield error(
            "hosts.storage.drives",
            f"Rook makes no OSD on a drive of {', '.join(format_size(size) for size in small)}: ceph-volume"
            f" rejects what is smaller than 5 GiB ({SMALLEST_DRIVE:,} bytes).",
            "Set size to 5GiB or 5.4GB, or more.",
        )


def unkept_figures(subject: Subject) -> Iterator[Remark]:
    """Without block storage and file system Prometheus has no volume."""
    design = subject.design
    if design.kubernetes is None or not design.kubernetes.monitoring or monitoring_storage(design):
        return
    yield info(
        "kubernetes.monitoring",
        "Neither block storage nor a file system is there: Prometheus and Alertmanager keep what they know on"
        " their node's disk, and lose it with their pod.",
        "Set storage.block.enabled to true to keep it.",
    )


def _by_section(design: Design, what: str) -> dict[str, Unplaced]:
    """Return for each section of the spec the first pod that finds no node there for want of `what`.

    Where a storage node has too little for its own pods, what else would go there is not named.
    """
    if design.platform != "kubernetes":
        return {}
    found: dict[str, Unplaced] = {}
    for one in unplaced_pods(design):
        if what in one.missing:
            found.setdefault(section_of(design.host(one.nodes[0])), one)
    return found


def _said(design: Design, one: Unplaced, what: str) -> str:
    """Write which pod finds no node, and how much is short."""
    host = design.host(one.nodes[0])
    if one.group.reach is Reach.STORAGE or one.group.host or one.group.count is None:
        size = requested(design)[host.name]
        total = _mib(size.memory) if what == "memory" else f"{size.cpu}m"
        return (
            f"What lands on {host.name} (daemons, their helpers, the pods of every node, and room for one"
            f" daemon of each kind) requests {total}: {one.group.name} fits on no node."
        )
    wanted = _mib(one.group.size.memory) if what == "memory" else f"{one.group.size.cpu}m of CPU"
    left = _mib(max(one.left.memory, 0)) if what == "memory" else f"{max(one.left.cpu, 0)}m"
    several = len(one.nodes) > 1
    nodes = f"{one.nodes[0]} and {len(one.nodes) - 1} more have" if several else f"{one.nodes[0]} has"
    return f"A pod of {one.group.name} requests {wanted} and fits on no node: {nodes} {left} left at most."


def _enough(design: Design, host: Host, what: str) -> int:
    """Return the least memory in GiB, or the least CPUs, of a host and its like with which all pods that lack
    it there find a node."""
    section, had = section_of(host), host.cpus if what == "cpu" else host.memory // GIB
    # Only a pod that no size helps would go beyond: none requests as much.
    for size in range(had + 1, had + 1024):
        larger = tuple(
            _resized(one, what, size) if section_of(one) == section else one for one in design.servers
        )
        if section not in _by_section(replace(design, hosts=larger), what):
            return size
    return had + 1024


def _resized(host: Host, what: str, size: int) -> Host:
    return replace(host, cpus=size) if what == "cpu" else replace(host, memory=size * GIB)


def _mib(size: int) -> str:
    return f"{-(-size // MIB):,} MiB"
