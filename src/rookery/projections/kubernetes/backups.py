"""The stage of backups: the bucket and who writes to it, Velero, and snapshots of etcd.

It comes before the applications: the database sends its log to the bucket from its first moment on.
"""

from __future__ import annotations

from rookery.apps.backup.kubernetes.bucket import bucket_items
from rookery.apps.backup.kubernetes.etcd import etcd_items
from rookery.apps.backup.kubernetes.velero import velero_items
from rookery.apps.backup.settings import BackupSettings
from rookery.design.model import AppDesign, Design
from rookery.manifest import Stage
from rookery.projections.kubernetes.backup_alerts import backup_alerts

_WHY = """\
Each kind of backup is taken by who knows it, at a moment of its own, on the schedule of the spec:
{database}Velero keeps volumes by way of snapshots, etcd snapshots itself, and the gateways keep versions of
objects. A set of one moment across all kinds, which a lab takes, is not made here. What is kept goes to one
bucket, which its writers' keys cannot empty."""
_DATABASE = "CloudNativePG archives\nthe database, "
_NOBODY = """

There are no snapshots of etcd: `backup.encryption.recipients` names nobody who could read them. `age-keygen
-o key.txt` makes a key, to be kept elsewhere; its public line goes into the spec."""


def backup_of(design: Design) -> AppDesign | None:
    """Return backup as it is designed, None where the spec says nothing of it."""
    return next((app for app in design.apps if isinstance(app.settings, BackupSettings)), None)


def _is_monitored(design: Design) -> bool:
    return design.kubernetes is not None and design.kubernetes.monitoring


def backups_stage(app: AppDesign, design: Design, image: str) -> Stage:
    """Return the stage; `image` is what pods name our image by."""
    settings = app.settings
    assert isinstance(settings, BackupSettings)
    return Stage(
        name="65-backups",
        title="Backups",
        why=_WHY.format(database=_DATABASE if design.database is not None else "")
        + ("" if settings.encryption.recipients else _NOBODY),
        items=(
            *bucket_items(app, image),
            *velero_items(design, settings),
            *etcd_items(settings, image),
            *((backup_alerts(design, settings),) if _is_monitored(design) else ()),
        ),
    )
