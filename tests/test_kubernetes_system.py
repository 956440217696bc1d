"""A system on Kubernetes: its steps, what is seen as done, what stands where, and taking it down again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rookery.apps.pods import NAMESPACE
from rookery.apps.table import PLACERS
from rookery.design.build import build_design
from rookery.design.model import Design, Role
from rookery.drivers.http import Browser
from rookery.drivers.process import CommandError
from rookery.errors import InputError, NotPossibleError, WaitError
from rookery.manifest import Objects, Release, Remote, Secrets, Wait
from rookery.plan.kubernetes import BOOTSTRAP, IMAGE, SERVER, SETTLED, cluster_steps
from rookery.plan.step import Observation, plan_rest
from rookery.projections.kubernetes import build_stages
from rookery.projections.kubernetes.placed import Placed, placed_items
from rookery.run.verify import kubernetes as checks
from rookery.run.verify.result import Outcome, Subject
from rookery.run.workspace import open_spec
from rookery.systems.kubernetes import items
from rookery.systems.kubernetes.bootstrap import Told
from rookery.systems.kubernetes.cluster import KubernetesSystem
from rookery.systems.kubernetes.items import Applier, applier_of
from rookery.systems.kubernetes.removal import Removal
from rookery.systems.kubernetes.status import database_members, host_statuses, outlived, program_name
from rookery.systems.protocol import Leftover
from tests.fake_cluster import FakeHelm, FakeKubectl


@cache
def design() -> Design:
    return open_spec("production-minimum", as_new=True, provider="existing").design


@cache
def placed() -> tuple[Placed, ...]:
    return placed_items(build_stages(design()))


def applier() -> Applier:
    return Applier(kubectl=FakeKubectl(), helm=FakeHelm(), charts={}, remotes={})


def of_kind(kind: type) -> list[Placed]:
    return [one for one in placed() if isinstance(one.item, kind)]


def quiet(_text: str) -> None:
    """Hears what is reported, and forgets it."""


def node(name: str, *, ready: bool = True) -> dict[str, Any]:
    status = {"conditions": [{"type": "Ready", "status": str(ready)}]}
    return {"kind": "Node", "metadata": {"name": name}, "spec": {}, "status": status}


def pod(app: str, component: str, host: str, *, number: int = 0, ready: bool = True) -> dict[str, Any]:
    labels = {
        "app.kubernetes.io/name": app,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/managed-by": "rookery",
    }
    return {
        "kind": "Pod",
        "metadata": {"name": f"{app}-{component}-{host}-{number}", "namespace": NAMESPACE, "labels": labels},
        "spec": {"nodeName": host},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def work(host: str) -> list[dict[str, Any]]:
    """Return pods that are there to end, which may be under way or have failed."""
    prepares = pod("rook", "prepare", host, ready=False)
    prepares["metadata"]["ownerReferences"] = [{"kind": "Job", "name": "prepare"}]
    lost = pod("load", "generator", host, ready=False)
    lost["metadata"]["labels"]["app.kubernetes.io/part-of"] = "media-site"
    return [prepares, lost]


# --- Steps


def test_steps_need_what_they_build_on_and_nothing_else() -> None:
    steps = {step.id: step for step in cluster_steps(design(), placed())}
    assert list(steps)[:2] == [IMAGE, BOOTSTRAP]
    assert steps[BOOTSTRAP].after == (IMAGE,)
    order = list(steps)
    for step in steps.values():
        before = (*step.needs, *step.after)
        assert all(order.index(one) < order.index(step.id) for one in before)
        assert before or step.id == IMAGE
    first = {
        name: next(s for s in steps.values() if s.id.startswith(name)) for name in ("30", "40", "50", "60")
    }
    # Certificates and monitoring begin together, once there is a network; Ceph needs both.
    assert first["30"].needs == first["40"].needs
    assert {need[:2] for need in first["50"].needs} == {"30", "40"}
    assert {need[:2] for need in first["60"].needs} == {"30", "40"}


def test_what_has_to_be_waited_for_again_is_not_made_again() -> None:
    steps = cluster_steps(design(), placed())
    waits = {one.id for one in of_kind(Wait)}
    seen = Observation(facts=frozenset(step.id for step in steps) - waits)
    left = plan_rest(steps, seen)
    assert {step.id for step in left} == waits
    # In the same order as before: nodes are Ready before what is on them is.
    assert [step.id for step in left] == [step.id for step in steps if step.id in waits]
    changed = next(one.id for one in placed() if one.item.name == "cert-manager")
    again = {step.id[:2] for step in plan_rest(steps, Observation(facts=seen.facts - {changed}))}
    assert {"30", "50", "60", "71"} <= again


def test_a_server_of_a_lab_that_is_started_again_is_a_member_as_before() -> None:
    lab = open_spec("production-minimum", as_new=True).spec
    lab = lab.model_copy(update={"platform": "kubernetes"})
    made = build_design(lab, placers=PLACERS)
    steps = cluster_steps(made, placed_items(build_stages(made)))
    everything = frozenset(step.id for step in steps)
    lost = f"{SERVER}:storage-k"
    assert [step.id for step in plan_rest(steps, Observation(facts=everything - {lost}))] == [lost]
    both = plan_rest(steps, Observation(facts=everything - {lost, BOOTSTRAP}))
    assert [(step.id, step.needs) for step in both] == [(lost, ()), (BOOTSTRAP, (lost,))]


def test_a_new_server_is_a_member_before_anything_is_changed_for_it() -> None:
    steps = cluster_steps(design(), placed())
    changed = next(one.id for one in placed() if one.item.name == "rook-ceph-cluster")
    seen = Observation(facts=frozenset(step.id for step in steps) - {BOOTSTRAP, changed})
    left = {step.id: step for step in plan_rest(steps, seen)}
    # What stands between them is done already.
    assert left[changed].needs == (BOOTSTRAP,)


def test_after_any_part_of_the_plan_the_rest_is_planned() -> None:
    steps = cluster_steps(design(), placed())
    for count in range(len(steps)):
        done = Observation(facts=frozenset(step.id for step in steps[:count]))
        assert [step.id for step in plan_rest(steps, done)] == [step.id for step in steps[count:]]


# --- Items


def test_what_was_applied_is_seen_as_done() -> None:
    to = applier()
    assert to.facts(placed()) == frozenset()
    for one in placed():
        if not isinstance(one.item, Wait):
            to.apply(one, quiet)
    waits = of_kind(Wait)
    assert to.facts(placed()) == {one.id for one in placed()} - {one.id for one in waits}
    # What is waited for is seen as done where it has come to pass.
    assert isinstance(to.kubectl, FakeKubectl)
    to.kubectl.kinds.add("node")
    met = to.facts(placed()) & {one.id for one in waits}
    assert met == {one.id for one in waits if isinstance(one.item, Wait) and one.item.kind == "node"}


def test_an_object_that_somebody_changed_is_not_done() -> None:
    to = applier()
    assert isinstance(to.kubectl, FakeKubectl)
    one = of_kind(Objects)[0]
    to.apply(one, quiet)
    assert to.facts([one]) == {one.id}
    there = to.kubectl.objects["namespace", "", "media"]
    there["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "privileged"
    assert to.facts([one]) == frozenset()
    to.apply(one, quiet)
    assert to.facts([one]) == {one.id}


def test_a_release_is_done_with_this_chart_and_these_values_only() -> None:
    to = applier()
    one = next(one for one in of_kind(Release) if one.item.name == "rook-ceph")
    item = one.item
    assert isinstance(item, Release)
    to.apply(one, quiet)
    assert to.facts([one]) == {one.id}
    newer = replace(one, item=replace(item, chart=replace(item.chart, version="v1.21.0")))
    other = replace(one, item=replace(item, values={**item.values, "logLevel": "DEBUG"}))
    assert to.facts([newer]) == to.facts([other]) == frozenset()


def test_a_release_that_a_kill_left_pending_is_freed_first() -> None:
    to = applier()
    assert isinstance(to.helm, FakeHelm)
    one = of_kind(Release)[0]
    assert isinstance(one.item, Release)
    to.helm.installed[one.item.namespace, one.item.name] = ("cilium-1.20.0", "pending-install", {})
    heard: list[str] = []
    to.apply(one, heard.append)
    assert to.helm.asked == ["unlock cilium", "upgrade cilium"]
    assert heard == ["an earlier command was interrupted; the release is freed first"]


def test_a_mirror_s_chart_is_taken_from_there() -> None:
    to = replace(applier(), charts={"cilium-1.20.0": "/mirror/charts/cilium-1.20.0.tgz"})
    assert isinstance(to.helm, FakeHelm)
    one = next(one for one in of_kind(Release) if one.item.name == "cilium")
    to.apply(one, quiet)
    assert [chart for chart, *_ in to.helm.installed.values()] == ["/mirror/charts/cilium-1.20.0.tgz-local"]


def test_others_objects_come_from_the_mirror_or_from_where_they_are_published() -> None:
    one = of_kind(Remote)[0]
    assert isinstance(one.item, Remote)
    to = applier()
    assert isinstance(to.kubectl, FakeKubectl)
    to.apply(one, quiet)
    assert to.kubectl.asked[-1][-2:] == ("-f", one.item.url)
    mirrored = replace(to, remotes={one.item.url: "/mirror/remotes/gateway-api.yaml"})
    mirrored.apply(one, quiet)
    assert to.kubectl.asked[-1][-2:] == ("-f", "/mirror/remotes/gateway-api.yaml")


def test_a_password_is_made_once_and_never_an_argument() -> None:
    to = applier()
    assert isinstance(to.kubectl, FakeKubectl)
    one = of_kind(Secrets)[0]
    assert isinstance(one.item, Secrets)
    needed = one.item.secrets[0]
    to.apply(one, quiet)
    made = to.kubectl.objects["secret", needed.namespace, needed.name]["stringData"]
    assert made["username"] == needed.username
    assert len(made["password"]) == 48
    to.apply(one, quiet)
    assert to.kubectl.objects["secret", needed.namespace, needed.name]["stringData"] == made
    assert not any(made["password"] in word for words in to.kubectl.asked for word in words)


def test_a_wait_ends_with_what_was_seen_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "_APPEARS", 0.05)
    to = applier()
    assert isinstance(to.kubectl, FakeKubectl)
    one = next(o for o in of_kind(Wait) if isinstance(o.item, Wait) and "HEALTH_OK" in o.item.condition)
    with pytest.raises(WaitError) as refused:
        to.apply(one, quiet)
    assert refused.value.details == ("seen last: not made yet",)
    status = {"phase": "Progressing", "ceph": {"health": "HEALTH_WARN"}}
    meta = {"name": "rook-ceph", "namespace": "rook-ceph"}
    to.kubectl.put({"kind": "CephCluster", "metadata": meta, "spec": {}, "status": status})
    heard: list[str] = []
    with pytest.raises(WaitError) as refused:
        to.apply(one, heard.append)
    assert refused.value.what == (
        "waited 1200 s for cephcluster rook-ceph: jsonpath={.status.ceph.health}=HEALTH_OK, in vain"
    )
    assert refused.value.details == ("seen last: rook-ceph Progressing HEALTH_WARN",)
    assert heard[0] == "cephcluster rook-ceph: rook-ceph Progressing HEALTH_WARN, for 15 s"
    to.kubectl.kinds.add("cephcluster")
    to.apply(one, quiet)


def test_a_deployment_is_waited_for_until_its_newest_pods_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = next(o for o in of_kind(Wait) if o.item.name == "cdn-edge" and "deployment" in repr(o.item))
    said = iter(["timed out waiting for the condition", f"cdn-edge {items._GIVEN_UP}", ""])
    paused: list[float] = []
    monkeypatch.setattr("rookery.systems.kubernetes.items.time.sleep", paused.append)

    class Rolling(FakeKubectl):
        def _rollout(self, words: list[str], namespace: str, stdin: str) -> None:
            assert (namespace, words) == (NAMESPACE, ["status", "deployment/cdn-edge", "--timeout=15s"])
            if text := next(said):
                raise CommandError(("kubectl", *words), exit_code=1, output=f"error: {text}")

    to = replace(applier(), kubectl=Rolling())
    meta = {"name": "cdn-edge", "namespace": NAMESPACE}
    to.kubectl.put({"kind": "Deployment", "metadata": meta})  # type: ignore[attr-defined]
    to.apply(one, quiet)
    assert (next(said, None), paused) == (None, [15])


@pytest.mark.parametrize(
    ("said", "tries"),
    [
        ('Error from server (InternalError): failed calling webhook "webhook.cert-manager.io"', 3),
        ('admission webhook "webhook.cert-manager.io" denied the request: no', 1),
    ],
)
def test_who_does_not_answer_is_asked_again_and_who_refuses_is_not(
    monkeypatch: pytest.MonkeyPatch, said: str, tries: int
) -> None:
    monkeypatch.setattr(items, "_SILENCE_PAUSE", 0.0)
    asked: list[str] = []

    class Silent(FakeKubectl):
        def _apply(self, words: list[str], namespace: str, stdin: str) -> None:
            asked.append(stdin)
            if len(asked) < 3:
                raise CommandError(("kubectl", "apply"), exit_code=1, output=said)
            super()._apply(words, namespace, stdin)

    to = replace(applier(), kubectl=Silent())
    heard: list[str] = []
    one = of_kind(Objects)[0]
    if tries == 1:
        with pytest.raises(CommandError):
            to.apply(one, heard.append)
    else:
        to.apply(one, heard.append)
        assert heard == [f"nobody answers: {said}"] * 2
    assert len(asked) == tries


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
    found = KubernetesSystem(there)
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
    subject = Subject(system=system, browser=Browser.__new__(Browser), mark="m")
    assert checks.nodes(subject).outcome is Outcome.PASS
    del fake(system).objects["node", "", "worker-a"]["metadata"]["labels"]
    fake(system).objects["node", "", "storage-k"]["spec"]["taints"] = []
    evidence = checks.nodes(subject)
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
    system._servers = servers  # type: ignore[assignment]
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


def test_pods_that_others_take_the_place_of_do_not_count(system: KubernetesSystem) -> None:
    subject = Subject(system=system, browser=Browser.__new__(Browser), mark="m")
    for host in system.design.with_role(Role.WORKER):
        for instance in host.instances:
            fake(system).put(pod(instance.app, instance.component, host.name))
    ending = pod("cdn", "edge", "worker-a", number=1)
    ending["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:05Z"
    fake(system).put(ending)
    assert checks.spread(subject).outcome is Outcome.PASS
    seen = host_statuses(design(), (), [ending])
    assert [one.programs for one in seen if one.programs] == []


def test_instances_that_share_a_node_are_found(system: KubernetesSystem) -> None:
    subject = Subject(system=system, browser=Browser.__new__(Browser), mark="m")
    for host in system.design.with_role(Role.WORKER):
        for instance in host.instances:
            fake(system).put(pod(instance.app, instance.component, host.name))
    assert checks.spread(subject).outcome is Outcome.PASS
    moved = fake(system).objects["pod", NAMESPACE, "cdn-edge-worker-b-0"]
    moved["spec"]["nodeName"] = "worker-a"
    evidence = checks.spread(subject)
    assert (evidence.outcome, evidence.seen) == (Outcome.FAIL, "cdn-edge shares worker-a")
    moved["status"]["conditions"][0]["status"] = "False"
    assert checks.spread(subject).seen == "1 of 2 cdn-edge"


def test_claims_that_are_not_bound_are_found(system: KubernetesSystem) -> None:
    subject = Subject(system=system, browser=Browser.__new__(Browser), mark="m")
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


# --- Down


def test_down_leaves_nothing_and_looks_again() -> None:
    kubectl, helm = FakeKubectl(), FakeHelm()
    to = Applier(kubectl=kubectl, helm=helm, charts={}, remotes={})
    for one in placed():
        if not isinstance(one.item, Wait | Remote):
            to.apply(one, quiet)
    kubectl.put({"kind": "Namespace", "metadata": {"name": "somebody-elses"}})
    removal = Removal(design=design(), stages=build_stages(design()), kubectl=kubectl, helm=helm)
    before = removal.leftovers()
    assert Leftover(kind="namespace", name="media") in before
    assert Leftover(kind="release", name="rook-ceph/rook-ceph-cluster") in before
    removal.take_down(quiet)
    assert removal.leftovers() == ()
    assert [key for key in kubectl.objects if key[0] == "namespace"] == [("namespace", "", "somebody-elses")]
    order = [words for words in helm.asked if words.startswith("uninstall")]
    assert order.index("uninstall rook-ceph-cluster") < order.index("uninstall rook-ceph")
    assert order[-1] == "uninstall cilium"


def test_ceph_is_told_to_destroy_its_data_before_it_is_deleted() -> None:
    kubectl = FakeKubectl()
    meta = {"name": "rook-ceph", "namespace": "rook-ceph"}
    kubectl.put({"kind": "CephCluster", "metadata": meta, "spec": {}, "status": {}})
    Removal(design=design(), stages=(), kubectl=kubectl, helm=FakeHelm()).take_down(quiet)
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
    Removal(design=design(), stages=(), kubectl=kubectl, helm=FakeHelm()).take_down(quiet)
    done = [words for words in kubectl.asked if words[0] in ("delete", "exec")]
    assert done[0][:3] == ("delete", "pod", "load")
    assert done[1][3:] == ("radosgw-admin", "bucket", "rm", "--bucket=load", "--purge-objects")
    assert ("pod", NAMESPACE, "load") not in kubectl.objects
