"""Backups in a tree: what is accepted, who may write where, and what brings everything back."""

from __future__ import annotations

import yaml

from rookery.apps.backup.places import BUCKET, DATABASE, SERVER, WRITER, WRITERS
from rookery.apps.pod_image import image_files, image_packages, image_reference
from rookery.design.checks import check_design
from rookery.design.checks.finding import Severity
from rookery.design.pods import pod_groups
from rookery.design.scheduling import reaches
from rookery.manifest import Release
from rookery.projections.kubernetes import build_stages, render_kubernetes
from rookery.projections.kubernetes.recovery import recovery_items
from tests.kit.backup_trees import (
    every_case,
    every_spec,
    items,
    of,
    of_backup,
    recovered,
    tree_objects,
)
from tests.kit.cluster_designs import design
from tests.kit.cluster_schemas import (
    chart_schema,
    chart_values,
    laid_over,
    needs_schemas,
    problems,
    schema_problems,
    unknown_keys,
)
from tests.kit.kubernetes_objects import (
    containers_of,
    find,
    pod_templates,
    restricted_problems,
)
from tests.kit.scheduler import place, requests
from tests.kit.tree_pods import nodes_of, pods_of

# --- What Kubernetes, the definitions and the chart accept


@needs_schemas
@every_case
def test_every_object_is_what_its_kind_accepts(name: str, pattern: str, provider: str) -> None:
    whole = of(name, pattern, provider)
    found = [*tree_objects(whole), *(one for group in recovered(whole).values() for one in group)]
    assert {"BackupStorageLocation", "Schedule", "CephObjectStoreUser"} <= {one["kind"] for one in found}
    assert [text for one in found for text in problems(one)] == []


@needs_schemas
@every_spec
def test_velero_s_chart_knows_every_value(name: str) -> None:
    [release] = [one for one in items(of(name)) if isinstance(one, Release) and one.name == "velero"]
    assert release.chart.version == "12.1.0"
    assert list(unknown_keys(release.values, chart_values("velero"), frozenset())) == []
    schema = chart_schema("velero")
    assert schema is not None
    assert list(schema_problems(schema, laid_over(chart_values("velero"), release.values))) == []


@needs_schemas
def test_the_chart_s_rook_takes_users_elsewhere_and_labels() -> None:
    values = next(
        one.values
        for one in items(of("plain"))
        if isinstance(one, Release) and one.name == "rook-ceph-cluster"
    )
    assert list(unknown_keys(values, chart_values("rook-ceph-cluster"), frozenset({"cephClusterSpec"}))) == []
    [store] = values["cephObjectStores"]
    assert store["spec"]["allowUsersInNamespaces"] == ["media", "velero"]
    for kind in ("cephBlockPoolsVolumeSnapshotClass", "cephFileSystemVolumeSnapshotClass"):
        assert values[kind]["labels"] == {"velero.io/csi-volumesnapshot-class": "true"}


def test_a_tree_without_backup_has_none_of_it() -> None:
    without = design(backup=None)
    assert "65-backups" not in [stage.name for stage in build_stages(without)]
    assert recovery_items(without) == ()
    assert not list(of_backup(tree_objects(without)))
    assert find(tree_objects(without), "ObjectStore", "database-backups")["spec"]["retentionPolicy"] == "7d"


@every_spec
def test_files_are_yaml_and_what_is_for_the_day_of_need_is_applied_by_nobody(name: str) -> None:
    files = {file.path: file.content.decode() for file in render_kubernetes(of(name), gitops="flux")}
    by_hand = sorted(path for path in files if path.startswith("recovery/"))
    assert by_hand == [
        "recovery/database-from-a-lab.yaml",
        "recovery/database-in-place.yaml",
        "recovery/database-latest.yaml",
        "recovery/database-to-a-restore-point.yaml",
        "recovery/database-to-a-time.yaml",
    ]
    for path in by_hand:
        assert list(yaml.safe_load_all(files[path]))
        assert f"]({path}): " in files["README.md"]
        assert path not in files["apply.sh"]
        assert not [other for other in files if other.startswith("flux/") and path in files[other]]


