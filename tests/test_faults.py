"""Faults as data: which there can be, who breaks what, and how it is told and healed afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from rookery.apps.ground.names import NAMESPACE
from rookery.design.faults import KINDS, Fault, FaultKind
from rookery.errors import InputError, NotPossibleError
from rookery.systems.existing.servers import ExistingServers
from rookery.systems.faults import Faults, Heard
from rookery.systems.kubernetes.faults import cluster_faults
from rookery.systems.kubernetes.settling import Settling
from tests.kit.cluster_objects import design, node, pod, quiet
from tests.kit.fake_cluster import FakeKubectl

POWER = Fault(kind=FaultKind.POWER, host="storage-k")


def killed(**said: str) -> Fault:
    return Fault(
        kind=FaultKind.KILL, host="storage-k", program="osd.0", parameters=tuple(sorted(said.items()))
    )


@pytest.mark.parametrize(
    ("fault", "mistake"),
    [
        (POWER, ""),
        (killed(), ""),
        (killed(processes="all"), ""),
        (killed(processes="postgres"), ""),
        (Fault(kind=FaultKind.CUT, host="storage-k", parameters=(("network", "cluster"),)), ""),
        (Fault(kind=FaultKind.HANG, host="storage-z"), "there is no host 'storage-z', but cp-1, "),
        (Fault(kind=FaultKind.POWER, host="cp-1", program="mon.a"), "power is of a whole server"),
        (Fault(kind=FaultKind.STOP, host="cp-1"), "stop needs a program"),
        (killed(network="all"), "kill has no 'network', but processes"),
        (Fault(kind=FaultKind.HANG, host="cp-1", parameters=(("how", "x"),)), "hang has no 'how'"),
        (
            Fault(kind=FaultKind.CUT, host="cp-1", parameters=(("network", "moon"),)),
            "network is one of all, public, cluster, not 'moon'",
        ),
        (killed(processes=""), "processes is one of first, all, not ''"),
    ],
)
def test_what_no_system_of_a_design_can_have_is_named(fault: Fault, mistake: str) -> None:
    said = fault.mistake(design())
    assert said.startswith(mistake)
    assert bool(said) == bool(mistake)


def test_a_fault_says_what_it_is_and_what_holds_unsaid() -> None:
    assert str(POWER) == "storage-k loses power"
    assert str(killed(processes="all")) == "osd.0 on storage-k is killed (processes: all)"
    assert killed().parameter("processes") == "first"
    assert killed(processes="all").parameter("processes") == "all"


class Switch:
    """A breaker whose servers are names in a set."""

    def __init__(self) -> None:
        self.off: set[str] = set()
        self.healed = 0

    def obstacle(self, fault: Fault) -> str:
        return "it does not run" if fault.host in self.off else ""

    def begin(self, fault: Fault) -> None:
        self.off.add(fault.host)

    def heal(self, fault: Fault, report: Heard) -> None:
        report(f"{fault.host} starts")
        self.healed += 1
        self.off.discard(fault.host)

    def begun(self) -> Iterable[Fault]:
        return [Fault(kind=FaultKind.POWER, host=host) for host in sorted(self.off)]


def test_a_fault_is_begun_told_by_looking_and_healed_as_often_as_one_likes() -> None:
    switch = Switch()
    faults = Faults(design(), {FaultKind.POWER: switch})
    assert (faults.can(POWER), faults.begun()) == ("", ())
    healing = faults.begin(POWER)
    assert faults.can(POWER) == "it does not run"
    with pytest.raises(NotPossibleError, match="storage-k loses power: it does not run"):
        faults.begin(POWER)
    # Whoever looks later knows no more than what there is to see.
    (found,) = Faults(design(), {FaultKind.POWER: switch}).begun()
    assert found.fault == POWER
    heard: list[str] = []
    found.heal(heard.append)
    assert (switch.off, heard) == (set(), ["storage-k starts"])
    healing.heal()
    healing.heal()
    assert faults.begun() == ()


def test_a_block_ends_with_its_fault_however_it_ends() -> None:
    switch = Switch()
    faults = Faults(design(), {FaultKind.POWER: switch})
    seen: list[set[str]] = []

    def breaks_off() -> None:
        with faults.begin(POWER):
            seen.append(set(switch.off))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        breaks_off()
    assert (seen, switch.off) == ([{"storage-k"}], set())


def test_what_a_system_has_no_breaker_for_it_says_so() -> None:
    faults = Faults(design(), {}, otherwise="there is no plug")
    assert faults.can(POWER) == "there is no plug"
    with pytest.raises(NotPossibleError, match="there is no plug"):
        faults.begin(POWER)
    with pytest.raises(InputError, match="there is no host 'nobody'"):
        faults.begin(Fault(kind=FaultKind.POWER, host="nobody"))
    assert faults.begun() == ()


# --- On Kubernetes


def cluster() -> FakeKubectl:
    """One daemon that a Deployment of its own keeps, and edges that share one."""
    kubectl = FakeKubectl()
    for host in design().servers:
        kubectl.put(node(host.name))
    osd = pod("osd", "0", "storage-k")
    osd["metadata"] |= {"labels": {"ceph_daemon_type": "osd", "ceph_daemon_id": "0"}, "namespace": "rook"}
    keep(kubectl, osd, "rook-ceph-osd-0", replicas=1)
    for worker in ("worker-a", "worker-b"):
        keep(kubectl, pod("cdn", "edge", worker), "cdn-edge", replicas=2)
    return kubectl


def keep(kubectl: FakeKubectl, one: dict[str, Any], name: str, *, replicas: int) -> None:
    """Put a pod there with what keeps it."""
    namespace = one["metadata"]["namespace"]
    one["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": f"{name}-5f"}]
    owner = {"name": f"{name}-5f", "namespace": namespace}
    owner["ownerReferences"] = [{"kind": "Deployment", "name": name}]
    kubectl.put({"kind": "ReplicaSet", "metadata": owner})
    meta = {"name": name, "namespace": namespace}
    kubectl.put({"kind": "Deployment", "metadata": meta, "spec": {"replicas": replicas}})
    kubectl.put(one)


def faults_of(kubectl: FakeKubectl) -> Faults:
    settling = Settling(design=design(), kubectl=kubectl, began=dict)
    return cluster_faults(design(), kubectl, ExistingServers(design()), settling)


OSD = Fault(kind=FaultKind.STOP, host="storage-k", program="osd.0")


def test_a_pod_that_is_killed_is_deleted_and_takes_the_time_its_processes_need() -> None:
    kubectl = cluster()
    fault = Fault(kind=FaultKind.KILL, host="worker-a", program="cdn-edge")
    assert faults_of(kubectl).can(fault) == ""
    healing = faults_of(kubectl).begin(fault)
    deleted = [words for words in kubectl.asked if words[0] == "delete"]
    assert deleted == [("delete", "pod", "cdn-edge-worker-a-0", "--grace-period=1", "--wait=false")]
    assert ("pod", NAMESPACE, "cdn-edge-worker-b-0") in kubectl.objects
    assert faults_of(kubectl).begun() == ()  # its Deployment makes another
    healing.heal(quiet)
    assert faults_of(kubectl).can(fault) == "no pod of it runs there, but on worker-b"


def test_a_daemon_is_stopped_by_its_deployment_which_says_so_until_it_is_healed() -> None:
    kubectl = cluster()
    key = ("deployment", "rook", "rook-ceph-osd-0")
    faults_of(kubectl).begin(OSD)
    assert kubectl.objects[key]["spec"]["replicas"] == 0
    order = [words[0] for words in kubectl.asked if words[0] in ("annotate", "scale", "delete")]
    assert order == ["annotate", "scale"], "whoever is killed in between left a note"
    (found,) = faults_of(kubectl).begun()
    assert found.fault == OSD
    for _ in range(2):
        found.heal()
        assert kubectl.objects[key]["spec"]["replicas"] == 1
        assert kubectl.objects[key]["metadata"]["annotations"] == {}
    assert faults_of(kubectl).begun() == ()


def test_what_was_noted_and_not_yet_stopped_is_healed_too() -> None:
    kubectl = cluster()
    kubectl.run(
        "annotate", "deployment", "rook-ceph-osd-0", "rookery/stopped=storage-k/osd.0", namespace="rook"
    )
    (found,) = faults_of(kubectl).begun()
    found.heal()
    assert faults_of(kubectl).begun() == ()


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (POWER, "nobody here switches servers that are somebody's own"),
        (
            Fault(kind=FaultKind.STOP, host="worker-a", program="cdn-edge"),
            "its Deployment keeps 2 pods and chooses their hosts, so none can be kept off one",
        ),
        (
            Fault(kind=FaultKind.STOP, host="worker-a", program="osd.0"),
            "no pod of it runs there, but on storage-k",
        ),
        (Fault(kind=FaultKind.KILL, host="worker-a", program="nobody"), "no pod of it runs there"),
        (killed(processes="ceph-osd"), "a pod ends with all of its processes"),
        (
            Fault(kind=FaultKind.STOP, host="cp-1", program="by-hand"),
            "no Deployment keeps it, and what does would start it again",
        ),
        (
            Fault(kind=FaultKind.KILL, host="cp-1", program="by-hand"),
            "its pod belongs to nobody who would make another",
        ),
        (
            Fault(kind=FaultKind.KILL, host="cp-1", program="etcd"),
            "its pod is its kubelet's own, which keeps it whatever the API is told",
        ),
    ],
)
def test_what_cannot_be_broken_there_says_why(fault: Fault, why: str) -> None:
    kubectl = cluster()
    alone = {"name": "by-hand", "namespace": "x"}
    kubectl.put({"kind": "Pod", "metadata": alone, "spec": {"nodeName": "cp-1"}, "status": {}})
    static = {"name": "etcd-cp-1", "namespace": "x", "ownerReferences": [{"kind": "Node", "name": "cp-1"}]}
    kubectl.put({"kind": "Pod", "metadata": static, "spec": {"nodeName": "cp-1"}, "status": {}})
    assert faults_of(kubectl).can(fault) == why


def test_a_cluster_that_is_silent_breaks_nothing_and_shows_nothing(tmp_path: Path) -> None:
    from rookery.drivers.kubernetes.kubectl import Kubectl

    kubectl = Kubectl(kubeconfig=tmp_path / "none", program=str(tmp_path / "kubectl"))
    settling = Settling(design=design(), kubectl=kubectl, began=dict)
    faults = cluster_faults(design(), kubectl, ExistingServers(design()), settling)
    assert faults.can(OSD) == faults.can(killed()) == "its cluster does not answer"
    assert faults.begun() == ()


def test_every_kind_says_what_becomes_of_its_target() -> None:
    assert set(KINDS) == set(FaultKind)
    assert len({traits.says for traits in KINDS.values()}) == len(KINDS)
