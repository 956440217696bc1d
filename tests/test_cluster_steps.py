"""The steps of a system on Kubernetes, and each item of its tree: applied, and seen as done."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rookery.apps.ground.names import NAMESPACE
from rookery.apps.table import PLACERS
from rookery.design.build import build_design
from rookery.drivers.machine.process import CommandError
from rookery.errors import WaitError
from rookery.manifest import NeededSecrets, Objects, Release, Remote, Wait
from rookery.plan.kubernetes import BOOTSTRAP, IMAGE, cluster_steps
from rookery.plan.lab_nodes import SERVER, lab_node_steps
from rookery.plan.step import Observation, plan_rest
from rookery.projections.kubernetes import build_stages
from rookery.projections.kubernetes.placed import placed_items
from rookery.run.workspace import open_spec
from rookery.systems.kubernetes import items
from tests.kit.cluster_objects import applier, design, of_kind, placed, quiet
from tests.kit.fake_cluster import FakeHelm, FakeKubectl

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
    steps = cluster_steps(made, placed_items(build_stages(made)), made=lab_node_steps(made))
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
    one = of_kind(NeededSecrets)[0]
    assert isinstance(one.item, NeededSecrets)
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
