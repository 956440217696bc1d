"""A system on Kubernetes: what stands where, and a cluster that is there already."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from rookery.apps.ground.names import NAMESPACE
from rookery.design.model import DaemonKind, Database, Role
from rookery.drivers.clients.http import Browser
from rookery.errors import InputError, NotPossibleError
from rookery.manifest import NeededSecrets, Objects, Wait
from rookery.plan.kubernetes import SETTLED
from rookery.projections.kubernetes.tree import build_stages
from rookery.run.verify import kubernetes as checks
from rookery.run.verify import web
from rookery.run.verify.result import Outcome, Subject
from rookery.systems.existing.servers import ExistingServers
from rookery.systems.kubernetes.items import applier_of
from rookery.systems.kubernetes.status import database_members, host_statuses, outlived, program_name
from rookery.systems.kubernetes.system import KubernetesSystem
from rookery.systems.servers import Told
from tests.kit.cluster_objects import design, node, placed, pod, quiet, work
from tests.kit.fake_cluster import FakeHelm, FakeKubectl

# --- What runs


def test_pods_are_programs_by_the_design_s_names() -> None:
    nodes = [node(host.name, ready=host.name != "worker-b") for host in design().servers]
    pods = [
        pod("cdn", "edge", "worker-a"),
        pod("catalogue", "api", "worker-a", ready=False),
        *work("worker-a"),
    ]
    seen = {status.name: status for status in host_statuses(design(), nodes, pods)}
    assert list(seen) == [host.name for host in design().servers]
    assert not seen["worker-b"].running
    assert [(one.name, one.running) for one in seen["worker-a"].programs] == [
        ("catalogue-api", False),
        ("cdn-edge", True),
    ]


@pytest.mark.parametrize(
    ("labels", "given", "name", "shown"),
    [
        ({"ceph_daemon_type": "osd", "ceph_daemon_id": "2"}, "x-", "x-1", "osd.2"),
        ({"pod-template-hash": "589f4"}, "coredns-589f4-", "coredns-589f4-jrxr2", "coredns"),
        ({"pod-template-hash": "6d65"}, "exporter-node-a-6d65-", "exporter-node-a-6d65-2q", "exporter"),
        ({}, "kube-proxy-", "kube-proxy-2n76v", "kube-proxy"),
        ({}, "", "etcd-node-a", "etcd"),
        ({}, "", "by-hand", "by-hand"),
    ],
)
def test_other_pods_are_named_by_what_made_them(
    labels: dict[str, str], given: str, name: str, shown: str
) -> None:
    metadata = {"name": name, "labels": labels, **({"generateName": given} if given else {})}
    assert program_name({"metadata": metadata, "spec": {"nodeName": "node-a"}, "status": {}}) == shown


@pytest.mark.parametrize(
    ("since", "began", "old"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.9+00:00", False),
        ("2026-01-02T03:04:04Z", "2026-01-02T03:04:05.1+00:00", True),
        ("2026-01-02T03:04:05Z", "", True),
        ("", "2026-01-02T03:04:05+00:00", False),
    ],
)
def test_a_pod_that_runs_longer_than_its_server_is_said_to_only(since: str, began: str, *, old: bool) -> None:
    state = {"running": {"startedAt": since}} if since else {"waiting": {"reason": "ContainerCreating"}}
    one = pod("cdn", "edge", "worker-a")
    one["status"]["containerStatuses"] = [{"name": "edge", "state": state}]
    at = datetime.fromisoformat(began).timestamp() if began else None
    assert outlived([one], {"worker-a": at}) == (("cdn-edge on worker-a",) if old else ())
    assert outlived([one], {"worker-b": None}) == ()
    one["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:06Z"
    assert outlived([one], {"worker-a": at}) == ()


def test_members_are_named_by_their_hosts() -> None:
    cluster = {"spec": {"postgresql": {"synchronous": {}}}, "status": {"currentPrimary": "database-2"}}
    pods = []
    for number, host in enumerate(("worker-a", "worker-b"), 1):
        one = pod("x", "y", host)
        one["metadata"] |= {"name": f"database-{number}", "labels": {"cnpg.io/instanceRole": "any"}}
        pods.append(one)
    members = database_members(cluster, pods)
    assert [(m.name, m.role, m.state) for m in members] == [
        ("worker-a", "sync_standby", "streaming"),
        ("worker-b", "leader", "running"),
    ]
    assert [m.is_primary for m in members] == [False, True]


# --- A cluster that is there already


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KubernetesSystem:
    """A system on a cluster in memory, with nobody's kubeconfig."""
    monkeypatch.setenv("ROOKERY_HOME", str(tmp_path / "home"))
    config = tmp_path / "kubeconfig"
    config.write_text("{}\n")
    monkeypatch.setenv("KUBECONFIG", str(config))
    cluster = design().kubernetes
    assert cluster is not None
    there = replace(design(), kubernetes=replace(cluster, bootstrap="none"))
    found = KubernetesSystem(there, ExistingServers(there))
    found.kubectl = FakeKubectl()
    found.helm = FakeHelm()
    return found


