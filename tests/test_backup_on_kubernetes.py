"""Backups in a tree: what is accepted, who may write where, and what brings everything back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml

from rookery.apps.backup.guest.backups import prepare_bucket
from rookery.apps.backup.places import BUCKET, DATABASE, KINDS, SERVER, WRITER, WRITERS
from rookery.apps.pod_image import image_files, image_packages, image_reference
from rookery.design.checks import check_design
from rookery.design.checks.finding import Severity
from rookery.design.model import Design
from rookery.design.pods import pod_groups
from rookery.design.scheduling import reaches
from rookery.drivers.clients import buckets
from rookery.errors import NotPossibleError
from rookery.manifest import Item, Manifest, Release
from rookery.projections.document.backups import backup_section
from rookery.projections.document.blocks import Paragraph, Table
from rookery.projections.kubernetes import build_stages, render_kubernetes
from rookery.projections.kubernetes.recovery import recovery_items
from rookery.systems.kubernetes.backups import cluster_backups
from tests.kit.cluster_designs import NO_APPS, design
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
    app_items,
    containers_of,
    find,
    objects_of,
    pod_templates,
    restricted_problems,
    selects,
)
from tests.kit.scheduler import place, requests
from tests.kit.tree_pods import nodes_of, pods_of

RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
COPY = {"name": "away", "endpoint": "https://s3.example.org:9000", "bucket": "rookery-away"}
SPECS: dict[str, dict[str, Any]] = {
    "plain": {},
    "all": {
        "schedules": {"sets": "2h", "base": "12h"},
        "retention": {"sets": "36h", "least": 3},
        "lock": None,
        "copies": [COPY],
        "encryption": {"recipients": [RECIPIENT]},
    },
}
every_spec = pytest.mark.parametrize("name", SPECS)
every_case = pytest.mark.parametrize(
    ("name", "pattern", "provider"),
    [
        ("plain", "production-minimum", "hetzner"),
        ("all", "production-minimum", "existing"),
        ("all", "production-minimum", "lab"),
        ("all", "hyperconverged", "hetzner"),
        ("plain", "compact", "lab"),
        ("plain", "object-heavy", "existing"),
    ],
)


@cache
def of(name: str, pattern: str = "production-minimum", provider: str = "hetzner") -> Design:
    return design(backup=SPECS[name], pattern=pattern, provider=provider)


def items(of_design: Design) -> list[Item]:
    return [item for stage in build_stages(of_design) for item in stage.items]


def tree_objects(of_design: Design) -> list[Manifest]:
    return objects_of(tuple(items(of_design)))


def recovered(of_design: Design) -> dict[str, list[Manifest]]:
    return {item.name: list(item.objects) for _, item in recovery_items(of_design)}


def of_backup(objects: list[Manifest]) -> Iterator[Manifest]:
    labels = {"app.kubernetes.io/name": "backup"}
    yield from (one for one in objects if selects({"matchLabels": labels}, one["metadata"].get("labels", {})))


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
    lock, versions = {"plain": (1, 1), "all": (0, 1)}[name]
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


# --- Volumes and etcd


@every_spec
def test_velero_takes_volumes_by_snapshots_and_leaves_secrets_and_the_database(name: str) -> None:
    objects = tree_objects(of(name))
    spec = find(objects, "Schedule", "volumes")["spec"]
    assert spec["schedule"] == {"plain": "10 */6 * * *", "all": "10 */2 * * *"}[name]
    template = spec["template"]
    assert template["ttl"] == {"plain": "168h0m0s", "all": "36h0m0s"}[name]
    assert template["includedNamespaces"] == ["media"]
    assert (template["snapshotVolumes"], template["snapshotMoveData"]) == (True, True)
    assert "secrets" in template["excludedResources"]
    assert template["labelSelector"] == {
        "matchExpressions": [{"key": "cnpg.io/cluster", "operator": "DoesNotExist"}]
    }
    location = find(objects, "BackupStorageLocation", "backups")["spec"]
    assert (location["objectStorage"]["bucket"], location["objectStorage"]["prefix"]) == (BUCKET, "volumes")
    trust = {
        (one["metadata"]["namespace"], one["spec"]["secretName"])
        for one in objects
        if one["kind"] == "Certificate"
    }
    assert ("velero", location["objectStorage"]["caCertRef"]["name"]) in trust
    agent = json.loads(find(objects, "ConfigMap", "node-agent-config")["data"]["node-agent.json"])
    assert agent["backupPVC"] == {"ceph-filesystem": {"readOnly": True}}


def test_etcd_is_kept_for_its_recipients_and_without_any_not_at_all() -> None:
    stage = next(one for one in build_stages(of("plain")) if one.name == "65-backups")
    assert "There are no snapshots of etcd" in stage.why
    assert not [one for one in tree_objects(of("plain")) if one["metadata"]["name"] == "etcd-backup"]

    spec = find(tree_objects(of("all")), "CronJob", "etcd-backup")["spec"]
    assert spec["schedule"] == "20 */2 * * *"
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    take, look = pod["initContainers"]
    assert take["command"][-3:] == ["snapshot", "save", "/work/etcd.db"]
    assert look["command"][:3] == ["etcdutl", "snapshot", "status"]
    [keep] = pod["containers"]
    assert f"--recipient={RECIPIENT}" in keep["command"]
    assert ("--kept=129600" in keep["command"], "--least=3" in keep["command"]) == (True, True)
    written = {
        mount["name"]
        for one in containers_of(pod)
        for mount in one["volumeMounts"]
        if not mount.get("readOnly")
    }
    assert written == {"work", "tmp"}
    assert not pod.get("hostNetwork")


# --- Alerts


def test_every_kind_that_is_overdue_is_an_alert() -> None:
    def expressions(whole: Design) -> dict[str, list[str]]:
        [group] = find(tree_objects(whole), "PrometheusRule", "backups")["spec"]["groups"]
        found: dict[str, list[str]] = {}
        for rule in group["rules"]:
            found.setdefault(rule["alert"], []).append(rule["expr"])
        return found

    plain, whole = expressions(of("plain")), expressions(of("all"))
    assert plain.keys() == {"DatabaseLogNotArchived", "DatabaseBackupOverdue", "VolumesBackupOverdue"}
    # A day of a base backup, six hours of a set: twice that, and an hour.
    assert plain["DatabaseBackupOverdue"][0].endswith(" > 176400")
    assert plain["VolumesBackupOverdue"][0].endswith(" > 46800")
    jobs = [text for text in whole["BackupJobOverdue"] if text.endswith(" > 18000")]
    etcd, copy = jobs
    assert ('cronjob="etcd-backup"' in etcd, 'cronjob="backup-copy-away"' in copy) == (True, True)
    assert "VolumesBackupOverdue" in expressions(design(backup={}, apps=NO_APPS))
    quiet = design(backup={}, kubernetes={"monitoring": False})
    assert not [one for one in tree_objects(quiet) if one["kind"] == "PrometheusRule"]


# --- Copies


def test_a_copy_takes_every_bucket_with_keys_that_no_tree_holds() -> None:
    objects = objects_of(app_items(of("all"), "backup"))
    cron_job = find(objects, "CronJob", "backup-copy-away")["spec"]
    assert cron_job["schedule"] == "40 */2 * * *"
    [container] = cron_job["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    config = json.loads(find(objects, "ConfigMap", "backup-copy-away")["data"]["copy.json"])
    assert [one["bucket"] for one in config["sources"]] == ["backups", "media", "site"]
    assert (config["target"]["endpoint"], config["target"]["bucket"]) == (COPY["endpoint"], COPY["bucket"])
    variables = {one["name"]: one["valueFrom"]["secretKeyRef"]["name"] for one in container["env"][1:]}
    wanted = [*(one["variables"] for one in config["sources"]), config["target"]["variables"]]
    assert set(variables) == {name for pair in wanted for name in pair}
    assert {variables["OUTSIDE_ACCESS"], variables["OUTSIDE_SECRET"]} == {"backup-copy-away"}
    outside = find(objects, "NetworkPolicy", "backup-copy-outside")["spec"]["egress"]
    assert outside == [{"ports": [{"protocol": "TCP", "port": 9000}]}]


def test_writers_may_do_on_a_cluster_what_they_may_in_a_lab() -> None:
    rights = buckets.Rights(writers=("a", "b"))
    assert prepare_bucket.policy("backups", ("a", "b")) == buckets.build_policy("backups", rights)


# --- What rookery itself does not do there


@pytest.mark.parametrize(
    ("name", "kinds"),
    [("plain", ["database", "objects", "files"]), ("all", ["database", "objects", "files", "system"])],
)
def test_the_document_speaks_of_operators_and_of_no_sets(name: str, kinds: list[str]) -> None:
    section = backup_section(of(name))
    assert section is not None
    lede, table = section.blocks[0], section.blocks[1]
    assert isinstance(lede, Paragraph)
    assert "operator of the cluster" in str(lede.words)
    assert "set" not in str(lede.words).split()
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == kinds


def test_what_operators_do_is_refused_with_their_commands() -> None:
    found = cluster_backups(of("plain"))
    assert found is not None
    assert cluster_backups(design(backup=None)) is None
    assert found.own() == {}
    with pytest.raises(NotPossibleError) as caught:
        found.ask("now", {"kinds": []}, lambda _: None)
    assert caught.value.what == (
        "`now` of backups is not done by rookery on Kubernetes: operators in the cluster take backups there"
    )
    assert caught.value.hint.split("; ")[0] == (
        "the database: kubectl cnpg -n media backup database --method=plugin"
        " --plugin-name=barman-cloud.cloudnative-pg.io"
    )
    for kind in KINDS:
        with pytest.raises(NotPossibleError, match=f"restoring {kind}") as caught:
            found.restore({"kind": kind}, lambda _: None)
        assert caught.value.hint != "The tree's guide says what each kind's own tool is."
    with pytest.raises(NotPossibleError, match="keys of a copy"):
        found.keep({"copy.away.access": "x"})
