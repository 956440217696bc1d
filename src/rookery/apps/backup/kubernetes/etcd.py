"""Snapshots of Kubernetes' own etcd, with the keys of its control plane: what a cluster is made anew from.

etcd holds every object, secrets among them, in the clear. So a snapshot is encrypted where it is taken, to
the recipients that the spec names, and there is none without: a key that lies in the cluster would be lost
with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rookery.apps.backup.kubernetes.pods import CA_FILE, ENDPOINT, labels, program, user_keys, volumes
from rookery.apps.backup.places import BUCKET, SYSTEM_WRITER
from rookery.apps.backup.settings import BackupSettings, seconds
from rookery.apps.ground.names import PLANE, VELERO
from rookery.apps.ground.pods import container, container_security, pod, sized
from rookery.apps.ground.schedules import cron
from rookery.apps.sizes import ETCD_SNAPSHOT, KEEP_ETCD
from rookery.manifest import Item, Manifest, Objects, manifest
from rookery.versions import ETCD_IMAGE

CRON_JOB = "etcd-backup"
_LABELS = labels("etcd")
# Where kubeadm, and KubeOne by it, keep the control plane's certificates; etcd's clients come with one of
# them.
_PKI, _WORK = "/etc/kubernetes/pki", "/work"
_SNAPSHOT = f"{_WORK}/etcd.db"
_CLIENT = f"{_PKI}/etcd/healthcheck-client"
_LIMIT = 1800  # seconds


def etcd_items(settings: BackupSettings, image: str) -> tuple[Item, ...]:
    """Return what takes snapshots of etcd; nothing where nobody could read them."""
    recipients = settings.encryption.recipients
    if not recipients:
        return ()
    return (
        Objects(
            name="etcd",
            why="A snapshot of etcd on a control plane, with the certificates and keys below "
            "/etc/kubernetes/pki, encrypted by age to the recipients of the spec. Back: `age --decrypt "
            "--identity KEY FILE | tar -x`, then on an empty control plane the keys to where they were, "
            "`etcdutl snapshot restore etcd.db --data-dir /var/lib/etcd`, and `kubeadm init "
            "--ignore-preflight-errors=DirAvailable--var-lib-etcd`. Now, not at its hour: `kubectl "
            f"-n {VELERO} create job --from=cronjob/{CRON_JOB} {CRON_JOB}-now`.",
            objects=(_cron_job(settings, recipients, image),),
        ),
    )


def _cron_job(settings: BackupSettings, recipients: Sequence[str], image: str) -> Manifest:
    template = {"metadata": {"labels": _LABELS}, "spec": _pod(settings, recipients, image)}
    job = {"backoffLimit": 2, "activeDeadlineSeconds": _LIMIT, "template": template}
    spec = {
        "schedule": cron(seconds(settings.schedules.sets), minute=20, hour=2),
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": _LIMIT,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 3,
        "jobTemplate": {"spec": job},
    }
    return manifest("batch/v1", "CronJob", CRON_JOB, namespace=VELERO, labels=_LABELS, spec=spec)


def _pod(settings: BackupSettings, recipients: Sequence[str], image: str) -> dict[str, Any]:
    """Return a pod that is root, for the control plane's keys are root's alone, and may do nothing else."""
    root = {"runAsUser": 0, "runAsGroup": 0, "seccompProfile": {"type": "RuntimeDefault"}}
    pki = {"hostPath": {"path": _PKI, "type": "Directory"}}
    return pod(
        [_keeping(settings, recipients, image)],
        before=[_taking(), _looking()],
        securityContext=root,
        nodeSelector={PLANE: ""},
        tolerations=[{"key": PLANE, "operator": "Exists", "effect": "NoSchedule"}],
        priorityClassName="system-cluster-critical",
        restartPolicy="Never",
        volumes=volumes({"name": "pki", **pki}, {"name": "work", "emptyDir": {"sizeLimit": "6Gi"}}),
    )


def _taking() -> dict[str, Any]:
    """Return what takes the snapshot. etcd's image has no shell: what it does is one command, and the node's
    own member, which listens at the node's address, is asked."""
    host = {"name": "HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}
    told = (
        "--endpoints=https://$(HOST):2379",
        f"--cacert={_PKI}/etcd/ca.crt",
        f"--cert={_CLIENT}.crt",
        f"--key={_CLIENT}.key",
    )
    command = ["etcdctl", *told, "snapshot", "save", _SNAPSHOT]
    return container(
        "take",
        ETCD_IMAGE,
        command,
        size=sized(ETCD_SNAPSHOT),
        env=[host],
        volumeMounts=[_pki_mount(), _work_mount()],
    )


def _looking() -> dict[str, Any]:
    """Return what reads the snapshot whole and ends with an error where its checksum does not hold."""
    command = ["etcdutl", "snapshot", "status", _SNAPSHOT, "--write-out=json"]
    return container("look", ETCD_IMAGE, command, size=sized(ETCD_SNAPSHOT), volumeMounts=[_work_mount()])


def _keeping(settings: BackupSettings, recipients: Sequence[str], image: str) -> dict[str, Any]:
    words = [
        f"--snapshot={_SNAPSHOT}",
        f"--beside={_PKI}",
        "--name=$(NODE)",
        f"--bucket={BUCKET}",
        f"--endpoint={ENDPOINT}",
        f"--ca={CA_FILE}",
        f"--kept={seconds(settings.retention.sets)}",
        f"--least={settings.retention.least}",
        *(f"--recipient={one}" for one in recipients),
    ]
    node = {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    keys = user_keys(SYSTEM_WRITER, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    made = program(
        "keep_etcd",
        image,
        words,
        size=KEEP_ETCD,
        env=[node, *keys],
        volumeMounts=[_pki_mount(), _work_mount()],
    )
    return {**made, "securityContext": container_security()}


def _pki_mount() -> dict[str, Any]:
    return {"name": "pki", "mountPath": _PKI, "readOnly": True}


def _work_mount() -> dict[str, Any]:
    return {"name": "work", "mountPath": _WORK}
