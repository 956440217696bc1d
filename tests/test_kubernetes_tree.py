"""The Kubernetes tree: what is rendered for every pattern is accepted by what it is written for."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import yaml

from rookery.design.model import Design, Role
from rookery.design.node import allocatable_cpu, allocatable_memory
from rookery.manifest import Manifest, Objects, Release, Stage, Wait
from rookery.projections.kubernetes import build_stages, render_kubernetes
from rookery.run.workspace import open_spec
from rookery.spec.load import pattern_names
from rookery.versions import DISTRIBUTIONS
from tests.kit.cluster_schemas import (
    chart_schema,
    chart_values,
    is_custom,
    laid_over,
    needs_schemas,
    problems,
    schema_problems,
    spec_problems,
    unknown_keys,
)

# Where a chart's defaults say nothing of what it takes: values of other charts that it brings, free-form
# maps, and what goes into a custom resource and is checked against its definition instead: the spec of the
# cluster, and those of CSI's drivers, of which Rook's values for their chart name a few fields.
FREE = frozenset(
    {
        "cephClusterSpec",
        "drivers",
        "env",
        "grafana.resources",
        "kube-state-metrics.resources",
        "prometheus-node-exporter.resources",
    }
)
# The last is servers of somebody's own, too, with a plain bridge in place of Cilium.
PROVIDERS = ("hetzner", "existing", "bridge")


@cache
def design(pattern: str, provider: str = "hetzner") -> Design:
    if provider != "bridge":
        return open_spec(pattern, as_new=True, provider=provider).design
    of = design(pattern, "existing")
    assert of.kubernetes is not None
    return replace(of, kubernetes=replace(of.kubernetes, network="bridge"))


@cache
def stages(of: Design) -> tuple[Stage, ...]:
    return build_stages(of)


def releases(of: Design) -> Iterator[Release]:
    for stage in stages(of):
        yield from (item for item in stage.items if isinstance(item, Release))


def objects(of: Design) -> Iterator[Manifest]:
    for stage in stages(of):
        for item in stage.items:
            if isinstance(item, Objects):
                yield from item.objects


def cluster_values(of: Design) -> dict[str, Any]:
    return dict(next(one for one in releases(of) if one.name == "rook-ceph-cluster").values)


def driver_values(of: Design) -> dict[str, dict[str, Any]]:
    """Return the spec of each driver of CSI that is there, by the driver's name."""
    values = next(one for one in releases(of) if one.name == "ceph-csi-drivers").values["drivers"]
    chosen = [dict(one) for one in values.values() if one["enabled"]]
    return {one.pop("name"): {k: v for k, v in one.items() if k != "enabled"} for one in chosen}


every_pattern = pytest.mark.parametrize("pattern", pattern_names())
every_provider = pytest.mark.parametrize("provider", PROVIDERS)


@every_pattern
@every_provider
def test_builtin_kinds_are_what_kubernetes_accepts(pattern: str, provider: str) -> None:
    found = [one for one in objects(design(pattern, provider)) if not is_custom(one)]
    assert len(found) > 5
    assert [text for one in found for text in problems(one)] == []


@needs_schemas
@every_pattern
@every_provider
def test_custom_resources_are_what_their_definitions_accept(pattern: str, provider: str) -> None:
    found = [one for one in objects(design(pattern, provider)) if is_custom(one)]
    assert len(found) > 5
    assert [text for one in found for text in problems(one)] == []


@needs_schemas
@every_pattern
@every_provider
def test_charts_know_every_value(pattern: str, provider: str) -> None:
    for release in releases(design(pattern, provider)):
        chart = release.chart.name
        assert list(unknown_keys(release.values, chart_values(chart), FREE)) == [], chart
        schema = chart_schema(chart)
        if schema is not None:
            whole = laid_over(chart_values(chart), release.values)
            assert list(schema_problems(schema, whole)) == [], chart


@needs_schemas
@every_pattern
def test_rook_accepts_what_its_chart_makes_of_the_values(pattern: str) -> None:
    values = cluster_values(design(pattern))
    specs = {
        "CephCluster": [values["cephClusterSpec"]],
        "CephBlockPool": [one["spec"] for one in values["cephBlockPools"]],
        "CephFilesystem": [one["spec"] for one in values["cephFileSystems"]],
        "CephObjectStore": [one["spec"] for one in values["cephObjectStores"]],
    }
    assert [text for kind, of in specs.items() for spec in of for text in spec_problems(kind, spec)] == []


