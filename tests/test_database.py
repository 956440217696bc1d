"""The database as designed: where it runs, what it claims, and what its hosts are given."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rookery.apps.database.native import private_files
from rookery.apps.database.native import secrets as needed_secrets
from rookery.apps.database.patroni import LOOP, RETRY, TTL, build_config
from rookery.design.model import AppDesign, Design
from rookery.errors import InputError
from rookery.projections.native.haproxy import render_haproxy
from rookery.projections.native.server import render_server, server_programs
from tests.kit.designs import designed

SECRET = "not-to-be-seen"


def database(design: Design) -> AppDesign:
    return next(app for app in design.apps if app.name == "database")


def test_each_of_up_to_three_workers_has_an_instance_on_a_volume_of_its_own() -> None:
    for workers, expected in ((1, 1), (2, 2), (3, 3), (5, 3)):
        app = database(designed(f"hosts: {{workers: {{count: {workers}}}}}"))
        hosts = [host for host, instance in app.placements if instance.component == "postgres"]
        assert len(hosts) == len(set(hosts)) == expected
        assert [volume.host for volume in app.volumes] == hosts
        assert len({volume.name for volume in app.volumes}) == expected


@pytest.mark.parametrize(("planes", "coordinators"), [(1, 1), (3, 3), (5, 5), (7, 5), (4, 3)])
def test_etcd_runs_on_an_odd_number_of_control_planes(planes: int, coordinators: int) -> None:
    app = database(designed(f"hosts: {{controlPlane: {{count: {planes}}}}}"))
    hosts = [host for host, instance in app.placements if instance.component == "etcd"]
    assert len(hosts) == coordinators
    assert all(host.startswith("cp-") for host in hosts)


def test_more_instances_than_workers_is_an_error_that_says_so() -> None:
    with pytest.raises(InputError) as caught:
        designed(apps="{database: {instances: 4}}")
    assert caught.value.what == "apps.database.instances: 4 of them want 4 workers, there are 2"


def test_without_block_storage_there_is_no_database() -> None:
    with pytest.raises(InputError) as caught:
        designed("storage: {block: {enabled: false}}")
    assert caught.value.what == "apps.database: its data lives on block volumes, and block storage is off"


def test_an_erasure_coded_pool_keeps_the_images_header_elsewhere() -> None:
    design = designed("storage: {block: {pool: {erasureCoding: {k: 2, m: 1}}}}")
    assert {(volume.pool, volume.data_pool) for volume in design.volumes} == {("block", "block-data")}


def test_the_balancer_asks_patroni_who_is_primary() -> None:
    design = designed()
    balancer = design.load_balancer
    assert balancer is not None
    text = render_haproxy(design, balancer)
    parts = {part.split("\n")[0]: part for part in text.split("listen ")[1:]}
    assert "bind :5432" in parts["database"]
    assert "GET /primary" in parts["database"]
    assert "GET /replica" in parts["database-reads"]
    assert "check port 8008 check-ssl verify none" in parts["database"]


def test_without_a_replica_the_primary_serves_the_reads() -> None:
    design = designed("hosts: {workers: {count: 1}}")
    balancer = design.load_balancer
    assert balancer is not None
    part = render_haproxy(design, balancer).split("listen database-reads\n")[1].split("listen ")[0]
    assert "    use_backend database if { nbsrv(database-reads) eq 0 }\n" in part


def config_of(design: Design) -> dict[str, Any]:
    return build_config(design, database(design), design.host("worker-a"))


def test_nobody_comes_in_without_tls_and_a_password() -> None:
    lines = [line.split() for line in config_of(designed())["postgresql"]["pg_hba"]]
    allowed = {
        ("local", "peer"),
        ("local", "scram-sha-256"),
        ("hostssl", "scram-sha-256"),
        ("host", "reject"),
    }
    assert {(kind, method) for kind, *_, method in lines} == allowed
    assert lines[-1] == ["host", "all", "all", "all", "reject"]


def test_patroni_may_ask_its_own_instance_for_its_timeline() -> None:
    """It asks over the socket as the user that replicates; unanswered, it never rewinds what was ahead."""
    postgres = config_of(designed())["postgresql"]
    user = postgres["authentication"]["replication"]["username"]
    assert postgres["use_unix_socket_repl"]
    assert f"local replication {user} scram-sha-256" in postgres["pg_hba"]


def test_synchronous_unless_the_spec_says_otherwise() -> None:
    assert config_of(designed())["bootstrap"]["dcs"]["synchronous_mode"] is True
    relaxed = designed(apps="{database: {synchronous: false}}")
    assert config_of(relaxed)["bootstrap"]["dcs"]["synchronous_mode"] is False


def test_patronis_own_rule_for_its_times_holds() -> None:
    assert LOOP + 2 * RETRY <= TTL


def test_rendered_files_hold_no_secret_and_private_ones_only_their_owner_reads() -> None:
    design = designed()
    app = database(design)
    secrets = dict.fromkeys(
        [
            *(secret.name for secret in needed_secrets(design, app)),
            *(f"{s.name}.{end}" for s in needed_secrets(design, app) for end in ("crt", "key")),
            *(f"tls.{host.name}.{end}" for host in design.hosts for end in ("crt", "key")),
        ],
        SECRET,
    )
    for host in design.servers:
        for file in render_server(design, host, fsid="f"):
            assert SECRET.encode() not in file.content
        for instance in host.instances:
            for file in private_files(design, app, host, instance, secrets):
                assert file.path.endswith(".crt") or (file.mode == 0o400 and file.owner != "root")


def test_what_waits_for_a_volume_does_not_start_with_its_server() -> None:
    design = designed()
    gated = {p.name for p in server_programs(design, design.host("worker-a")) if p.gated}
    assert "database-postgres" in gated
    assert "database-etcd" in {p.name for p in server_programs(design, design.host("cp-1")) if not p.gated}


def test_the_configuration_is_json_that_patroni_reads() -> None:
    design = designed()
    files = {file.path: file for file in render_server(design, design.host("worker-b"), fsid="f")}
    config = json.loads(files["etc/rookery/patroni.json"].content)
    assert config["name"] == "worker-b"
    assert config["etcd3"]["protocol"] == "https"
