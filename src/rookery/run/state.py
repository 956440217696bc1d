"""The state of a running system, in short."""

from __future__ import annotations

from dataclasses import dataclass

from rookery.systems.native.bootstrap import health_of
from rookery.systems.native.lab import NativeSystem
from rookery.systems.protocol import HostStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Hosts with their programs, and the cluster's health in words.

    `complete` tells whether every host and program runs and the cluster is HEALTH_OK.
    """

    hosts: tuple[HostStatus, ...]
    health: str
    complete: bool


def read_state(system: NativeSystem) -> State:
    """Look at a system now; a cluster that does not answer is a health of its own."""
    hosts = system.hosts()
    running = all(host.running and all(program.running for program in host.programs) for host in hosts)
    ceph = system.ceph_or_none()
    if ceph is None:
        return State(hosts=hosts, health="the cluster does not answer", complete=False)
    health, clean, total = health_of(ceph.mon("status"))
    return State(
        hosts=hosts,
        health=f"{health}, {clean} of {total} PGs active+clean",
        complete=running and health == "HEALTH_OK" and clean == total,
    )
