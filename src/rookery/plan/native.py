"""The steps that bring a native system up, from an empty machine to a published site.

Servers start all at once and their daemons prepare themselves; what follows are the few things that the
cluster must be told, in the order in which they become possible.
"""

from __future__ import annotations

from rookery.apps import table
from rookery.design.model import AppDesign, DaemonKind, Design, Host
from rookery.plan.step import Step

MACHINE, SERVERS, CEPH, APPS = "machine", "servers", "ceph", "apps"


def plan_native(design: Design) -> tuple[Step, ...]:
    """Return every step for `design`, each after those it needs."""
    looks = _looks(design)
    looked = tuple(step.id for step in looks)
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
        *looks,
        Step(id="identity", phase=MACHINE, title="keys and certificates", after=looked),
        Step(id="network", phase=MACHINE, title="network of the servers", after=looked),
        *_way_out(design),
        *(step for step in servers if "quorum" not in step.needs),
        _quorum(design),
        *(step for step in servers if "quorum" in step.needs),
        *_ceph(design),
        *_apps(design),
    )


def _looks(design: Design) -> tuple[Step, ...]:
    """Return the steps that look at what a user brings, before anything but the image is made: one file that
    cannot be published is named, and nothing has to be taken down."""
    given = (
        app.name for app in design.apps if app.makes and table.APPS[app.name].folder(app.settings) is not None
    )
    return tuple(
        Step(
            id=f"looked:{name}",
            phase=MACHINE,
            title=f"{name}: your files can be played",
            needs=("image",),
            target=name,
        )
        for name in given
    )


def _way_out(design: Design) -> tuple[Step, ...]:
    """Return the step that lets backups through to the places of their copies, where there are some."""
    keeping = None if design.backup is None else design.backup.keeping
    if keeping is None or not keeping.copies:
        return ()
    title = "way out to the copies of backups"
    return (Step(id="way-out", phase=MACHINE, title=title, needs=("image", "network")),)


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
    steps = [*_volumes(design), *_made(design)]
    if design.object_store is not None:
        steps.append(Step(id="s3-users", phase=APPS, title="S3 users", needs=("gateways", _admin(design))))
    for app in design.apps:
        steps += _app(design, app)
    if design.load_balancer is not None:
        apps = tuple(step.id for step in steps if step.id.startswith(("app:", "started:")))
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


def _volumes(design: Design) -> tuple[Step, ...]:
    return tuple(
        Step(
            id=f"volume:{volume.name}",
            phase=APPS,
            title=f"block volume on {volume.host}",
            needs=("pools", f"server:{volume.host}"),
            target=volume.name,
        )
        for volume in design.volumes
    )


def _made(design: Design) -> tuple[Step, ...]:
    """Return the steps that make content: from the first second on, because what follows them is long."""
    return tuple(
        Step(
            id=f"made:{name}",
            phase=APPS,
            title=f"{name}: content made",
            needs=("image",),
            after=(f"looked:{name}",),
            target=name,
        )
        for name in (app.name for app in design.apps if app.makes)
    )


def _app(design: Design, app: AppDesign) -> tuple[Step, ...]:
    """Return the steps of one application: what waits for its storage is started, and its content put there.

    Both may go side by side: an application waits for its data by itself.
    """
    servers = tuple(f"server:{name}" for name in dict.fromkeys(name for name, _ in app.placements))
    volumes = tuple(f"volume:{volume.name}" for volume in app.volumes)
    shares = ("filesystem",) if app.shares else ()
    databases = ("databases",) if app.databases and app.service is None else ()
    made = tuple(f"made:{name}" for name in dict.fromkeys((*((app.name,) if app.makes else ()), *app.uses)))
    buckets = ("s3-users", *_balancer(design)) if app.buckets else ()
    steps = [
        Step(
            id=f"started:{app.name}",
            phase=APPS,
            title=f"{app.name}: started",
            needs=(*servers, *volumes, *shares, *databases),
            target=app.name,
        )
    ]
    if app.service is not None:
        needs = (f"started:{app.name}",)
        steps.append(Step(id="databases", phase=APPS, title="a primary, databases, roles", needs=needs))
        databases = ("databases",)
    steps.append(
        Step(
            id=f"app:{app.name}",
            phase=APPS,
            title=f"{app.name}: content" if app.buckets else f"{app.name}: ready",
            needs=(*servers, *databases, *made, *buckets),
            target=app.name,
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
