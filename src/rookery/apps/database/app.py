"""The database as an application: where its instances and their coordinators go, and what they claim.

PostgreSQL runs on workers, each instance on an RBD volume of its own; etcd, which decides who is primary,
runs on the control plane, as it does for Kubernetes.
"""

from __future__ import annotations

from rookery.apps.app import App
from rookery.apps.database import etcd, patroni
from rookery.apps.database.kubernetes import IN_PODS
from rookery.apps.database.native import ON_SERVERS
from rookery.apps.database.settings import DatabaseSettings
from rookery.apps.sizes import BACKUP_SIDECAR, POSTGRES, instances
from rookery.design.app import Surroundings, storage_off
from rookery.design.model import AppDesign, Database, DatabaseService, Frontend, Instance
from rookery.design.pod import Size
from rookery.design.stored import Volume
from rookery.spec.model import AppSettings
from rookery.units import MIB
from rookery.versions import POSTGRES_MAJOR

PRIMARY_PORT = 5432
REPLICA_PORT = 5433
_MOST_INSTANCES = 3
_MOST_COORDINATORS = 5
_POSTGRES = Instance(
    app="database",
    component="postgres",
    memory=POSTGRES.memory,
    resident=45 * MIB,
    ports=(patroni.POSTGRES_PORT, patroni.API_PORT),
)
_ETCD = Instance(
    app="database",
    component="etcd",
    memory=128 * MIB,
    resident=25 * MIB,
    ports=(etcd.CLIENT_PORT, etcd.PEER_PORT),
    elects=_POSTGRES.name,
)


def place_database(settings: AppSettings, surroundings: Surroundings) -> AppDesign:
    """Put an instance with a volume on each of up to three workers, and etcd on the control plane."""
    assert isinstance(settings, DatabaseSettings)
    if surroundings.block_pools is None:
        raise storage_off("apps.database", "its data lives on block volumes", "block")
    hosts = surroundings.some_workers(settings.instances, _MOST_INSTANCES, "apps.database.instances")
    # On Kubernetes its API server, and with it the cluster's own etcd, says who is primary.
    coordinators = _odd(surroundings.control_plane) if surroundings.platform == "native" else ()
    return AppDesign(
        name="database",
        settings=settings,
        placements=(
            *((name, _POSTGRES) for name, _ in hosts),
            *((name, _ETCD) for name, _ in coordinators),
        ),
        frontends=_frontends(hosts),
        volumes=tuple(_volume(name, surroundings.block_pools, int(settings.volume)) for name, _ in hosts),
        # For verification and for load: each in a database of its own, away from the applications' data.
        databases=tuple(Database(name=name, user=name, owns=True) for name in ("verify", "load")),
        service=DatabaseService(
            address=surroundings.balancer,
            port=PRIMARY_PORT,
            read_port=REPLICA_PORT,
            instances=hosts,
            coordinators=coordinators,
            synchronous=settings.synchronous,
        ),
        pods=(instances(_POSTGRES, len(hosts), _pod_size(surroundings)),),
    )


def _pod_size(surroundings: Surroundings) -> Size:
    """Return what a pod of the database requests: with object storage, what backs it up runs beside it."""
    return POSTGRES if surroundings.object_store is None else POSTGRES + BACKUP_SIDECAR


def _volume(host: str, pools: tuple[str, str], size: int) -> Volume:
    return Volume(
        app="database",
        host=host,
        pool=pools[0],
        data_pool=pools[1],
        size=size,
        path=patroni.VOLUME,
        owner="postgres",
    )


def _odd(hosts: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return as many hosts as make a majority worth having: an even one more survives no more."""
    count = min(len(hosts), _MOST_COORDINATORS)
    return hosts[: count if count % 2 else count - 1]


def _frontends(hosts: tuple[tuple[str, str], ...]) -> tuple[Frontend, ...]:
    """Return the ports for the primary and for replicas; Patroni tells the balancer who is what."""
    return tuple(
        Frontend(
            name=name,
            port=port,
            backends=hosts,
            backend_port=patroni.POSTGRES_PORT,
            check=check,
            check_port=patroni.API_PORT,
            scheme="postgresql",
            fallback=fallback,
        )
        for name, port, check, fallback in (
            ("database", PRIMARY_PORT, "/primary", ""),
            # While there is no replica, the primary serves the reads too.
            ("database-reads", REPLICA_PORT, "/replica", "database"),
        )
    )


def _obstacle(before: AppDesign, after: AppDesign) -> str:
    old, new = before.settings, after.settings
    assert before.service is not None
    assert after.service is not None
    assert isinstance(old, DatabaseSettings)
    assert isinstance(new, DatabaseSettings)
    if before.service.coordinators != after.service.coordinators:
        return "etcd's members are fixed when it starts"
    if old.synchronous != new.synchronous:
        return "Patroni keeps this in etcd; `patronictl edit-config` on a worker changes it"
    return ""


DATABASE = App(
    name="database",
    settings=DatabaseSettings,
    place=place_database,
    about="PostgreSQL for the catalogue: a primary and its replicas, each on a block volume of its own,"
    " and daily backups to a bucket.",
    packages=(
        "etcd-client",
        "etcd-server",
        "patroni",
        f"postgresql-{POSTGRES_MAJOR}",
        "python3-dnspython",
        "python3-etcd",
        "xfsprogs",
    ),
    on_servers=ON_SERVERS,
    in_pods=IN_PODS,
    obstacle=_obstacle,
)
