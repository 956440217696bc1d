"""CSI's drivers: what makes, grows, snapshots and mounts volumes.

The values are those that Rook ships for their chart, and what the chart's defaults would leave out. These
defaults go into each driver's own resource, where they hide `driverSpecDefaults`: what a driver is to do
differently stands at that driver.
"""

from __future__ import annotations

from rookery.apps.ground.names import ROOK
from rookery.design.model import Design, Role
from rookery.manifest import Release
from rookery.versions import CSI_DRIVERS


def csi_drivers(design: Design) -> Release:
    """Return the release of the drivers for what the design has of RBD and CephFS."""
    # Without its kernel module a node's part of RBD's driver ends at once, again and again.
    wanted = {
        "rbd": any(pool.application == "rbd" for pool in design.pools),
        "cephfs": design.file_system is not None,
    }
    on = {
        kind: {
            "enabled": True,
            # What the storage classes of the cluster's chart name.
            "name": f"{ROOK}.{kind}.csi.ceph.com",
            # The chart leaves RBD without: its snapshots would wait forever.
            "snapshotPolicy": "volumeSnapshot",
            "controllerPlugin": {"replicas": _controllers(design)},
        }
        for kind, there in wanted.items()
        if there
    }
    off = {kind: {"enabled": False} for kind in (*wanted, "nfs", "nvmeof") if kind not in on}
    defaults = {
        "imageSet": {"name": "rook-csi-operator-image-set-configmap"},
        "nodePlugin": {"priorityClassName": "system-node-critical"},
        "controllerPlugin": {"priorityClassName": "system-cluster-critical"},
    }
    return Release(
        name="ceph-csi-drivers",
        why="The drivers that make, grow, snapshot and mount volumes; the values are Rook's own for it, with "
        "snapshots of RBD, and a second controller that takes over when a node is lost.",
        namespace=ROOK,
        chart=CSI_DRIVERS,
        values={
            "operatorConfig": {"namespace": ROOK, "driverSpecDefaults": defaults},
            "drivers": {**on, **off},
        },
    )


def kernel_mount_options(design: Design) -> str:
    """Return how the nodes' kernels speak with Ceph when they mount CephFS.

    Without it they use version 1 of Ceph's protocol, for which no monitor listens here, and no CephFS volume
    is ever mounted (rook issue 16369). For RBD Rook sets the same by itself.
    """
    return "ms_mode=secure" if design.network.encryption else "ms_mode=prefer-crc"


def _controllers(design: Design) -> int:
    """Return how many controllers a driver has: two, on different nodes, where two take pods.

    The chart has one. With its node, for the five minutes until Kubernetes starts it elsewhere, nothing would
    detach the volumes of the pods that were lost with it.
    """
    return min(2, len(design.with_role(Role.WORKER)))
