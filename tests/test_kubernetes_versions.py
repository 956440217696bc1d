"""Every version of Kubernetes that a spec may have reads what is written for it."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.design.checks import check_design
from rookery.design.checks.kubeadm import PODS, SERVICES
from rookery.design.checks.rook import MOST_ACTIVE_MDS, MOST_MGRS, MOST_MONS
from rookery.design.model import Design
from rookery.projections.kubernetes import build_stages, render_kubernetes
from rookery.versions import DISTRIBUTIONS
from tests.kit.cluster_schemas import definitions, is_custom, needs_schemas, problems
from tests.kit.designs import design
from tests.kit.kubernetes_objects import objects_of

# The oldest version whose schemas kubernetes-validate has.
OLDEST = 25
VERSIONS = [
    (name, f"1.{minor}")
    for name, one in DISTRIBUTIONS.items()
    for minor in range(max(one.kubernetes[0], OLDEST), one.kubernetes[1] + 1)
]


def made(distribution: str, version: str, bootstrap: str = "none") -> Design:
    return design(
        {
            "pattern": "production-minimum",
            "provider": "existing",
            "storage": {"distribution": distribution},
            "kubernetes": {"version": version, "bootstrap": bootstrap},
        }
    )


@pytest.mark.parametrize(("distribution", "version"), VERSIONS)
def test_objects_are_what_this_version_reads(distribution: str, version: str) -> None:
    of = made(distribution, version)
    found = [one for stage in build_stages(of) for one in objects_of(stage.items) if not is_custom(one)]
    assert len(found) > 20
    assert [text for one in found for text in problems(one, version)] == []


def test_a_field_that_an_old_version_does_not_know_is_found() -> None:
    """The test above can fail."""
    sleeps: dict[str, Any] = {"name": "a", "image": "a", "lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [sleeps]}}
    assert list(problems(pod, "1.36")) == []
    assert list(problems(pod, "1.28")) != []


@pytest.mark.parametrize(("distribution", "version"), VERSIONS)
def test_kubeadm_is_told_in_what_it_knows_or_not_at_all(distribution: str, version: str) -> None:
    """v1beta4 is known since 1.31; whoever has less is refused by a check, and never told."""
    of = made(distribution, version, "kubeadm")
    refused = "RK823" in {finding.code for finding in check_design(of)}
    told = b"kubeadm.k8s.io/v1beta4" in b"".join(file.content for file in render_kubernetes(of))
    assert told
    assert refused == (int(version.partition(".")[2]) < 31)


def test_bounds_of_networks_are_those_of_kubeadm() -> None:
    """20 bits of Services and at least 10 of them; 16 bits between the pods' network and a node's /24."""
    assert (32 - SERVICES[0], 2 ** (32 - SERVICES[1]) >= 10 > 2 ** (31 - SERVICES[1])) == (20, True)
    assert (PODS[1] - PODS[0], PODS[1]) == (16, 24)


@needs_schemas
def test_bounds_of_daemons_are_those_of_rook_s_definitions() -> None:
    def of(kind: str) -> Any:
        return definitions()["ceph.rook.io/v1", kind]["properties"]["spec"]["properties"]

    cluster, system = of("CephCluster"), of("CephFilesystem")
    assert cluster["mon"]["properties"]["count"]["maximum"] == MOST_MONS
    assert cluster["mgr"]["properties"]["count"]["maximum"] == MOST_MGRS
    assert system["metadataServer"]["properties"]["activeCount"]["maximum"] == MOST_ACTIVE_MDS
