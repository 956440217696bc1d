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

# Bytes on disk, measured with du on labs right after `up`. A lab of three storage nodes without applications
# (du 73 MiB a node): 16 MiB a drive, 42 MiB a monitor with its logs. The default lab with databases of 1 GB
# took 1,494 MiB, 1,228 of them on drives, in three copies: each database volume has 199 MiB of files, and
# films, music and pages are some 25 MiB.
_DISK_DRIVE, _DISK_MON, _DISK_SERVER = 16 * MIB, 60 * MIB, 12 * MIB
_DISK_VOLUME, _DISK_BUCKETS = 200 * MIB, 25 * MIB
# The first set of backups, some minutes after `up`: 95 MB of objects with two databases' volumes, in three
# copies, but 852 MB on the disk with all that ran meanwhile. Each further one adds what changed.
_DISK_SET, _DISK_SET_VOLUME = 90 * MIB, 90 * MIB
# The image, 1.4 GiB, and the packages that are unpacked into it.
_DISK_IMAGE = 2 * GIB
# Room that Ceph needs to work in: its monitors stop where little is left.
_DISK_SPARE = GIB // 4


def expected_disk(design: Design) -> int:
    """Return what a lab writes before anybody stores anything, in bytes, without its image."""
    drives = sum(len(host.drives) for host in design.hosts) * _DISK_DRIVE
    mons = sum(d.kind is DaemonKind.MON for host in design.hosts for d in host.daemons) * _DISK_MON
    overhead = {pool.name: pool.overhead for pool in design.pools}
    volumes = sum(_DISK_VOLUME * overhead[one.data_pool or one.pool] for one in design.volumes)
    store = design.object_store
    objects = 0.0
    if store is not None and design.buckets:
        sets = _DISK_SET + _DISK_SET_VOLUME * len(design.volumes) if design.backup is not None else 0
        objects = (_DISK_BUCKETS + sets) * overhead[store.data_pool]
    return int(drives + mons + len(design.hosts) * _DISK_SERVER + volumes + objects + _DISK_SPARE)


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
    if machine is None or not design.traits.here:
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
    if machine is None or not design.traits.here:
        return
    drives = sum(drive.size for host in design.hosts for drive in host.drives)
    free = format_size(machine.disk_free)
    image = 0 if machine.image_built else _DISK_IMAGE
    needed = max(expected_disk(design) - machine.disk_taken, 0) + image
    if machine.disk_free < needed:
        parts = f"the lab {format_size(expected_disk(design))}" + (
            f", its image {format_size(image)}" if image else ""
        )
        there = f"; {format_size(machine.disk_taken)} of it are there" if machine.disk_taken else ""
        yield error(
            "hosts.storage.drives",
            f"{free} are free where labs live, and {format_size(needed)} are needed before anything is stored"
            f" ({parts}{there}).",
            "Free some disk, or set ROOKERY_HOME to a folder on a larger one.",
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
    if machine is None or not design.traits.here:
        return
    cpus = sum(host.cpus for host in design.servers)
    if cpus > machine.cpus:
        yield info(
            "hosts",
            f"The servers have {cpus} CPUs in the design and share this machine's {machine.cpus}. Speeds"
            " measured here say little about real servers.",
            "Measure speeds on servers of their own.",
        )
