"""The bucket of all backups on Kubernetes: who owns it, who writes to it, and its lock.

Rook's claims make buckets without versions and without a lock, and a lock can be had from a bucket's
beginning only. So its owner is a user of the object store like any other, and a Job makes it with his keys,
which no writer has.
"""

from __future__ import annotations

from typing import Any

from rookery.apps.backup.kubernetes.pods import CA_FILE, ENDPOINT, labels, program, trust, user_keys, volumes
from rookery.apps.backup.places import SYSTEM_WRITER, VAULT, VOLUME_WRITER, WRITER
from rookery.apps.ground.names import NAMESPACE, ROOK, STORE, VELERO
from rookery.apps.ground.pods import done, job, pod
from rookery.apps.sizes import BUCKETS
from rookery.design.model import AppDesign
from rookery.design.stored import Bucket
from rookery.manifest import Item, Manifest, Objects, Wait, manifest

_LABELS = labels("bucket")
# Who writes from where: a user's secret is in the namespace of its resource.
_WRITERS = ((WRITER, NAMESPACE), (VOLUME_WRITER, VELERO), (SYSTEM_WRITER, VELERO))
WRITER_NAMESPACES = tuple(dict.fromkeys(namespace for _, namespace in _WRITERS))


def bucket_items(app: AppDesign, image: str) -> tuple[Item, ...]:
    """Return the users, and the Job that makes the bucket and says who may do what in it."""
    [bucket] = app.buckets
    everyone = ((VAULT, ROOK), *_WRITERS)
    made = job("backup-bucket", _LABELS, _pod(bucket, image), namespace=ROOK)
    return (
        Objects(
            name="users",
            why="Who owns the bucket of backups, and who writes to it: the database's instances, Velero, and "
            "what keeps etcd, each with keys in the namespace where it works. A writer may put, read and "
            "hide, and neither remove a version nor change how long one is kept.",
            objects=tuple(_user(name, namespace) for name, namespace in everyone),
        ),
        *(_ready(name, namespace) for name, namespace in everyone),
        Objects(
            name="trust",
            why="The authority's certificate, in both namespaces from which the gateways are spoken with.",
            objects=tuple(trust(one) for one in (ROOK, VELERO)),
        ),
        Objects(name="bucket", why=_why(bucket), objects=(made,)),
        done(made, 300),
    )


def _why(bucket: Bucket) -> str:
    said = f"The bucket of backups. It keeps a version for {_days(bucket.versions)} after it was replaced"
    if bucket.lock:
        said += (
            f", and for {_days(bucket.lock)} after it was written nobody can remove it through S3, the owner "
            "neither (object lock, compliance). Who administers Ceph still can: it is no defence against that"
        )
    return (
        f"{said}. It is on the same Ceph as what it backs up: it helps against mistakes, not against the "
        "loss of Ceph; for that, name `backup.copies`."
    )


def _days(count: int) -> str:
    return "a day" if count == 1 else f"{count} days"


def _user(name: str, namespace: str) -> Manifest:
    elsewhere = {} if namespace == ROOK else {"clusterNamespace": ROOK}
    # A writer makes no bucket of its own; 0 would mean as many as it likes.
    quotas = {} if name == VAULT else {"quotas": {"maxBuckets": -1}}
    spec = {"store": STORE, "displayName": name, **elsewhere, **quotas}
    return manifest(
        "ceph.rook.io/v1", "CephObjectStoreUser", name, namespace=namespace, labels=_LABELS, spec=spec
    )


def _ready(name: str, namespace: str) -> Wait:
    condition = "jsonpath={.status.phase}=Ready"
    return Wait(kind="cephobjectstoreuser", name=name, condition=condition, seconds=300, namespace=namespace)


def _pod(bucket: Bucket, image: str) -> dict[str, Any]:
    words = [
        f"--bucket={bucket.name}",
        f"--endpoint={ENDPOINT}",
        f"--ca={CA_FILE}",
        f"--versions={bucket.versions}",
        f"--lock={bucket.lock}",
        "--make",
        *(f"--writer={name}" for name in bucket.writers),
    ]
    name = bucket.name.upper()
    keys = user_keys(VAULT, f"{name}_ACCESS", f"{name}_SECRET")
    return pod([program("prepare_bucket", image, words, size=BUCKETS, env=keys)], volumes=volumes())