def fake(system: KubernetesSystem) -> FakeKubectl:
    assert isinstance(system.kubectl, FakeKubectl)
    return system.kubectl


def test_its_nodes_must_be_those_of_the_design(system: KubernetesSystem) -> None:
    for host in system.design.servers[:-1]:
        fake(system).put(node(host.name))
    step = system.steps()[0]
    with pytest.raises(NotPossibleError) as refused:
        system.apply(step, quiet)
    assert refused.value.what.endswith("kubeconfig has no node storage-n")
    assert (
        refused.value.hint
        == "The design's hosts and the cluster's nodes must have the same names and number."
    )


def test_its_nodes_get_labels_and_storage_nodes_keep_others_away(system: KubernetesSystem) -> None:
    for host in system.design.servers:
        fake(system).put(node(host.name))
    system.apply(system.steps()[0], quiet)
    assert system.paths.kubeconfig.stat().st_mode & 0o777 == 0o600
    assert checks.nodes(looked_at(system)).outcome is Outcome.PASS
    del fake(system).objects["node", "", "worker-a"]["metadata"]["labels"]
    fake(system).objects["node", "", "storage-k"]["spec"]["taints"] = []
    evidence = checks.nodes(looked_at(system))
    assert (evidence.outcome, evidence.seen) == (
        Outcome.FAIL,
        "worker-a lacks node-role.kubernetes.io/worker; storage-k lets any pod in",
    )


def test_what_a_cluster_says_of_lost_servers_counts_as_nothing(system: KubernetesSystem) -> None:
    for host in system.design.servers:
        fake(system).put(node(host.name))
    system.apply(system.steps()[0], quiet)
    fake(system).kinds.update({"node", "deployment"})
    one = pod("cdn", "edge", "worker-a")
    one["status"]["containerStatuses"] = [
        {"name": "e", "state": {"running": {"startedAt": "2026-01-02T03:04:05Z"}}}
    ]
    fake(system).put(one)
    waits = {one.id for one in placed() if isinstance(one.item, Wait)}
    servers = SimpleNamespace(facts=tuple, told=Told, began=lambda: {"worker-a": None})
    system.servers = servers
    facts = system.observe().facts
    assert SETTLED not in facts
    assert facts & waits == frozenset()
    servers.began = lambda: {"worker-a": 0.0}
    facts = system.observe().facts
    assert SETTLED in facts
    assert facts & waits


def test_drift_names_nodes_and_what_is_not_there_as_rendered(system: KubernetesSystem) -> None:
    for host in system.design.servers:
        fake(system).put(node(host.name))
    system.apply(system.steps()[0], quiet)
    to = applier_of(placed(), None, kubectl=system.kubectl, helm=system.helm)
    for one in placed():
        if not isinstance(one.item, Wait):
            to.apply(one, quiet)
    assert system.drift() == ()
    del fake(system).objects["node", "", "worker-a"]
    fake(system).objects["node", "", "storage-k"]["spec"]["taints"] = []
    fake(system).objects["namespace", "", "media"]["metadata"]["labels"] = {}
    seen = [(str(one.kind), one.subject, one.what, one.item) for one in system.drift()]
    assert seen == [
        ("missing", "worker-a", "node", ""),
        ("different", "storage-k", "labels and taints", ""),
        ("different", "cluster", "10-namespaces/10-namespaces.yaml", "namespaces"),
    ]


