"""Checks of the cluster itself: monitors, managers, OSDs, placement groups, clocks, identities."""

from __future__ import annotations

import errno
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rookery.design.model import DaemonKind, Design, Host
from rookery.drivers.ceph.session import CephError
from rookery.run.verify.result import (
    KUBERNETES,
    NATIVE,
    Evidence,
    Subject,
    failed,
    judged,
    not_observed,
    passed,
)
from rookery.spec.model import Platform

# Warnings that are muted on purpose: docs of the CephCluster in the tree say why.
_MUTED: Mapping[Platform, str] = {KUBERNETES: "AUTH_INSECURE_"}
_SKEW_LIMIT = 0.05  # seconds: Ceph's mon_clock_drift_allowed
# States of a PG that is looked through or tidied while all of it is there.
_CLEAN = frozenset({"active", "clean"})
_AT_WORK = frozenset({"scrubbing", "deep", "snaptrim", "snaptrim_wait"})
_MOVING_LIMIT = 20.0  # seconds


def quorum(subject: Subject) -> Evidence:
    """The designed monitors are in quorum; where Rook names them itself, as many."""
    wanted = sorted(daemon.id for _, daemon in subject.design.with_daemon(DaemonKind.MON))
    inside = sorted(subject.system.ceph().mon("quorum_status")["quorum_names"])
    good = inside == wanted if _names_daemons(subject.design) else len(inside) == len(wanted)
    return judged(good, f"{len(inside)} of {len(wanted)} in quorum: {', '.join(inside)}")


def _names_daemons(design: Design) -> bool:
    """Tell whether daemons have the ids, and pools the PGs, of the design: Rook gives them others."""
    return design.platform == NATIVE


def health(subject: Subject) -> Evidence:
    """HEALTH_OK, with nothing muted but what the design mutes."""
    status = subject.system.ceph().mon("health", detail="detail")
    reasons = [check["summary"]["message"] for check in status["checks"].values() if not check.get("muted")]
    ours = _MUTED.get(subject.design.platform)
    muted = [mute["code"] for mute in status["mutes"]]
    strange = [code for code in muted if ours is None or not code.startswith(ours)]
    words = "; ".join([*reasons, *(f"{code} is muted" for code in strange)])
    kept = f"{len(muted)} warnings of older keys muted" if muted else "nothing muted"
    return judged(status["status"] == "HEALTH_OK" and not strange, words or f"HEALTH_OK, {kept}")


def managers(subject: Subject) -> Evidence:
    wanted = len(subject.design.with_daemon(DaemonKind.MGR))
    state = subject.system.ceph().mon("mgr dump")
    standby = [manager["name"] for manager in state["standbys"]]
    good = bool(state["available"]) and 1 + len(standby) == wanted
    return judged(
        good, f"active {state['active_name'] or 'none'}, standing by {', '.join(standby) or 'none'}"
    )


def osds(subject: Subject) -> Evidence:
    """Every host has as many OSDs under it in CRUSH as designed, all up and in."""
    nodes = subject.system.ceph().mon("osd tree")["nodes"]
    by_id = {node["id"]: node for node in nodes}
    hosts_there = [node for node in nodes if node["type"] == "host"]
    under = {node["name"]: [by_id[number] for number in node["children"]] for node in hosts_there}
    wrong, total = [], 0
    hosts = [host for host in subject.design.hosts if host.daemons_of(DaemonKind.OSD)]
    for host in hosts:
        wanted, there = len(host.daemons_of(DaemonKind.OSD)), under.get(host.name, [])
        away = [_away(osd) for osd in there if _away(osd)]
        total += len(there) - len(away)
        if len(there) != wanted or away:
            reasons = f" ({', '.join(away)})" if away else ""
            wrong.append(f"{len(there) - len(away)} of {wanted} on {host.name}{reasons}")
    return judged(not wrong, "; ".join(wrong) or f"{total} up and in, {_spread(hosts)}")


def _away(osd: Mapping[str, Any]) -> str:
    """Return how an OSD of the tree is away, empty where it is up and in."""
    if osd["status"] != "up":
        return f"{osd['name']} is {osd['status']}"
    return "" if osd["reweight"] > 0 else f"{osd['name']} is out"


def _spread(hosts: Sequence[Host]) -> str:
    counts = {len(host.daemons_of(DaemonKind.OSD)) for host in hosts}
    return f"{counts.pop()} on each of {len(hosts)} hosts" if len(counts) == 1 else f"on {len(hosts)} hosts"


def placement_groups(subject: Subject) -> Evidence:
    """Every PG is active+clean, scrubbing or not, and they are as many as designed, where no autoscaler
    decides that. One that the balancer moves is not clean, for a moment; it gets that moment."""
    wanted = sum(pool.pg_num for pool in subject.design.pools) if _names_daemons(subject.design) else 0
    began = time.monotonic()
    while True:
        states = subject.system.ceph().mon("pg stat")["pg_summary"]["num_pg_by_state"]
        total = sum(state["num"] for state in states)
        good = total >= max(wanted, 1) and all(_is_clean(state["name"]) for state in states)
        waited = time.monotonic() - began
        if good or waited > _MOVING_LIMIT:
            break
        time.sleep(0.5)
    words = ", ".join(f"{state['num']} {state['name']}" for state in states) or "there is none"
    after = f" after {waited:.0f} s" if waited > 1 else ""
    designed = f"; the design has {wanted}" if wanted else ""
    return judged(good, f"{words}{after}{designed}")


def _is_clean(state: str) -> bool:
    return frozenset(state.split("+")) - _AT_WORK == _CLEAN


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
    if len(subject.design.with_daemon(DaemonKind.MON)) == 1:
        return passed("one monitor, with no other to differ from")
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
