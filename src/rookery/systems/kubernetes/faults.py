"""Faults on Kubernetes: a program on a host is its pod there; servers break as whoever made them can."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rookery.design.faults import Fault, FaultKind
from rookery.design.model import Design
from rookery.drivers.kubernetes.kubectl import Kubectl
from rookery.drivers.machine.waiting import Look, wait_for
from rookery.systems.faults import Breaker, Faults
from rookery.systems.kubernetes.settling import Settling
from rookery.systems.kubernetes.status import is_ending, is_ready, program_name
from rookery.systems.protocol import Report
from rookery.systems.servers import Servers

# On a Deployment that was stopped: of which program on which host.
_STOPPED = "rookery/stopped"
_NO_HAND = "nobody here has a hand on that"
_SILENT = "its cluster does not answer"
# Seconds that a killed pod may take, the least that leaves nothing running: without any, its object would be
# gone before its processes are.
_GRACE = 1
_API_LIMIT = 300.0  # seconds; a control plane that lost power starts all of its pods again
_READY_LIMIT = 300.0  # seconds for a pod to be ready again


def cluster_faults(design: Design, kubectl: Kubectl, servers: Servers, settling: Settling) -> Faults:
    """Return the faults of a system, of its servers as far as somebody here has a hand on them."""
    pods: dict[FaultKind, Breaker] = {FaultKind.KILL: _Kill(kubectl), FaultKind.STOP: _Stop(kubectl)}

    def power_on(host: str, report: Report) -> None:
        servers.power_on(host, report)
        wait_for("the API server", lambda: _reached(kubectl), limit=_API_LIMIT, report=report)
        # What the cluster says of the server is of its earlier life for a while.
        settling.settle({host}, report)

    breakers = {**servers.breakers(power_on), **pods}
    return Faults(design, breakers, otherwise=servers.power_obstacle or _NO_HAND)


def _reached(kubectl: Kubectl) -> Look[bool]:
    return Look(seen="it does not answer", value=kubectl.reachable() or None)


class _Pods:
    """The pods of one cluster, as programs on hosts."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl

    def _all(self, program: str) -> list[dict[str, Any]]:
        every = self._kubectl.get("pods")["items"]
        return [pod for pod in every if program_name(pod) == program and not is_ending(pod)]

    def _pods(self, fault: Fault) -> list[dict[str, Any]]:
        return [pod for pod in self._all(fault.program) if pod["spec"].get("nodeName") == fault.host]

    def _missing(self, fault: Fault) -> str:
        """Return that there is no such pod, and where there are some; empty where there is one."""
        if self._pods(fault):
            return ""
        hosts = sorted({pod["spec"].get("nodeName", "") for pod in self._all(fault.program)} - {""})
        return "no pod of it runs there" + (f", but on {', '.join(hosts)}" if hosts else "")

    def _delete(self, fault: Fault) -> None:
        for pod in self._pods(fault):
            name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
            self._kubectl.run(
                "delete", "pod", name, f"--grace-period={_GRACE}", "--wait=false", namespace=namespace
            )

    def _wait_ready(self, fault: Fault, report: Report) -> None:
        """Wait until every pod of the program is ready; its new one may be on another host."""

        def look() -> Look[bool]:
            pods = self._all(fault.program)
            ready = sum(map(is_ready, pods))
            all_ready = bool(pods) and ready == len(pods)
            return Look(seen=f"{ready} of {len(pods)} ready", value=True if all_ready else None)

        wait_for(f"pods of {fault.program}", look, limit=_READY_LIMIT, report=report)


class _Kill(_Pods):
    """A pod is deleted, with all of its processes; whoever it belongs to makes another."""

    def obstacle(self, fault: Fault) -> str:
        if fault.parameter("processes") not in ("first", "all"):
            return "a pod ends with all of its processes"
        if not self._kubectl.reachable():
            return _SILENT
        return self._missing(fault) or _orphaned(self._pods(fault)[0])

    def begin(self, fault: Fault) -> None:
        self._delete(fault)

    def heal(self, fault: Fault, report: Report) -> None:
        self._wait_ready(fault, report)

    def begun(self) -> tuple[Fault, ...]:
        return ()


class _Stop(_Pods):
    """A Deployment of one pod is scaled to none, as Rook's of a daemon is. A note on it says so, made before
    and removed after: whatever ended in between can be told."""

    def obstacle(self, fault: Fault) -> str:
        if not self._kubectl.reachable():
            return _SILENT
        if missing := self._missing(fault):
            return missing
        name, namespace = self._deployment(self._pods(fault)[0])
        if not name:
            return "no Deployment keeps it, and what does would start it again"
        wanted = self._kubectl.get("deployment", name, namespace=namespace)["spec"].get("replicas", 1)
        if wanted != 1:
            return f"its Deployment keeps {wanted} pods and chooses their hosts, so none can be kept off one"
        return ""

    def begin(self, fault: Fault) -> None:
        name, namespace = self._deployment(self._pods(fault)[0])
        note = f"{_STOPPED}={fault.host}/{fault.program}"
        self._kubectl.run("annotate", "deployment", name, note, "--overwrite", namespace=namespace)
        self._kubectl.run("scale", "deployment", name, "--replicas=0", namespace=namespace)
        if fault.parameter("how") == "killed":
            self._delete(fault)

    def heal(self, fault: Fault, report: Report) -> None:
        for name, namespace, stopped in self._stopped():
            if (stopped.host, stopped.program) == (fault.host, fault.program):
                self._kubectl.run("scale", "deployment", name, "--replicas=1", namespace=namespace)
                self._kubectl.run("annotate", "deployment", name, f"{_STOPPED}-", namespace=namespace)
        self._wait_ready(fault, report)

    def begun(self) -> Iterator[Fault]:
        if self._kubectl.reachable():  # what cannot be asked may still be broken otherwise
            yield from (fault for _, _, fault in self._stopped())

    def _stopped(self) -> Iterator[tuple[str, str, Fault]]:
        """Yield name and namespace of each Deployment that was stopped, with the fault that it is."""
        for found in self._kubectl.get("deployments")["items"]:
            metadata = found["metadata"]
            if note := metadata.get("annotations", {}).get(_STOPPED, ""):
                host, _, program = note.partition("/")
                fault = Fault(kind=FaultKind.STOP, host=host, program=program)
                yield metadata["name"], metadata["namespace"], fault

    def _deployment(self, pod: dict[str, Any]) -> tuple[str, str]:
        """Return name and namespace of the Deployment that a pod belongs to; no name where there is none."""
        namespace = str(pod["metadata"]["namespace"])
        sets = _owners(pod, "ReplicaSet")
        found = self._kubectl.find("replicaset", sets[0], namespace=namespace) if sets else None
        names = _owners(found, "Deployment") if found else []
        return (names[0] if names else ""), namespace


def _owners(one: dict[str, Any], kind: str) -> list[str]:
    owners = one["metadata"].get("ownerReferences", ())
    return [str(owner["name"]) for owner in owners if owner["kind"] == kind]


def _orphaned(pod: dict[str, Any]) -> str:
    """Return that nobody would make a pod anew, empty where somebody does."""
    owners = pod["metadata"].get("ownerReferences", ())
    if not owners:
        return "its pod belongs to nobody who would make another"
    if any(owner["kind"] == "Node" for owner in owners):
        return "its pod is its kubelet's own, which keeps it whatever the API is told"
    return ""
