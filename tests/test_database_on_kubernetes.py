"""The database in a tree: what CloudNativePG is told is what the lab runs."""

from __future__ import annotations

import json

from rookery.apps.database.patroni import VERSION
from rookery.manifest import NeededSecrets
from tests.kit.kubernetes_objects import (
    app_items,
    design_from,
    design_of,
    find,
    objects_of,
)


def test_the_database_is_what_the_lab_runs() -> None:
    objects = objects_of(app_items(design_of("production-minimum"), "database"))
    spec = find(objects, "Cluster", "database")["spec"]
    assert spec["instances"] == 2
    assert spec["postgresql"] == {
        "parameters": {
            "max_connections": "200",
            "shared_buffers": "128MB",
            "checkpoint_timeout": "15min",
            "wal_keep_size": "128MB",
            "commit_delay": "2000",
            "commit_siblings": "3",
            "wal_compression": "lz4",
            "password_encryption": "scram-sha-256",
            "tcp_keepalives_idle": "5",
            "tcp_keepalives_interval": "2",
            "tcp_keepalives_count": "3",
            "tcp_user_timeout": "10s",
            "wal_sender_timeout": "5s",
            "wal_receiver_timeout": "5s",
            "jit": "off",
            "log_min_duration_statement": "2s",
            "max_wal_size": "1024MB",
            "max_slot_wal_keep_size": "2384MB",
        },
        "pg_hba": [
            "host all postgres all reject",
            "hostssl all all 10.244.0.0/16 scram-sha-256",
            "hostssl all all 127.0.0.1/32 scram-sha-256",
            "host all all all reject",
        ],
        "synchronous": {
            "method": "any",
            "number": 1,
            "dataDurability": "preferred",
            "failoverQuorum": True,
        },
    }
    assert spec["enableSuperuserAccess"] is False
    assert spec["storage"] == {"storageClass": "ceph-block", "size": "10G", "resizeInUseVolumes": True}
    assert spec["plugins"] == [
        {
            "name": "barman-cloud.cloudnative-pg.io",
            "isWALArchiver": True,
            "parameters": {"barmanObjectName": "database-backups"},
        }
    ]


def test_three_instances_never_acknowledge_what_one_alone_has() -> None:
    """Two do, while one of them is away: else the loss of any one worker would stop all writes."""
    text = "hosts: {workers: {count: 3}}\napps: {database: {}}"
    spec = find(objects_of(app_items(design_from(text), "database")), "Cluster", "database")["spec"]
    assert spec["instances"] == 3
    assert spec["postgresql"]["synchronous"]["dataDurability"] == "required"


def test_an_instance_alone_waits_for_nobody_and_is_read_where_it_is_written() -> None:
    apps = "apps: {database: {instances: 1}, streaming: {}, catalogue: {}}"
    objects = objects_of(app_items(design_from(apps), "database", "catalogue"))
    assert "synchronous" not in find(objects, "Cluster", "database")["spec"]["postgresql"]
    config = json.loads(find(objects, "ConfigMap", "catalogue-api")["data"]["catalogue.json"])
    assert config["database"]["host"] == "database-rw.media.svc"
    assert "readHost" not in config["database"]


def test_without_object_storage_there_are_no_backups() -> None:
    text = "storage: {object: {enabled: false}}\napps: {database: {}}"
    objects = objects_of(app_items(design_from(text), "database"))
    assert {one["kind"] for one in objects} & {"ObjectStore", "ScheduledBackup", "ObjectBucketClaim"} == set()
    assert "plugins" not in find(objects, "Cluster", "database")["spec"]


def test_without_monitoring_nothing_is_asked_of_it() -> None:
    text = "kubernetes: {monitoring: false}\napps: {database: {}}"
    objects = objects_of(app_items(design_from(text), "database"))
    assert not [one for one in objects if one["apiVersion"].startswith("monitoring")]
    assert "9187" not in json.dumps(find(objects, "NetworkPolicy", "database"))


def test_roles_of_the_database_have_what_they_need() -> None:
    items = app_items(design_of("production-minimum"), "database")
    roles = {
        one["spec"]["name"]: (
            one["spec"]["login"],
            one["spec"].get("passwordSecret", {}).get("name", ""),
            tuple(one["spec"].get("inRoles", ())),
        )
        for one in objects_of(items)
        if one["kind"] == "DatabaseRole"
    }
    assert roles == {
        "catalogue_owner": (False, "", ()),
        "load": (True, "database-load", ()),
        "catalogue": (True, "database-catalogue", ()),
        "catalogue_installer": (True, "database-catalogue-installer", ("catalogue_owner",)),
    }
    secrets = {
        one.name: one.username for item in items if isinstance(item, NeededSecrets) for one in item.secrets
    }
    assert secrets == {
        "database-verify": "verify",
        "database-load": "load",
        "database-catalogue": "catalogue",
        "database-catalogue-installer": "catalogue_installer",
    }


def test_psql_is_that_of_the_image_and_the_lab_runs_the_same_version() -> None:
    objects = objects_of(app_items(design_of("production-minimum"), "catalogue"))
    [install] = find(objects, "Job", "catalogue-schema")["spec"]["template"]["spec"]["containers"]
    major = install["image"].rpartition(":")[2].partition(".")[0]
    assert (major, install["command"][0]) == (str(VERSION), f"/usr/lib/postgresql/{major}/bin/psql")
