"""What Ceph offers, as values of Rook's cluster chart: pools, CephFS, the object store, and their classes.

The names are those of the design: a pool there is a pool here.
"""

from __future__ import annotations

from typing import Any

from rookery.apps.backup.kubernetes.bucket import WRITER_NAMESPACES
from rookery.apps.backup.kubernetes.velero import SNAPSHOT_LABEL
from rookery.apps.ground.names import (
    BLOCK_CLASS,
    BUCKET_CLASS,
    FILE_CLASS,
    ROOK,
    S3_CERTIFICATE,
    S3_PODS,
    S3_PORT,
    STORE,
)
from rookery.design.model import DaemonKind, Design
from rookery.design.stored import Pool
from rookery.projections.kubernetes.backups import backup_of
from rookery.projections.kubernetes.nodes import apart, storage_placement
from rookery.projections.kubernetes.storage.resources import daemon_resources

_RBD = "rook-csi-rbd"
_CEPHFS = "rook-csi-cephfs"


def block_pools(design: Design) -> list[dict[str, Any]]:
    """Return the chart's `cephBlockPools`: the managers' own pool, and those of RBD."""
    rbd = [pool for pool in design.pools if pool.application == "rbd"]
    manager = next(pool for pool in design.pools if pool.application == "mgr")
    # Rook takes over the pool that Ceph makes by itself, so that it has the design's copies and domain.
    own = {"name": "builtin-mgr", "spec": {"name": ".mgr", **pool_spec(manager)}}
    return [
        own | {"storageClass": {"enabled": False}},
        *(_block_pool(pool, rbd) for pool in rbd),
    ]


def _block_pool(pool: Pool, rbd: list[Pool]) -> dict[str, Any]:
    spec = {**pool_spec(pool), "enableRBDStats": True}
    if pool is not rbd[0]:
        return {"name": pool.name, "spec": spec, "storageClass": {"enabled": False}}
    data = {"dataPool": rbd[1].name} if len(rbd) > 1 else {}
    parameters = {
        "imageFormat": "2",
        # What a client of kernel 5.15 knows; the last four make snapshots, clones and `rbd du` quick.
        "imageFeatures": "layering,fast-diff,object-map,deep-flatten,exclusive-lock",
        **data,
        **_secrets(_RBD),
        "csi.storage.k8s.io/fstype": "ext4",
    }
    return {
        "name": pool.name,
        "spec": spec,
        "storageClass": {
            "enabled": True,
            "name": BLOCK_CLASS,
            "isDefault": True,
            "reclaimPolicy": "Delete",
            "allowVolumeExpansion": True,
            # An image is reachable from every node, so it need not wait for a pod to say where.
            "volumeBindingMode": "Immediate",
            "parameters": parameters,
        },
    }


def file_systems(design: Design) -> list[dict[str, Any]]:
    """Return the chart's `cephFileSystems`."""
    system = design.file_system
    if system is None:
        return []
    pools = {pool.name: pool for pool in design.pools}
    names = [_short(name, system.name) for name in system.data_pools]
    spec = {
        "metadataPool": pool_spec(pools[system.metadata_pool]),
        "dataPools": [
            {"name": short, **pool_spec(pools[name])}
            for short, name in zip(names, system.data_pools, strict=True)
        ],
        "preserveFilesystemOnDelete": False,
        "metadataServer": {
            "activeCount": system.active_mds,
            # One for each active server, which follows its journal: it takes over in a second or two, not in
            # a minute. There is no number of them: all or none.
            "activeStandby": system.standby_mds > 0,
            "priorityClassName": "system-cluster-critical",
            # Not inherited from the CephCluster: without this they would land on the workers.
            "placement": storage_placement(design) | apart({"app": "rook-ceph-mds"}),
            "resources": daemon_resources(design, DaemonKind.MDS),
        },
    }
    storage_class = {
        "enabled": True,
        "isDefault": False,
        "name": FILE_CLASS,
        # Files go to the last pool; CephFS keeps the first, which is replicated, for itself.
        "pool": names[-1],
        "reclaimPolicy": "Delete",
        "allowVolumeExpansion": True,
        "volumeBindingMode": "Immediate",
        "parameters": {
            **_secrets(_CEPHFS),
            # A lab's servers have their machine's kernel, which may know no CephFS: by FUSE they need none,
            # as on the native platform.
            **({"mounter": "fuse"} if design.traits.here else {}),
        },
    }
    return [{"name": system.name, "spec": spec, "storageClass": storage_class}]


