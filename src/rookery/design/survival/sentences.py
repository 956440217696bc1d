"""The sentences on programs and hosts: each says how much of something is left, and whether that is well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rookery.design.model import AppDesign, DaemonKind, Instance, Role
from rookery.design.survival.data import database_components
from rookery.design.survival.left import Left


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One sentence: whether it is well, and whether clients' reads and writes depend on it."""

    text: str
    well: bool
    clients: bool = True


def monitors(left: Left) -> Said:
    now, total = left.daemons(DaemonKind.MON), left.whole.there.daemons[DaemonKind.MON]
    well = left.has_quorum
    return Said(text=f"{now} of {total} monitors are left, {'a' if well else 'no'} majority", well=well)


def metadata_servers(left: Left) -> Said:
    system = left.whole.design.file_system
    return _enough(left, DaemonKind.MDS, system.active_mds if system else 0, "the file system")


def gateways(left: Left) -> Said:
    return _enough(left, DaemonKind.RGW, 1 if left.whole.design.object_store else 0, "object storage")


def _enough(left: Left, kind: DaemonKind, least: int, service: str) -> Said:
    now, total = left.daemons(kind), left.whole.there.daemons[kind]
    well = now >= least
    stops = "" if well else f": {service} stops"
    return Said(text=f"{now} of {total} {kind} daemons are left{stops}", well=well)


def managers(left: Left) -> Said:
    """Speak of administration: reads and writes need no manager."""
    now, total = left.daemons(DaemonKind.MGR), left.whole.there.daemons[DaemonKind.MGR]
    if now:
        return Said(text=f"{now} of {total} managers are left", well=True, clients=False)
    text = "no manager is left: no dashboard, no figures, no new volumes"
    return Said(text=text, well=False, clients=False)


def instances(left: Left, names: Iterator[str] | tuple[str, ...]) -> Iterator[Said]:
    """Speak of the components of applications that have lost instances."""
    for name in sorted(names):
        if left.gone.instances[name] and name not in left.whole.electing:
            now, total = left.instances(name), left.whole.there.instances[name]
            yield Said(text=f"{now} of {total} {name} instances are left", well=now > 0)


def coordinators(left: Left) -> Iterator[Said]:
    """Speak of who decides which instance is primary: without a majority, a primary goes on only while it
    reaches all others, and none takes over."""
    for name, instance in sorted(left.whole.electing.items()):
        if left.gone.instances[name]:
            yield _coordinator(left, name, instance)


def _coordinator(left: Left, name: str, instance: Instance) -> Said:
    now, total = left.instances(name), left.whole.there.instances[name]
    text = f"{now} of {total} {name} instances are left"
    if 2 * now > total:
        return Said(text=f"{text}, a majority", well=True, clients=False)
    if left.gone.instances[instance.elects]:
        text += f", no majority, and a {instance.app} instance is lost as well: the {instance.app} stops"
        return Said(text=text, well=False)
    text += f", no majority: the {instance.app} goes on, without failover"
    return Said(text=text, well=False, clients=False)


def succession(left: Left) -> Said | None:
    """Speak of a primary that is lost together with the one instance that has all that it acknowledged.

    Nobody else takes over: a transaction that two instances have is safe, and waits for one of the two. None
    where that is not so.
    """
    service = left.whole.design.database
    if service is None or not service.synchronous:
        return None
    for name in database_components(left):
        if left.gone.instances[name] >= 2 and left.instances(name):
            text = f"two {name} instances may have what no other has: none of the others takes over"
            return Said(text=text, well=False)
    return None


def control_plane(left: Left) -> Said:
    now, total = left.hosts(Role.CONTROL_PLANE), left.whole.there.roles[Role.CONTROL_PLANE]
    answers = left.changes_are_made
    then = "" if answers else ": what runs goes on, but nothing is changed or moved"
    return Said(text=f"{now} of {total} control planes are left{then}", well=answers, clients=False)


def undecided(left: Left) -> Said | None:
    """Speak of the database while no API server can say which instance is primary."""
    app = database_app(left)
    if app is None or left.whole.design.platform != "kubernetes" or left.changes_are_made:
        return None
    if any(left.gone.instances[instance.name] for _, instance in app.placements):
        text = (
            f"a {app.name} instance is lost as well, and nobody can say who is primary: the {app.name} stops"
        )
        return Said(text=text, well=False)
    return Said(text=f"the {app.name} goes on, without failover", well=False, clients=False)


def database_app(left: Left) -> AppDesign | None:
    return next((app for app in left.whole.design.apps if app.service is not None), None)


def load_balancer(left: Left) -> Said | None:
    """Speak of what is reached through the load balancer alone; None while it is there."""
    if not left.gone.roles[Role.LOAD_BALANCER]:
        return None
    names = ", ".join(frontend.name for frontend in left.whole.design.frontends)
    text = f"{names} are reached through it alone, block and file storage without it"
    return Said(text=text, well=False)
