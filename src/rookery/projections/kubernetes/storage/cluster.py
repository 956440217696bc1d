"""The CephCluster: monitors, managers, and an OSD on every designed drive of every designed host.

Rook finds hosts and drives by itself if one lets it (`useAllNodes`, `useAllDevices`). Here it is told: a
drive that somebody adds for another purpose is not eaten, and one that is missing is noticed.
"""

from __future__ import annotations

from typing import Any

from rookery.design.model import DaemonKind, Design, Drive, Role
from rookery.projections.kubernetes.nodes import storage_placement
from rookery.projections.kubernetes.storage.csi import kernel_mount_options
from rookery.projections.kubernetes.storage.resources import daemon_resources, helper_resources
from rookery.versions import Distribution

# Links that the bootstrap's role `drives` makes: the design's names, whatever the provider calls its volumes.
DRIVE_FOLDER = "/dev/rookery"

# Kernels below 7.0 know the older kind of cephx keys only (Ubuntu 22.04 has 5.15 or 6.8). Ceph 20 warns of
# such keys; without muting these three warnings the cluster never says HEALTH_OK, and real trouble would
# hide.
_OLD_KEYS = ("AUTH_INSECURE_CLIENT_KEY_TYPE", "AUTH_INSECURE_KEYS_ALLOWED", "AUTH_INSECURE_KEYS_CREATABLE")

# In a lab the disk below the monitors is the machine's, fuller than a server's of their own; as on the native
# platform they warn when little is left, and not at 30 %.
_LAB_CONFIG = {"mon": {"mon_data_avail_warn": "5", "mon_data_avail_crit": "2"}}


def build_cluster_spec(design: Design, distribution: Distribution) -> dict[str, Any]:
    """Return the `spec` of the CephCluster, but for what the chart adds: the image where it takes it."""
    modern = distribution.csi_chart
    version = {"cephVersion": {"image": distribution.ceph_image, "allowUnsupported": False}}
    return {
        **({} if modern else version),
        "dataDirHostPath": "/var/lib/rook",
        **({"security": {"cephx": {"csi": {"keyType": "aes"}}}} if modern else {}),
        "mon": {"count": len(design.with_daemon(DaemonKind.MON)), "allowMultiplePerNode": False},
        "mgr": {"count": len(design.with_daemon(DaemonKind.MGR)), "allowMultiplePerNode": False},
        "dashboard": {"enabled": design.dashboard, "ssl": True},
        "network": _network(design),
        **({"csi": {"cephfs": {"kernelMountOptions": kernel_mount_options(design)}}} if modern else {}),
        "crashCollector": {"disable": False, "daysToRetain": 30},
        "logCollector": {"enabled": True, "periodicity": "daily", "maxLogSize": "100M"},
        # Empty: deleting the CephCluster leaves the data. Taking down for good fills it in first.
        "cleanupPolicy": {
            "confirmation": "",
            "sanitizeDisks": {"method": "quick", "dataSource": "zero", "iteration": 1},
            "allowUninstallWithVolumes": False,
        },
        "placement": {"all": storage_placement(design)},
        "resources": {
            **{
                str(kind): daemon_resources(design, kind)
                for kind in (DaemonKind.MON, DaemonKind.MGR, DaemonKind.OSD)
            },
            **helper_resources(),
        },
        "priorityClassNames": {
            "mon": "system-node-critical",
            "osd": "system-node-critical",
            "mgr": "system-cluster-critical",
        },
        # An OSD that is out was marked so by Ceph, not by somebody who wants it gone.
        "removeOSDsIfOutAndSafeToRemove": False,
        "storage": _storage(design),
        **({"cephConfig": _LAB_CONFIG} if design.traits.here else {}),
        # Maintenance drains one failure domain at a time, and waits for clean PGs before the next.
        "disruptionManagement": {"managePodBudgets": True, "osdMaintenanceTimeout": 30},
        "healthCheck": _health(modern=modern, status="10s" if design.traits.here else "60s"),
    }


def _network(design: Design) -> dict[str, Any]:
    """Return how daemons and clients speak: version 2 of Ceph's protocol, encrypted where the design says."""
    return {
        "connections": {
            "encryption": {"enabled": design.network.encryption},
            "compression": {"enabled": False},
            "requireMsgr2": True,
        }
    }


def _storage(design: Design) -> dict[str, Any]:
    hosts = design.with_role(Role.STORAGE)
    return {
        "useAllNodes": False,
        "useAllDevices": False,
        "config": {"osdsPerDevice": "1"},
        "nodes": [
            {"name": host.name, "devices": [_device(drive) for drive in host.drives]} for host in hosts
        ],
    }


def _device(drive: Drive) -> dict[str, Any]:
    return {"name": f"{DRIVE_FOLDER}/{drive.name}", "config": {"deviceClass": drive.device_class}}


def _health(*, modern: bool, status: str) -> dict[str, Any]:
    """Return what Rook looks at, and how often; its `status` is what everybody waits for who brings it up."""
    check: dict[str, Any] = {
        "daemonHealth": {
            "mon": {"disabled": False, "interval": "45s"},
            "osd": {"disabled": False, "interval": "60s"},
            "status": {"disabled": False, "interval": status},
        },
        "livenessProbe": {kind: {"disabled": False} for kind in ("mon", "mgr", "osd")},
    }
    if modern:
        check["muteHealthWarning"] = {code: {"policy": "mute"} for code in _OLD_KEYS}
    return check
