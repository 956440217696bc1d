"""What backup asks of a cluster's nodes, and what all its pods are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rookery.apps.backup.places import FOLDER
from rookery.apps.backup.settings import BackupSettings
from rookery.apps.ground.names import PART_OF, S3_HOST, s3_user_secret, tls_secret
from rookery.apps.ground.pods import certificate, container, secret_variable, sized
from rookery.apps.sizes import (
    BUCKETS,
    COPY,
    ETCD_SNAPSHOT,
    KEEP_ETCD,
    NODE_AGENT,
    VELERO,
    VELERO_DEFINITIONS,
    VELERO_PLUGIN,
    work,
)
from rookery.design.pod import PodGroup, Reach, Size, largest
from rookery.manifest import Manifest, common_labels

ENDPOINT = f"https://{S3_HOST}"
# A certificate that serves nobody: with it comes, into each namespace, that of the authority.
_TRUST = "backup"
_CA_FOLDER, _TEMPORARY = "/etc/rookery/tls", "/tmp"  # noqa: S108 - a volume of the pod's own
CA_FILE = f"{_CA_FOLDER}/ca.crt"


def backup_pods(settings: BackupSettings) -> tuple[PodGroup, ...]:
    """Return the pods of backup on a cluster."""
    etcd = PodGroup(
        name="etcd-backup",
        size=largest(ETCD_SNAPSHOT, KEEP_ETCD),
        reach=Reach.CONTROL_PLANE,
        ends=True,
    )
    return (
        work("backup-bucket", BUCKETS),
        PodGroup(
            name="velero-upgrade-crds",
            size=VELERO_DEFINITIONS,
            reach=Reach.CONTROL_PLANE,
            ends=True,
        ),
        PodGroup(name="velero", size=largest(VELERO, VELERO_PLUGIN), reach=Reach.CONTROL_PLANE),
        PodGroup(name="node-agent", size=NODE_AGENT, reach=Reach.OPEN, count=None),
        *((etcd,) if settings.encryption.recipients else ()),
        *(work(f"backup-copy-{copy.name}", COPY) for copy in settings.copies),
    )


def labels(component: str) -> dict[str, str]:
    """Return the labels of a component's objects and pods."""
    return common_labels("backup", component=component, part_of=PART_OF)


def trust(namespace: str) -> Manifest:
    """Return what brings the authority's certificate into a namespace, as `ca.crt` of the secret TRUST."""
    return certificate(_TRUST, labels("trust"), names=[f"{_TRUST}.{namespace}.svc"], namespace=namespace)


TRUST = tls_secret(_TRUST)


def user_keys(user: str, access: str, secret: str) -> list[dict[str, Any]]:
    """Return the environment that has the keys of a user of the object store, under two names."""
    kept = s3_user_secret(user)
    return [secret_variable(access, kept, "AccessKey"), secret_variable(secret, kept, "SecretKey")]


def program(
    name: str, image: str, words: Sequence[str], *, size: Size, env: Sequence[Mapping[str, Any]], **more: Any
) -> dict[str, Any]:
    """Return the container of one of our programs, `python3 -m backups.NAME`; `more` are further fields."""
    mounts = [
        {"name": "trust", "mountPath": _CA_FOLDER, "readOnly": True},
        {"name": "tmp", "mountPath": _TEMPORARY},
        *more.pop("volumeMounts", ()),
    ]
    return container(
        name.replace("_", "-"),
        image,
        ["python3", "-m", f"backups.{name}", *words],
        size=sized(size),
        env=[{"name": "PYTHONPATH", "value": f"/{FOLDER}"}, *env],
        volumeMounts=mounts,
        **more,
    )


def volumes(*more: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the volumes that a program's container mounts, and `more`."""
    return [
        {"name": "trust", "secret": {"secretName": TRUST, "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        *(dict(one) for one in more),
    ]
