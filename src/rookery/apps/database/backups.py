"""Backups on Kubernetes: to a bucket of the object store, by CloudNativePG's plugin."""

from __future__ import annotations

from typing import Any

from rookery.apps.database.clients import API, CLUSTER, LABELS
from rookery.apps.ground.names import NAMESPACE, S3_HOST, tls_secret
from rookery.apps.ground.pods import bound, bucket_claim, sized
from rookery.apps.sizes import BACKUP_SIDECAR
from rookery.manifest import Item, Objects, manifest

BACKUPS = "database-backups"
_PLUGIN = "barman-cloud.cloudnative-pg.io"
# How long backups are kept, and when one is made: seconds first, as the operator reads it.
_KEPT, _DAILY = "7d", "0 30 2 * * *"


def backup_items() -> tuple[Item, ...]:
    """Return the bucket, and the store that leads there: both before the cluster that uses them."""
    return (
        Objects(
            name="backup-bucket",
            why="The bucket of base backups and write-ahead logs. It is on the same Ceph as the volumes that "
            "it backs up and shares their failures: it helps against mistakes (a table dropped at noon comes "
            "back as of noon), not against the loss of Ceph. Let the store lead elsewhere for that.",
            objects=(bucket_claim(BACKUPS, LABELS),),
        ),
        bound(BACKUPS),
        Objects(
            name="backup-store",
            why="Where the plugin sends them. The gateways know nothing of the check-sums that S3's newer "
            "clients add to everything, so these are only sent where they are asked for.",
            objects=(
                manifest(
                    "barmancloud.cnpg.io/v1",
                    "ObjectStore",
                    BACKUPS,
                    namespace=NAMESPACE,
                    labels=LABELS,
                    spec=_store(),
                ),
            ),
        ),
    )


def _store() -> dict[str, Any]:
    checksums = ("AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION")
    return {
        "configuration": {
            "destinationPath": f"s3://{BACKUPS}/",
            "endpointURL": f"https://{S3_HOST}",
            "endpointCA": {"name": tls_secret(CLUSTER), "key": "ca.crt"},
            "s3Credentials": {
                "accessKeyId": {"name": BACKUPS, "key": "AWS_ACCESS_KEY_ID"},
                "secretAccessKey": {"name": BACKUPS, "key": "AWS_SECRET_ACCESS_KEY"},
            },
            "wal": {"compression": "gzip", "maxParallel": 2},
            "data": {"compression": "gzip", "immediateCheckpoint": True, "jobs": 1},
        },
        "retentionPolicy": _KEPT,
        "instanceSidecarConfiguration": {
            "env": [{"name": name, "value": "when_required"} for name in checksums],
            "resources": sized(BACKUP_SIDECAR),
        },
    }


def backup_plugin() -> dict[str, Any]:
    """Return what a cluster says of the plugin that takes its logs away."""
    return {"name": _PLUGIN, "isWALArchiver": True, "parameters": {"barmanObjectName": BACKUPS}}


def backup_schedule() -> Objects:
    """Return when base backups are made; it needs a cluster that runs."""
    spec = {
        "cluster": {"name": CLUSTER},
        "schedule": _DAILY,
        # The first one now: without one, the logs restore nothing.
        "immediate": True,
        "backupOwnerReference": "self",
        "target": "prefer-standby",
        "method": "plugin",
        "pluginConfiguration": {"name": _PLUGIN},
    }
    return Objects(
        name="backup-schedule",
        why="A base backup each day; with the logs, every moment since the oldest one can be restored.",
        objects=(manifest(API, "ScheduledBackup", CLUSTER, namespace=NAMESPACE, labels=LABELS, spec=spec),),
    )
