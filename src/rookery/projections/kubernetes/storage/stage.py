"""The stage that brings Ceph up: Rook's operator, CSI's drivers, the gateways' certificate, the cluster."""

from __future__ import annotations

from typing import Any

from rookery.apps.ground.names import (
    BLOCK_CLASS,
    CEPH_CLUSTER,
    FILE_CLASS,
    ROOK,
    S3_CERTIFICATE,
    S3_SERVICE,
    STORE,
    service_names,
)
from rookery.apps.ground.pods import certificate, sized
from rookery.design.model import DaemonKind, Design
from rookery.design.pods import ROOK_OPERATOR, TOOLBOX
from rookery.load.model import USER
from rookery.manifest import Item, Manifest, Objects, Release, Stage, Wait, manifest
from rookery.projections.kubernetes.backups import backup_of
from rookery.projections.kubernetes.storage.cluster import build_cluster_spec
from rookery.projections.kubernetes.storage.csi import csi_drivers, kernel_mount_options
from rookery.projections.kubernetes.storage.dashboard import dashboard_items
from rookery.projections.kubernetes.storage.services import (
    block_pools,
    file_systems,
    object_stores,
    snapshot_class,
)
from rookery.versions import DISTRIBUTIONS, Distribution

VERIFIER = "verify"
_OLD_DRIVERS = (
    "csiRBDProvisionerResource",
    "csiRBDPluginResource",
    "csiCephFSProvisionerResource",
    "csiCephFSPluginResource",
)

_WHY = """\
Rook's operator turns custom resources into Ceph's daemons. Since Rook 1.20 the drivers of CSI are a chart of
their own, between the operator and the cluster: without it everything looks well, and no volume is ever
mounted. The cluster's values name each host and each drive of the design; nothing is found by itself.

Ready means HEALTH_OK, not "the pods run". Where it does not come, look at the OSDs first:
`kubectl -n rook-ceph get pods -l app=rook-ceph-osd-prepare` and their logs say why a drive was not taken, and
`kubectl -n rook-ceph exec deploy/rook-ceph-tools -- ceph -s` what Ceph itself thinks."""


def storage_stage(design: Design) -> Stage:
    """Return the stage of the design's distribution of Rook."""
    distribution = DISTRIBUTIONS[design.distribution]
    return Stage(
        name="50-storage",
        title=f"Ceph by {distribution.title}",
        why=_WHY,
        items=tuple(_items(design, distribution)),
    )


def _items(design: Design, distribution: Distribution) -> list[Item]:
    items: list[Item] = [
        Release(
            name="rook-ceph",
            why="The operator, with its custom resource definitions.",
            namespace=ROOK,
            chart=distribution.operator,
            values=operator_values(design, distribution),
        )
    ]
    if distribution.csi_chart:
        items.append(csi_drivers(design))
    if design.object_store is not None:
        items.append(_certificate(design))
    items += [
        Release(
            name="rook-ceph-cluster",
            why="The cluster: every host, drive, pool and gateway of the design, and the storage classes.",
            namespace=ROOK,
            chart=distribution.cluster,
            values=cluster_values(design, distribution),
            waits=False,
        ),
        *_all_osds(design, distribution),
        # Images are pulled, three monitors form a quorum, drives are formatted one node after the other.
        Wait(
            kind="cephcluster",
            name=CEPH_CLUSTER,
            condition="jsonpath={.status.ceph.health}=HEALTH_OK",
            seconds=1200,
            namespace=ROOK,
        ),
    ]
    items += dashboard_items(design, distribution)
    if design.file_system is not None:
        items.append(_ready("cephfilesystem", design.file_system.name))
    if design.object_store is not None:
        items += [_ready("cephobjectstore", STORE), _verifier()]
    return [*items, _load_user(design)]


def _all_osds(design: Design, distribution: Distribution) -> tuple[Wait, ...]:
    """Return the wait for an OSD on every drive.

    A cluster that grows is HEALTH_OK before Rook has looked at its new drives. Older releases of Rook do not
    say how many they have made.
    """
    if not distribution.csi_chart:
        return ()
    count = len(design.with_daemon(DaemonKind.OSD))
    made = f"jsonpath={{.status.storage.osd.storeType.bluestore}}={count}"
    return (Wait(kind="cephcluster", name=CEPH_CLUSTER, condition=made, seconds=1200, namespace=ROOK),)


def _verifier() -> Objects:
    return Objects(
        name="verification-user",
        why="Who tries whether S3 works: a user with buckets of its own, and room for little.",
        objects=(_s3_user(VERIFIER, "verification", {"maxBuckets": 2, "maxSize": "100M"}),),
    )


