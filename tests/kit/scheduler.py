"""Kubernetes' scheduler in small, for tests: which node takes a pod, and why none does.

Filters and their order are those of kube-scheduler's default profile (TaintToleration, NodeAffinity,
NodeResourcesFit, PodTopologySpread, InterPodAffinity), reasons its own words; of the scores those that matter
here: LeastAllocated, BalancedAllocation, preferred affinity. `test_scheduler.py` holds it against what a
real kube-scheduler 1.36 did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_UNITS = {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "Ti": 1024**4}
# A pod without requests counts as this in scores (pkg/scheduler/util/pod_resources.go), and as nothing in
# filters.
_DEFAULT_CPU, _DEFAULT_MEMORY = 100, 200 * 1024**2
HOSTNAME = "kubernetes.io/hostname"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node: `cpu` in thousandths and `memory` in bytes are what it has for pods; `taints` are all
    NoSchedule."""

    name: str
    labels: Mapping[str, str]
    taints: tuple[str, ...]
    cpu: int
    memory: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    name: str
    labels: Mapping[str, str]
    spec: Mapping[str, Any]
    ends: bool = False


@dataclass(slots=True)
class Placement:
    """Where pods are, by node, and for each that is Pending how many nodes refuse it for which reason."""

    nodes: tuple[Node, ...]
    pods: dict[str, list[Pod]] = field(default_factory=dict)
    used: dict[str, tuple[int, int]] = field(default_factory=dict)
    pending: dict[str, Counter[str]] = field(default_factory=dict)

    def where(self, name: str) -> str:
        return next(node for node, pods in self.pods.items() if any(pod.name == name for pod in pods))


def place(nodes: tuple[Node, ...], pods: Iterable[Pod], *, reverse: bool = False) -> Placement:
    """Place pods in their order; of nodes that are equally good the first gets one, or the last."""
    done = Placement(
        nodes=nodes, pods={node.name: [] for node in nodes}, used={node.name: (0, 0) for node in nodes}
    )
    for pod in pods:
        reasons = {node.name: _refusal(done, node, pod) for node in nodes}
        fitting = [node for node in nodes if not reasons[node.name]]
        if not fitting:
            done.pending[pod.name] = Counter(reason for found in reasons.values() for reason in found)
        elif not pod.ends:
            scores = {node.name: _score(done, node, pod) for node in fitting}
            best = max(fitting[::-1] if reverse else fitting, key=lambda node: scores[node.name])
            done.pods[best.name].append(pod)
            (cpu, memory), (more_cpu, more_memory) = done.used[best.name], requests(pod.spec)
            done.used[best.name] = (cpu + more_cpu, memory + more_memory)
    return done


def requests(spec: Mapping[str, Any]) -> tuple[int, int]:
    """Return thousandths of a CPU and bytes: all containers, or the largest that runs before them."""
    own = [_requests(one) for one in spec["containers"]]
    before = [_requests(one) for one in spec.get("initContainers", ())]
    both = [sum(cpu for cpu, _ in own), sum(memory for _, memory in own)]
    return max([both[0], *[cpu for cpu, _ in before]]), max([both[1], *[memory for _, memory in before]])


def _requests(container: Mapping[str, Any]) -> tuple[int, int]:
    wanted = (container.get("resources") or {}).get("requests") or {}
    return milli(str(wanted.get("cpu", "0"))), size(str(wanted.get("memory", "0")))


def milli(text: str) -> int:
    return int(text.removesuffix("m")) if text.endswith("m") else int(float(text) * 1000)


def size(text: str) -> int:
    return int(text[:-2]) * _UNITS[text[-2:]] if text[-2:] in _UNITS else int(text)


def _refusal(done: Placement, node: Node, pod: Pod) -> list[str]:
    """Return why a node does not take a pod, in the words of the first filter that refuses."""
    for taint in node.taints:
        if not any(_tolerates(one, taint) for one in pod.spec.get("tolerations", ())):
            return [f"untolerated taint {taint}"]
    if not _wanted(node, pod):
        return ["didn't match Pod's node affinity/selector"]
    cpu, memory = requests(pod.spec)
    used = done.used[node.name]
    short = [
        f"Insufficient {name}"
        for name, wanted, there in (
            ("cpu", cpu, node.cpu - used[0]),
            ("memory", memory, node.memory - used[1]),
        )
        if wanted and wanted > there
    ]
    if short:
        return short
    if not _spread(done, node, pod):
        return ["didn't match pod topology spread constraints"]
    return [] if _apart(done, node, pod) else ["didn't match pod anti-affinity rules"]


def _tolerates(toleration: Mapping[str, Any], taint: str) -> bool:
    effect = toleration.get("effect", "NoSchedule") == "NoSchedule"
    return effect and ("key" not in toleration or toleration["key"] == taint)


def _wanted(node: Node, pod: Pod) -> bool:
    chosen: Mapping[str, str] = pod.spec.get("nodeSelector") or {}
    if not chosen.items() <= node.labels.items():
        return False
    affinity = (pod.spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return required is None or any(_matches(term, node.labels) for term in required["nodeSelectorTerms"])


def _matches(term: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether labels match a term of a node selector, or a label selector."""
    if not term.get("matchLabels", {}).items() <= labels.items():
        return False
    for one in term.get("matchExpressions", ()):
        there = labels.get(one["key"])
        holds = {
            "Exists": there is not None,
            "DoesNotExist": there is None,
            "In": there in one.get("values", ()),
            "NotIn": there not in one.get("values", ()),
        }[one["operator"]]
        if not holds:
            return False
    return True


def _spread(done: Placement, node: Node, pod: Pod) -> bool:
    """Whether hard constraints of spreading over hosts hold; nodes that the pod may not use do not count."""
    for one in pod.spec.get("topologySpreadConstraints", ()):
        assert one["topologyKey"] == HOSTNAME
        if one["whenUnsatisfiable"] != "DoNotSchedule":
            continue
        # Taints are ignored by default (nodeTaintsPolicy: Ignore), affinity is honoured.
        able = [other for other in done.nodes if _wanted(other, pod)]
        counts = {
            other.name: sum(_matches(one["labelSelector"], there.labels) for there in done.pods[other.name])
            for other in able
        }
        if counts[node.name] + 1 - min(counts.values()) > one["maxSkew"]:
            return False
    return True


def _terms(pod: Pod) -> list[Mapping[str, Any]]:
    affinity = (pod.spec.get("affinity") or {}).get("podAntiAffinity") or {}
    return list(affinity.get("requiredDuringSchedulingIgnoredDuringExecution", ()))


def _apart(done: Placement, node: Node, pod: Pod) -> bool:
    """Whether required anti-affinity holds, the pod's own and that of those that are there."""
    there = done.pods[node.name]
    mine = any(_matches(term["labelSelector"], other.labels) for term in _terms(pod) for other in there)
    theirs = any(_matches(term["labelSelector"], pod.labels) for other in there for term in _terms(other))
    return not mine and not theirs


def _score(done: Placement, node: Node, pod: Pod) -> float:
    there = [*done.pods[node.name], pod]
    sizes = [requests(one.spec) for one in there]
    cpu = sum(one or _DEFAULT_CPU for one, _ in sizes) / node.cpu
    memory = sum(one or _DEFAULT_MEMORY for _, one in sizes) / node.memory
    least = (max(0, 1 - cpu) + max(0, 1 - memory)) / 2
    balanced = 1 - abs(min(1, cpu) - min(1, memory)) / 2
    same = sum(other.labels == pod.labels for other in done.pods[node.name])
    return int(100 * least) + int(100 * balanced) + 200 / (1 + same)
