"""Whether every pod of a design finds a node, by the rules of Kubernetes' scheduler.

Pods come one after the other. A node takes one whose requests fit in what is left of it, whose tolerations
and affinity allow it, and none of whose like it has where they stay apart; of those that do, the emptiest
gets it. (kube-scheduler: NodeResourcesFit with its scoring LeastAllocated, TaintToleration, NodeAffinity,
InterPodAffinity.) A storage node keeps room for one daemon of each kind, whichever it gets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from rookery.design.model import Design, Host, Role
from rookery.design.node import allocatable_cpu, allocatable_memory
from rookery.design.pod import NOTHING, PodGroup, Reach, Size
from rookery.design.pods import pod_groups


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplaced:
    """A pod that no node takes. `nodes` are those that would but for what they have left: the most of them is
    `left`; `missing` names what is short there, memory or CPU. Without nodes, none tolerates it at all."""

    group: PodGroup
    nodes: tuple[str, ...]
    missing: tuple[str, ...]
    left: Size


@dataclass(slots=True)
class _Node:
    """A node while it is filled: what it offers, what is requested on it so far, and whose pods it has."""

    host: Host
    offer: Size
    taken: Size = NOTHING
    pods: dict[str, int] = field(default_factory=dict)

    @property
    def left(self) -> Size:
        return Size(cpu=self.offer.cpu - self.taken.cpu, memory=self.offer.memory - self.taken.memory)

    def missing(self, size: Size) -> tuple[str, ...]:
        """Return what of a pod's requests is more than is left; a request of nothing always fits."""
        left = self.left
        short = (("cpu", size.cpu, left.cpu), ("memory", size.memory, left.memory))
        return tuple(name for name, wanted, there in short if wanted and wanted > there)

    def take(self, group: PodGroup) -> None:
        self.taken += group.size
        self.pods[group.name] = self.pods.get(group.name, 0) + 1

    def emptiness(self, group: PodGroup) -> float:
        """Return how gladly the scheduler puts a pod here: much left, and few of the pod's own kind."""
        left = self.left
        parts = (
            (left.cpu - group.size.cpu) / self.offer.cpu,
            (left.memory - group.size.memory) / self.offer.memory,
        )
        return sum(parts) / 2 - self.pods.get(group.name, 0)


def reaches(host: Host, reach: Reach) -> bool:
    """Whether a host's node takes pods of that reach, as far as taints, labels and kubelet go."""
    if reach is Reach.EVERY:
        return True
    if reach is Reach.CONTROL_PLANE:
        return Role.CONTROL_PLANE in host.roles
    if reach is Reach.STORAGE:
        return Role.STORAGE in host.roles
    return host.is_open or (reach is Reach.OPEN_OR_CONTROL_PLANE and not host.is_dedicated)


def unplaced_pods(design: Design) -> tuple[Unplaced, ...]:
    """Return the pods of a design on Kubernetes that find no node, each group once, in their order."""
    nodes = {host.name: _node(host) for host in design.servers}
    groups = [_with_room(group) for group in pod_groups(design)]
    found: dict[str, Unplaced] = {}
    for group in sorted(groups, key=_turn):
        for unplaced in _place(group, nodes):
            found.setdefault(group.name, unplaced)
    return tuple(found.values())


def _turn(group: PodGroup) -> int:
    """Return when a group comes: what each node has by name, what may go anywhere, last what ends."""
    if group.ends:
        return 2
    return int(group.count is not None and not group.host)


def requested(design: Design) -> dict[str, Size]:
    """Return what is requested on each server once every pod has its node, whether it fits there or not."""
    nodes = {host.name: _node(host) for host in design.servers}
    for group in [_with_room(group) for group in pod_groups(design)]:
        if group.count is None or group.host:
            _place(group, nodes, always=True)
    return {name: node.taken for name, node in nodes.items()}


def _node(host: Host) -> _Node:
    offer = Size(cpu=max(1, allocatable_cpu(host.cpus)), memory=max(1, allocatable_memory(host.memory)))
    return _Node(host=host, offer=offer)


def _with_room(group: PodGroup) -> PodGroup:
    """Return a group of daemons as what each storage node keeps room for."""
    anywhere = group.reach is Reach.STORAGE and group.apart
    return replace(group, count=None) if anywhere else group


def _place(group: PodGroup, nodes: Mapping[str, _Node], *, always: bool = False) -> list[Unplaced]:
    """Place a group's pods; `always` puts them on their nodes whether they fit or not."""
    able = [nodes[group.host]] if group.host else [*nodes.values()]
    able = [node for node in able if reaches(node.host, group.reach)]
    if group.count is None:
        turns = [[node] for node in able]
    elif group.apart:
        # No two share a node, so what one takes changes nothing for the others: the emptiest get them.
        best = sorted(able, key=lambda node: (not node.missing(group.size), node.emptiness(group)))[::-1]
        turns = [[node] for node in best[: group.count]] + [[]] * (group.count - len(best))
    else:
        turns = [able] * group.count
    return list(_each(group, turns, always=always))


def _each(group: PodGroup, turns: Iterable[list[_Node]], *, always: bool) -> Iterator[Unplaced]:
    for able in turns:
        fitting = able if always else [node for node in able if not node.missing(group.size)]
        if not fitting:
            yield _unplaced(group, able)
        elif not group.ends:
            max(fitting, key=lambda node: node.emptiness(group)).take(group)


def _unplaced(group: PodGroup, able: list[_Node]) -> Unplaced:
    roomiest = max(able, key=lambda node: node.emptiness(group), default=None)
    return Unplaced(
        group=group,
        nodes=tuple(node.host.name for node in able),
        missing=roomiest.missing(group.size) if roomiest else (),
        left=roomiest.left if roomiest else NOTHING,
    )