def _load_user(design: Design) -> Objects:
    """Return who makes load: the design's cephx user, and one of S3 with one bucket."""
    user = next(one for one in design.users if one.name == USER)
    client = manifest("ceph.rook.io/v1", "CephClient", USER, namespace=ROOK, spec={"caps": dict(user.caps)})
    stored = (_s3_user(USER, "load", {"maxBuckets": 1}),) if design.object_store else ()
    return Objects(
        name="load-user",
        why="Who makes load (`rookery load`): a user of Ceph that sees how full the drives are and may do no"
        " more than look, and one of S3 for its objects.",
        objects=(client, *stored),
    )


def _s3_user(name: str, title: str, quotas: dict[str, Any]) -> Manifest:
    spec = {"store": STORE, "displayName": title, "quotas": quotas}
    return manifest("ceph.rook.io/v1", "CephObjectStoreUser", name, namespace=ROOK, spec=spec)


def _ready(kind: str, name: str) -> Wait:
    condition = "jsonpath={.status.phase}=Ready"
    return Wait(kind=kind, name=name, condition=condition, seconds=600, namespace=ROOK)


def operator_values(design: Design, distribution: Distribution) -> dict[str, Any]:
    """Return the values of the operator's chart."""
    values: dict[str, Any] = {
        "crds": {"enabled": True},
        "resources": sized(ROOK_OPERATOR),
        "monitoring": {"enabled": design.kubernetes is not None and design.kubernetes.monitoring},
        # Rook's own discovery of drives is not used: the design names them.
        "enableDiscoveryDaemon": False,
    }
    if design.traits.here:
        # A lab's drives are files, which its servers see as loop devices; Rook takes no such drive unasked.
        values["allowLoopDevices"] = True
    if distribution.csi_chart:
        # A bucket may then come with a policy: who may read it without credentials.
        values["obcAllowAdditionalConfigFields"] = "maxObjects,maxSize,bucketPolicy"
    else:
        # For each driver the chart requests 768 MiB on each worker and 1.1 GiB or more for each controller;
        # the drivers of newer charts request nothing.
        values["csi"] = {
            "cephFSKernelMountOptions": kernel_mount_options(design),
            **dict.fromkeys(_OLD_DRIVERS, ""),
        }
    return values


def _certificate(design: Design) -> Objects:
    """Return the gateways' certificate, for their names inside the cluster and outside."""
    assert design.kubernetes is not None
    made = certificate(
        "rgw",
        {},
        names=[*service_names(S3_SERVICE, ROOK)[:2], f"s3.{design.kubernetes.domain}"],
        namespace=ROOK,
        secret=S3_CERTIFICATE,
        # RGW reads a PKCS#8 key.
        key={"algorithm": "ECDSA", "size": 256, "encoding": "PKCS8"},
    )
    return Objects(
        name="gateway-certificate",
        why="The S3 gateways speak TLS only, with a certificate in a secret that Rook mounts. They read it "
        "when they start, and Rook's operator trusts the one in the secret alone: after eight months, when "
        "cert-manager has renewed it, start them anew (an upgrade of Ceph does): "
        f"`kubectl -n {ROOK} rollout restart deployment -l app=rook-ceph-rgw`.",
        objects=(made,),
    )


def cluster_values(design: Design, distribution: Distribution) -> dict[str, Any]:
    """Return the values of the cluster's chart."""
    monitored = design.kubernetes is not None and design.kubernetes.monitoring
    block = any(pool.application == "rbd" for pool in design.pools)
    backed_up = backup_of(design) is not None
    return {
        "operatorNamespace": ROOK,
        "clusterName": CEPH_CLUSTER,
        "toolbox": {
            "enabled": True,
            "image": distribution.ceph_image,
            "resources": sized(TOOLBOX),
        },
        "monitoring": {"enabled": monitored, "createPrometheusRules": monitored},
        **_image(distribution),
        "cephClusterSpec": build_cluster_spec(design, distribution),
        "cephBlockPools": block_pools(design),
        "cephFileSystems": file_systems(design),
        "cephObjectStores": object_stores(design),
        # A class of a driver that is not there would take snapshots that nobody makes.
        "cephBlockPoolsVolumeSnapshotClass": snapshot_class(
            BLOCK_CLASS, enabled=block, default=True, backed_up=backed_up
        ),
        "cephFileSystemVolumeSnapshotClass": snapshot_class(
            FILE_CLASS, enabled=design.file_system is not None, default=not block, backed_up=backed_up
        ),
    }


def _image(distribution: Distribution) -> dict[str, Any]:
    """Return Ceph's image as Rook's chart takes it since 1.20; before, it stood in the cluster's own spec."""
    repository, _, tag = distribution.ceph_image.rpartition(":")
    if not distribution.csi_chart:
        return {}
    return {"cephImage": {"repository": repository, "tag": tag, "allowUnsupported": False}}
