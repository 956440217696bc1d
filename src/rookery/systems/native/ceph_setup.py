"""What a new cluster must be told, through the monitors: each function does one step of the plan.

Every one may run again on a cluster where it was done before or half done.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from rookery.design.model import DaemonKind, Design
from rookery.design.stored import FileSystem, Pool
from rookery.drivers.ceph.health import health_of
from rookery.drivers.ceph.session import CephError, CephSession
from rookery.drivers.machine.waiting import Look, wait_for
from rookery.projections.native.haproxy import DASHBOARD_LOCAL_PORT
from rookery.systems.native.identity import Identity
from rookery.systems.native.servers import cluster_keyring
from rookery.systems.protocol import Report

DASHBOARD_USER = "admin"
# The dashboard is behind the TLS of its own host (docs/decisions/0005-mgr-on-debian.md). Until it is told
# so it waits for a certificate; told before its address, it would listen on all of them. So this comes last,
# and is what shows that the others are set.
LAST_SETTING = ("mgr/dashboard/ssl", "false")
_QUORUM_LIMIT = 120.0
_OSDS_LIMIT = 300.0
_HEALTH_LIMIT = 300.0

T = TypeVar("T")
R = TypeVar("R")


def wait_quorum(ceph: CephSession, design: Design, report: Report) -> None:
    """Wait until every monitor of the design is in the quorum."""
    wanted = {daemon.id for _, daemon in design.with_daemon(DaemonKind.MON)}

    def look() -> Look[bool]:
        inside = set(ceph.mon("quorum_status")["quorum_names"])
        missing = ", ".join(sorted(wanted - inside))
        return Look(seen=f"missing {missing}", value=None if missing else True)

    wait_for("the monitors' quorum", look, limit=_QUORUM_LIMIT, report=report)


def apply_settings(ceph: CephSession, design: Design) -> None:
    """Put into the cluster's own configuration what ceph.conf cannot hold: the modules' options."""
    if not design.dashboard:
        return
    options = {
        "mgr/dashboard/server_addr": "127.0.0.1",
        "mgr/dashboard/server_port": str(DASHBOARD_LOCAL_PORT),
        # A standby says that it is none, so that the load balancer finds the active one.
        "mgr/dashboard/standby_behaviour": "error",
        "mgr/dashboard/standby_error_status_code": "503",
    }
    # The modules may not be loaded yet, and only they know their options: hence `force`.
    together(
        lambda item: ceph.mon("config set", who="mgr", name=item[0], value=item[1], force=True),
        options.items(),
    )
    if "dashboard" not in ceph.mon("mgr dump")["modules"]:
        ceph.mon("mgr module enable", module="dashboard")
    ceph.mon("config set", who="mgr", name=LAST_SETTING[0], value=LAST_SETTING[1], force=True)


def register(ceph: CephSession, design: Design, identity: Identity, report: Report) -> None:
    """Make every cephx user known, and give every OSD its number."""
    keyring = cluster_keyring(design, identity).partition("[mon.]")[2]
    ceph.mon("auth import", stdin=keyring[keyring.index("[") :])
    osds = tuple(daemon.id for _, daemon in design.with_daemon(DaemonKind.OSD))
    # In order: numbers are handed out one after the other, and a gap would be filled by the next.
    for osd in osds:
        _register_osd(ceph, int(osd), identity[f"osd.{osd}.uuid"], report)


def _register_osd(ceph: CephSession, osd: int, uuid: str, report: Report) -> None:
    """Give an OSD its number. Monitors in the middle of an election say `again`, and are asked again."""

    def look() -> Look[bool]:
        try:
            ceph.mon("osd new", uuid=uuid, id=osd, accept=(errno.EEXIST,))
        except CephError as error:
            if error.code != errno.EAGAIN:
                raise
            return Look(seen=error.status)
        return Look(seen="registered", value=True)

    wait_for(f"osd.{osd} to be registered", look, limit=_QUORUM_LIMIT, report=report)


def wait_osds(ceph: CephSession, design: Design, report: Report) -> None:
    """Wait until every OSD is up and in, then tell CRUSH which class each drive has."""
    osds = design.with_daemon(DaemonKind.OSD)

    def look() -> Look[bool]:
        state = ceph.mon("osd dump")["osds"]
        up = {str(osd["osd"]) for osd in state if osd["up"] and osd["in"]}
        return Look(seen=f"{len(up)} of {len(osds)} up", value=True if len(up) >= len(osds) else None)

    wait_for("all OSDs", look, limit=_OSDS_LIMIT, report=report)
    seen = _device_classes(ceph)
    wrong: dict[str, list[str]] = {}
    for name, wanted in designed_classes(design).items():
        if seen.get(name) != wanted:
            wrong.setdefault(wanted, []).append(name)
    for name, daemons in wrong.items():
        if old := [daemon for daemon in daemons if seen.get(daemon)]:
            ceph.mon("osd crush rm-device-class", ids=old)
        if daemons:
            arguments: dict[str, Any] = {"class": name, "ids": daemons}
            ceph.mon("osd crush set-device-class", **arguments)


def designed_classes(design: Design) -> dict[str, str]:
    """Return the device class that each OSD (`osd.3`) has in the design."""
    return {
        daemon.name: next(drive.device_class for drive in host.drives if drive.name == daemon.drive)
        for host, daemon in design.with_daemon(DaemonKind.OSD)
    }


def have_classes(ceph: CephSession, design: Design) -> bool:
    """Tell whether CRUSH knows each OSD's class as designed."""
    seen = _device_classes(ceph)
    return all(seen.get(name) == wanted for name, wanted in designed_classes(design).items())


