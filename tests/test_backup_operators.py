"""What operators back up in a tree: volumes, etcd, copies; what is overdue, what rookery leaves to them."""

from __future__ import annotations

import json

import pytest

from rookery.apps.backup.guest.backups import prepare_bucket
from rookery.apps.backup.places import BUCKET, KINDS
from rookery.design.model import Design
from rookery.drivers.clients import buckets
from rookery.errors import NotPossibleError
from rookery.projections.document.backups import backup_section
from rookery.projections.document.blocks import Paragraph, Table
from rookery.projections.kubernetes import build_stages
from rookery.systems.kubernetes.backups import cluster_backups
from tests.kit.backup_trees import (
    COPY,
    RECIPIENT,
    every_spec,
    of,
    tree_objects,
)
from tests.kit.cluster_designs import NO_APPS, design
from tests.kit.kubernetes_objects import (
    app_items,
    containers_of,
    find,
    objects_of,
)

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
