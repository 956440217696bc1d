"""Checks of the servers: how many of each role, and their drives."""

from __future__ import annotations

from collections.abc import Iterator

from rookery.design.capacity import WorstLoss, room_after
from rookery.design.checks.finding import Remark, Subject, error, info, warning
from rookery.design.model import Design, Drive, Host, Role
from rookery.design.stored import Pool
from rookery.units import MIB, format_size

# kubeadm's preflight refuses a control plane below these: NumCPU and Mem in its checks.
_LEAST_CONTROL_PLANE_CPUS = 2
_LEAST_CONTROL_PLANE_MEMORY = 1700 * MIB

_POOL_PATHS = {"rbd": "storage.block.pool", "cephfs": "storage.file.pool", "rgw": "storage.object.pool"}


def section_of(host: Host) -> str:
    """Return the path of the spec's section that sizes a host."""
    if Role.STORAGE in host.roles:
        return "hosts.storage"
    return "hosts.workers" if Role.WORKER in host.roles else "hosts.controlPlane"


def pool_path(pool: Pool) -> str:
    """Return the path in a spec that decides how a pool keeps its data."""
    return _POOL_PATHS.get(pool.application, "hosts.storage.count")


def pools_by_path(design: Design) -> dict[str, Pool]:
    """Return for each path of a spec the pool that asks for most hosts there."""
    found: dict[str, Pool] = {}
    for pool in design.pools:
        path = pool_path(pool)
        if path not in found or (pool.size, pool.share) > (found[path].size, found[path].share):
            found[path] = pool
    return found


def scheme(pool: Pool) -> str:
    """Write how a pool keeps its data: `3 copies`, `2+2 chunks`."""
    code = pool.erasure_code
    return f"{pool.size} copies" if code is None else f"{code.k}+{code.m} chunks"


def pools_without_hosts(subject: Subject) -> Iterator[Remark]:
    hosts = len(subject.design.with_role(Role.STORAGE))
    for path, pool in pools_by_path(subject.design).items():
        if pool.size > hosts:
            yield error(
                path,
                f"Pool {pool.name} keeps {scheme(pool)}, each on another host, and there are {hosts} storage"
                " nodes. Its placement groups would never be complete.",
                f"Set hosts.storage.count to {pool.size + 1}"
                + (", or keep fewer." if path.startswith("storage.") else "."),
            )


def no_healing(subject: Subject) -> Iterator[Remark]:
    hosts = len(subject.design.with_role(Role.STORAGE))
    pools = [pool for path, pool in pools_by_path(subject.design).items() if path in _POOL_PATHS.values()]
    tight = [f"{pool.name} ({scheme(pool)})" for pool in pools if pool.size == hosts]
    if tight:
        yield warning(
            "hosts.storage.count",
            f"Pools use all {hosts} storage nodes already: {', '.join(tight)}. After losing one there is no"
            " host to heal to, and redundancy stays reduced until that node is back.",
            f"Set it to {hosts + 1}.",
        )


def few_storage_nodes(subject: Subject) -> Iterator[Remark]:
    count = len(subject.design.with_role(Role.STORAGE))
    if count < 4 and room_after(subject.design, WorstLoss.NODE).heals:
        yield warning(
            "hosts.storage.count",
            f"There are {count} storage nodes. Fewer than four cannot keep three copies and heal after"
            " losing one.",
            "Set it to 4, and keep three copies.",
        )


def _drives(subject: Subject) -> tuple[Drive, ...]:
    return subject.design.with_role(Role.STORAGE)[0].drives


def few_drives(subject: Subject) -> Iterator[Remark]:
    if len(_drives(subject)) < 2:
        yield warning(
            "hosts.storage.drives",
            "Each storage node has one drive. Losing it loses the whole node's data at once, and all of it"
            " has to be copied over the network.",
            "Set count to 2.",
        )


def unequal_drives(subject: Subject) -> Iterator[Remark]:
    sizes: dict[str, set[int]] = {}
    for drive in _drives(subject):
        sizes.setdefault(drive.device_class, set()).add(drive.size)
    for device_class, found in sizes.items():
        if len(found) > 1:
            text = " and ".join(format_size(size) for size in sorted(found))
            yield warning(
                "hosts.storage.drives",
                f"Drives of class {device_class} have different sizes: {text}. CRUSH weights follow the size,"
                " so the larger ones get more data and more of the load.",
                "Use one size within a class.",
            )


def unused_drives(subject: Subject) -> Iterator[Remark]:
    used = subject.design.pools[0].device_class
    unused = sorted({drive.device_class for drive in _drives(subject)} - {used})
    if used and unused:
        yield warning(
            "hosts.storage.drives",
            f"All pools are on the first kind of drives, class {used}. Drives of class {', '.join(unused)}"
            " would hold nothing.",
            "Use one class for all drives.",
        )


def _own_control_planes(subject: Subject) -> tuple[int, int]:
    """Return how many control planes are servers of their own, and how many there are in all."""
    hosts = subject.design.with_role(Role.CONTROL_PLANE)
    return sum(Role.STORAGE not in host.roles for host in hosts), len(hosts)


def even_control_planes(subject: Subject) -> Iterator[Remark]:
    own, count = _own_control_planes(subject)
    if count % 2 == 0:
        fewer = f"{own - 1} or " if own else ""
        yield warning(
            "hosts.controlPlane.count",
            f"There are {count} control planes. etcd needs a majority, so {count} bear the loss of no more"
            f" than {count - 1} do.",
            f"Set it to {fewer}{own + 1}.",
        )


def one_control_plane(subject: Subject) -> Iterator[Remark]:
    own, count = _own_control_planes(subject)
    if count == 1:
        yield info(
            "hosts.controlPlane.count",
            "There is one control plane. While it is down, what runs goes on, but nothing is changed or"
            " moved.",
            f"Set it to {own + 2} where administration must always be possible.",
        )


def small_control_plane(subject: Subject) -> Iterator[Remark]:
    design = subject.design
    if design.platform != "kubernetes":
        return
    host = design.with_role(Role.CONTROL_PLANE)[0]
    section = "hosts.storage" if Role.STORAGE in host.roles else "hosts.controlPlane"
    if host.cpus < _LEAST_CONTROL_PLANE_CPUS:
        yield error(
            f"{section}.cpus",
            f"A control plane has {host.cpus} CPU. kubeadm refuses fewer than {_LEAST_CONTROL_PLANE_CPUS}.",
            f"Set it to {_LEAST_CONTROL_PLANE_CPUS}.",
        )
    if host.memory < _LEAST_CONTROL_PLANE_MEMORY:
        yield error(
            f"{section}.memory",
            f"A control plane has {format_size(host.memory)}. kubeadm refuses less than"
            f" {format_size(_LEAST_CONTROL_PLANE_MEMORY)}.",
            "Set it to 2GiB or more.",
        )


def apps_on_one_host(subject: Subject) -> Iterator[Remark]:
    for app in subject.design.apps:
        hosts: dict[str, set[str]] = {}
        for host, instance in app.placements:
            if not instance.elects:  # without it, what it elects goes on; RK110, RK111
                hosts.setdefault(instance.component, set()).add(host)
        for component, names in hosts.items():
            if len(names) == 1:
                yield warning(
                    f"apps.{app.name}",
                    f"Every {component} of {app.name} is on {min(names)}. Losing that host stops it.",
                    "Give it two hosts: see hosts.workers.count and the settings of the application.",
                )
