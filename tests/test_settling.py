"""Servers of a lab that were started again: how long what the cluster says of them is not believed."""

from __future__ import annotations

import pytest

from rookery.errors import WaitError
from rookery.systems.kubernetes import settling as module
from rookery.systems.kubernetes.settling import Settling
from tests.kit.cluster_objects import design, pod
from tests.kit.fake_cluster import FakeKubectl

BEGAN = 1_767_323_045.0  # 2026-01-02T03:04:05Z
OLD, NEW, FUTURE = "2026-01-02T03:04:04Z", "2026-01-02T03:04:06Z", "2999-01-02T03:04:05Z"


def running(cluster: FakeKubectl, host: str, since: str, *, ready: bool = True) -> None:
    """Put a pod on a host that is said to run since then."""
    one = pod("cdn", "edge", host, ready=ready)
    one["status"]["containerStatuses"] = [{"name": "edge", "state": {"running": {"startedAt": since}}}]
    cluster.put(one)


def asked(cluster: FakeKubectl, at: str) -> None:
    """Put a Ceph cluster there that Rook asked last at that time."""
    meta = {"name": "rook-ceph", "namespace": "rook-ceph"}
    cluster.put({"kind": "CephCluster", "metadata": meta, "status": {"ceph": {"lastChecked": at}}})


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeKubectl:
    monkeypatch.setattr(module, "_SEEN", 0.05)
    monkeypatch.setattr(module, "_RETURNS", 0.05)
    return FakeKubectl()


def settle(cluster: FakeKubectl, host: str) -> list[str]:
    """Settle after a host was started; return what was heard."""
    heard: list[str] = []
    began = {one.name: BEGAN for one in design().servers}
    Settling(design=design(), kubectl=cluster, began=lambda: began).settle({host}, heard.append)
    return heard


def test_pods_of_an_earlier_life_are_waited_for(cluster: FakeKubectl) -> None:
    running(cluster, "worker-a", OLD)
    with pytest.raises(WaitError, match="for pods of lost servers to be seen as such") as late:
        settle(cluster, "worker-a")
    assert late.value.details == ("seen last: cdn-edge on worker-a",)
    running(cluster, "worker-a", NEW)
    assert settle(cluster, "worker-a") == []


def test_in_a_new_cluster_nobody_is_waited_for(cluster: FakeKubectl) -> None:
    running(cluster, "storage-k", NEW, ready=False)
    assert settle(cluster, "storage-k") == []


def test_pods_come_back_or_are_left_to_the_checks(cluster: FakeKubectl) -> None:
    asked(cluster, OLD)
    running(cluster, "worker-a", NEW, ready=False)
    running(cluster, "worker-b", NEW, ready=False)
    assert settle(cluster, "worker-a") == ["pods of servers that were started: cdn-edge on worker-a"]


def test_a_lost_storage_node_has_rook_ask_again(cluster: FakeKubectl) -> None:
    asked(cluster, OLD)
    assert settle(cluster, "worker-a") == []
    with pytest.raises(WaitError, match="for Rook to ask Ceph") as late:
        settle(cluster, "storage-k")
    assert late.value.details == (f"seen last: it did at {OLD}",)
    asked(cluster, FUTURE)
    assert settle(cluster, "storage-k") == []
    asked(cluster, "")  # an older Rook
    assert settle(cluster, "storage-k") == []
