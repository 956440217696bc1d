"""Which services go on: Ceph's, each application with what it stands on, and the ways in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rookery.design.model import AppDesign
from rookery.design.survival import sentences
from rookery.design.survival.left import Left
from rookery.design.survival.sentences import Said
from rookery.design.survival.verdict import DataKind, PoolLeft, Service

_NOTHING = "nothing of it is lost"
# What a port of the load balancer leads to, where that is no application's.
_BEHIND = {"s3": "objects", "dashboard": "dashboard", "api": "control plane"}


def services(left: Left, pools: Sequence[PoolLeft]) -> tuple[Service, ...]:
    """Return every service of the design, what others stand on before them."""
    found: dict[str, Service] = {}
    for service in (*_ceph(left, pools), *_administration(left)):
        found[service.name] = service
    for app in sorted(left.whole.design.apps, key=lambda app: app.service is None):
        found[app.name] = _application(left, app, found)
    return (*found.values(), *_ways_in(left, found))


def _service(name: str, said: Iterable[Said], *, clients: bool = True, stops: Sequence[str] = ()) -> Service:
    """Return a service that goes on unless one of the sentences, or what it stands on (`stops`), is not
    well."""
    heard = tuple(said)
    broken = (*(one.text for one in heard if one.clients and not one.well), *stops)
    words = broken or tuple(one.text for one in heard) or (_NOTHING,)
    return Service(name=name, clients=clients, goes_on=not broken, why="; ".join(words))


def _ceph(left: Left, pools: Sequence[PoolLeft]) -> Iterator[Service]:
    monitors = sentences.monitors(left)
    yield _service("monitors", (monitors,))
    programs = {DataKind.FILES: sentences.metadata_servers, DataKind.OBJECTS: sentences.gateways}
    for kind in (DataKind.BLOCK, DataKind.FILES, DataKind.OBJECTS):
        own = [pool for pool in pools if pool.kind is kind]
        if own:
            worst = min(own, key=lambda pool: (pool.active, pool.served - pool.min_size))
            said = [Said(text=worst.why, well=worst.active)]
            said += [programs[kind](left)] if kind in programs else []
            stops = () if monitors.well else ("without a majority of the monitors no client comes in",)
            yield _service(kind.value, said, stops=stops)


def _administration(left: Left) -> Iterator[Service]:
    majority = sentences.monitors(left)
    lost = () if majority.well else (majority.text,)
    if left.whole.design.dashboard:
        managers = sentences.managers(left)
        gone = () if managers.well else (managers.text,)
        yield _service("dashboard", (managers,), clients=False, stops=(*gone, *lost))
    control = sentences.control_plane(left)
    stops = () if control.well else (control.text,)
    yield _service("control plane", (control,), clients=False, stops=stops)


def _application(left: Left, app: AppDesign, found: dict[str, Service]) -> Service:
    """Return an application: each component has an instance, and what it stands on goes on."""
    names = {instance.name for _, instance in app.placements}
    said = [*sentences.instances(left, tuple(names))]
    if app.service is not None:
        further = (*sentences.coordinators(left), sentences.succession(left), sentences.undecided(left))
        said += [one for one in further if one is not None]
    stops = tuple(f"{name} stops" for name in _grounds(left, app) if not found[name].goes_on)
    return _service(app.name, said, stops=stops)


def _grounds(left: Left, app: AppDesign) -> tuple[str, ...]:
    """Return the services that an application stands on while it runs."""
    wanted = (
        (app.volumes, DataKind.BLOCK.value),
        (app.shares, DataKind.FILES.value),
        (app.buckets, DataKind.OBJECTS.value),
    )
    found = [name for claims, name in wanted if claims]
    owner = sentences.database_app(left)
    if app.databases and app.service is None and owner is not None:
        found.append(owner.name)
    return tuple(found)


def _ways_in(left: Left, found: dict[str, Service]) -> Iterator[Service]:
    design = left.whole.design
    if not design.frontends:
        return
    gone = sentences.load_balancer(left)
    yield _service("load balancer", () if gone is None else (gone,))
    balancer = () if gone is None else ("the load balancer is lost",)
    owners = {front.name: app.name for app in design.apps for front in app.frontends}
    for front in design.frontends:
        behind = found.get(owners.get(front.name, _BEHIND.get(front.name, "")))
        lost = () if behind is None or behind.goes_on else (f"{behind.name} stops",)
        clients = behind is None or behind.clients
        yield _service(f"port {front.name}", (), clients=clients, stops=(*balancer, *lost))