# --- Pods


@every_case
def test_every_pod_has_a_node_and_stands_in_the_table(name: str, pattern: str, provider: str) -> None:
    whole = of(name, pattern, provider)
    nodes, pods = nodes_of(whole), pods_of(whole)
    assert place(nodes, pods).pending | place(nodes, pods, reverse=True).pending == {}
    assert [one.code for one in check_design(whole) if one.severity is Severity.ERROR] == []
    counted = []
    for group in pod_groups(whole):
        every = sum(reaches(host, group.reach) for host in whole.servers)
        counted += [(group.size.cpu, group.size.memory)] * (every if group.count is None else group.count)
    assert sorted(counted) == sorted(one for pod in pods if (one := requests(pod.spec)) != (0, 0))


@every_spec
def test_our_pods_meet_the_strictest_standard_but_for_etcd_s(name: str) -> None:
    found = dict(pod_templates(list(of_backup(tree_objects(of(name))))))
    problems_of = {one: restricted_problems(template["spec"]) for one, template in found.items()}
    etcd = problems_of.pop("CronJob etcd-backup", None)
    assert problems_of
    assert problems_of == {one: [] for one in problems_of}
    if name == "plain":
        assert etcd is None
        return
    # The keys of a control plane are root's, on the host: that, and nothing beside it.
    assert etcd == [
        "volume pki: hostPath",
        *(
            f"{part}: {what}"
            for part in ("take", "look", "keep-etcd")
            for what in ("may run as root", "runs as root")
        ),
    ]


@every_spec
def test_what_the_commands_name_is_in_the_image(name: str) -> None:
    there = {file.path for file in image_files()}
    assert {"age", "python3-boto3"} <= set(image_packages())
    programs = 0
    for _, template in pod_templates(list(of_backup(tree_objects(of(name))))):
        for container in containers_of(template["spec"]):
            if container["image"] == image_reference():
                programs += 1
                assert container["command"][:2] == ["python3", "-m"]
                folder = {one["name"]: one["value"] for one in container["env"] if "value" in one}[
                    "PYTHONPATH"
                ]
                module = container["command"][2].replace(".", "/")
                assert f"{folder.strip('/')}/{module}.py" in there
    assert programs == {"plain": 3, "all": 5}[name]


# --- The bucket


@every_spec
def test_the_owner_makes_the_bucket_and_writers_cannot_empty_it(name: str) -> None:
    objects = tree_objects(of(name))
    users = {
        (one["metadata"]["name"], one["metadata"]["namespace"]): one["spec"]
        for one in objects
        if one["kind"] == "CephObjectStoreUser" and one["metadata"]["name"].startswith("backup")
    }
    assert users.keys() == {
        ("backup-vault", "rook-ceph"),
        ("backup", "media"),
        ("backup-volumes", "velero"),
        ("backup-system", "velero"),
    }
    assert all(
        spec.get("clusterNamespace") == (None if place == "rook-ceph" else "rook-ceph")
        for (_, place), spec in users.items()
    )
    pod = find(objects, "Job", "backup-bucket")["spec"]["template"]["spec"]
    [container] = pod["containers"]
    lock, versions = {"plain": (1, 8), "all": (0, 3)}[name]  # a day more than sets are kept
    assert container["command"][3:] == [
        "--bucket=backups",
        "--endpoint=https://rook-ceph-rgw-store.rook-ceph.svc",
        "--ca=/etc/rookery/tls/ca.crt",
        f"--versions={versions}",
        f"--lock={lock}",
        "--make",
        *(f"--writer={one}" for one in WRITERS),
    ]
    secrets = {one["valueFrom"]["secretKeyRef"]["name"] for one in container["env"] if "valueFrom" in one}
    assert secrets == {"rook-ceph-object-user-store-backup-vault"}


