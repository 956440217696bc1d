"""What the native platform's servers hold."""

from __future__ import annotations

import configparser

import pytest

from rookery.apps.table import PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.model import DaemonKind, Design
from rookery.drivers.containers.runc import Container, build_config
from rookery.projections.native.ceph_conf import mon_addresses, render_ceph_conf
from rookery.projections.native.haproxy import render_haproxy
from rookery.projections.native.server import render_server, server_programs
from rookery.spec.load import pattern_names
from rookery.spec.parse import parse_spec
from tests.kit.designs import design_of

FSID = "00000000-0000-4000-8000-000000000000"


def encrypted() -> Design:
    text = "apiVersion: rookery/v1\nnetwork: {encryption: true}\n"
    spec = parse_spec(text, file="x", settings=SETTINGS, read_pattern=lambda name: (name, ""))
    return build_design(spec, placers=PLACERS)


@pytest.mark.parametrize("name", pattern_names())
def test_same_design_same_bytes_and_no_path_twice(name: str) -> None:
    design = design_of(name)
    for host in design.hosts:
        files = render_server(design, host, fsid=FSID)
        assert files == render_server(design_of(name), host, fsid=FSID)
        assert len({file.path for file in files}) == len(files)


@pytest.mark.parametrize("name", pattern_names())
def test_ceph_conf_parses_and_names_every_osds_memory(name: str) -> None:
    design = design_of(name)
    parser = configparser.ConfigParser(strict=True, interpolation=None)
    parser.read_string(render_ceph_conf(design, fsid=FSID))
    assert parser["global"]["fsid"] == FSID
    for _, daemon in design.with_daemon(DaemonKind.OSD):
        assert parser[daemon.name]["osd_memory_target"] == str(daemon.memory)


def test_encryption_leaves_no_address_in_clear() -> None:
    assert all("v1:" not in addresses for _, addresses in mon_addresses(encrypted()))
    assert "ms_cluster_mode = secure" in render_ceph_conf(encrypted(), fsid=FSID)
    assert "= secure" not in render_ceph_conf(design_of("production-minimum"), fsid=FSID)


@pytest.mark.parametrize("name", pattern_names())
def test_no_two_programs_of_a_host_want_one_port(name: str) -> None:
    """Hyperconverged hosts carry edges beside Ceph's daemons."""
    for host in design_of(name).hosts:
        ports = [port for daemon in host.daemons for port in daemon.ports]
        ports += [port for instance in host.instances for port in instance.ports]
        if host.daemons_of(DaemonKind.MGR):
            ports += [8443, 8080]
        assert len(ports) == len(set(ports)), f"{host.name}: {sorted(ports)}"


def test_programs_are_named_as_ceph_names_daemons() -> None:
    design = design_of("production-minimum")
    host = next(host for host in design.hosts if host.name == "storage-k")
    names = [program.name for program in server_programs(design, host)]
    assert names == ["mon.storage-k", "mgr.storage-k", "rgw.storage-k", "osd.0", "osd.1", "dashboard-tls"]


def test_the_balancer_has_a_listener_for_each_frontend() -> None:
    design = design_of("production-minimum")
    assert design.load_balancer is not None
    text = render_haproxy(design, design.load_balancer)
    for front in design.frontends:
        assert f"listen {front.name}\n    bind :{front.port}\n" in text


def test_a_container_has_its_limits_and_no_rlimits() -> None:
    from pathlib import Path

    container = Container(
        id="lab.host",
        hostname="host",
        root=Path("/root-of-it"),
        namespace="rookery.lab.host",
        argv=("init",),
        cgroup="/rookery/lab/host",
        memory=2**30,
        cpus=2,
        binds=(("/dev/vdb", "/somewhere/vdb"),),
        fuse=False,
    )
    config = build_config(container)
    assert "rlimits" not in config["process"]
    assert config["linux"]["resources"]["memory"] == {"limit": 2**30}
    assert config["linux"]["resources"]["cpu"] == {"quota": 200_000, "period": 100_000}
    assert [device["path"] for device in config["linux"]["devices"] if "fuse" in device["path"]] == []
    assert config["mounts"][-1]["destination"] == "/dev/vdb"
