"""The playbooks: which roles which servers get, in which order."""

from __future__ import annotations

from typing import Any

_FIRST = "control_plane[0]"
_PREPARATION = ("host", "drives")
_SITE_ROLES = (*_PREPARATION, "kubernetes", "crio", "control_plane", "join")
_FINISH_ROLES = ("nodes", "images")

# Ubuntu upgrades itself at any time: wait for its lock instead of failing beside it.
_PATIENCE = {"ansible.builtin.apt": {"lock_timeout": 600}}


def site_roles(*, bridge: bool) -> tuple[str, ...]:
    """Return the roles of the way with kubeadm; `bridge` says that pods are connected by one."""
    return (*_SITE_ROLES, *_finish_roles(bridge=bridge))


def kubeone_roles(*, bridge: bool) -> tuple[str, ...]:
    """Return the roles around KubeOne."""
    return (*_PREPARATION, *_finish_roles(bridge=bridge))


def _finish_roles(*, bridge: bool) -> tuple[str, ...]:
    return (*_FINISH_ROLES, *(("bridge",) if bridge else ()))


def site_plays(*, bridge: bool) -> list[dict[str, Any]]:
    """Return the plays that make a cluster with kubeadm and CRI-O."""
    return [
        *prepare_plays(),
        _play("Install Kubernetes and CRI-O", "all", "kubernetes", "crio"),
        _play("Start the cluster on the first control plane", _FIRST, "control_plane", any_errors_fatal=True),
        # etcd takes one new member at a time.
        _play("Join further control planes, one by one", f"control_plane:!{_FIRST}", "join", serial=1),
        _play("Join workers and storage", "all:!control_plane", "join"),
        *finish_plays(bridge=bridge),
    ]


def prepare_plays() -> list[dict[str, Any]]:
    """Return the plays that make servers ready for Kubernetes, whoever installs it."""
    return [
        # One that cannot be prepared stops all: half a control plane, or storage without its majority,
        # would stay behind.
        _play("Prepare every server", "all", "host", any_errors_fatal=True),
        _play("Look at the data drives and name them", "storage", "drives", any_errors_fatal=True),
    ]


def finish_plays(*, bridge: bool) -> list[dict[str, Any]]:
    """Return the plays for what no installer does: roles of nodes, a bridge for pods, and our own image."""
    connect = _play("Connect the pods of all nodes", "all", "bridge", any_errors_fatal=True)
    return [
        _play("Give nodes their labels and taints", _FIRST, "nodes"),
        *([connect] if bridge else []),
        _play("Bring the applications' image to the workers", "workers", "images"),
    ]


def _play(name: str, hosts: str, *roles: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "hosts": hosts,
        "become": True,
        "module_defaults": _PATIENCE,
        **more,
        "roles": [{"role": role, "tags": [role]} for role in roles],
    }
