"""Namespaces first: each says how strict Kubernetes is with the pods in it (Pod Security Standards)."""

from __future__ import annotations

from rookery.apps.ground.names import CERT_MANAGER, DATABASES, MONITORING, NAMESPACE, ROOK, VELERO
from rookery.design.model import Cluster, Design
from rookery.manifest import MANAGED_BY, Manifest, Objects, Stage, manifest
from rookery.projections.kubernetes.backups import backup_of
from rookery.projections.kubernetes.doors import doors_of

_WHY = """\
Each namespace carries the Pod Security Standard that Kubernetes enforces in it. Our applications meet the
strictest one, `restricted`. Ceph needs `privileged`: its OSDs open drives, CSI's plugins mount volumes."""


def namespaces_stage(design: Design) -> Stage:
    """Return the stage that makes every namespace that later stages put something into."""
    return Stage(
        name="10-namespaces",
        title="Namespaces",
        why=_WHY,
        items=(
            Objects(
                name="namespaces",
                why="Every namespace, with the Pod Security Standard that holds in it.",
                objects=tuple(_namespaces(design)),
            ),
        ),
    )


def _namespaces(design: Design) -> list[Manifest]:
    cluster = design.kubernetes
    assert cluster is not None, "only a design on Kubernetes has this projection"
    levels = {CERT_MANAGER: "restricted", ROOK: "privileged"}
    if has_database(design):
        levels[DATABASES] = "restricted"
    if backup_of(design) is not None:
        # Velero's node agents read what a node has mounted.
        levels[VELERO] = "privileged"
    if cluster.monitoring:
        # The exporter of node figures reads the host's own /proc and /sys.
        levels[MONITORING] = "privileged"
    if has_site_namespace(design):
        levels[NAMESPACE] = "restricted"
    return [_namespace(name, level, cluster) for name, level in levels.items()]


def has_site_namespace(design: Design) -> bool:
    """Whether the applications' namespace is there: for them, or for the door to S3 and the dashboard."""
    return bool(design.apps or doors_of(design))


def has_database(design: Design) -> bool:
    """Whether an application runs PostgreSQL, and with it its operator."""
    return design.database is not None


def _namespace(name: str, level: str, cluster: Cluster) -> Manifest:
    labels = {
        "app.kubernetes.io/managed-by": MANAGED_BY,
        "pod-security.kubernetes.io/enforce": level,
        "pod-security.kubernetes.io/enforce-version": f"v{cluster.version}",
    }
    if level != "privileged":
        labels["pod-security.kubernetes.io/warn"] = level
    return manifest("v1", "Namespace", name, labels=labels)
