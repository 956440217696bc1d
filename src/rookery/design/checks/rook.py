"""Checks against the bounds that Rook's definitions have: an API server refuses what is beyond them."""

from __future__ import annotations

from collections.abc import Iterator

from rookery.design.checks.finding import Remark, Subject, error
from rookery.design.model import DaemonKind

# What Rook 1.20's definitions take at most; a test holds them against the definitions themselves:
# CephCluster's mon.count and mgr.count, CephFilesystem's metadataServer.activeCount.
MOST_MONS = 9
MOST_MGRS = 5
MOST_ACTIVE_MDS = 50


def too_many_for_rook(subject: Subject) -> Iterator[Remark]:
    design = subject.design
    if design.kubernetes is None:
        return
    counts = (
        ("storage.mons", "monitors", len(design.with_daemon(DaemonKind.MON)), MOST_MONS),
        ("storage.mgrs", "managers", len(design.with_daemon(DaemonKind.MGR)), MOST_MGRS),
        (
            "storage.file.mds.active",
            "active metadata servers",
            design.file_system.active_mds if design.file_system else 0,
            MOST_ACTIVE_MDS,
        ),
    )
    for path, what, count, most in counts:
        if count > most:
            yield error(
                path,
                f"There are {count} {what}, and Rook's definition takes {most} at most: the API server"
                " refuses the cluster.",
                f"Set it to {most}.",
            )
