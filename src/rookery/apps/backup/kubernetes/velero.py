"""Velero: what is in the applications' namespace, and the content of its volumes.

A volume's moment is a CSI snapshot, and what is kept is its content: the node agent's kopia reads the
snapshot, not the files that are being written, and sends what it has not yet, encrypted, to the bucket. A
snapshot itself lies in the pool of its volume and would go with it; it is removed once its content is away.

The database has backups of its own (`apps/database/backups.py`). Secrets are left out: what Velero writes of
objects is not encrypted, and they are in the snapshots of etcd, which are.
"""

from __future__ import annotations

import json
from typing import Any

from rookery.apps.backup.kubernetes.pods import ENDPOINT, TRUST, labels, user_keys
from rookery.apps.backup.places import BUCKET, VOLUME_WRITER
from rookery.apps.backup.settings import HOUR, BackupSettings, seconds
from rookery.apps.ground.names import FILE_CLASS, NAMESPACE, PLANE, VELERO
from rookery.apps.ground.pods import sized
from rookery.apps.ground.schedules import cron
from rookery.apps.sizes import NODE_AGENT, VELERO_DEFINITIONS, VELERO_PLUGIN
from rookery.apps.sizes import VELERO as SIZE
from rookery.design.model import Design
from rookery.manifest import (
    Item,
    Manifest,
    NeededSecret,
    NeededSecrets,
    Objects,
    Release,
    Wait,
    expression,
    manifest,
)
from rookery.versions import VELERO as CHART
from rookery.versions import VELERO_PLUGIN as PLUGIN_IMAGE

SNAPSHOT_LABEL = "velero.io/csi-volumesnapshot-class"
"""What a VolumeSnapshotClass carries that Velero takes for its driver, with the value `true`."""

PREFIX = "volumes"
_API = "velero.io/v1"
# Velero's own name: where it is missing, its server makes one with a default.
_PASSWORD = "velero-repo-credentials"  # noqa: S105 - a secret's name
_LABELS = labels("velero")
SCHEDULE = "volumes"
_LOCATION, _AGENT = "backups", "node-agent-config"
# What makes itself anew from what is restored, or is another's to bring back.
_LEFT_OUT = (
    "secrets",
    "jobs.batch",
    "events",
    "clusters.postgresql.cnpg.io",
    "backups.postgresql.cnpg.io",
    "objectbucketclaims.objectbucket.io",
    "certificaterequests.cert-manager.io",
    "cephobjectstoreusers.ceph.rook.io",
)


def velero_items(design: Design, settings: BackupSettings) -> tuple[Item, ...]:
    """Return Velero, where it keeps what it is given, and when it takes what."""
    return (
        Objects(
            name="node-agent",
            why="How volumes are read: a snapshot of CephFS is mounted as it lies, read-only; writable, all "
            "of it would be copied first.",
            objects=(_agent_config(),),
        ),
        NeededSecrets(
            name="passwords",
            why="What kopia encrypts with: without it, Velero would take a password that everybody knows.",
            secrets=(
                NeededSecret(
                    name=_PASSWORD,
                    namespace=VELERO,
                    username="",
                    key="repository-password",
                    why="what kopia encrypts with, for everybody knows Velero's own: keep a copy of it "
                    "elsewhere, as nothing of the volumes can be read without",
                ),
            ),
        ),
        Release(
            name="velero",
            why="Velero, with a node agent on each worker that moves what is in volumes. It comes to "
            "the gateways as a user of its own, whose keys it has in variables.",
            namespace=VELERO,
            chart=CHART,
            values=_values(design),
        ),
        Objects(
            name="location",
            why="Where it keeps them: the bucket of backups, below a prefix of its own, where it suffers "
            "nothing else. The gateways do not take the check-sums of its client, as its plugin's page says "
            "of Ceph; none is sent.",
            objects=(_location(),),
        ),
        Wait(
            kind="backupstoragelocation",
            name=_LOCATION,
            condition="jsonpath={.status.phase}=Available",
            seconds=300,
            namespace=VELERO,
        ),
        Objects(
            name="schedule",
            why="When, and for how long. What is left out: the database's pods and volumes, and secrets. "
            f"`velero restore create --from-schedule {SCHEDULE} --namespace-mappings {NAMESPACE}:scratch "
            "--include-resources persistentvolumeclaims,persistentvolumes` brings the newest volumes back "
            f"beside what runs. On another cluster, the secret `{_PASSWORD}` must be there first as it was.",
            objects=(_schedule(settings),),
        ),
    )