def test_nothing_leads_to_it(system: KubernetesSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere/at/all")
    with pytest.raises(NotPossibleError, match="nothing leads to the cluster that is there already"):
        system.apply(system.steps()[0], quiet)


def looked_at(system: KubernetesSystem) -> Subject:
    return Subject(system=system, browser=Browser.__new__(Browser), mark="m")


def put_instances(system: KubernetesSystem) -> None:
    """Let the cluster answer, with a pod for every instance of the design."""
    for host in system.design.servers:
        fake(system).put(node(host.name))
    system.apply(system.steps()[0], quiet)
    for host in system.design.with_role(Role.WORKER):
        for instance in host.instances:
            fake(system).put(pod(instance.app, instance.component, host.name))


def test_pods_that_others_take_the_place_of_do_not_count(system: KubernetesSystem) -> None:
    put_instances(system)
    ending = pod("cdn", "edge", "worker-a", number=1)
    ending["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:05Z"
    fake(system).put(ending)
    assert web.instances_apart(looked_at(system)).outcome is Outcome.PASS
    seen = host_statuses(design(), (), [ending])
    assert [one.programs for one in seen if one.programs] == []


def test_instances_that_share_a_node_are_found(system: KubernetesSystem) -> None:
    put_instances(system)
    assert web.instances_apart(looked_at(system)).outcome is Outcome.PASS
    moved = fake(system).objects["pod", NAMESPACE, "cdn-edge-worker-b-0"]
    moved["spec"]["nodeName"] = "worker-a"
    evidence = web.instances_apart(looked_at(system))
    assert (evidence.outcome, evidence.seen) == (Outcome.FAIL, "cdn-edge shares worker-a")
    moved["status"]["conditions"][0]["status"] = "False"
    assert web.instances_apart(looked_at(system)).seen == "1 of 2 cdn-edge, on worker-a"


def test_gateways_that_share_a_node_are_found(system: KubernetesSystem) -> None:
    put_instances(system)
    hosts = [host.name for host, _ in system.design.with_daemon(DaemonKind.RGW)]
    for host in hosts:
        one = pod("ceph", "rgw", host)
        one["metadata"]["labels"] = {"ceph_daemon_type": "rgw", "ceph_daemon_id": "store"}
        fake(system).put(one)
    evidence = checks.gateways_apart(looked_at(system))
    assert (evidence.outcome, evidence.seen) == (Outcome.PASS, f"2 of 2 ready, on {', '.join(hosts)}")
    moved = fake(system).objects["pod", NAMESPACE, f"ceph-rgw-{hosts[1]}-0"]
    moved["spec"]["nodeName"] = hosts[0]
    assert checks.gateways_apart(looked_at(system)).outcome is Outcome.FAIL
    moved["status"]["conditions"][0]["status"] = "False"
    evidence = checks.gateways_apart(looked_at(system))
    assert (evidence.outcome, evidence.seen) == (Outcome.FAIL, f"1 of 2 ready, on {hosts[0]}")


def test_claims_that_are_not_bound_are_found(system: KubernetesSystem) -> None:
    subject = looked_at(system)
    assert checks.claims(subject).outcome is Outcome.NOT_OBSERVED
    claim = {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "live", "namespace": NAMESPACE},
        "spec": {"storageClassName": "ceph-filesystem"},
        "status": {"phase": "Pending"},
    }
    fake(system).put(claim)
    assert checks.claims(subject).seen == "live Pending"
    fake(system).put({**claim, "status": {"phase": "Bound"}})
    assert checks.claims(subject).seen == "1 bound: 1 of ceph-filesystem"


def test_a_host_that_is_none_has_no_shell(system: KubernetesSystem) -> None:
    with pytest.raises(InputError, match="there is no host 'storage-z'"):
        system.execute("storage-z", ("true",))


def test_a_user_s_secret_is_found_whatever_the_user_is_called(
    system: KubernetesSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret's name has no underscore; who makes it and who looks for it call it the same."""
    apps = tuple(
        replace(app, databases=(Database(name="play_counts", user="play_counts", owns=True), *app.databases))
        if app.service is not None
        else app
        for app in design().apps
    )
    items = [item for stage in build_stages(replace(design(), apps=apps)) for item in stage.items]
    needed = [one.name for item in items if isinstance(item, NeededSecrets) for one in item.secrets]
    assert "database-play-counts" in needed
    assert {name for name in needed if "_" in name} == set()
    password = base64.b64encode(b"sesame").decode()
    fake(system).put(
        {
            "kind": "Secret",
            "metadata": {"name": "database-play-counts", "namespace": NAMESPACE},
            "data": {"password": password},
        }
    )
    monkeypatch.setattr(
        system, "_way", lambda target, port: {("service/database-rw", 5432): 40123}[target, port]
    )
    monkeypatch.setattr(KubernetesSystem, "ca_file", Path("/ca.crt"))
    door = system.database_door("play_counts")
    assert (door.host, door.port, door.user, door.password) == ("database-rw", 40123, "play_counts", "sesame")


def test_what_a_role_logs_in_with_is_a_secret_that_is_made() -> None:
    items = [item for stage in build_stages(design()) for item in stage.items]
    needed = {one.name for item in items if isinstance(item, NeededSecrets) for one in item.secrets}
    objects = [one for item in items if isinstance(item, Objects) for one in item.objects]
    roles = [one for one in objects if one["kind"] == "DatabaseRole" and one["spec"]["login"]]
    assert roles
    assert {one["spec"]["passwordSecret"]["name"] for one in roles} <= needed
