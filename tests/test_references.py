"""What a tree names is in the tree: classes, namespaces, issuers, accounts, whatever is switched off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rookery.design.model import Design
from rookery.manifest import Manifest, NeededSecret, NeededSecrets, Objects, Release
from rookery.projections.kubernetes import build_stages
from tests.kit.cluster_designs import NO_APPS, apps_of, backup_of, design, storage_of
from tests.kit.kubernetes_objects import pod_templates

# Every cluster has these.
_NAMESPACES = {"kube-system", "default"}
_ACCOUNTS = {"default"}
_PRIORITIES = {"system-node-critical", "system-cluster-critical"}


def parts(of: Design) -> tuple[list[Manifest], list[Release], list[NeededSecret]]:
    items = [item for stage in build_stages(of) for item in stage.items]
    objects = [one for item in items if isinstance(item, Objects) for one in item.objects]
    secrets = [one for item in items if isinstance(item, NeededSecrets) for one in item.secrets]
    return objects, [item for item in items if isinstance(item, Release)], secrets


def named(value: Any, key: str) -> Iterator[Any]:
    """Yield every value below `key`, at any depth."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == key:
                yield inner
            yield from named(inner, key)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from named(inner, key)


def classes_made(cluster: Manifest) -> set[str]:
    """Return the storage classes that Rook's cluster chart makes of its values."""
    kinds = ("cephBlockPools", "cephFileSystems", "cephObjectStores")
    classes = [one["storageClass"] for kind in kinds for one in cluster[kind]]
    return {one["name"] for one in classes if one["enabled"]}


def missing(of: Design) -> list[str]:
    """Return what a design's tree names and does not make."""
    objects, releases, secrets = parts(of)
    values = {release.name: release.values for release in releases}
    cluster = values["rook-ceph-cluster"]
    whole = [*objects, *values.values()]
    classes = {one for one in named(whole, "storageClassName") if isinstance(one, str)}
    classes |= {one for one in named(objects, "storageClass") if isinstance(one, str)}
    found = [f"class {name}" for name in classes - classes_made(cluster)]
    namespaces = {one["metadata"]["name"] for one in objects if one["kind"] == "Namespace"} | _NAMESPACES
    used = {one["metadata"]["namespace"] for one in objects if "namespace" in one["metadata"]}
    used |= {release.namespace for release in releases} | {one.namespace for one in secrets}
    found += [f"namespace {name}" for name in used - namespaces]
    issuers = {one["metadata"]["name"] for one in objects if one["kind"] == "ClusterIssuer"}
    wanted = {one["name"] for one in named(objects, "issuerRef")}
    found += [f"issuer {name}" for name in wanted - issuers]
    accounts = {one["metadata"]["name"] for one in objects if one["kind"] == "ServiceAccount"} | _ACCOUNTS
    told = {template["spec"].get("serviceAccountName", "default") for _, template in pod_templates(objects)}
    found += [f"account {name}" for name in told - accounts]
    priorities = {one for one in named(whole, "priorityClassName") if isinstance(one, str)}
    priorities |= {one for group in named(whole, "priorityClassNames") for one in group.values()}
    found += [f"priority {name}" for name in priorities - _PRIORITIES]
    return [*found, *_snapshots_without_driver(values)]


def _snapshots_without_driver(values: dict[str, Manifest]) -> list[str]:
    """Return the snapshot classes whose driver is not installed; older charts bring all drivers with Rook."""
    if "ceph-csi-drivers" not in values:
        return []
    drivers, cluster = values["ceph-csi-drivers"]["drivers"], values["rook-ceph-cluster"]
    kinds = {"rbd": "cephBlockPoolsVolumeSnapshotClass", "cephfs": "cephFileSystemVolumeSnapshotClass"}
    on = {kind for kind, key in kinds.items() if cluster[key]["enabled"]}
    return [f"driver {kind}" for kind in sorted(on) if not drivers[kind]["enabled"]]


def claims(of: Design) -> list[str]:
    """Return the classes of the volumes that monitoring asks for."""
    values = next(one.values for one in parts(of)[1] if one.name == "kube-prometheus-stack")
    return list(named(values, "storageClassName"))


@pytest.mark.parametrize(
    ("block", "file", "classes"),
    [
        (True, True, ["ceph-block", "ceph-block"]),
        (False, True, ["ceph-filesystem", "ceph-filesystem"]),
        (False, False, []),
    ],
)
def test_monitoring_asks_for_a_class_that_is_there(block: bool, file: bool, classes: list[str]) -> None:
    of = design(storage={"block": {"enabled": block}, "file": {"enabled": file}}, apps=NO_APPS)
    assert claims(of) == classes
    assert missing(of) == []


@st.composite
def partly(draw: st.DrawFn) -> dict[str, Any]:
    """Draw specs with parts of them switched off."""
    storage = draw(storage_of(4))
    return {
        "storage": storage,
        "kubernetes": {"monitoring": draw(st.booleans())},
        "apps": draw(apps_of(storage)),
        "backup": draw(backup_of(storage)),
        "provider": draw(st.sampled_from(["existing", "hetzner", "lab"])),
    }


@given(partly())
@settings(max_examples=60, deadline=None)
def test_what_a_tree_names_is_in_it(data: dict[str, Any]) -> None:
    assert missing(design(**data)) == []