def _values(design: Design) -> dict[str, Any]:
    assert design.kubernetes is not None
    monitored = {"enabled": design.kubernetes.monitoring}
    plugin = {
        "name": "velero-plugin-for-aws",
        "image": PLUGIN_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "resources": sized(VELERO_PLUGIN),
        "volumeMounts": [{"name": "plugins", "mountPath": "/target"}],
    }
    return {
        "resources": sized(SIZE),
        "upgradeJobResources": sized(VELERO_DEFINITIONS),
        # It minds the cluster, as what runs on control planes does, and leaves workers to the applications.
        "nodeSelector": {PLANE: ""},
        "tolerations": [{"key": PLANE, "operator": "Exists", "effect": "NoSchedule"}],
        "initContainers": [plugin],
        "configuration": {
            "features": "EnableCSI",
            "uploaderType": "kopia",
            "defaultBackupStorageLocation": _LOCATION,
            "defaultSnapshotMoveData": True,
            "extraEnvVars": user_keys(VOLUME_WRITER, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        },
        "credentials": {"useSecret": False},
        # The location is an object of ours: the chart cannot name a secret with its authority. Snapshots are
        # CSI's, for which there is no location.
        "backupsEnabled": False,
        "snapshotsEnabled": False,
        "deployNodeAgent": True,
        "nodeAgent": {
            "resources": sized(NODE_AGENT),
            "extraArgs": [f"--node-agent-configmap={_AGENT}"],
        },
        "metrics": {"serviceMonitor": monitored, "nodeAgentPodMonitor": monitored},
    }


def _agent_config() -> Manifest:
    told = {
        # Two at a time on a node would share its network and its disks.
        "loadConcurrency": {"globalConfig": 1},
        "backupPVC": {FILE_CLASS: {"readOnly": True}},
    }
    data = {"node-agent.json": json.dumps(told, indent=1) + "\n"}
    return manifest("v1", "ConfigMap", _AGENT, namespace=VELERO, labels=_LABELS, data=data)


def _location() -> Manifest:
    spec = {
        "provider": "aws",
        "default": True,
        "accessMode": "ReadWrite",
        "objectStorage": {
            "bucket": BUCKET,
            "prefix": PREFIX,
            "caCertRef": {"name": TRUST, "key": "ca.crt"},
        },
        "config": {
            "region": "default",
            "s3Url": ENDPOINT,
            "s3ForcePathStyle": "true",
            "checksumAlgorithm": "",
        },
    }
    return manifest(_API, "BackupStorageLocation", _LOCATION, namespace=VELERO, labels=_LABELS, spec=spec)


def _schedule(settings: BackupSettings) -> Manifest:
    kept = -(-seconds(settings.retention.sets) // HOUR)
    spec = {
        "schedule": cron(seconds(settings.schedules.sets), minute=10, hour=2),
        "skipImmediately": False,
        "template": {
            "storageLocation": _LOCATION,
            "ttl": f"{kept}h0m0s",
            "includedNamespaces": [NAMESPACE],
            "excludedResources": list(_LEFT_OUT),
            # Everything that CloudNativePG makes for a cluster carries this label.
            "labelSelector": {"matchExpressions": [expression("cnpg.io/cluster", "DoesNotExist")]},
            "snapshotVolumes": True,
            "snapshotMoveData": True,
            "defaultVolumesToFsBackup": False,
        },
    }
    return manifest(_API, "Schedule", SCHEDULE, namespace=VELERO, labels=_LABELS, spec=spec)
