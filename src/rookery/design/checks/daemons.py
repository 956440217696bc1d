"""Checks of how many of Ceph's daemons there are."""

from __future__ import annotations

from collections.abc import Iterator

from rookery.design.checks.finding import Remark, Subject, error, warning
from rookery.design.model import DaemonKind, Role


def _count(subject: Subject, kind: DaemonKind) -> int:
    return len(subject.design.with_daemon(kind))


def _hosts(subject: Subject) -> int:
    return len(subject.design.with_role(Role.STORAGE))


def few_mons(subject: Subject) -> Iterator[Remark]:
    count = _count(subject, DaemonKind.MON)
    if count < 3:
        yield warning(
            "storage.mons",
            f"There are fewer than three monitors ({count}). With the first one lost the majority is lost,"
            " and all I/O stops.",
            "Set it to 3.",
        )


def even_mons(subject: Subject) -> Iterator[Remark]:
    count = _count(subject, DaemonKind.MON)
    # More than there are storage nodes is another finding, with another advice.
    if 2 < count <= _hosts(subject) and count % 2 == 0:
        yield warning(
            "storage.mons",
            f"There are {count} monitors. They need a majority, so {count} bear the loss of no more than"
            f" {count - 1} do.",
            f"Set it to {count - 1} or {count + 1}.",
        )


def crowded_mons(subject: Subject) -> Iterator[Remark]:
    count, hosts = _count(subject, DaemonKind.MON), _hosts(subject)
    if count > hosts:
        yield error(
            "storage.mons",
            f"{count} monitors on {hosts} storage nodes put two on one host. They listen on the same ports,"
            " and one loss would take both.",
            f"Set it to {hosts if hosts % 2 else hosts - 1}, or raise hosts.storage.count.",
        )


def few_mgrs(subject: Subject) -> Iterator[Remark]:
    if _count(subject, DaemonKind.MGR) < 2:
        yield warning(
            "storage.mgrs",
            "There is one manager. While it is down there is no dashboard, no balancing and no new volume.",
            "Set it to 2.",
        )


def crowded_mgrs(subject: Subject) -> Iterator[Remark]:
    count, hosts = _count(subject, DaemonKind.MGR), _hosts(subject)
    if count > hosts:
        yield error(
            "storage.mgrs",
            f"{count} managers on {hosts} storage nodes put two on one host. They listen on the same ports.",
            f"Set it to {min(hosts, 2)}.",
        )


def no_standby_mds(subject: Subject) -> Iterator[Remark]:
    file_system = subject.design.file_system
    if file_system is None:
        return
    count = _count(subject, DaemonKind.MDS)
    if count <= file_system.active_mds:
        yield warning(
            "storage.file.mds.standby",
            f"All {count} metadata servers are active and none stands by. While a lost one is down, the file"
            " system stops.",
            f"Set it to {file_system.active_mds if subject.design.platform == 'kubernetes' else 1}.",
        )


def other_standbys(subject: Subject) -> Iterator[Remark]:
    """Rook has a switch for standbys and no number: one for each active server, or none."""
    file_system = subject.design.file_system
    if subject.design.platform != "kubernetes" or file_system is None:
        return
    active, standby, hosts = file_system.active_mds, file_system.standby_mds, _hosts(subject)
    if standby not in (0, active):
        yield error(
            "storage.file.mds.standby",
            f"Rook starts one standby for each of {active} active metadata servers, or none; it does not"
            f" start {standby}.",
            _standbys_that_fit(active, hosts),
        )


def _standbys_that_fit(active: int, hosts: int) -> str:
    if 2 * active <= hosts:
        return f"Set it to {active}, or to 0."
    return f"Set it to 0, or both it and active to {hosts // 2}." if hosts > 1 else "Set it to 0."


def crowded_mds(subject: Subject) -> Iterator[Remark]:
    count, hosts = _count(subject, DaemonKind.MDS), _hosts(subject)
    if count > hosts and subject.design.platform == "kubernetes":
        yield error(
            "storage.file.mds",
            f"Rook starts {count} metadata servers, each on a host of its own, and there are {hosts} storage"
            f" nodes. {count - hosts} would have none.",
            f"Let active and standby together be at most {hosts}, or raise hosts.storage.count.",
        )
    elif count > hosts:
        yield warning(
            "storage.file.mds",
            f"{count} metadata servers on {hosts} storage nodes put two on one host. One loss takes both.",
            f"Let active and standby together be at most {hosts}.",
        )


def few_gateways(subject: Subject) -> Iterator[Remark]:
    if subject.design.object_store is not None and _count(subject, DaemonKind.RGW) < 2:
        yield warning(
            "storage.object.gateways",
            "There is one gateway. While it is down, object storage stops.",
            "Set it to 2.",
        )


def crowded_gateways(subject: Subject) -> Iterator[Remark]:
    count, hosts = _count(subject, DaemonKind.RGW), _hosts(subject)
    if count > hosts:
        yield error(
            "storage.object.gateways",
            f"{count} gateways on {hosts} storage nodes put two on one host. They listen on the same port.",
            f"Set it to {hosts}, or raise hosts.storage.count.",
        )
