"""A system on Kubernetes taken down again, and nothing left of it."""

from __future__ import annotations

import json
from pathlib import Path

from rookery.apps.ground.names import NAMESPACE
from rookery.manifest import Remote, Wait
from rookery.projections.kubernetes import build_stages
from rookery.systems.kubernetes.items import Applier
from rookery.systems.kubernetes.removal import ClusterRemoval
from rookery.systems.protocol import Leftover
from tests.kit.cluster_designs import design as design_of
from tests.kit.cluster_objects import design, placed, quiet
from tests.kit.fake_cluster import FakeHelm, FakeKubectl

NOTED = Path("/nowhere/noted")


def removal(kubectl: FakeKubectl) -> ClusterRemoval:
    return ClusterRemoval(design=design(), stages=(), kubectl=kubectl, helm=FakeHelm(), noted=NOTED)


def test_down_leaves_nothing_and_looks_again() -> None:
    kubectl, helm = FakeKubectl(), FakeHelm()
    to = Applier(kubectl=kubectl, helm=helm, charts={}, remotes={})
    for one in placed():
        if not isinstance(one.item, Wait | Remote):
            to.apply(one, quiet)
    kubectl.put({"kind": "Namespace", "metadata": {"name": "somebody-elses"}})
    going = ClusterRemoval(
        design=design(), stages=build_stages(design()), kubectl=kubectl, helm=helm, noted=NOTED
    )
    before = going.leftovers()
    assert Leftover(kind="namespace", name="media") in before
    assert Leftover(kind="release", name="rook-ceph/rook-ceph-cluster") in before
    going.take_down(quiet)
    assert going.leftovers() == ()
    assert [key for key in kubectl.objects if key[0] == "namespace"] == [("namespace", "", "somebody-elses")]
    order = [words for words in helm.asked if words.startswith("uninstall")]
    assert order.index("uninstall rook-ceph-cluster") < order.index("uninstall rook-ceph")
    assert order[-1] == "uninstall cilium"


def test_ceph_is_told_to_destroy_its_data_before_it_is_deleted() -> None:
    kubectl = FakeKubectl()
    meta = {"name": "rook-ceph", "namespace": "rook-ceph"}
    kubectl.put({"kind": "CephCluster", "metadata": meta, "spec": {}, "status": {}})
    removal(kubectl).take_down(quiet)
    deleted = [words[1] for words in kubectl.asked if words[0] == "delete"]
    assert deleted.index("cephobjectstoreusers") < deleted.index("cephobjectstores")
    verbs = [(words[0], words[1]) for words in kubectl.asked if words[1:2] == ("cephcluster",)]
    assert verbs.index(("patch", "cephcluster")) < verbs.index(("delete", "cephcluster"))
    patched = next(words for words in kubectl.asked if words[0] == "patch")
    assert json.loads(patched[-1]) == {"spec": {"cleanupPolicy": {"confirmation": "yes-really-destroy-data"}}}


def test_a_load_goes_first_and_its_bucket_with_it() -> None:
    kubectl = FakeKubectl(answers={"radosgw-admin": ""})
    kubectl.put({"kind": "Namespace", "metadata": {"name": NAMESPACE}})
    kubectl.put({"kind": "Pod", "metadata": {"name": "load", "namespace": NAMESPACE}})
    removal(kubectl).take_down(quiet)
    done = [words for words in kubectl.asked if words[0] in ("delete", "exec")]
    assert done[0][:3] == ("delete", "pod", "load")
    assert done[1][3:] == ("radosgw-admin", "bucket", "rm", "--bucket=load", "--purge-objects")
    assert ("pod", NAMESPACE, "load") not in kubectl.objects


def test_who_writes_backups_goes_while_rook_is_there_to_let_go() -> None:
    """Rook keeps a user who has a bucket, and a namespace with such a user stays."""
    kubectl = FakeKubectl(answers={"radosgw-admin": ""})
    kubectl.put({"kind": "Namespace", "metadata": {"name": NAMESPACE}})
    meta = {"name": "rook-ceph", "namespace": "rook-ceph"}
    kubectl.put({"kind": "CephCluster", "metadata": meta, "spec": {}, "status": {}})
    backed_up = design_of(backup={})
    going = ClusterRemoval(
        design=backed_up, stages=build_stages(backed_up), kubectl=kubectl, helm=FakeHelm(), noted=NOTED
    )
    going.take_down(quiet)
    done = [words for words in kubectl.asked if words[0] in ("delete", "exec")]
    users = [words for words in done if words[1] == "cephobjectstoreusers"]
    bucket = next(number for number, words in enumerate(done) if "--bucket=backups" in words)
    assert len(users) == 3
    assert bucket < done.index(users[0])
    deleted = [words[1] for words in done]
    assert deleted.index("restores.velero.io") < deleted.index("cephcluster")
