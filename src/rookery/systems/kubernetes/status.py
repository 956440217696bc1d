"""What runs where on Kubernetes, read from nodes and pods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rookery.apps.ground.policies import LOAD_LABELS
from rookery.design.model import Design
from rookery.systems.protocol import HostStatus, Member, ProgramStatus

Object = Mapping[str, Any]

_INSTANCE_ROLE = "cnpg.io/instanceRole"


def host_statuses(design: Design, nodes: Iterable[Object], pods: Iterable[Object]) -> tuple[HostStatus, ...]:
    """Return every designed server with the pods on it."""
    ready = {node["metadata"]["name"]: is_ready(node) for node in nodes}
    programs: dict[str, list[ProgramStatus]] = {}
    for pod in pods:
        host = pod["spec"].get("nodeName", "")
        if host and not is_ending(pod) and not _is_work(pod):
            programs.setdefault(host, []).append(_program(pod, host))
    return tuple(
        HostStatus(
            name=host.name,
            running=ready.get(host.name, False),
            programs=tuple(sorted(programs.get(host.name, ()), key=lambda one: one.name)),
            memory=None,
        )
        for host in design.servers
    )


def is_ready(thing: Object) -> bool:
    """Whether a node, a pod or another thing with conditions says that it is Ready."""
    conditions = thing.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def is_ending(pod: Object) -> bool:
    """Whether a pod was told to end: another takes its place, and it is ready until it is gone."""
    return "deletionTimestamp" in pod["metadata"]


def _is_work(pod: Object) -> bool:
    """Whether a pod is there to end, and no program that keeps running: a Job's, or one that makes load."""
    metadata = pod["metadata"]
    owners = {owner["kind"] for owner in metadata.get("ownerReferences", ())}
    return "Job" in owners or LOAD_LABELS.items() <= metadata.get("labels", {}).items()


def outlived(pods: Iterable[Object], began: Mapping[str, float | None]) -> tuple[str, ...]:
    """Return the pods that are said to run and cannot: their server is not there, or was started after them.

    A server that lost power says nothing, and for some time nobody notices. `began` has when each server was
    started, in seconds since 1970.
    """
    return tuple(
        f"{program_name(pod)} on {host}"
        for pod in pods
        if (host := pod["spec"].get("nodeName", "")) in began
        and not is_ending(pod)
        and any(_is_before(one, began[host]) for one in pod["status"].get("containerStatuses", ()))
    )


def _is_before(container: Object, began: float | None) -> bool:
    """Whether a container is said to run since before a server began; what is said has whole seconds."""
    since = container.get("state", {}).get("running", {}).get("startedAt", "")
    return bool(since) and (began is None or datetime.fromisoformat(since).timestamp() < int(began))


def program_name(pod: Object) -> str:
    """Return what a pod is in the design's words: `cdn-edge` for one of ours, `osd.2` for a daemon of Ceph's,
    else its name without what makes it one of several."""
    labels = pod["metadata"].get("labels", {})
    app, component = (labels.get(f"app.kubernetes.io/{key}", "") for key in ("name", "component"))
    if labels.get("app.kubernetes.io/managed-by") == "rookery" and app and component:
        return f"{app}-{component}"
    if labels.get("cnpg.io/cluster"):
        return f"{labels['cnpg.io/cluster']}-postgres"
    if labels.get("ceph_daemon_type"):
        return f"{labels['ceph_daemon_type']}.{labels.get('ceph_daemon_id', '')}"
    # `generateName` is what made it, a Deployment with the hash of its template; a static pod has none.
    metadata = pod["metadata"]
    given = str(metadata.get("generateName", "")).rstrip("-")
    name = given.removesuffix(f"-{labels.get('pod-template-hash', '')}") or str(metadata["name"])
    return name.removesuffix(f"-{pod['spec'].get('nodeName', '')}")


def _program(pod: Object, host: str) -> ProgramStatus:
    return ProgramStatus(host=host, name=program_name(pod), running=is_ready(pod), detail=pod_state(pod))


def pod_state(pod: Object) -> str:
    """Return why a pod is not ready, or how often it was started again; its phase otherwise."""
    statuses = pod["status"].get("containerStatuses", [])
    for one in statuses:
        waiting = one.get("state", {}).get("waiting")
        if waiting:
            return str(waiting.get("reason", "waiting"))
    restarts = sum(int(one.get("restartCount", 0)) for one in statuses)
    phase = str(pod["status"].get("phase", "unknown"))
    return f"{phase}, {restarts} restarts" if restarts else phase


def container_state(pod: Object, container: str) -> Object:
    """Return a container's state as Kubernetes knows it: `waiting`, `running` or `terminated`."""
    statuses = pod.get("status", {}).get("containerStatuses", ())
    found: Object = next((one["state"] for one in statuses if one["name"] == container), {})
    return found


def container_runs(pod: Object, container: str) -> bool:
    return "running" in container_state(pod, container)


def why_unready(pod: Object, containers: Iterable[str]) -> str:
    """Return in words why a pod does not run yet: its containers' reasons, or its scheduler's."""
    states = [container_state(pod, container) for container in containers]
    reasons = [state["waiting"].get("reason", "") for state in states if "waiting" in state]
    conditions = pod.get("status", {}).get("conditions", ())
    unplaced = [one.get("message", "") for one in conditions if one["type"] == "PodScheduled"]
    return ", ".join(dict.fromkeys(filter(None, (*reasons, *unplaced)))) or "silent"


def database_members(cluster: Object, pods: Iterable[Object]) -> tuple[Member, ...]:
    """Return the database's instances, in the words of the protocol, from a CloudNativePG cluster."""
    primary = cluster.get("status", {}).get("currentPrimary", "")
    synchronous = "synchronous" in cluster["spec"].get("postgresql", {})
    found = []
    for pod in pods:
        labels = pod["metadata"].get("labels", {})
        if _INSTANCE_ROLE not in labels:
            continue
        leads = pod["metadata"]["name"] == primary
        role = "leader" if leads else "sync_standby" if synchronous else "replica"
        state = ("running" if leads else "streaming") if is_ready(pod) else pod_state(pod)
        found.append(Member(name=pod["spec"].get("nodeName", ""), role=role, state=state))
    return tuple(sorted(found, key=lambda member: member.name))
