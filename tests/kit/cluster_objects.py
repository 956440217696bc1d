"""A design on servers that are there, its items, and nodes and pods as a cluster has them; for tests."""

from __future__ import annotations

from functools import cache
from typing import Any

from rookery.apps.ground.names import NAMESPACE
from rookery.design.model import Design
from rookery.projections.kubernetes import build_stages
from rookery.projections.kubernetes.placed import Placed, placed_items
from rookery.run.workspace import open_spec
from rookery.systems.kubernetes.items import Applier
from tests.kit.fake_cluster import FakeHelm, FakeKubectl


@cache
def design() -> Design:
    return open_spec("production-minimum", as_new=True, provider="existing").design


@cache
def placed() -> tuple[Placed, ...]:
    return placed_items(build_stages(design()))


def applier() -> Applier:
    return Applier(kubectl=FakeKubectl(), helm=FakeHelm(), charts={}, remotes={})


def of_kind(kind: type) -> list[Placed]:
    return [one for one in placed() if isinstance(one.item, kind)]


def quiet(_text: str) -> None:
    """Hears what is reported, and forgets it."""


def node(name: str, *, ready: bool = True) -> dict[str, Any]:
    status = {"conditions": [{"type": "Ready", "status": str(ready)}]}
    return {"kind": "Node", "metadata": {"name": name}, "spec": {}, "status": status}


def pod(app: str, component: str, host: str, *, number: int = 0, ready: bool = True) -> dict[str, Any]:
    labels = {
        "app.kubernetes.io/name": app,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/managed-by": "rookery",
    }
    return {
        "kind": "Pod",
        "metadata": {"name": f"{app}-{component}-{host}-{number}", "namespace": NAMESPACE, "labels": labels},
        "spec": {"nodeName": host},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def work(host: str) -> list[dict[str, Any]]:
    """Return pods that are there to end, which may be under way or have failed."""
    prepares = pod("rook", "prepare", host, ready=False)
    prepares["metadata"]["ownerReferences"] = [{"kind": "Job", "name": "prepare"}]
    lost = pod("load", "generator", host, ready=False)
    lost["metadata"]["labels"]["app.kubernetes.io/part-of"] = "media-site"
    return [prepares, lost]
