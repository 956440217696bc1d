"""What a pod asks of a node, and which nodes take it: the words of the table in `design/pods.py`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What a container or a pod requests: `cpu` in thousandths of a CPU, `memory` in bytes.

    The scheduler counts requests and nothing else. `limit` is the memory in bytes beyond which a container is
    killed; 0 says that there is none. A request below the limit says what a program usually takes; what it
    takes beyond, it takes of what its neighbours leave.
    """

    cpu: int
    memory: int
    limit: int = 0

    def __add__(self, other: Size) -> Size:
        """Return what two containers of one pod request together; the sum has no limit of its own."""
        return Size(cpu=self.cpu + other.cpu, memory=self.memory + other.memory)


NOTHING = Size(cpu=0, memory=0)


def largest(*sizes: Size) -> Size:
    """Return what containers that run one after the other request together, as Kubernetes counts it."""
    return Size(cpu=max(one.cpu for one in sizes), memory=max(one.memory for one in sizes))


class Reach(StrEnum):
    """Which nodes take a pod, by its tolerations, its node affinity, or because a kubelet starts it
    itself."""

    EVERY = "every node"
    CONTROL_PLANE = "control planes"
    STORAGE = "storage nodes"
    # It tolerates nothing: what has no taint takes it, which is every worker.
    OPEN = "nodes without a taint"
    OPEN_OR_CONTROL_PLANE = "nodes without a taint, and control planes"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodGroup:
    """Pods that are alike. `count` is how many there are, None for one on each node that takes them.

    `apart` says that no two of them share a node, `host` that all are for one node. Those whose work `ends`
    give back what they requested: they wait for each other, and need room beside what stays.
    """

    name: str
    size: Size
    reach: Reach
    count: int | None = 1
    apart: bool = False
    host: str = ""
    ends: bool = False
