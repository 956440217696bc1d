"""The state of a running system, in short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rookery.systems.native.bootstrap import health_of
from rookery.systems.protocol import HostStatus, System


@dataclass(frozen=True, slots=True, kw_only=True)
class AppInstance:
    """One instance of an application as it is; `note` is what it is among its peers (`leader`)."""

    app: str
    component: str
    host: str
    running: bool
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Hosts with their programs, the applications' instances, and the cluster's health in words.

    `complete` tells whether every host and program runs and the cluster is HEALTH_OK.
    """

    hosts: tuple[HostStatus, ...]
    instances: tuple[AppInstance, ...]
    health: str
    complete: bool


def read_state(system: System) -> State:
    """Look at a system now; a cluster that does not answer is a health of its own."""
    hosts = system.hosts()
    instances = app_instances(system, hosts)
    running = all(host.running and all(program.running for program in host.programs) for host in hosts)
    ceph = system.ceph_or_none()
    if ceph is None:
        health = "the cluster does not answer"
        return State(hosts=hosts, instances=instances, health=health, complete=False)
    health, clean, total = health_of(ceph.mon("status"))
    return State(
        hosts=hosts,
        instances=instances,
        health=f"{health}, {clean} of {total} PGs active+clean",
        complete=running and health == "HEALTH_OK" and clean == total,
    )


def app_instances(system: System, hosts: Sequence[HostStatus]) -> tuple[AppInstance, ...]:
    """Return every instance of the design, by application and component, as the hosts' programs show it."""
    running = {(p.host, p.name) for status in hosts for p in status.programs if p.running}
    roles = {m.name: m.role.replace("_", " ") for m in system.members()} if system.design.database else {}
    found = [
        AppInstance(
            app=instance.app,
            component=instance.component,
            host=host.name,
            running=(host.name, instance.name) in running,
            note=roles.get(host.name, "") if instance.component == "postgres" else "",
        )
        for host in system.design.hosts
        for instance in host.instances
    ]
    order = [app.name for app in system.design.apps]
    return tuple(sorted(found, key=lambda entry: (order.index(entry.app), entry.component)))