def object_stores(design: Design) -> list[dict[str, Any]]:
    """Return the chart's `cephObjectStores`."""
    store = design.object_store
    if store is None:
        return []
    pools = {pool.name: pool for pool in design.pools}
    index = next(pool for name, pool in pools.items() if name.endswith(".buckets.index"))
    gateways = len(design.with_daemon(DaemonKind.RGW))
    spec = {
        # Who writes backups has keys in a namespace that is not Rook's.
        **({"allowUsersInNamespaces": list(WRITER_NAMESPACES)} if backup_of(design) is not None else {}),
        "metadataPool": pool_spec(index),
        "dataPool": pool_spec(pools[store.data_pool]),
        # A demo is taken down whole; whoever keeps data sets this to true first.
        "preservePoolsOnDelete": False,
        "gateway": {
            # No port without TLS.
            "securePort": S3_PORT,
            "sslCertificateRef": S3_CERTIFICATE,
            "instances": gateways,
            "priorityClassName": "system-cluster-critical",
            "placement": storage_placement(design) | apart(dict(S3_PODS)),
            "resources": daemon_resources(design, DaemonKind.RGW),
        },
    }
    storage_class = {
        "enabled": True,
        "name": BUCKET_CLASS,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
        "parameters": {"region": "us-east-1"},
    }
    route = {"ingress": {"enabled": False}, "route": {"enabled": False}}
    return [{"name": STORE, "spec": spec, "storageClass": storage_class, **route}]


def pool_spec(pool: Pool) -> dict[str, Any]:
    """Return a pool as Rook writes it: copies or chunks, each on another host."""
    code = pool.erasure_code
    found: dict[str, Any] = {"failureDomain": "host"}
    if pool.device_class:
        found["deviceClass"] = pool.device_class
    if code is None:
        # With the flag, Rook refuses a size at which losing one drive loses data.
        found["replicated"] = {"size": pool.size, "requireSafeReplicaSize": pool.size > 1}
    else:
        found["erasureCoded"] = {"dataChunks": code.k, "codingChunks": code.m}
    if pool.share >= 1:
        # The autoscaler gives such a pool its PGs at once, instead of splitting under load later.
        found["parameters"] = {"bulk": "true"}
    return found


def snapshot_class(name: str, *, enabled: bool, default: bool, backed_up: bool) -> dict[str, Any]:
    """Return the chart's values of a VolumeSnapshotClass; where volumes are backed up, Velero takes it."""
    return {
        "enabled": enabled,
        "name": name,
        "isDefault": default,
        "deletionPolicy": "Delete",
        **({"labels": {SNAPSHOT_LABEL: "true"}} if backed_up else {}),
    }


def _short(pool: str, system: str) -> str:
    """Return a CephFS pool's name as Rook wants it: it puts the file system's name before it."""
    return pool.removeprefix(f"{system}-")


def _secrets(prefix: str) -> dict[str, str]:
    """Return where CSI finds the keys that Rook makes for it: one to make volumes, one to mount them."""
    roles = (
        ("provisioner", "provisioner"),
        ("controller-expand", "provisioner"),
        ("controller-publish", "provisioner"),
        ("node-stage", "node"),
    )
    found = {}
    for role, secret in roles:
        found[f"csi.storage.k8s.io/{role}-secret-name"] = f"{prefix}-{secret}"
        found[f"csi.storage.k8s.io/{role}-secret-namespace"] = ROOK
    return found
