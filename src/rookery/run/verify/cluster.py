"""Checks of the cluster itself: monitors, managers, OSDs, placement groups, clocks, identities."""

from __future__ import annotations

import errno
import time

from rookery.design.model import DaemonKind
from rookery.drivers.ceph.session import CephError
from rookery.run.verify.result import Evidence, Subject, failed, judged, not_observed, passed

_SKEW_LIMIT = 0.05  # seconds: Ceph's mon_clock_drift_allowed
_MOVING_LIMIT = 20.0  # seconds


def quorum(subject: Subject) -> Evidence:
    wanted = sorted(daemon.id for _, daemon in subject.design.with_daemon(DaemonKind.MON))
    inside = sorted(subject.system.ceph().mon("quorum_status")["quorum_names"])
    return judged(inside == wanted, f"{len(inside)} of {len(wanted)} in quorum: {', '.join(inside)}")


def health(subject: Subject) -> Evidence:
    status = subject.system.ceph().mon("health", detail="detail")
    reasons = [check["summary"]["message"] for check in status["checks"].values()]
    muted = [mute["code"] for mute in status["mutes"]]
    words = "; ".join([*reasons, *(f"{code} is muted" for code in muted)])
    return judged(status["status"] == "HEALTH_OK" and not muted, words or "HEALTH_OK, nothing muted")


def managers(subject: Subject) -> Evidence:
    wanted = len(subject.design.with_daemon(DaemonKind.MGR))
    state = subject.system.ceph().mon("mgr dump")
    standby = [manager["name"] for manager in state["standbys"]]
    good = bool(state["available"]) and 1 + len(standby) == wanted
    return judged(
        good, f"active {state['active_name'] or 'none'}, standing by {', '.join(standby) or 'none'}"
    )


def osds(subject: Subject) -> Evidence:
    """Every host's OSDs are up and in, and lie under their host in CRUSH."""
    nodes = subject.system.ceph().mon("osd tree")["nodes"]
    by_id = {node["id"]: node for node in nodes}
    wrong = []
    total = 0
    for host, daemon in subject.design.with_daemon(DaemonKind.OSD):
        node = by_id.get(int(daemon.id))
        parent = next((n for n in nodes if n["type"] == "host" and int(daemon.id) in n["children"]), None)
        good = node is not None and node["status"] == "up" and node["reweight"] > 0
        if good and parent is not None and parent["name"] == host.name:
            total += 1
        else:
            wrong.append(f"{daemon.name} on {host.name}")
    if wrong:
        return failed(f"down, out or misplaced: {', '.join(wrong)}")
    hosts = [host for host in subject.design.hosts if host.daemons_of(DaemonKind.OSD)]
    return passed(f"{total} up and in, {total // len(hosts)} on each of {len(hosts)} hosts")


def placement_groups(subject: Subject) -> Evidence:
    """Every PG is active+clean. One that the balancer moves is not, for a moment; it gets that moment."""
    wanted = sum(pool.pg_num for pool in subject.design.pools)
    began = time.monotonic()
    while True:
        states = subject.system.ceph().mon("pg stat")["pg_summary"]["num_pg_by_state"]
        clean = sum(state["num"] for state in states if state["name"] == "active+clean")
        good = clean >= wanted and len(states) == 1
        waited = time.monotonic() - began
        if good or waited > _MOVING_LIMIT:
            break
        time.sleep(0.5)
    words = ", ".join(f"{state['num']} {state['name']}" for state in states)
    after = f" after {waited:.0f} s" if waited > 1 else ""
    return judged(good, f"{words}{after}; the design has {wanted}")


def pools(subject: Subject) -> Evidence:
    """Every pool keeps its data as designed, spread over hosts."""
    ceph = subject.system.ceph()
    there = {pool["pool_name"]: pool for pool in ceph.mon("osd pool ls", detail="detail")}
    rules = {rule["rule_id"]: rule for rule in ceph.mon("osd crush rule dump")}
    wrong = []
    for pool in subject.design.pools:
        seen = there.get(pool.name)
        if seen is None:
            wrong.append(f"{pool.name} is missing")
            continue
        steps = rules[seen["crush_rule"]]["steps"]
        if not any(step.get("type") == "host" for step in steps):
            wrong.append(f"{pool.name} is not spread over hosts")
        if (seen["size"], seen["min_size"]) != (pool.size, pool.min_size):
            wrong.append(f"{pool.name} has size {seen['size']}/{seen['min_size']}")
    return judged(not wrong, "; ".join(wrong) or f"{len(there)} pools, sizes as designed, spread over hosts")


def clocks(subject: Subject) -> Evidence:
    status = subject.system.ceph().mon("time-sync-status").get("time_skew_status", {})
    if not status:
        return not_observed("the monitors have not compared their clocks yet")
    worst = max(abs(float(entry["skew"])) for entry in status.values())
    return judged(worst < _SKEW_LIMIT, f"largest skew {worst * 1000:.1f} ms between {len(status)} monitors")


def least_privilege(subject: Subject) -> Evidence:
    """A worker's cephx user cannot administer: an attempt to read all keys must be refused."""
    user = next(user for user in subject.design.users if user.name != "admin" and user.hosts)
    session = subject.system.ceph(user.name, user.hosts[0])
    try:
        session.mon("auth ls")
    except CephError as error:
        refused = error.code in (errno.EACCES, errno.EPERM)
        seen = f"client.{user.name} on {user.hosts[0]} may not list keys"
        return passed(seen) if refused else not_observed(str(error))
    return failed(f"client.{user.name} on {user.hosts[0]} lists every key of the cluster")


def encryption(subject: Subject) -> Evidence:
    """Monitors offer no unencrypted protocol, and the cluster's modes are secure."""
    state = subject.system.ceph().mon("mon dump")
    open_addresses = [
        address["addr"]
        for mon in state["mons"]
        for address in mon["public_addrs"]["addrvec"]
        if address["type"] != "v2"
    ]
    mon = state["mons"][0]["name"]
    mode = subject.system.ceph().mon("config show", who=f"mon.{mon}", key="ms_cluster_mode")
    seen = f"ms_cluster_mode {str(mode).strip()}, {len(open_addresses)} addresses without encryption"
    return judged(str(mode).strip() == "secure" and not open_addresses, seen)
