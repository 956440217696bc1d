"""Backups on Kubernetes: to a bucket of the object store, by CloudNativePG's plugin.

Without `backup` in the spec they go to a bucket of the database's own. With it, they go to the bucket of all
backups, under the names that a lab's have there: what either wrote, the other restores.
"""

from __future__ import annotations

from typing import Any

from rookery.apps.database.clients import API, CLUSTER, LABELS
from rookery.apps.ground.names import NAMESPACE, S3_HOST, s3_user_secret, tls_secret
from rookery.apps.ground.pods import bound, bucket_claim, sized
from rookery.apps.ground.schedules import cron
from rookery.apps.sizes import BACKUP_SIDECAR
from rookery.design.model import Design
from rookery.design.stored import Keeping
from rookery.manifest import Item, Manifest, Objects, manifest

BACKUPS = "database-backups"
PLUGIN = "barman-cloud.cloudnative-pg.io"
_STORE_API = "barmancloud.cnpg.io/v1"
_DAY = 86400
# How long backups are kept, and when one is made, where the spec says nothing of backups. The operator reads
# a cron line with seconds before it.
_KEPT, _DAILY = "7d", "0 30 2 * * *"


def backup_items(design: Design) -> tuple[Item, ...]:
    """Return the bucket, and the store that leads there: both before the cluster that uses them."""
    keeping = keeping_of(design)
    if keeping is not None:
        return (_store_objects(_to_the_bucket_of_all(keeping), f"{-(-keeping.kept // _DAY)}d"),)
    return (
        Objects(
            name="backup-bucket",
            why="The bucket of base backups and write-ahead logs. It is on the same Ceph as the volumes that "
            "it backs up and shares their failures: it helps against mistakes (a table dropped at noon comes "
            "back as of noon), not against the loss of Ceph. Let the store lead elsewhere for that.",
            objects=(bucket_claim(BACKUPS, LABELS),),
        ),
        bound(BACKUPS),
        _store_objects(_to_a_bucket_of_its_own(), _KEPT),
    )


def keeping_of(design: Design) -> Keeping | None:
    """Return what backup wants of the database; None where the spec says nothing of backups."""
    return design.backup.keeping if design.backup is not None else None


def _store_objects(target: dict[str, Any], kept: str) -> Objects:
    return Objects(
        name="backup-store",
        why="Where the plugin sends them. The gateways know nothing of the check-sums that S3's newer "
        "clients add to everything, so these are only sent where they are asked for.",
        objects=(backup_store(BACKUPS, target, retentionPolicy=kept),),
    )


def backup_store(name: str, target: dict[str, Any], **more: Any) -> Manifest:
    """Return an ObjectStore: where backups are, by `target` (its path, its service, who comes); `more` are
    further fields of it."""
    checksums = ("AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION")
    spec = {
        "configuration": {
            **target,
            "wal": {"compression": "gzip", "maxParallel": 2},
            "data": {"compression": "gzip", "immediateCheckpoint": True, "jobs": 1},
        },
        **more,
        "instanceSidecarConfiguration": {
            "env": [{"name": name, "value": "when_required"} for name in checksums],
            "resources": sized(BACKUP_SIDECAR),
        },
    }
    return manifest(_STORE_API, "ObjectStore", name, namespace=NAMESPACE, labels=LABELS, spec=spec)


def _to_a_bucket_of_its_own() -> dict[str, Any]:
    return {
        "destinationPath": f"s3://{BACKUPS}/",
        **_service(),
        "s3Credentials": credentials(BACKUPS, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    }


def _to_the_bucket_of_all(keeping: Keeping) -> dict[str, Any]:
    return {
        "destinationPath": f"s3://{keeping.bucket}/{CLUSTER}",
        **_service(),
        "s3Credentials": credentials(s3_user_secret(keeping.user), "AccessKey", "SecretKey"),
    }


def _service() -> dict[str, Any]:
    return {
        "endpointURL": f"https://{S3_HOST}",
        "endpointCA": {"name": tls_secret(CLUSTER), "key": "ca.crt"},
    }


def credentials(secret: str, access: str, key: str) -> dict[str, Any]:
    """Return who comes to a store: the secret, and what its two keys are called there."""
    return {
        "accessKeyId": {"name": secret, "key": access},
        "secretAccessKey": {"name": secret, "key": key},
    }


def backup_plugin(**more: str) -> dict[str, Any]:
    """Return what a cluster says of the plugin that takes its logs away; `more` are further parameters."""
    return {"name": PLUGIN, "isWALArchiver": True, "parameters": {"barmanObjectName": BACKUPS, **more}}


def backup_schedule(design: Design) -> Objects:
    """Return when base backups are made; it needs a cluster that runs."""
    keeping = keeping_of(design)
    schedule = _DAILY if keeping is None else f"0 {cron(keeping.base, minute=30, hour=2)}"
    spec = {
        "cluster": {"name": CLUSTER},
        "schedule": schedule,
        # The first one now: without one, the logs restore nothing.
        "immediate": True,
        "backupOwnerReference": "self",
        "target": "prefer-standby",
        "method": "plugin",
        "pluginConfiguration": {"name": PLUGIN},
    }
    often = "each day" if keeping is None else "as often as the spec says"
    return Objects(
        name="backup-schedule",
        why=f"A base backup {often}; with the logs, every moment since the oldest one can be restored.",
        objects=(manifest(API, "ScheduledBackup", CLUSTER, namespace=NAMESPACE, labels=LABELS, spec=spec),),
    )
