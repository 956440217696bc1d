"""The steps that a change of a running system takes, from the two designs alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rookery.design.model import DaemonKind, Design
from rookery.plan.native import plan_native
from rookery.plan.step import Step
from rookery.plan.upgrade import plan_upgrade
from rookery.projections.native.server import render_server


def plan_change(before: Design, after: Design) -> tuple[Step, ...]:
    """Return the steps of `after` whose outcome differs from that of `before`.

    Running `up` looks at the system as well and does again what something else broke; and it asks every
    service, whatever changed.
    """
    moves = plan_upgrade(after) if before.ceph != after.ceph else ()
    affected = set(_affected(before, after))
    known = {step.id for step in plan_native(before)}
    steps = (step for step in plan_native(after) if step.id not in known or step.id in affected)
    changed = (
        replace(step, title=f"change {step.target}")
        if step.id.startswith("server:") and step.id in known
        else step
        for step in steps
    )
    return (*moves, *changed)


def _affected(before: Design, after: Design) -> Iterator[str]:
    """Yield the ids of steps, known before, that have something else to do now."""
    old = {host.name: host for host in before.hosts}
    if before.hosts != after.hosts:
        yield "identity"
    if {host.name for host in after.hosts} != old.keys():
        yield "network"
    for host in after.hosts:
        was = old.get(host.name)
        if was is not None and (
            was.drives != host.drives
            or render_server(before, was, fsid="") != render_server(after, host, fsid="")
        ):
            yield f"server:{host.name}"
    yield from _cluster(before, after)
    sizes = {volume.name: volume.size for volume in before.volumes}
    yield from (f"volume:{v.name}" for v in after.volumes if sizes.get(v.name) != v.size)
    apps = {app.name: app for app in before.apps}
    for app in after.apps:
        if app.name in apps and app != apps[app.name]:
            yield from (f"started:{app.name}", f"app:{app.name}")
    if before.frontends != after.frontends:
        yield "frontends"


def _cluster(before: Design, after: Design) -> Iterator[str]:
    kinds = {kind: (before.with_daemon(kind), after.with_daemon(kind)) for kind in DaemonKind}

    def differ(kind: DaemonKind) -> bool:
        old, new = kinds[kind]
        return [(host.name, daemon.id) for host, daemon in old] != [
            (host.name, daemon.id) for host, daemon in new
        ]

    if any(differ(kind) for kind in DaemonKind) or before.users != after.users:
        yield "registered"
    if differ(DaemonKind.OSD):
        yield from ("osds", "healthy")
    if before.pools != after.pools:
        yield from ("pools", "healthy")
    if before.file_system != after.file_system or differ(DaemonKind.MDS):
        yield "filesystem"
    if differ(DaemonKind.RGW):
        yield "gateways"
