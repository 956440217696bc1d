"""The rows of checks of backups; `table.py` has all others, and says what a row is."""

from __future__ import annotations

from rookery.design.checks import backups
from rookery.design.checks.finding import Check, Severity

_WARNING = (Severity.WARNING,)

BACKUP_CHECKS: tuple[Check, ...] = (
    Check(
        code="RK001",
        severities=_WARNING,
        title="Backups that share the fate of what they are of",
        why="By default backups go to a bucket of the same Ceph. They bring back what was deleted, "
        "overwritten or changed by mistake, as of any set or moment that is kept, and what a lost server "
        "had. What takes the cluster takes them too: the loss of its site or of more drives than its pools "
        "bear, a damaged pool, a fault of Ceph, an administrator's error or ill will. A copy outside "
        "(backup.copies) helps against all of these: `rookery restore system` builds the same system from "
        "it.",
        function=backups.shared_fate,
    ),
    Check(
        code="RK002",
        severities=_WARNING,
        title="Backups that are not locked",
        why="S3 object lock keeps every version of a backup for as long as backup.lock says, whoever asks "
        "to delete it, its owner too. Without it the owner's keys are enough to remove all backups. The lock "
        "is the gateways': it does not bind whoever administers the cluster, which only a copy outside "
        "survives.",
        function=backups.not_locked,
    ),
    Check(
        code="RK003",
        severities=_WARNING,
        title="Backups with an operator that they were not tried with",
        why="The tree for backups is written for the Rook, the Ceph and the snapshots of the newest pinned "
        "releases. KSD pins older ones, which nobody has held against it. It applies to platform: kubernetes "
        "only: on a lab, backups were taken and restored with each release of Ceph that it can run.",
        function=backups.untried_release,
    ),
)
