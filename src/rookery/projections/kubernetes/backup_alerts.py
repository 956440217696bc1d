"""Alerts on backups: one that fails tells somebody, and so does one that simply no longer comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rookery.apps.backup.kubernetes.etcd import CRON_JOB as ETCD
from rookery.apps.backup.kubernetes.items import copy_secret
from rookery.apps.backup.kubernetes.velero import SCHEDULE
from rookery.apps.backup.settings import HOUR, BackupSettings, seconds
from rookery.apps.ground.names import MONITORING, NAMESPACE, VELERO
from rookery.design.model import Design
from rookery.manifest import Objects, manifest
from rookery.projections.kubernetes.monitoring import alert


def backup_alerts(design: Design, settings: BackupSettings) -> Objects:
    """Return the alerts on every kind of backup that a design has."""
    rules = [*_database(settings)] if design.database is not None else []
    rules += [*_volumes(settings), *_cron_jobs(settings)]
    spec = {"groups": [{"name": "backups", "rules": rules}]}
    return Objects(
        name="rules",
        why="Alerts on backups that are overdue, by twice their schedule and an hour, and on a log of the "
        "database that does not reach its archive.",
        objects=(
            manifest(
                "monitoring.coreos.com/v1",
                "PrometheusRule",
                "backups",
                namespace=MONITORING,
                labels={"app.kubernetes.io/part-of": "media-site"},
                spec=spec,
            ),
        ),
    )


def _database(settings: BackupSettings) -> Iterator[dict[str, Any]]:
    where = f'{{namespace="{NAMESPACE}"}}'
    archiver = "cnpg_pg_stat_archiver_last"
    yield alert(
        "DatabaseLogNotArchived",
        f"max({archiver}_failed_time{where}) - max({archiver}_archived_time{where}) > 1",
        "5m",
        "critical",
        "The last segment of the database's log did not reach its archive: no later moment can be restored, "
        "and the log fills the volume.",
    )
    yield alert(
        "DatabaseBackupOverdue",
        f"time() - max(barman_cloud_cloudnative_pg_io_last_available_backup_timestamp{where})"
        f" > {_late(settings.schedules.base)}",
        "30m",
        "warning",
        "The database's last base backup is {{ $value | humanizeDuration }} old.",
    )


def _volumes(settings: BackupSettings) -> Iterator[dict[str, Any]]:
    yield alert(
        "VolumesBackupOverdue",
        f'time() - max(velero_backup_last_successful_timestamp{{schedule="{SCHEDULE}"}})'
        f" > {_late(settings.schedules.sets)}",
        "30m",
        "warning",
        "The last complete backup of volumes is {{ $value | humanizeDuration }} old.",
    )


def _cron_jobs(settings: BackupSettings) -> Iterator[dict[str, Any]]:
    found = [(VELERO, ETCD)] if settings.encryption.recipients else []
    found += [(NAMESPACE, copy_secret(copy)) for copy in settings.copies]
    for namespace, name in found:
        last = f'kube_cronjob_status_last_successful_time{{namespace="{namespace}",cronjob="{name}"}}'
        yield alert(
            "BackupJobOverdue",
            f"time() - max by (cronjob) ({last}) > {_late(settings.schedules.sets)}",
            "30m",
            "warning",
            "{{ $labels.cronjob }} last succeeded {{ $value | humanizeDuration }} ago.",
        )


def _late(period: str) -> int:
    """Return the seconds after which what is done in each period is overdue."""
    return 2 * seconds(period) + HOUR
