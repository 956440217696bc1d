"""Observation of a native system: the facts that hold, read from what runs."""

from __future__ import annotations

from collections.abc import Sequence

from rookery.design.model import DaemonKind, Design
from rookery.drivers.ceph.health import health_of
from rookery.drivers.ceph.session import CephError, CephSession
from rookery.drivers.machine import network
from rookery.drivers.machine.process import CommandError
from rookery.plan.step import Observation
from rookery.systems.lab.networks import host_cables
from rookery.systems.native.applications import Applications
from rookery.systems.native.ceph_setup import (
    LAST_SETTING,
    have_classes,
    have_their_pgs,
    is_dashboard_announced,
    is_dashboard_user_there,
)
from rookery.systems.native.identity import cephx_entities, has_s3_keys, is_complete, s3_users
from rookery.systems.native.lab import Lab
from rookery.systems.native.refresh import is_as_designed, kept_running
from rookery.systems.native.root import image_root
from rookery.systems.native.way_out import WayOut
from rookery.systems.protocol import HostStatus, ProgramStatus


def observe_native(lab: Lab, applications: Applications) -> Observation:
    """Return the facts that hold. `app:*` and `frontends` are never among them: looking whether they hold is
    doing them (every file is compared, every service asked), so their steps always run."""
    hosts = lab.hosts()
    facts = _machine_facts(lab, hosts) | applications.facts()
    ceph = lab.ceph_or_none()
    if ceph is not None:
        facts |= _ceph_facts(lab, ceph, hosts)
    return Observation(facts=frozenset(facts))


def _machine_facts(lab: Lab, hosts: Sequence[HostStatus]) -> set[str]:
    design, paths = lab.design, lab.paths
    facts = set()
    if image_root(design.ceph).is_dir():
        facts.add("image")
    if is_complete(lab.identity, design) and paths.ca.exists():
        facts.add("identity")
    names = set(network.namespace_names())
    plugged = all(
        network.is_plugged(cable.outside, cable.bridge) and network.is_on(cable.outside)
        for host in design.hosts
        for cable in host_cables(design, paths, host)
    )
    if {paths.namespace(host.name) for host in design.hosts} <= names and plugged:
        facts.add("network")
    if WayOut(lab).is_open():
        facts.add("way-out")
    pids = lab.pids()
    stopped = {program.host for host in hosts for program in _stopped(design, host)}
    if "identity" in facts:
        facts |= {
            f"server:{host.name}"
            for host in design.hosts
            if (pid := pids.get(host.name)) is not None
            and host.name not in stopped
            and is_as_designed(design, host, paths.server(host.name), lab.identity, pid)
        }
    return facts


def _stopped(design: Design, host: HostStatus) -> tuple[ProgramStatus, ...]:
    """Return the programs that run with their server, and were told not to."""
    kept = kept_running(design, design.host(host.name))
    return tuple(program for program in host.programs if program.stopped and program.name in kept)


def _ceph_facts(lab: Lab, ceph: CephSession, hosts: Sequence[HostStatus]) -> set[str]:
    design = lab.design
    facts = set()
    status = ceph.mon("status")
    monitors = {daemon.id for _, daemon in design.with_daemon(DaemonKind.MON)}
    if monitors <= set(status["quorum_names"]):
        facts.add("quorum")
    if not design.dashboard or _option(ceph, LAST_SETTING[0]) == LAST_SETTING[1]:
        facts.add("settings")
    osds = {daemon.id for _, daemon in design.with_daemon(DaemonKind.OSD)}
    dump = {str(osd["osd"]): osd for osd in ceph.mon("osd dump")["osds"]}
    known = {entry["entity"] for entry in ceph.mon("auth ls")["auth_dump"]}
    if osds <= set(dump) and {name for name in cephx_entities(design) if name != "mon."} <= known:
        facts.add("registered")
    up = all(osd in dump and dump[osd]["up"] and dump[osd]["in"] for osd in osds)
    if up and have_classes(ceph, design):
        facts.add("osds")
    facts |= _service_facts(lab, ceph, hosts)
    health, clean, total = health_of(status)
    if health == "HEALTH_OK" and clean == total and have_their_pgs(ceph, design):
        facts.add("healthy")
    return facts


def _option(ceph: CephSession, name: str) -> str:
    """Return an option of the managers in the cluster's configuration, empty where it is not set."""
    options = {option["name"]: option["value"] for option in ceph.mon("config dump")}
    return str(options.get(name, ""))


def _service_facts(lab: Lab, ceph: CephSession, hosts: Sequence[HostStatus]) -> set[str]:
    design = lab.design
    facts = set()
    pools = {pool["pool_name"]: pool for pool in ceph.mon("osd pool ls", detail="detail")}
    if all(
        pool.name in pools
        and pool.application in pools[pool.name]["application_metadata"]
        and pools[pool.name]["pg_num_target"] == pool.pg_num
        for pool in design.pools
    ):
        facts.add("pools")
    if design.file_system and _file_system_is_there(ceph, design):
        facts.add("filesystem")
    if design.dashboard and is_dashboard_announced(ceph):
        facts.add("dashboard")
        if is_dashboard_user_there(ceph):
            facts.add("dashboard-user")
    if design.object_store and "pools" in facts and _gateways_run(design, hosts):
        facts.add("gateways")
        try:
            keys = has_s3_keys(lab.identity, design)
            if keys and set(s3_users(design)) <= lab.s3_users_there():
                facts.add("s3-users")
        except CommandError:
            pass
    return facts


def _file_system_is_there(ceph: CephSession, design: Design) -> bool:
    wanted = design.file_system
    assert wanted is not None
    try:
        state = ceph.mon("fs get", fs_name=wanted.name)
    except CephError:
        return False
    active = sum(mds["state"] == "up:active" for mds in state["mdsmap"]["info"].values())
    if active != wanted.active_mds or len(state["mdsmap"]["data_pools"]) != len(wanted.data_pools):
        return False
    if len(wanted.data_pools) == 1:
        return True
    layout = ceph.operation("cephfs-layout-pool", file_system=wanted.name)
    return bool(layout["pool"] == wanted.data_pools[-1])


def _gateways_run(design: Design, hosts: Sequence[HostStatus]) -> bool:
    programs = {(program.host, program.name): program.running for host in hosts for program in host.programs}
    return all(
        programs.get((host.name, f"rgw.{daemon.id}"), False)
        for host, daemon in design.with_daemon(DaemonKind.RGW)
    )
