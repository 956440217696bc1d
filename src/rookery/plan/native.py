"""The steps that bring a native system up, from an empty machine to a published site.

Servers start all at once and their daemons prepare themselves; what follows are the few things that the
cluster must be told, in the order in which they become possible.
"""

from __future__ import annotations

from rookery.design.model import DaemonKind, Design, Host
from rookery.plan.step import Step

MACHINE, SERVERS, CEPH, APPS = "machine", "servers", "ceph", "apps"


def plan_native(design: Design) -> tuple[Step, ...]:
    """Return every step for `design`, each after those it needs."""
    servers = tuple(
        Step(
            id=f"server:{host.name}",
            phase=SERVERS,
            title=f"start {host.name}",
            needs=("image", "identity", "network", *(() if _is_early(design, host) else ("quorum",))),
            target=host.name,
        )
        for host in sorted(design.hosts, key=lambda host: -len(host.daemons))
    )
    return (
        Step(id="image", phase=MACHINE, title="root image of the servers"),
        Step(id="identity", phase=MACHINE, title="keys and certificates"),
        Step(id="network", phase=MACHINE, title="network of the servers"),
        *(step for step in servers if "quorum" not in step.needs),
        _quorum(design),
        *(step for step in servers if "quorum" in step.needs),
        *_ceph(design),
        *_apps(design),
    )


def _quorum(design: Design) -> Step:
    needs = tuple(dict.fromkeys((*_servers_with(design, DaemonKind.MON), _admin(design))))
    return Step(id="quorum", phase=CEPH, title="quorum of the monitors", needs=needs)


def _ceph(design: Design) -> tuple[Step, ...]:
    steps = [
        Step(id="settings", phase=CEPH, title="cluster settings", needs=("quorum",)),
        Step(id="registered", phase=CEPH, title="users and OSDs registered", needs=("quorum",)),
        Step(
            id="osds",
            phase=CEPH,
            title="OSDs up",
            needs=("registered", *_servers_with(design, DaemonKind.OSD)),
        ),
        Step(id="pools", phase=CEPH, title="pools", needs=("osds",)),
    ]
    if design.file_system is not None:
        steps.append(
            Step(
                id="filesystem",
                phase=CEPH,
                title="CephFS with an active MDS",
                needs=("pools", *_servers_with(design, DaemonKind.MDS)),
            )
        )
    if design.object_store is not None:
        steps.append(
            Step(
                id="gateways",
                phase=CEPH,
                title="S3 gateways",
                needs=("pools", *_servers_with(design, DaemonKind.RGW)),
            )
        )
    healthy = ("quorum", *(step.id for step in steps))
    if design.dashboard:
        steps += [
            Step(id="dashboard", phase=CEPH, title="dashboard", needs=("settings", "registered")),
            Step(id="dashboard-user", phase=CEPH, title="dashboard's user", needs=("dashboard",)),
        ]
    steps.append(Step(id="healthy", phase=CEPH, title="HEALTH_OK, all PGs active+clean", needs=healthy))
    return tuple(steps)


def _apps(design: Design) -> tuple[Step, ...]:
    steps = []
    if design.object_store is not None:
        steps.append(Step(id="s3-users", phase=APPS, title="S3 users", needs=("gateways", _admin(design))))
    for app in design.apps:
        needs = tuple(f"server:{name}" for name, _ in app.placements)
        if app.buckets:
            needs = (*needs, "s3-users", *_balancer(design))
        steps.append(
            Step(
                id=f"app:{app.name}",
                phase=APPS,
                title=f"{app.name}: buckets and content",
                needs=needs,
                target=app.name,
            )
        )
    if design.load_balancer is not None:
        apps = tuple(f"app:{app.name}" for app in design.apps)
        dashboard = ("dashboard-user",) if design.dashboard else ()
        steps.append(
            Step(
                id="frontends",
                phase=APPS,
                title="every service answers through the load balancer",
                needs=("healthy", *dashboard, *apps, *_balancer(design)),
            )
        )
    return tuple(steps)


def _is_early(design: Design, host: Host) -> bool:
    """Tell whether a server starts at once. The others would take CPU from the monitors, for whose quorum
    everything waits; what they do comes later."""
    return bool(host.daemons) or host.name == design.admin_host.name


def _admin(design: Design) -> str:
    """Return the step of the server from which the cluster is administered."""
    return f"server:{design.admin_host.name}"


def _balancer(design: Design) -> tuple[str, ...]:
    return (f"server:{design.load_balancer.name}",) if design.load_balancer else ()


def _servers_with(design: Design, kind: DaemonKind) -> tuple[str, ...]:
    return tuple(f"server:{host.name}" for host in design.hosts if host.daemons_of(kind))
