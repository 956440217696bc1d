"""Taking a system on Kubernetes down: in the order in which nothing is left hanging, then looking again.

Workloads first, so that their volumes and load balancers are given back by the controllers that made them;
then Ceph, with its operator still there to clean the drives; releases and namespaces last. What is looked
for is every kind of thing that the tree can make, by name and by label, whether this machine remembers it or
not. Custom resource definitions stay: who uses a cluster may have others' objects of these kinds in it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rookery.apps.backup.places import BUCKET as BACKUPS
from rookery.apps.ground.names import CEPH_CLUSTER, MONITORING, NAMESPACE, ROOK, TOOLBOX, VELERO
from rookery.design.model import Design
from rookery.drivers.kubernetes.helm import Helm
from rookery.drivers.kubernetes.kubectl import Kubectl
from rookery.drivers.machine.files import remove_tree
from rookery.drivers.machine.process import CommandError
from rookery.drivers.machine.waiting import Look, wait_for
from rookery.errors import RookeryError
from rookery.load.model import BUCKET
from rookery.manifest import MANAGED_BY, Objects, Release, Stage
from rookery.projections.kubernetes.load import POD
from rookery.systems.protocol import Leftover, Report

_GONE = 300.0  # seconds for a controller to give back what it made
_CEPH_GONE = 900.0  # seconds for Rook to clean every drive
_CONFIRMATION = {"spec": {"cleanupPolicy": {"confirmation": "yes-really-destroy-data"}}}
# Rook's kinds that must be gone before the cluster is, the users of Ceph first: it keeps a store that has
# users, and a user who has buckets.
_CEPH_KINDS = (
    *("objectbucketclaims", "cephobjectstoreusers", "cephclients"),
    *("cephobjectstores", "cephfilesystems", "cephblockpools"),
)
# What Velero's server lets go of while it is there: a namespace that has one of these stays.
_VELERO_KINDS = tuple(
    f"{kind}.velero.io" for kind in ("schedules", "restores", "datauploads", "datadownloads")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRemoval:
    """Removes the system of a design from a cluster, which stays: its servers are somebody's own.

    `noted` is where this machine has noted how the cluster is reached.
    """

    design: Design
    stages: tuple[Stage, ...]
    kubectl: Kubectl
    helm: Helm
    noted: Path

    def require(self) -> None:
        """Nothing: who may do what, the cluster says."""

    def leftovers(self) -> tuple[Leftover, ...]:
        """Return everything of the system that is there; raises RookeryError where the cluster is silent."""
        if not self.kubectl.reachable():
            raise RookeryError(
                f"the cluster of {self.design.name} does not answer, so nobody can tell what is left of it",
                hint=f"Where its servers are gone for good, remove {self.noted}.",
            )
        return (*self._namespaces(), *self._releases(), *self._volumes(), *self._cluster_wide())

    def take_down(self, report: Report) -> None:
        """Remove everything; raises WaitError where a controller does not let go within its limit."""
        self._remove_workloads(report)
        self._remove_ceph(report)
        for stage in reversed(self.stages):
            for item in reversed(stage.items):
                if isinstance(item, Release):
                    report(f"release {item.name}")
                    self.helm.uninstall(item.name, item.namespace)
        for left in self._cluster_wide():
            self._delete(left.kind, left.name)
        for left in self._namespaces():
            self._delete(left.kind, left.name)
        self._until_gone("the namespaces", self._namespaces, _GONE, report)

    def forget(self) -> None:
        remove_tree(self.noted)

    def _remove_workloads(self, report: Report) -> None:
        """Remove the applications, their Gateway and their volumes, while what serves them still works."""
        if self.kubectl.find("namespace", NAMESPACE) is None:
            return
        self._remove_load(report)
        self._remove_backups(report)
        for kind in ("gateways", "clusters.postgresql.cnpg.io", "deployments", "jobs", "objectbucketclaims"):
            report(f"{kind} of {NAMESPACE}")
            self._delete_all(kind, NAMESPACE)
        for namespace in (NAMESPACE, MONITORING):
            self._delete_all("persistentvolumeclaims", namespace)
        self._until_gone("the volumes", self._volumes, _GONE, report)

    def _remove_load(self, report: Report) -> None:
        """Remove a load, and the bucket that it had: Rook keeps a user who has one."""
        report("load")
        self.kubectl.run("delete", "pod", POD, "--ignore-not-found", namespace=NAMESPACE, limit=_GONE)
        self._remove_bucket(BUCKET)

    def _remove_backups(self, report: Report) -> None:
        """Remove backups, and who writes them: Rook keeps a user who has a bucket, Velero what restores."""
        places = [namespace for namespace in self._namespaces_of_users() if namespace != ROOK]
        if not places:
            return
        report("backups")
        for kind in ("cronjobs", *_VELERO_KINDS):
            self._delete_all(kind, VELERO)
        self._remove_bucket(BACKUPS)
        for namespace in places:
            self._delete_all("cephobjectstoreusers", namespace)

    def _namespaces_of_users(self) -> tuple[str, ...]:
        objects = (
            one
            for stage in self.stages
            for item in stage.items
            if isinstance(item, Objects)
            for one in item.objects
        )
        users = (one["metadata"]["namespace"] for one in objects if one["kind"] == "CephObjectStoreUser")
        return tuple(dict.fromkeys(users))

    def _remove_bucket(self, name: str) -> None:
        words = ("radosgw-admin", "bucket", "rm", f"--bucket={name}", "--purge-objects")
        # There may be none, and no store, and no Ceph any more; what is in the way then, the next steps say.
        with contextlib.suppress(CommandError):
            self.kubectl.run("exec", TOOLBOX, "--", *words, namespace=ROOK, limit=_GONE)

    def _remove_ceph(self, report: Report) -> None:
        """Remove Ceph, data included; Rook's own jobs then clean the drives of every node."""
        if self.kubectl.find("cephcluster", CEPH_CLUSTER, namespace=ROOK) is None:
            return
        patch = ("patch", "cephcluster", CEPH_CLUSTER, "--type=merge", "--patch", json.dumps(_CONFIRMATION))
        self.kubectl.run(*patch, namespace=ROOK)
        for kind in _CEPH_KINDS:
            report(f"{kind} of {ROOK}")
            self._delete_all(kind, ROOK)
        self.kubectl.run("delete", "cephcluster", CEPH_CLUSTER, "--wait=false", namespace=ROOK)

        def look() -> Look[bool]:
            found = self.kubectl.find("cephcluster", CEPH_CLUSTER, namespace=ROOK)
            phase = found["status"].get("phase", "") if found is not None else ""
            return Look(seen=phase or "gone", value=True if found is None else None)

        wait_for("Ceph to be gone and its drives clean", look, limit=_CEPH_GONE, report=report)

    def _namespaces(self) -> tuple[Leftover, ...]:
        found = self.kubectl.get("namespaces")["items"]
        return tuple(
            Leftover(kind="namespace", name=one["metadata"]["name"])
            for one in found
            if one["metadata"].get("labels", {}).get("app.kubernetes.io/managed-by") == MANAGED_BY
        )

    def _releases(self) -> tuple[Leftover, ...]:
        ours = {
            (item.namespace, item.name)
            for stage in self.stages
            for item in stage.items
            if isinstance(item, Release)
        }
        return tuple(
            Leftover(kind="release", name=f"{one.namespace}/{one.name}")
            for one in self.helm.releases()
            if (one.namespace, one.name) in ours
        )

    def _volumes(self) -> tuple[Leftover, ...]:
        """Return volumes that Ceph provides to anybody: without Ceph they are lost."""
        driver = f"{ROOK}."
        found = self.kubectl.get("persistentvolumes")["items"]
        return tuple(
            Leftover(kind="persistentvolume", name=one["metadata"]["name"])
            for one in found
            if one["spec"].get("csi", {}).get("driver", "").startswith(driver)
        )

    def _cluster_wide(self) -> tuple[Leftover, ...]:
        """Return objects of the tree that belong to no namespace, but for the namespaces themselves."""
        return tuple(
            Leftover(kind=kind, name=name)
            for kind, name in sorted(self._named_cluster_wide())
            if self.kubectl.find(kind, name) is not None
        )

    def _named_cluster_wide(self) -> Iterator[tuple[str, str]]:
        for stage in self.stages:
            for item in stage.items:
                if isinstance(item, Objects):
                    for one in item.objects:
                        if "namespace" not in one["metadata"] and one["kind"] != "Namespace":
                            yield one["kind"].lower(), one["metadata"]["name"]

    def _delete(self, kind: str, name: str) -> None:
        self.kubectl.run("delete", kind, name, "--ignore-not-found", "--wait=false")

    def _delete_all(self, kind: str, namespace: str) -> None:
        try:
            self.kubectl.run(
                "delete", kind, "--all", f"--timeout={_GONE:.0f}s", namespace=namespace, limit=_GONE
            )
        except CommandError as error:
            if "the server doesn't have a resource type" not in error.output:
                raise

    def _until_gone(
        self, what: str, look: Callable[[], tuple[Leftover, ...]], limit: float, report: Report
    ) -> None:
        def again() -> Look[bool]:
            left = look()
            seen = ", ".join(one.name for one in left[:5]) or "gone"
            return Look(seen=seen, value=None if left else True)

        wait_for(f"{what} to be gone", again, limit=limit, report=report)
