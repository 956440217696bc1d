"""What `plan` accepts, Kubernetes' scheduler places: every pod of a rendered tree has a node."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rookery.design.checks import check_design
from rookery.design.checks.finding import Severity
from rookery.design.model import Design
from rookery.design.pods import pod_groups
from rookery.design.scheduling import reaches
from rookery.errors import InputError
from tests.kit.cluster_designs import NO_APPS, apps_of, backup_of, design, storage_of
from tests.kit.scheduler import place, requests
from tests.kit.tree_pods import nodes_of, pods_of

PATTERNS = (
    "compact",
    "database",
    "file-heavy",
    "ha-control-plane",
    "hyperconverged",
    "object-heavy",
    "production-minimum",
)
PROVIDERS = ("existing", "hetzner", "aws", "gcp", "lab")


def errors(of: Design) -> list[str]:
    return [one.code for one in check_design(of) if one.severity is Severity.ERROR]


def pending(of: Design) -> dict[str, Any]:
    """Return the pods that find no node, whichever of nodes that are equally good is taken."""
    nodes, pods = nodes_of(of), pods_of(of)
    return place(nodes, pods).pending | place(nodes, pods, reverse=True).pending


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_fits_its_nodes(pattern: str, provider: str) -> None:
    of = design(pattern=pattern, provider=provider)
    assert pending(of) == {}
    assert errors(of) == []


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_table_has_the_pods_of_the_tree(pattern: str, provider: str) -> None:
    """Nothing lands on a node that the table does not know, and nothing there is of another size."""
    of = design(pattern=pattern, provider=provider)
    sizes = [requests(pod.spec) for pod in pods_of(of)]
    rendered = sorted(one for one in sizes if one != (0, 0))
    counted = []
    for group in pod_groups(of):
        every = sum(reaches(host, group.reach) for host in of.servers)
        counted += [(group.size.cpu, group.size.memory)] * (every if group.count is None else group.count)
    assert sorted(counted) == rendered


def test_a_user_s_own_films_fit_too() -> None:
    of = design(apps={"streaming": {"media": "films"}})
    assert (pending(of), errors(of)) == ({}, [])


def test_the_older_distribution_fits_too() -> None:
    of = design(
        storage={"distribution": "ksd"},
        kubernetes={"version": "1.28", "bootstrap": "none"},
        provider="existing",
    )
    assert pending(of) == {}
    assert "RK501" not in errors(of)


def test_a_lost_storage_node_s_daemons_find_a_place() -> None:
    of = design()
    nodes, pods = nodes_of(of), pods_of(of)
    left = tuple(node for node in nodes if node.name != "storage-k")
    bound = {"kubernetes.io/hostname": "storage-k"}
    rest = [pod for pod in pods if (pod.spec.get("nodeSelector") or {}) != bound]
    assert place(left, rest).pending == {}


@pytest.mark.parametrize(
    ("hosts", "code"),
    [
        ({"storage": {"memory": "3GiB"}}, "RK501"),
        ({"storage": {"drives": [{"count": 3}]}}, "RK501"),
        ({"workers": {"memory": "2GiB"}}, "RK501"),
        ({"workers": {"cpus": 1}}, "RK504"),
        ({"storage": {"cpus": 1, "memory": "64GiB", "drives": [{"count": 20}]}}, "RK504"),
    ],
)
def test_what_does_not_fit_is_refused(hosts: dict[str, Any], code: str) -> None:
    of = design(hosts=hosts)
    assert code in errors(of)
    assert pending(of) != {}


def test_without_a_worker_operators_have_no_node() -> None:
    of = design(hosts={"workers": {"count": 0}}, apps=NO_APPS, backup=None)
    assert errors(of) == ["RK113"]
    assert {"cert-manager", "rook-ceph-operator", "toolbox", "prometheus"} <= pending(of).keys()
    shared = design(
        hosts={"workers": {"count": 0}, "storage": {"also": ["worker"]}}, apps=NO_APPS, backup=None
    )
    assert "RK113" not in errors(shared)


@st.composite
def hosts_of(draw: st.DrawFn) -> dict[str, Any]:
    """Draw servers that could be a cluster: it has a control plane, a worker, three storage nodes."""
    kinds: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
        {"count": st.integers(1, 5), "class": st.sampled_from(["hdd", "nvme"])}
    )
    also = draw(st.sampled_from([[], [], ["worker"], ["worker", "control-plane"], ["control-plane"]]))
    workers = draw(st.integers(0 if "worker" in also else 1, 4))
    planes = draw(st.sampled_from([0, 1] if "control-plane" in also else [1, 3]))
    drives = draw(st.lists(kinds, min_size=1, max_size=2))
    # Around what the drives want, so that some fit just so and some do not.
    each = draw(st.sampled_from([1, 1, 2, 4]))
    gib = draw(st.integers(1, 3)) + sum(kind["count"] for kind in drives) * each + 2 * len(also)
    return {
        "storage": {
            "count": draw(st.integers(3, 6)),
            "cpus": draw(st.integers(2, 12)),
            "memory": f"{gib}GiB",
            "drives": drives,
            "also": also,
        },
        "workers": {
            "count": workers,
            "cpus": draw(st.integers(1, 8)),
            "memory": draw(st.sampled_from(["3GiB", "4GiB", "8GiB", "16GiB"])),
        },
        "controlPlane": {"count": planes, "memory": draw(st.sampled_from(["2GiB", "4GiB"]))},
    }


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    hosts = draw(hosts_of())
    storage = draw(storage_of(hosts["storage"]["count"]))
    return {
        "hosts": hosts,
        "storage": storage,
        "kubernetes": {
            "monitoring": draw(st.booleans()),
            "network": draw(st.sampled_from([None, "cilium"])),
        },
        "apps": draw(apps_of(storage)),
        "backup": draw(backup_of(storage)),
        "provider": draw(st.sampled_from(["existing", "hetzner", "lab"])),
    }


def made(data: dict[str, Any]) -> Design:
    try:
        return design(**data)
    except InputError:
        assume(False)
        raise


@given(specs())
@settings(max_examples=60, deadline=None)
def test_what_plan_accepts_the_scheduler_places(data: dict[str, Any]) -> None:
    of = made(data)
    assume(not errors(of))
    assert pending(of) == {}
