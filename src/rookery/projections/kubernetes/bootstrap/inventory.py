"""The inventory: every server with its address, its part, its labels and taints, and its drives."""

from __future__ import annotations

from typing import Any

from rookery.design.model import Design, Drive, Host, Role
from rookery.projections.kubernetes.nodes import STORAGE_LABEL, WORKER_LABEL, is_dedicated

CONTROL_PLANE_LABEL = "node-role.kubernetes.io/control-plane"

_GROUPS = (
    ("control_plane", Role.CONTROL_PLANE),
    ("workers", Role.WORKER),
    ("storage", Role.STORAGE),
)
_LABELS = (
    (Role.CONTROL_PLANE, CONTROL_PLANE_LABEL),
    (Role.WORKER, WORKER_LABEL),
    (Role.STORAGE, STORAGE_LABEL),
)


def build_inventory(design: Design) -> dict[str, Any]:
    """Return the inventory; a host stands in a group for each of its roles."""
    groups: dict[str, dict[str, Any]] = {
        group: {"hosts": {host.name: {} for host in design.with_role(role)}} for group, role in _GROUPS
    }
    return {"all": {"hosts": {host.name: _host(design, host) for host in design.servers}, "children": groups}}


def _host(design: Design, host: Host) -> dict[str, Any]:
    variables: dict[str, Any] = {
        "ansible_host": host.address,
        "address": host.address,
        "host_roles": list(host.roles),
        "node_labels": node_labels(host),
        "node_taints": node_taints(host),
    }
    if host.drives:
        variables["drives"] = [_drive(design, drive) for drive in host.drives]
    return variables


def _drive(design: Design, drive: Drive) -> dict[str, Any]:
    """Return a drive; where its provider gives it a name, with that."""
    path = design.traits.drive_path
    named = {"device": path.format(name=drive.name)} if path else {}
    return {"name": drive.name, "size": drive.size, "class": drive.device_class, **named}


def node_labels(host: Host) -> dict[str, str]:
    """Return a node's labels: one for each role of its host. Their values are empty, as is usual."""
    return {label: "" for role, label in _LABELS if role in host.roles}


def node_taints(host: Host) -> list[str]:
    """Return the keys of a node's taints, all of effect NoSchedule.

    What is a worker too must take the applications' pods, so it has none.
    """
    if is_dedicated(host):
        return [STORAGE_LABEL]
    return [] if host.is_open else [CONTROL_PLANE_LABEL]


def has_cloud_controller(design: Design) -> bool:
    """Whether nodes wait for a cloud's controller, which tells them their addresses, zone and provider ID."""
    return design.traits.controller
