"""What Ceph's pods request, so that they fit the designed machines.

Memory is the design's, which shares out what a storage node has. CPU requests are those of Rook's chart where
the machine has that many, and in the same proportion where it has fewer: on the two CPUs of the drawing's
storage nodes, Rook's own requests would leave most daemons unscheduled.
"""

from __future__ import annotations

from typing import Any

from rookery.design.checks.resources import CPU_NEEDS
from rookery.design.model import DaemonKind, Design, Host, Role
from rookery.units import MIB

# What is left of a node's CPUs for Ceph: kubelet, CRI-O and Cilium request the rest.
_SHARE = 0.8
# A daemon that heals a lost node takes more than at rest; beyond this it is killed rather than its
# neighbours.
_LIMIT = 1.5


def daemon_resources(design: Design, kind: DaemonKind) -> dict[str, Any]:
    """Return requests, and the limit of memory, of one daemon's pod."""
    memory = min(daemon.memory for _, daemon in design.with_daemon(kind))
    cpu = round(1000 * CPU_NEEDS[kind] * cpu_factor(design))
    return {
        "requests": {"cpu": f"{cpu}m", "memory": _mib(memory)},
        "limits": {"memory": _mib(int(memory * _LIMIT))},
    }


def cpu_factor(design: Design) -> float:
    """Return by how much Rook's CPU requests are lowered: 1 where the fullest storage node has enough."""
    return min(1.0, *(_factor(host) for host in design.with_role(Role.STORAGE)))


def _factor(host: Host) -> float:
    wanted = sum(CPU_NEEDS[daemon.kind] for daemon in host.daemons)
    # A storage node with further roles keeps half of its CPUs for them.
    share = _SHARE if len(host.roles) == 1 else _SHARE / 2
    return host.cpus * share / wanted if wanted else 1.0


def helper_resources() -> dict[str, Any]:
    """Return what the small helpers beside the daemons request, under the names that Rook gives them."""
    return {
        "prepareosd": _small(cpu=100, memory=64),  # no limit: a limit would kill a long format
        "mgr-sidecar": _small(cpu=10, memory=40, limit=100),
        "crashcollector": _small(cpu=10, memory=60, limit=60),
        "logcollector": _small(cpu=10, memory=32, limit=256),
        "cleanup": _small(cpu=100, memory=100, limit=1024),
        "exporter": _small(cpu=10, memory=50, limit=128),
        "cmd-reporter": _small(cpu=50, memory=100, limit=1024),
    }


def _small(*, cpu: int, memory: int, limit: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = {"requests": {"cpu": f"{cpu}m", "memory": f"{memory}Mi"}}
    return found | ({"limits": {"memory": f"{limit}Mi"}} if limit else {})


def _mib(size: int) -> str:
    return f"{size // MIB}Mi"
