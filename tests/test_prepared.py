"""`up` prepares itself once: one lock, one look, and what is refused before anything is made."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from rookery.apps.ground.names import STORE
from rookery.design.checks import Finding, Severity
from rookery.design.model import Design
from rookery.drivers.kubernetes.helm import Installed
from rookery.errors import ExitCode, InputError, NotPossibleError, RookeryError
from rookery.manifest import Objects, Remote, Wait
from rookery.plan.kubernetes import BOOTSTRAP, IMAGE, content_id
from rookery.plan.step import Observation, Step
from rookery.run import lock, prepared, workspace
from rookery.run.lock import hold
from rookery.run.prepared import Arrival
from rookery.run.workspace import Workspace, note_system, open_running, open_spec
from rookery.systems.existing.servers import ExistingServers
from rookery.systems.kubernetes.items import _LOOKS_AT_ONCE
from rookery.systems.kubernetes.system import KubernetesSystem
from tests.kit.cluster_objects import node, quiet
from tests.kit.fake_cluster import FakeHelm, FakeKubectl
from tests.kit.steps import Listener

SPEC = "apiVersion: rookery/v1\npattern: production-minimum\nname: once\n"
# What decision 0051 has figures of.
ON_A_CLUSTER = "provider: existing\nkubernetes: {bootstrap: none}\nbackup: null\n"
ELSEWHERE = "provider: existing\nkubernetes: {bootstrap: kubeone}\n"


class Standing:
    """A system of which two steps are done and one is not; `asked` is what was asked of it, in order."""

    def __init__(self, design: Design) -> None:
        self.design = design
        self.asked: list[str] = []
        self.hung = self.reachable = False
        self.way: Any = None
        self.backups = None

    def steps(self) -> tuple[Step, ...]:
        return tuple(Step(id=name, phase="p", title=name) for name in ("a", "b", BOOTSTRAP))

    def observe(self) -> Observation:
        self.asked.append("observe")
        return Observation(facts=frozenset({"a", "b"}))

    def upgrade(self, running: str) -> Any:
        return self.way if running == "18" else None

    def is_reachable(self) -> bool:
        return self.reachable

    def require_answers(self) -> None:
        if self.hung:
            raise RookeryError("storage-k does not answer")

    def apply(self, step: Step, report: object) -> None:
        self.asked.append(f"apply {step.id}")

    def close(self) -> None:
        self.asked.append("close")


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let systems and locks live in a folder of the test's own, and nothing be verified."""
    monkeypatch.setattr(lock, "runtime_folder", lambda: tmp_path / "run")
    monkeypatch.setattr(workspace, "runtime_folder", lambda: tmp_path / "run")
    monkeypatch.setattr(workspace, "note_home", lambda _: None)
    monkeypatch.setattr(workspace, "namespace_names", list)  # those of labs that run beside the tests
    monkeypatch.setattr(prepared, "verify", lambda _system, **_: ())
    monkeypatch.setenv("ROOKERY_HOME", str(tmp_path / "home"))
    return tmp_path


def opened(machine: Path, text: str = ELSEWHERE) -> Workspace:
    (machine / "once.yaml").write_text(SPEC + text)
    return open_spec(str(machine / "once.yaml"))


@pytest.fixture
def standing(machine: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standing]:
    made = Standing(opened(machine).design)

    def find(design: Design, **_: object) -> Standing:
        made.design = design
        return made

    monkeypatch.setattr(prepared, "find_system", find)
    monkeypatch.setattr(prepared, "findings_here", lambda _: ())
    monkeypatch.setattr(prepared, "require_installer", lambda _: None)
    yield made
    if made.way is None:
        assert made.asked.count("close") == made.asked.count("observe")


def run(found: Workspace) -> Arrival:
    with prepared.prepared(found) as ready:
        return ready.run(Listener())


# --- An upgrade


class Moving:
    """A system's way to another release, of two steps; `asked` is shared with the system."""

    notices = ("there is no way back",)

    def __init__(self, before: Standing, asked: list[str]) -> None:
        self.before = before
        self.asked = asked
        self.breaks = False

    def steps(self) -> tuple[Step, ...]:
        first = Step(id="moved", phase="upgrade", title="moved")
        return first, Step(id="settled", phase="upgrade", title="settled", needs=("moved",))

    def observe(self) -> Observation:
        return Observation()

    def apply(self, step: Step, report: object) -> None:
        self.asked.append(f"{step.id} with {workspace.read_kept('once').ceph} noted")
        if self.breaks:
            raise RookeryError("a daemon does not start")


@pytest.fixture
def moving(machine: Path, standing: Standing) -> Moving:
    """A lab of Ceph 18 that is to have 20: `standing` is what it becomes."""
    note_system(opened(machine, 'storage: {ceph: "18"}\n'))
    before = Standing(standing.design)
    before.asked = standing.asked
    standing.way = way = Moving(before, standing.asked)
    return way


