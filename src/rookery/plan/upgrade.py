"""The steps that bring a running native system from one release of Ceph to the next, in Ceph's own order.

They follow each other: monitors, managers, OSDs host by host, metadata servers, gateways, then who uses
Ceph's libraries; keys last, because a program of the old release cannot read a new one. Sources:
https://docs.ceph.com/en/tentacle/releases/tentacle/#upgrading-from-reef-or-squid and, for the keys, what was
measured (docs/upgrade-18-to-20.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rookery.design.model import DaemonKind, Design
from rookery.plan.step import Step

UPGRADE = "upgrade"


def plan_upgrade(design: Design) -> tuple[Step, ...]:
    """Return the steps of an upgrade to the release of `design`, each after the one before."""
    steps: list[Step] = []
    for step in _steps(design):
        steps.append(replace(step, needs=(steps[-1].id,)) if steps else step)
    return tuple(steps)


def _steps(design: Design) -> Iterator[Step]:
    yield _step("image", f"root image with Ceph {design.ceph}")
    yield _step("offered", f"Ceph {design.ceph} laid beside what each server runs")
    yield _step("moved:mon", "monitors, one after the other")
    yield _step("tickets", "tickets that last for seconds")
    yield _step("moved:mgr", "managers, the active one last")
    for host in design.hosts:
        if host.daemons_of(DaemonKind.OSD):
            yield _step(f"moved:osd:{host.name}", f"OSDs of {host.name}", target=host.name)
    yield _step("required", "OSDs of the new release required")
    if design.file_system is not None:
        yield _step("moved:mds", "metadata servers, the active one last")
    yield _step("commands", "commands on servers by the new release")
    yield _step("rotated", "new keys, entity by entity")
    if design.object_store is not None:
        yield _step("moved:rgw", "S3 gateways, one after the other")
    yield _step("moved:clients", "shares, and applications that use Ceph's libraries")
    for volume in design.volumes:
        yield _step(f"moved:volume:{volume.name}", f"block volume of {volume.host}", target=volume.name)
    yield _step("narrowed", "old ciphers refused")
    yield _step("settled", "HEALTH_OK with nothing muted")


def _step(name: str, title: str, *, target: str = "") -> Step:
    return Step(id=name, phase=UPGRADE, title=title, target=target)