@needs_schemas
@every_pattern
def test_csi_operator_accepts_what_its_chart_makes_of_the_values(pattern: str) -> None:
    values = driver_values(design(pattern))
    assert [text for one in values.values() for text in spec_problems("Driver", one, "csi.ceph.io/v1")] == []


@needs_schemas
def test_a_field_that_does_not_exist_is_found() -> None:
    """The checks above can fail."""
    assert list(spec_problems("CephBlockPool", {"failureDomain": "host", "copies": 3})) == [
        "CephBlockPool: : Additional properties are not allowed ('copies' was unexpected)"
    ]
    assert list(unknown_keys({"mon": {"counts": 3}}, {"mon": {"count": 3}}, frozenset())) == ["mon.counts"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{}]}}
    assert list(problems(pod)) != []


@every_pattern
def test_every_designed_drive_is_named_and_nothing_else_is_used(pattern: str) -> None:
    of = design(pattern)
    storage = cluster_values(of)["cephClusterSpec"]["storage"]
    assert (storage["useAllNodes"], storage["useAllDevices"]) == (False, False)
    assert {
        (node["name"], device["name"], device["config"]["deviceClass"])
        for node in storage["nodes"]
        for device in node["devices"]
    } == {
        (host.name, f"/dev/rookery/{drive.name}", drive.device_class)
        for host in of.with_role(Role.STORAGE)
        for drive in host.drives
    }


@every_pattern
def test_pools_are_those_of_the_design(pattern: str) -> None:
    of = design(pattern)
    values = cluster_values(of)
    named = {one["spec"].get("name", one["name"]) for one in values["cephBlockPools"]}
    for system in values["cephFileSystems"]:
        named |= {f"{system['name']}-{pool['name']}" for pool in system["spec"]["dataPools"]}
        named.add(f"{system['name']}-metadata")
    # Rook makes the object store's pools itself, under the names of its zone.
    assert named | {pool.name for pool in of.pools if pool.application == "rgw"} == {
        pool.name for pool in of.pools
    }
    for pool in of.pools:
        if pool.application == "rgw":
            assert pool.name == ".rgw.root" or pool.name.startswith("store.rgw.")


@every_pattern
def test_requests_of_ceph_fit_every_storage_node_as_designed(pattern: str) -> None:
    of = design(pattern)
    spec = cluster_values(of)["cephClusterSpec"]["resources"]
    values = cluster_values(of)
    requests = {kind: spec[kind]["requests"] for kind in ("mon", "mgr", "osd")}
    for system in values["cephFileSystems"]:
        requests["mds"] = system["spec"]["metadataServer"]["resources"]["requests"]
    for store in values["cephObjectStores"]:
        requests["rgw"] = store["spec"]["gateway"]["resources"]["requests"]
    for host in of.with_role(Role.STORAGE):
        milli = sum(int(requests[daemon.kind]["cpu"].removesuffix("m")) for daemon in host.daemons)
        assert milli <= allocatable_cpu(host.cpus)
        mib = sum(int(requests[daemon.kind]["memory"].removesuffix("Mi")) for daemon in host.daemons)
        assert mib * 1024**2 <= allocatable_memory(host.memory)


@every_pattern
def test_every_volume_class_has_a_driver_that_snapshots_and_survives_a_node(pattern: str) -> None:
    """The chart of the drivers has, of itself, no snapshots of RBD and one controller of each."""
    wanted = {"snapshotPolicy": "volumeSnapshot", "controllerPlugin": {"replicas": 2}}
    values = cluster_values(design(pattern))
    there = {"rbd": values["cephBlockPools"][1:], "cephfs": values["cephFileSystems"]}
    assert driver_values(design(pattern)) == {
        f"rook-ceph.{kind}.csi.ceph.com": wanted for kind, classes in there.items() if classes
    }