def test_an_upgrade_begins_with_what_is_and_ends_with_what_is_to_be(
    machine: Path, standing: Standing, moving: Moving
) -> None:
    arrival = run(opened(machine, 'storage: {ceph: "20"}\n'))
    looked, applied = "observe", f"apply {BOOTSTRAP}"
    assert standing.asked == [
        *(looked, looked, applied, "moved with 18 noted", "settled with 18 noted", looked, applied),
        *("close", "close"),
    ]
    assert workspace.read_kept("once").ceph == "20"
    assert [one.step.id for one in arrival.timings] == [BOOTSTRAP, "moved", "settled", BOOTSTRAP]
    standing.asked.clear()
    run(opened(machine, 'storage: {ceph: "20"}\n'))
    assert standing.asked == ["observe", f"apply {BOOTSTRAP}", "close"]


def test_an_upgrade_that_failed_is_taken_up_again(machine: Path, standing: Standing, moving: Moving) -> None:
    wished = opened(machine, 'storage: {ceph: "20"}\n')
    moving.breaks = True
    with pytest.raises(RookeryError, match="a daemon does not start"):
        run(wished)
    assert workspace.read_kept("once").ceph == "18"
    assert open_running("once").design.ceph == "20"
    moving.breaks = False
    run(opened(machine, 'storage: {ceph: "20"}\n'))
    assert workspace.read_kept("once").ceph == "20"


# --- Once


def test_what_is_shown_is_what_is_done(machine: Path, standing: Standing) -> None:
    with prepared.prepared(opened(machine)) as ready:
        assert [step.id for step in ready.steps] == [BOOTSTRAP]
        assert standing.asked == ["observe"]
        arrival = ready.run(Listener())
    assert standing.asked == ["observe", f"apply {BOOTSTRAP}", "close"]
    assert [timing.step.id for timing in arrival.timings] == [BOOTSTRAP]
    assert 0 <= arrival.verify_seconds <= arrival.seconds


def test_nobody_else_works_on_it_from_the_look_to_the_end(machine: Path, standing: Standing) -> None:
    found = opened(machine)

    def others() -> None:
        with pytest.raises(NotPossibleError, match="another command works on once"), hold("once"):
            pass

    looks = standing.observe

    def observe() -> Observation:
        others()
        return looks()

    standing.observe = observe  # type: ignore[method-assign]
    with prepared.prepared(found) as ready:
        others()
        ready.run(Listener())
        others()
    with hold("once"), pytest.raises(NotPossibleError, match="another command works on once"):
        run(found)
    assert standing.asked.count("observe") == 1, "without the lock it is not looked at"
    with contextlib.suppress(ZeroDivisionError), prepared.prepared(found):
        raise ZeroDivisionError
    with hold("once"):
        pass


def test_what_another_command_placed_meanwhile_stands(machine: Path, standing: Standing) -> None:
    """A spec is opened, then its lock is taken: in between another `up` may have added a server."""
    text = "hosts: {storage: {count: 3}}\n"
    early = opened(machine, text)
    first = opened(machine, "hosts: {storage: {count: 4}}\n")
    note_system(first)
    late = opened(machine, text)
    assert late.design != early.design
    with prepared.prepared(early) as ready:
        assert ready.workspace.design == ready.design == late.design


# --- Refused


def finding(code: str) -> Finding:
    return Finding(code=code, severity=Severity.ERROR, path="hosts", message="too few.", hint="Add some.")