def _device_classes(ceph: CephSession) -> dict[str, str]:
    return {node["name"]: node.get("device_class", "") for node in ceph.mon("osd tree")["nodes"]}


def create_pools(ceph: CephSession, design: Design) -> None:
    """Create the pools of the design that are missing, all at once; give the others their number of PGs."""
    there = {pool["pool_name"]: pool for pool in ceph.mon("osd pool ls", detail="detail")}
    for name in sorted({pool.device_class for pool in design.pools if pool.device_class}):
        rule: dict[str, Any] = {"name": _rule(name), "root": "default", "type": "host", "class": name}
        ceph.mon("osd crush rule create-replicated", **rule)
    for pool in design.pools:
        if pool.erasure_code is not None:
            ceph.mon("osd erasure-code-profile set", name=_profile(pool), profile=_profile_of(pool))
    together(lambda pool: _create_pool(ceph, pool, exists=pool.name in there), design.pools)
    for pool in design.pools:
        if pool.name in there and there[pool.name]["pg_num_target"] != pool.pg_num:
            _set_pgs(ceph, pool.name, pool.pg_num, seen=there[pool.name])


def _set_pgs(ceph: CephSession, pool: str, wanted: int, *, seen: dict[str, Any]) -> None:
    """Let Ceph split or merge the PGs of a pool, which it does at its own pace."""
    if seen["options"].get("pg_num_min", 0) > wanted:
        # `fs new` asks for 16 at least of pools that have 1: it only counts once somebody changes the number.
        ceph.mon("osd pool set", pool=pool, var="pg_num_min", val=str(min(wanted, seen["pg_num"])))
    ceph.mon("osd pool set", pool=pool, var="pg_num", val=str(wanted))


def _create_pool(ceph: CephSession, pool: Pool, *, exists: bool) -> None:
    common: dict[str, Any] = {"pool": pool.name, "pg_num": pool.pg_num, "pgp_num": pool.pg_num}
    if pool.name.startswith("."):
        common["yes_i_really_mean_it"] = True
    if not exists and pool.erasure_code is None:
        if pool.device_class:
            common["rule"] = _rule(pool.device_class)
        ceph.mon("osd pool create", **common, size=pool.size, pool_type="replicated")
    elif not exists:
        ceph.mon("osd pool create", **common, pool_type="erasure", erasure_code_profile=_profile(pool))
    if pool.erasure_code is not None and pool.application in ("rbd", "cephfs"):
        ceph.mon("osd pool set", pool=pool.name, var="allow_ec_overwrites", val="true")
    ceph.mon("osd pool application enable", pool=pool.name, app=pool.application, yes_i_really_mean_it=True)


def _rule(device_class: str) -> str:
    return f"replicated-{device_class}"


def _profile(pool: Pool) -> str:
    code = pool.erasure_code
    assert code is not None
    return f"k{code.k}-m{code.m}" + (f"-{pool.device_class}" if pool.device_class else "")


# Ceph's own default was jerasure, and is isa from 20 on. Said here, a pool is coded alike by every release,
# and a profile that is there stays what it is.
_CODING = ("plugin=jerasure", "technique=reed_sol_van")


def _profile_of(pool: Pool) -> list[str]:
    code = pool.erasure_code
    assert code is not None
    profile = [*_CODING, f"k={code.k}", f"m={code.m}", "crush-failure-domain=host"]
    return [*profile, f"crush-device-class={pool.device_class}"] if pool.device_class else profile


# Seconds, the least that CephFS takes; its default is 60. Who reads a file keeps its next writer waiting when
# its host is lost, for so long: the live channel stands still meanwhile.
_SESSION_TIMEOUT = 30
# Seconds after which a client that is silent is ended though nobody waits for it; the default is 300. Whoever
# takes over as metadata server would wait for it.
_SESSION_AUTOCLOSE = 60


