"""Checks of a lab against the machine that is to run it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rookery.design.checks.finding import Remark, Subject, error, info, warning
from rookery.design.model import DaemonKind, Design, Role
from rookery.units import GIB, MIB, format_size

# Resident memory as measured on a small lab that is up and lightly loaded.
RESIDENT: Mapping[DaemonKind, int] = {
    DaemonKind.MON: 35 * MIB,
    DaemonKind.MGR: 360 * MIB,
    DaemonKind.OSD: 60 * MIB,
    DaemonKind.MDS: 20 * MIB,
    DaemonKind.RGW: 90 * MIB,
}
# The daemon outside the servers that attaches a volume.
RESIDENT_VOLUME = 60 * MIB
RESIDENT_SUPERVISOR = 25 * MIB
# Of seven servers with Kubernetes and Rook, 3.2 GiB when they were up and 3.7 after twenty minutes: systemd,
# kubelet, CRI-O and the pods of every node; and etcd, the API server and the controllers.
RESIDENT_KUBERNETES = 150 * MIB
RESIDENT_CONTROL_PLANE = 600 * MIB

# What a lab writes before anybody stores anything: OSDs' own structures, monitors' stores, logs.
LEAST_DISK = GIB


def expected_memory(design: Design) -> int:
    """Return the resident memory to expect of the whole lab, lightly loaded, in bytes."""
    server = RESIDENT_SUPERVISOR + (RESIDENT_KUBERNETES if design.platform == "kubernetes" else 0)
    daemons = sum(RESIDENT[daemon.kind] for host in design.hosts for daemon in host.daemons)
    instances = sum(instance.resident for host in design.hosts for instance in host.instances)
    volumes = len(design.volumes) * RESIDENT_VOLUME
    planes = len(design.with_role(Role.CONTROL_PLANE)) if design.platform == "kubernetes" else 0
    return daemons + instances + volumes + len(design.hosts) * server + planes * RESIDENT_CONTROL_PLANE


def scarce_memory(subject: Subject) -> Iterator[Remark]:
    machine, design = subject.machine, subject.design
    if machine is None or design.provider != "lab":
        return
    expected = expected_memory(design)
    if expected > machine.memory_available:
        yield error(
            "hosts",
            f"The lab is expected to take {format_size(expected)} of memory, and this machine has"
            f" {format_size(machine.memory_available)} available of {format_size(machine.memory_total)}.",
            "Stop something, use a larger machine, or ask for fewer servers, drives or managers.",
        )


def scarce_disk(subject: Subject) -> Iterator[Remark]:
    machine, design = subject.machine, subject.design
    if machine is None or design.provider != "lab":
        return
    drives = sum(drive.size for host in design.hosts for drive in host.drives)
    free = format_size(machine.disk_free)
    if machine.disk_free < LEAST_DISK:
        yield error(
            "hosts.storage.drives",
            f"{free} are free where labs live, and an empty lab takes about {format_size(LEAST_DISK)}.",
            "Free some disk.",
        )
    elif drives > machine.disk_free:
        yield warning(
            "hosts.storage.drives",
            f"The drives add up to {format_size(drives)}, and {free} are free where labs live. They are"
            " sparse files, so this works until that much is written; then every drive fails at once.",
            "Store less than that, or use smaller drives.",
        )


def shared_cpus(subject: Subject) -> Iterator[Remark]:
    machine, design = subject.machine, subject.design
    if machine is None or design.provider != "lab":
        return
    cpus = sum(host.cpus for host in design.servers)
    if cpus > machine.cpus:
        yield info(
            "hosts",
            f"The servers have {cpus} CPUs in the design and share this machine's {machine.cpus}. Speeds"
            " measured here say little about real servers.",
            "Measure speeds on servers of their own.",
        )
