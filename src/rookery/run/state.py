"""The state of a running system, in short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rookery.design.model import Design, Host, Instance
from rookery.drivers.ceph.health import health_of, versions_of
from rookery.drivers.machine.asked import LONG, SHORT, Asked
from rookery.systems.protocol import HostStatus, Member, System


@dataclass(frozen=True, slots=True, kw_only=True)
class AppInstance:
    """One instance of an application as it is; `note` is what it is among its peers (`leader`).

    `trouble` says why one whose program runs does not do its part; empty where it does.
    """

    app: str
    component: str
    host: str
    running: bool
    note: str
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Hosts with their programs, the applications' instances, and the cluster's health in words.

    `versions` are those of Ceph that its daemons run, the oldest first; empty where nobody tells.
    `complete` tells whether every host and program runs and the cluster is HEALTH_OK.
    """

    hosts: tuple[HostStatus, ...]
    instances: tuple[AppInstance, ...]
    health: str
    complete: bool
    versions: tuple[str, ...] = ()


def read_state(system: System) -> State:
    """Look at a system now; a cluster that does not answer is a health of its own."""
    cluster = Asked(lambda: _told(system))
    members = Asked(system.members) if system.design.database else None
    hosts = system.hosts()
    limit = patience(hosts)
    instances = app_instances(system.design, hosts, members.result(limit) if members else ())
    running = all(host.running and not host.trouble for host in hosts)
    running = running and all(program.running for host in hosts for program in host.programs)
    running = running and not any(instance.trouble for instance in instances)
    told = cluster.result(limit)
    if told is None:
        health = "the cluster does not answer"
        return State(hosts=hosts, instances=instances, health=health, complete=False)
    (health, clean, total), versions = told
    return State(
        hosts=hosts,
        instances=instances,
        health=f"{health}, {clean} of {total} PGs active+clean",
        complete=running and health == "HEALTH_OK" and clean == total,
        versions=versions,
    )


def patience(hosts: Sequence[HostStatus]) -> float:
    """Return for how long an answer is waited for, in seconds: not long once a server is known to hang."""
    return SHORT if any(host.trouble for host in hosts) else LONG


def _told(system: System) -> tuple[tuple[str, int, int], tuple[str, ...]] | None:
    ceph = system.ceph_or_none()
    return None if ceph is None else (health_of(ceph.mon("status")), versions_of(ceph.mon("versions")))


def app_instances(
    design: Design, hosts: Sequence[HostStatus], members: Sequence[Member] | None
) -> tuple[AppInstance, ...]:
    """Return every instance of the design, by application and component, as the hosts' programs show it.

    `members` are the database's, None where they are not known.
    """
    running = {(p.host, p.name) for status in hosts for p in status.programs if p.running}
    seen = {member.name: member for member in members or ()}
    # On Kubernetes the operator chooses the nodes, and a pod that is not ready is no program that runs.
    component = "postgres" if design.platform == "native" else ""
    found = [
        AppInstance(
            app=instance.app,
            component=instance.component,
            host=host.name,
            running=(host.name, instance.name) in running,
            note=seen[host.name].role.replace("_", " ") if _is_member(instance, host, seen) else "",
            trouble=_trouble(seen.get(host.name)) if instance.component == component else "",
        )
        for host in design.hosts
        for instance in host.instances
    ]
    order = [app.name for app in design.apps]
    return tuple(sorted(found, key=lambda entry: (order.index(entry.app), entry.component)))


def _is_member(instance: Instance, host: Host, seen: Mapping[str, Member]) -> bool:
    return instance.component == "postgres" and host.name in seen


def _trouble(member: Member | None) -> str:
    return "no instance tells of it" if member is None else member.trouble