@every_pattern
def test_kernels_mount_cephfs_by_the_only_protocol_that_monitors_speak(pattern: str) -> None:
    of = design(pattern)
    for encryption, mode in ((False, "prefer-crc"), (True, "secure")):
        network = replace(of.network, encryption=encryption)
        spec = cluster_values(replace(of, network=network))["cephClusterSpec"]
        assert spec["network"]["connections"]["requireMsgr2"] is True
        assert spec["csi"]["cephfs"] == {"kernelMountOptions": f"ms_mode={mode}"}


@every_pattern
def test_certificates_outlive_programs_that_read_them_once(pattern: str) -> None:
    found = [one["spec"] for one in objects(design(pattern)) if one["kind"] == "Certificate"]
    lives = {one["secretName"]: (one["duration"], one.get("renewBefore")) for one in found}
    assert lives.pop("rookery-ca-key") == ("87600h", None)
    assert set(lives.values()) == {("8760h", "2920h")}


def test_large_machines_get_what_rook_itself_requests() -> None:
    of = design("production-minimum")
    resources = cluster_values(of)["cephClusterSpec"]["resources"]
    assert resources["mon"] == {
        "requests": {"cpu": "301m", "memory": "224Mi"},
        "limits": {"memory": "384Mi"},
    }
    large = cluster_values(design("database"))["cephClusterSpec"]["resources"]
    assert large["mon"] == {"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": {"memory": "1536Mi"}}


def test_the_distribution_decides_charts_and_ceph() -> None:
    of = replace(design("production-minimum"), distribution="ksd")
    charts = {one.name: one.chart for one in releases(of)}
    assert charts["rook-ceph"] == DISTRIBUTIONS["ksd"].operator
    assert "ceph-csi-drivers" not in charts
    values = cluster_values(of)
    assert values["cephClusterSpec"]["cephVersion"]["image"] == "quay.io/ceph/ceph:v17.2.6"
    assert "cephImage" not in values
    assert "security" not in values["cephClusterSpec"]
    assert "csi" not in values["cephClusterSpec"]
    operator = next(one for one in releases(of) if one.name == "rook-ceph").values
    assert operator["csi"] == {
        "cephFSKernelMountOptions": "ms_mode=prefer-crc",
        "csiRBDProvisionerResource": "",
        "csiRBDPluginResource": "",
        "csiCephFSProvisionerResource": "",
        "csiCephFSPluginResource": "",
    }


def test_monitoring_can_be_left_out() -> None:
    of = design("production-minimum")
    assert of.kubernetes is not None
    without = replace(of, kubernetes=replace(of.kubernetes, monitoring=False))
    assert "40-monitoring" not in [stage.name for stage in build_stages(without)]
    assert cluster_values(without)["monitoring"] == {"enabled": False, "createPrometheusRules": False}
    kinds = {one["kind"] for one in objects(without)}
    assert not kinds & {"PodMonitor", "ServiceMonitor", "PrometheusRule"}


@every_pattern
def test_files_are_yaml_and_the_same_each_time(pattern: str) -> None:
    files = render_kubernetes(design(pattern), gitops="flux")
    assert files == render_kubernetes(design(pattern), gitops="flux")
    paths = [file.path for file in files]
    assert len(paths) == len(set(paths))
    for file in files:
        if file.path.endswith(".yaml") and "/roles/" not in file.path:
            assert list(yaml.safe_load_all(file.content)), file.path


@every_pattern
def test_no_secret_is_rendered(pattern: str) -> None:
    of = design(pattern)
    assert [one["metadata"]["name"] for one in objects(of) if one["kind"] == "Secret"] == []


def test_waits_have_limits_and_stages_their_order() -> None:
    stages = build_stages(design("production-minimum"))
    names = [stage.name for stage in stages]
    assert names == sorted(names)
    waits = [item for stage in stages for item in stage.items if isinstance(item, Wait)]
    assert all(0 < wait.seconds <= 1800 for wait in waits)
    assert [wait.kind for wait in waits][:4] == ["secret", "node", "clusterissuer", "cephcluster"]


@pytest.mark.skipif(shutil.which("sh") is None, reason="there is no sh")
@every_provider
def test_the_script_is_a_shell_script(provider: str) -> None:
    script = next(
        file for file in render_kubernetes(design("production-minimum", provider)) if file.path == "apply.sh"
    )
    done = subprocess.run(["sh", "-n"], input=script.content, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
