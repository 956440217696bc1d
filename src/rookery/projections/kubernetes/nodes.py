"""How pods find the right nodes: labels, the storage nodes' taint, and who tolerates it.

The bootstrap puts labels and taints on the nodes; everything here reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rookery.design.model import Design, Host, Role
from rookery.manifest import expression, selector

STORAGE_LABEL = "node-role.kubernetes.io/storage"
WORKER_LABEL = "node-role.kubernetes.io/worker"
HOSTNAME = "kubernetes.io/hostname"


def is_dedicated(host: Host) -> bool:
    """Whether a storage node runs nothing but storage, and is tainted so that nothing else comes there."""
    return host.is_dedicated


def storage_toleration() -> dict[str, Any]:
    return {"key": STORAGE_LABEL, "operator": "Exists", "effect": "NoSchedule"}


def control_plane_toleration() -> dict[str, Any]:
    return {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"}


def storage_placement(design: Design) -> dict[str, Any]:
    """Return Rook's placement of pods that belong on the storage nodes."""
    required = {"nodeSelectorTerms": [{"matchExpressions": [expression(STORAGE_LABEL, "Exists")]}]}
    placement: dict[str, Any] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    tolerations = _tolerations(design)
    return placement | ({"tolerations": tolerations} if tolerations else {})


def _tolerations(design: Design) -> list[dict[str, Any]]:
    storage = design.with_role(Role.STORAGE)
    found = [storage_toleration()] if any(is_dedicated(host) for host in storage) else []
    shares = any(Role.CONTROL_PLANE in host.roles and Role.WORKER not in host.roles for host in storage)
    return [*found, *([control_plane_toleration()] if shares else [])]


def apart(labels: dict[str, str]) -> dict[str, Any]:
    """Return the anti-affinity that no two pods with these labels share a host."""
    term = {"labelSelector": selector(labels), "topologyKey": HOSTNAME}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def marking(host: Host) -> tuple[tuple[str, ...], ...]:
    """Return the words of kubectl that label a node with its roles and taint one that is for storage only.

    They may run again: what is there already is left as it is.
    """
    words = tuple(f"{label}=" for label in _labels(host))
    label = (("label", "node", host.name, *words, "--overwrite"),) if words else ()
    taint = (("taint", "node", host.name, f"{STORAGE_LABEL}=:NoSchedule", "--overwrite"),)
    return (*label, *(taint if is_dedicated(host) else ()))


def missing_labels(host: Host, node: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the labels of its host's roles that a node lacks."""
    there = node["metadata"].get("labels", {})
    return tuple(label for label in _labels(host) if label not in there)


def lets_any_pod_in(host: Host, node: Mapping[str, Any]) -> bool:
    """Whether a node that is for storage only lacks the taint that keeps other pods away."""
    taints = node.get("spec", {}).get("taints", ())
    return is_dedicated(host) and all(taint["key"] != STORAGE_LABEL for taint in taints)


def _labels(host: Host) -> tuple[str, ...]:
    labels = {Role.WORKER: WORKER_LABEL, Role.STORAGE: STORAGE_LABEL}
    return tuple(label for role, label in labels.items() if role in host.roles)