def test_what_is_in_the_way_is_said_in_one_order(
    machine: Path, standing: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong: dict[str, Exception] = {}

    def refuse(name: str) -> Any:
        def refusing(_: object) -> None:
            if name in wrong:
                raise wrong[name]

        return refusing

    note_system(opened(machine))
    found = opened(machine, ELSEWHERE + "storage: {block: {pool: {replicas: 2}}}\n")
    for name in ("refuse_other_home", "require_installer"):
        wrong[name] = NotPossibleError(name)
        monkeypatch.setattr(prepared, name, refuse(name))
    findings = [finding("RK101"), finding("RK601")]
    monkeypatch.setattr(prepared, "findings_here", lambda _: tuple(findings))
    standing.hung = True

    said = []
    mends = (
        lambda: findings.pop(0),
        findings.clear,
        lambda: wrong.pop("refuse_other_home"),
        lambda: None,
        lambda: setattr(standing, "hung", False),
        lambda: wrong.pop("require_installer"),
    )
    for mend in mends:
        with pytest.raises(RookeryError) as refused:
            run(found)
        said.append((refused.value.exit_code, refused.value.what))
        mend()
        if len(said) == 4:
            found = opened(machine)
    assert said == [
        (ExitCode.INPUT_WRONG, "the design has 2 errors"),
        (ExitCode.NOT_POSSIBLE, "this machine cannot run once"),
        (ExitCode.NOT_POSSIBLE, "refuse_other_home"),
        (ExitCode.NOT_POSSIBLE, "once runs, and not all of this can be changed in place"),
        (ExitCode.FAILED, "storage-k does not answer"),
        (ExitCode.NOT_POSSIBLE, "require_installer"),
    ]
    assert "apply" not in " ".join(standing.asked)
    run(found)
    assert standing.asked[-2:] == [f"apply {BOOTSTRAP}", "close"]


def test_an_error_says_what_the_checks_said(
    machine: Path, standing: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "findings_here", lambda _: (finding("RK101"),))
    with pytest.raises(InputError, match="the design has an error") as refused:
        run(opened(machine))
    assert refused.value.details == ("RK101 error: hosts: too few. Add some.",)
    assert refused.value.hint == "`rookery plan` shows the design and all that the checks say of it."


def test_what_the_machine_lacks_now_does_not_count_against_what_runs(
    machine: Path, standing: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "findings_here", lambda _: (finding("RK601"),))
    with pytest.raises(NotPossibleError, match="this machine cannot run once"):
        run(opened(machine))
    standing.reachable = True
    run(opened(machine))
    both = (finding("RK601"), finding("RK101"))
    monkeypatch.setattr(prepared, "findings_here", lambda _: both)
    with pytest.raises(InputError, match="the design has an error"):
        run(opened(machine))


def test_what_is_refused_is_not_noted(machine: Path, standing: Standing) -> None:
    standing.hung = True
    with pytest.raises(RookeryError):
        run(opened(machine))
    with pytest.raises(InputError, match="there is no system once"):
        open_running("once")
    standing.hung = False
    run(opened(machine))
    assert open_running("once").design == opened(machine).design


# --- A second `up` on a cluster


class CountingHelm(FakeHelm):
    """Helm's releases in memory, which counts how often it was started."""

    started: ClassVar[Counter[str]] = Counter()

    def releases(self) -> tuple[Installed, ...]:
        self.started["list"] += 1
        return FakeHelm.releases(self)

    def values(self, name: str, namespace: str) -> Any:
        self.started["values"] += 1
        return FakeHelm.values(self, name, namespace)


@pytest.fixture
def cluster(machine: Path, monkeypatch: pytest.MonkeyPatch) -> KubernetesSystem:
    """A cluster on which all is as the tree says, but for the site's content."""
    config = machine / "kubeconfig"
    config.write_text("{}\n")
    monkeypatch.setenv("KUBECONFIG", str(config))
    kubectl, helm = FakeKubectl(), CountingHelm()

    def found(design: Design, **_: object) -> KubernetesSystem:
        system = KubernetesSystem(design, ExistingServers(design))
        system.kubectl, system.helm = kubectl, helm
        return system

    monkeypatch.setattr(prepared, "find_system", found)
    made = found(opened(machine, ON_A_CLUSTER).design)
    for host in made.design.servers:
        kubectl.put(node(host.name))
    for step in made.steps():
        item = made._items[step.id].item if step.id in made._items else None
        if isinstance(item, Wait):
            kubectl.kinds.add(item.kind)
        elif step.id not in (IMAGE, content_id("cdn")):
            made.apply(step, quiet)
    kubectl.asked.clear()
    CountingHelm.started.clear()
    return made


def test_a_second_up_on_a_cluster_asks_for_each_thing_once(
    cluster: KubernetesSystem, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decision 0051 has the figures of the build before: 157 times kubectl and 18 times helm."""
    kubectl = cluster.kubectl
    assert isinstance(kubectl, FakeKubectl)
    with prepared.prepared(opened(machine, ON_A_CLUSTER)) as ready:
        assert [step.id for step in ready.steps] == [content_id("cdn")]
        one_look = list(kubectl.asked)
        monkeypatch.setattr(ready.system, "apply", lambda _step, _report: None)
        ready.run(Listener())
    assert kubectl.asked == one_look
    items = [one.item for one in cluster._placed]
    verbs = Counter(words[0] for words in kubectl.asked)
    assert verbs["diff"] == _LOOKS_AT_ONCE + sum(isinstance(item, Remote) for item in items)
    assert verbs["diff"] < sum(isinstance(item, Objects) for item in items) / 2
    assert verbs["wait"] + verbs["rollout"] == sum(isinstance(item, Wait) for item in items)
    assert len(kubectl.asked) <= 0.35 * 157
    assert CountingHelm.started.total() <= 0.5 * 18
    assert STORE in str(kubectl.objects)


def test_one_thing_that_differs_is_found_among_those_that_do_not(cluster: KubernetesSystem) -> None:
    kubectl = cluster.kubectl
    assert isinstance(kubectl, FakeKubectl)
    before = cluster.observe().facts
    kubectl.objects["namespace", "", "media"]["metadata"]["labels"] = {}
    (gone,) = before - cluster.observe().facts
    assert cluster._items[gone].item.name == "namespaces"
