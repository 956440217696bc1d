"""The tests' own scheduler against a real kube-scheduler 1.36, on what trees requested before."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.kit.scheduler import HOSTNAME, Node, Placement, Pod, place

_STORAGE = "node-role.kubernetes.io/storage"
_PLANE = "node-role.kubernetes.io/control-plane"
_MIB = 1024**2
# What trees requested: thousandths of a CPU and MiB; with each daemon a log collector.
SMALL = {"mon": (356, 256), "mgr": (178, 512), "osd": (356, 1024), "mds": (356, 256), "rgw": (356, 256)}
MANY_DRIVES = {"mon": (492, 256), "mgr": (246, 512), "osd": (492, 1536), "rgw": (492, 256)}
LARGE = {"mon": (640, 1024), "mgr": (320, 1024), "osd": (640, 4096), "mds": (640, 4096), "rgw": (640, 1024)}
RANDOM = {"mon": (640, 1024), "mgr": (320, 1024), "osd": (640, 1664), "rgw": (640, 1024)}


def nodes(
    planes: int, workers: int, storage: int, *, cpus: int, gib: int, seen: float = 1.0
) -> tuple[Node, ...]:
    """Return a cluster's nodes; `seen` is the part of a server's memory that its kernel shows."""
    kinds = [("cp", planes, _PLANE), ("worker", workers, ""), ("storage", storage, _STORAGE)]
    return tuple(
        Node(
            name=f"{kind}-{number}",
            labels={HOSTNAME: f"{kind}-{number}", **({role: ""} if role else {})},
            taints=(role,) if role else (),
            cpu=(cpus if role == _STORAGE else 2) * 1000 - 100,
            memory=int((gib if role == _STORAGE else 4) * 1024 * _MIB * seen) - 512 * _MIB,
        )
        for kind, count, role in kinds
        for number in range(count)
    )


def pod(name: str, app: str, *sizes: tuple[int, int], node: str = "", apart: bool = False) -> Pod:
    containers = [{"resources": {"requests": {"cpu": f"{cpu}m", "memory": f"{mib}Mi"}}} for cpu, mib in sizes]
    exists = {"matchExpressions": [{"key": _STORAGE, "operator": "Exists"}]}
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    affinity = {"nodeAffinity": {required: {"nodeSelectorTerms": [exists]}}} if not node else {}
    if apart:
        term = {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": HOSTNAME}
        affinity["podAntiAffinity"] = {required: [term]}  # type: ignore[dict-item]
    spec = {
        "containers": containers,
        "tolerations": [{"operator": "Exists"}],
        "affinity": affinity,
        "nodeSelector": {HOSTNAME: node} if node else {},
    }
    return Pod(name=name, labels={"app": app}, spec=spec)


def pods(
    cluster: tuple[Node, ...], daemons: dict[str, tuple[int, int]], counts: dict[str, int], drives: int
) -> list[Pod]:
    """Return the pods in the order in which Rook starts them, after those of every node."""
    found = []
    for node in cluster:
        found.append(pod(f"cilium-{node.name}", "cilium", (100, 256), node=node.name))
        found.append(pod(f"envoy-{node.name}", "envoy", (0, 0), node=node.name))
        found.append(pod(f"exporter-{node.name}", "node-exporter", (10, 32), node=node.name))
    log = (10, 32)
    stores = [node.name for node in cluster if node.name.startswith("storage")]

    def free(kind: str) -> list[Pod]:
        beside = [log, (10, 40)] if kind == "mgr" else [log]
        return [
            pod(f"{kind}-{number + 1}", kind, daemons[kind], *beside, apart=True)
            for number in range(counts.get(kind, 0))
        ]

    found += [*free("mon"), *free("mgr")]
    for name in stores:
        found += [
            pod(f"osd-{name}-{drive}", "osd", daemons["osd"], log, node=name) for drive in range(drives)
        ]
    for name in stores:
        found.append(pod(f"crashcollector-{name}", "crashcollector", (10, 60), node=name))
        found.append(pod(f"ceph-exporter-{name}", "ceph-exporter", (10, 50), node=name))
    return [*found, *free("mds"), *free("rgw")]


def placed(
    cluster: tuple[Node, ...], daemons: dict[str, tuple[int, int]], counts: dict[str, int], drives: int
) -> tuple[int, Placement]:
    all_ = pods(cluster, daemons, counts, drives)
    return len(all_), place(cluster, all_)


USUAL = {"mon": 3, "mgr": 2, "mds": 2, "rgw": 2}


def test_production_minimum() -> None:
    count, done = placed(nodes(1, 2, 4, cpus=2, gib=4), SMALL, USUAL, 2)
    assert count == 46
    assert list(done.pending) == ["rgw-2"]
    assert done.pending["rgw-2"]["Insufficient cpu"] == 2
    assert done.pending["rgw-2"]["Insufficient memory"] == 2


def test_a_further_control_plane_changes_nothing() -> None:
    count, done = placed(nodes(3, 2, 4, cpus=2, gib=4), SMALL, USUAL, 2)
    assert (count, list(done.pending)) == (52, ["rgw-2"])


def test_object_heavy() -> None:
    counts = {"mon": 3, "mgr": 2, "rgw": 4}
    count, done = placed(nodes(1, 2, 4, cpus=4, gib=8), MANY_DRIVES, counts, 4)
    assert (count, list(done.pending)) == (54, ["rgw-4"])


def test_object_heavy_where_the_kernel_keeps_its_part() -> None:
    counts = {"mon": 3, "mgr": 2, "rgw": 4}
    _, done = placed(nodes(1, 2, 4, cpus=4, gib=8, seen=0.97), MANY_DRIVES, counts, 4)
    kinds = Counter(name.partition("-")[0] for name in done.pending)
    # The real one lets daemons, whose priority is higher, push out a crash collector and an exporter besides.
    assert kinds["rgw"] >= 2


def test_file_heavy_fits() -> None:
    counts = {"mon": 3, "mgr": 2, "mds": 4, "rgw": 2}
    _, done = placed(nodes(1, 2, 4, cpus=4, gib=16), LARGE, counts, 2)
    assert done.pending == {}


def test_many_drives_of_many_classes() -> None:
    counts = {"mon": 3, "mgr": 2, "rgw": 6}
    count, done = placed(nodes(3, 10, 6, cpus=8, gib=16), RANDOM, counts, 8)
    assert count == 128
    assert sorted(done.pending) == ["rgw-2", "rgw-3", "rgw-4", "rgw-5", "rgw-6"]


@pytest.mark.parametrize("reason", ["taint", "selector", "cpu", "memory"])
def test_each_filter_refuses(reason: str) -> None:
    node = Node(
        name="n", labels={HOSTNAME: "n"}, taints=("x",) if reason == "taint" else (), cpu=100, memory=_MIB
    )
    size = (101 if reason == "cpu" else 100, 2 if reason == "memory" else 1)
    one = pod("p", "p", size, node="other" if reason == "selector" else "n")
    spec = {**one.spec, "tolerations": []}
    done = place((node,), [Pod(name="p", labels={}, spec=spec)])
    assert len(done.pending["p"]) == 1
    assert reason in str(done.pending["p"])