def test_buckets_of_applications_keep_versions_a_day_longer_than_sets() -> None:
    objects = tree_objects(of("plain"))
    jobs = {
        one["metadata"]["labels"]["rookery.io/job"]: one["spec"]["template"]["spec"]["containers"][0][
            "command"
        ]
        for one in of_backup(objects)
        if one["kind"] == "Job" and one["metadata"]["namespace"] == "media"
    }
    assert jobs.keys() == {"streaming-versions", "cdn-versions"}
    assert "--versions=8" in jobs["cdn-versions"]
    assert "--bucket=site" in jobs["cdn-versions"]
    assert not [word for word in jobs["cdn-versions"] if word.startswith(("--writer", "--make", "--lock"))]


# --- The database


@every_spec
def test_the_database_goes_where_a_lab_s_goes(name: str) -> None:
    """One layout: what a lab archived, CloudNativePG restores, and the other way round."""
    objects = tree_objects(of(name))
    store = find(objects, "ObjectStore", "database-backups")["spec"]
    cluster = find(objects, "Cluster", "database")
    assert store["configuration"]["destinationPath"] == f"s3://{BUCKET}/{DATABASE}"
    assert cluster["metadata"]["name"] == SERVER
    assert "serverName" not in cluster["spec"]["plugins"][0]["parameters"]
    assert store["configuration"]["s3Credentials"] == {
        "accessKeyId": {"name": f"rook-ceph-object-user-store-{WRITER}", "key": "AccessKey"},
        "secretAccessKey": {"name": f"rook-ceph-object-user-store-{WRITER}", "key": "SecretKey"},
    }
    kept, schedule = {"plain": ("7d", "0 30 2 * * *"), "all": ("2d", "0 30 */12 * * *")}[name]
    assert store["retentionPolicy"] == kept
    assert find(objects, "ScheduledBackup", "database")["spec"]["schedule"] == schedule
    assert not [
        one for one in objects if one["kind"] == "ObjectBucketClaim" and "backup" in one["metadata"]["name"]
    ]


def test_clusters_begin_as_what_a_store_holds() -> None:
    found = recovered(of("plain"))
    bootstraps = {name: find(objects, "Cluster", _name(name))["spec"] for name, objects in found.items()}
    recovery = {name: spec["bootstrap"]["recovery"] for name, spec in bootstraps.items()}
    assert {name: one.get("recoveryTarget") for name, one in recovery.items()} == {
        "database-latest": None,
        "database-to-a-time": {"targetTime": "2026-11-30T12:00:00Z"},
        "database-to-a-restore-point": {"targetName": "20261130t120000z", "backupID": "20261130T023000"},
        "database-in-place": {"targetTime": "2026-11-30T12:00:00Z"},
        "database-from-a-lab": None,
    }
    for name, spec in bootstraps.items():
        [source] = spec["externalClusters"]
        assert source["name"] == recovery[name]["source"]
        assert source["plugin"]["parameters"]["serverName"] == SERVER
        assert "initdb" not in spec["bootstrap"]
        assert spec["postgresql"] == bootstraps["database-latest"]["postgresql"]
        # What stands beside the running one sends nothing into its archive.
        assert ("plugins" in spec) == (name == "database-in-place")
    stores = {name: spec["externalClusters"][0]["plugin"]["parameters"] for name, spec in bootstraps.items()}
    assert {name: one["barmanObjectName"] for name, one in stores.items()} == {
        **dict.fromkeys(found, "database-backups"),
        "database-from-a-lab": "lab-backups",
    }
    lab = find(found["database-from-a-lab"], "ObjectStore", "lab-backups")["spec"]["configuration"]
    assert lab["destinationPath"] == f"s3://{BUCKET}/{DATABASE}"


def test_a_cluster_beside_the_running_one_may_speak() -> None:
    """All that is not allowed is refused in that namespace."""
    found = recovered(of("plain"))
    for name, objects in found.items():
        policies = [one for one in objects if one["kind"] == "NetworkPolicy"]
        chosen = [one["spec"]["podSelector"]["matchLabels"] for one in policies]
        wanted = {"database-in-place": 0, "database-from-a-lab": 2}.get(name, 1)
        assert chosen == [{"cnpg.io/cluster": "database-restored"}] * wanted


def _name(recovery: str) -> str:
    return "database" if recovery == "database-in-place" else "database-restored"