def create_file_system(ceph: CephSession, design: Design, report: Report) -> None:
    """Create the CephFS and wait until its ranks are active and its standbys are there."""
    wanted = design.file_system
    assert wanted is not None
    if wanted.name not in {system["name"] for system in ceph.mon("fs ls")}:
        ceph.mon("fs new", fs_name=wanted.name, metadata=wanted.metadata_pool, data=wanted.data_pools[0])
    has = next(system["data_pools"] for system in ceph.mon("fs ls") if system["name"] == wanted.name)
    for pool in wanted.data_pools[1:]:
        if pool not in has:  # added twice, it is refused
            ceph.mon("fs add_data_pool", fs_name=wanted.name, pool=pool)
    there = ceph.mon("fs get", fs_name=wanted.name)["mdsmap"]
    settings = {
        "max_mds": wanted.active_mds,
        "session_timeout": _SESSION_TIMEOUT,
        "session_autoclose": _SESSION_AUTOCLOSE,
    }
    for name, value in settings.items():
        if int(there[name]) != value:
            ceph.mon("fs set", fs_name=wanted.name, var=name, val=str(value))
    wait_mds(ceph, wanted, len(design.with_daemon(DaemonKind.MDS)), report)
    if len(wanted.data_pools) > 1:
        ceph.operation("cephfs-layout", file_system=wanted.name, pool=wanted.data_pools[-1])


def wait_mds(ceph: CephSession, wanted: FileSystem, daemons: int, report: Report) -> None:
    def look() -> Look[bool]:
        state = ceph.mon("fs dump")
        standby = len(state["standbys"])
        info = next(
            fs["mdsmap"]["info"] for fs in state["filesystems"] if fs["mdsmap"]["fs_name"] == wanted.name
        )
        active = sum(mds["state"] == "up:active" for mds in info.values())
        done = active == wanted.active_mds and active + standby >= daemons
        return Look(seen=f"{active} active, {standby} standing by", value=True if done else None)

    wait_for("the metadata servers", look, limit=_HEALTH_LIMIT, report=report)


def wait_dashboard(ceph: CephSession, report: Report) -> None:
    """Wait until the active manager serves the dashboard."""

    def look() -> Look[bool]:
        return Look(seen="not announced by a manager", value=is_dashboard_announced(ceph) or None)

    wait_for("the dashboard", look, limit=_HEALTH_LIMIT, report=report)


def is_dashboard_announced(ceph: CephSession) -> bool:
    return "dashboard" in ceph.mon("mgr services")


def create_dashboard_user(ceph: CephSession, password: str) -> None:
    """Make the dashboard's user, whose password goes in by standard input."""
    ceph.mgr(
        "dashboard ac-user-create",
        username=DASHBOARD_USER,
        rolename="administrator",
        force_password=True,
        stdin=password,
        accept=(errno.EEXIST,),
    )


def wait_healthy(
    ceph: CephSession, design: Design, report: Report, *, expected: tuple[str, ...] = ()
) -> None:
    """Wait for HEALTH_OK, but for health codes that are `expected`, with every PG active+clean.

    What the managers say of PGs lags behind the OSD map, where PGs are split and moved: it counts once they
    have reported twice since the map has been as designed.
    """

    def look() -> Reported:
        if not have_their_pgs(ceph, design):
            return Reported(seen="PGs are being split", counts=False, holds=False)
        health, clean, total = health_of(ceph.mon("status"), expected=expected)
        seen = f"{health}, {clean} of {total} PGs active+clean"
        return Reported(seen=seen, counts=True, holds=health == "HEALTH_OK" and clean == total)

    wait_reported(ceph, "HEALTH_OK", look, limit=_HEALTH_LIMIT, report=report)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What the managers say: in words, whether their reports count from now on, and whether what is waited
    for holds."""

    seen: str
    counts: bool
    holds: bool


def wait_reported(
    ceph: CephSession, what: str, state: Callable[[], Reported], *, limit: float, report: Report
) -> None:
    """Wait until something holds, and the managers have reported twice since their reports count."""
    since: int | None = None

    def look() -> Look[bool]:
        nonlocal since
        reports = report_count(ceph)
        found = state()
        if not found.counts:
            since = None
            return Look(seen=found.seen)
        since = reports if since is None else since
        return Look(seen=found.seen, value=True if found.holds and reports >= since + 2 else None)

    wait_for(what, look, limit=limit, report=report)


def report_count(ceph: CephSession) -> int:
    """Return how many times the managers have put together what the OSDs say of their PGs."""
    try:
        return int(ceph.mgr("pg dump", dumpcontents=["summary"])["pg_map"]["version"])
    except CephError:
        return 0  # a manager has just taken over; it counts from its predecessor's number on


def have_their_pgs(ceph: CephSession, design: Design) -> bool:
    """Tell whether every pool has as many PGs as designed, and all of them are placed as such."""
    pools = {pool["pool_name"]: pool for pool in ceph.mon("osd pool ls", detail="detail")}
    counts = ("pg_num", "pg_num_target", "pg_placement_num")
    return all(
        pool.name in pools and {pools[pool.name][count] for count in counts} == {pool.pg_num}
        for pool in design.pools
    )


def is_dashboard_user_there(ceph: CephSession) -> bool:
    """Tell whether the dashboard's user exists; a manager that does not answer yet counts as no."""
    try:
        return DASHBOARD_USER in (ceph.mgr("dashboard ac-user-show") or ())
    except CephError:
        return False


def together(act: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Do the same with every item side by side and return what comes of each; the first error is raised once
    all have ended."""
    with ThreadPoolExecutor(max_workers=16) as pool:
        futures = [pool.submit(act, item) for item in items]
    return [future.result() for future in futures]
