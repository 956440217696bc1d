"""Spec to Design: the pure function that everything else is a projection of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rookery.design.addresses import ServerAddresses
from rookery.design.app import Placers, Surroundings
from rookery.design.cluster import build_cluster, cluster_frontends, pod_network
from rookery.design.kept import Kept
from rookery.design.model import (
    AppDesign,
    Daemon,
    DaemonKind,
    Design,
    Frontend,
    Host,
    Instance,
    Network,
    Role,
)
from rookery.design.naming import (
    Addresses,
    control_plane_name,
    derived_network,
    network_prefix,
    storage_name,
    worker_name,
)
from rookery.design.placement import (
    DASHBOARD_PORT,
    RGW_PORT,
    as_rook_starts,
    build_drives,
    daemon_counts,
    place_daemons,
)
from rookery.design.pods import Storage
from rookery.design.pools import (
    LAB_PGS_PER_OSD,
    PRODUCTION_PGS_PER_OSD,
    RGW_ZONE,
    ROOK_ZONE,
    build_pools,
    file_pools,
)
from rookery.design.sharing import share_memory
from rookery.design.stored import FileSystem, Keeping, ObjectStore, Pool
from rookery.design.users import build_users
from rookery.errors import InputError
from rookery.providers import PROVIDERS
from rookery.releases import DEFAULT_RELEASE
from rookery.spec.model import Machine, Platform, Spec
from rookery.texts import one_line
from rookery.units import GB, MIB
from rookery.versions import DISTRIBUTIONS

FILE_SYSTEM_NAME = "cephfs"
_NOTHING = Kept()


def build_design(spec: Spec, *, placers: Placers, kept: Kept = _NOTHING) -> Design:
    """Compute the complete design of a spec.

    `placers` says for each application's name how it takes part; `kept` is where daemons of a running system
    stand already. Raises InputError where no design exists at all (no host to run on, no address left); what
    is possible but unwise is left to the checks.
    """
    platform: Platform = spec.platform or ("native" if PROVIDERS[spec.provider].native else "kubernetes")
    network = _network(spec)
    hosts = _hosts(spec, platform, network, kept)
    pools = _pools(spec, platform)
    surroundings = _surroundings(spec, platform, network, hosts, pools)
    apps = _apps(spec, placers, surroundings)
    frontends = _frontends(spec, platform, hosts, apps)
    hosts = _with_instances(hosts, apps)
    if frontends:
        hosts = (*hosts, _load_balancer(spec, network))
    users = build_users(
        pools,
        surroundings.file_system,
        admin_hosts=tuple(name for name, _ in surroundings.control_plane),
        worker_hosts=tuple(name for name, _ in surroundings.workers),
    )
    return Design(
        name=spec.name,
        description=" ".join(one_line(spec.description).split()),
        provider=spec.provider,
        platform=platform,
        distribution=spec.storage.distribution,
        ceph=spec.storage.ceph or _release(spec, platform, kept),
        network=network,
        hosts=hosts,
        pools=pools,
        file_system=surroundings.file_system,
        object_store=surroundings.object_store,
        dashboard=spec.storage.dashboard,
        users=(*users, *(user for app in apps for user in app.users)),
        apps=apps,
        frontends=frontends,
        kubernetes=build_cluster(spec, hosts) if platform == "kubernetes" else None,
    )


def _release(spec: Spec, platform: Platform, kept: Kept) -> str:
    """Return the release of Ceph where the spec says none: the one that runs, or the one that is packaged."""
    if platform == "kubernetes":
        return DISTRIBUTIONS[spec.storage.distribution].ceph
    return kept.ceph or DEFAULT_RELEASE


def _surroundings(
    spec: Spec, platform: Platform, network: Network, hosts: tuple[Host, ...], pools: tuple[Pool, ...]
) -> Surroundings:
    return Surroundings(
        system=spec.name,
        platform=platform,
        control_plane=_pairs(hosts, Role.CONTROL_PLANE),
        workers=_pairs(hosts, Role.WORKER),
        balancer=_balancer(spec, network),
        apps=frozenset(name for name, _ in spec.chosen()),
        block_pools=_block_pools(pools),
        file_system=_file_system(spec),
        object_store=_object_store(spec, platform),
    )


def _pools(spec: Spec, platform: Platform) -> tuple[Pool, ...]:
    """Return the pools; where drives are of several classes, all pools are on the first one's."""
    drives = build_drives(spec.hosts.storage.drives)
    used = [drive for drive in drives if drive.device_class == drives[0].device_class]
    return build_pools(
        spec.storage,
        osds=spec.hosts.storage.count * len(used),
        device_class=drives[0].device_class if len(used) < len(drives) else "",
        target=LAB_PGS_PER_OSD if platform == "native" else PRODUCTION_PGS_PER_OSD,
        zone=_zone(platform),
    )


def _zone(platform: Platform) -> str:
    return RGW_ZONE if platform == "native" else ROOK_ZONE


def _network(spec: Spec) -> Network:
    counts = spec.hosts.control_plane.count, spec.hosts.workers.count, spec.hosts.storage.count
    prefix = network_prefix(*counts, kept_last=PROVIDERS[spec.provider].network.kept_last)
    public = spec.network.public or derived_network(spec.name, prefix)
    return Network(
        public=public,
        gateway=Addresses(public, "network.public").gateway,
        cluster=spec.network.cluster or "",
        mtu=spec.network.mtu or PROVIDERS[spec.provider].network.mtu,
        encryption=spec.network.encryption,
    )


def _hosts(spec: Spec, platform: Platform, network: Network, kept: Kept) -> tuple[Host, ...]:
    """Return the servers with their daemons, in the order control plane, workers, storage."""
    control, workers = spec.hosts.control_plane, spec.hosts.workers
    if not control.count and Role.CONTROL_PLANE not in spec.hosts.storage.also:
        raise InputError(
            "hosts.controlPlane.count: there is no control plane",
            hint="Set it to 1 or 3, or add `also: [control-plane]` to hosts.storage.",
        )
    first = PROVIDERS[spec.provider].network.balancer_number + 1
    addresses = ServerAddresses(spec, Addresses(network.public, "network.public", first=first))
    return (
        *(
            _host(control_plane_name(n), (Role.CONTROL_PLANE,), addresses.control_plane(n), control)
            for n in range(control.count)
        ),
        *(_host(worker_name(n), (Role.WORKER,), addresses.worker(n), workers) for n in range(workers.count)),
        *_storage_hosts(spec, platform, network, addresses, kept),
    )


def _storage_hosts(
    spec: Spec, platform: Platform, network: Network, addresses: ServerAddresses, kept: Kept
) -> tuple[Host, ...]:
    """Return the storage nodes with their drives and daemons."""
    storage = spec.hosts.storage
    cluster = Addresses(network.cluster, "network.cluster") if network.cluster else None
    roles = tuple(role for role in Role if role in (Role.STORAGE, *storage.also))
    drives = build_drives(storage.drives)
    names = tuple(storage_name(number) for number in range(storage.count))
    reserve = int(storage.memory) * (len(roles) - 1) // 4
    started = spec.storage if platform == "native" else as_rook_starts(spec.storage)
    daemons = place_daemons(started, names, drives, int(storage.memory), reserve=reserve, kept=kept)
    if platform == "kubernetes":
        daemons = _shared(spec, daemons, roles, reserve)
    return tuple(
        replace(
            _host(name, roles, addresses.storage(n), storage),
            cluster_address=cluster.storage(n) if cluster else "",
            drives=drives,
            daemons=daemons[name],
        )
        for n, name in enumerate(names)
    )


def _shared(
    spec: Spec, daemons: Mapping[str, tuple[Daemon, ...]], roles: tuple[Role, ...], others: int
) -> dict[str, tuple[Daemon, ...]]:
    """Return daemons with the memory that they are given in pods."""
    nodes = spec.hosts.storage
    there = Storage(
        kinds=tuple(kind for kind, count in daemon_counts(spec.storage) if count),
        drives=sum(kind.count for kind in nodes.drives),
        cpus=nodes.cpus,
        roles=roles,
        cilium=pod_network(spec) == "cilium",
        monitoring=spec.kubernetes.monitoring,
    )
    each = share_memory(there, int(nodes.memory), others=others)
    return {
        host: tuple(replace(one, memory=each[one.kind]) for one in found) for host, found in daemons.items()
    }


def _host(name: str, roles: tuple[Role, ...], address: str, machine: Machine) -> Host:
    return Host(
        name=name,
        roles=roles,
        address=address,
        cluster_address="",
        cpus=machine.cpus,
        memory=int(machine.memory),
        disk=int(machine.disk),
    )


def _balancer(spec: Spec, network: Network) -> str:
    number = PROVIDERS[spec.provider].network.balancer_number
    return spec.network.balancer or Addresses(network.public, "network.public").load_balancer(number)


def _load_balancer(spec: Spec, network: Network) -> Host:
    """Return the load balancer: a small server more where servers are made with one, else none of ours."""
    is_server = PROVIDERS[spec.provider].balancer == "server"
    return Host(
        name="lb-1",
        roles=(Role.LOAD_BALANCER,),
        address=_balancer(spec, network),
        cluster_address="",
        cpus=1 if is_server else 0,
        memory=256 * MIB if is_server else 0,
        disk=GB if is_server else 0,
    )


def _file_system(spec: Spec) -> FileSystem | None:
    file = spec.storage.file
    if not file.enabled:
        return None
    return FileSystem(
        name=FILE_SYSTEM_NAME,
        metadata_pool="cephfs-metadata",
        data_pools=file_pools(file),
        active_mds=file.mds.active,
        standby_mds=file.mds.standby,
    )


def _object_store(spec: Spec, platform: Platform) -> ObjectStore | None:
    if not spec.storage.object.enabled:
        return None
    return ObjectStore(port=RGW_PORT, data_pool=f"{_zone(platform)}.rgw.buckets.data")


def _pairs(hosts: tuple[Host, ...], role: Role) -> tuple[tuple[str, str], ...]:
    return tuple((host.name, host.address) for host in hosts if role in host.roles)


def _block_pools(pools: tuple[Pool, ...]) -> tuple[str, str] | None:
    names = [pool.name for pool in pools if pool.application == "rbd"]
    return (names[0], names[1] if len(names) > 1 else "") if names else None


def _apps(spec: Spec, placers: Placers, surroundings: Surroundings) -> tuple[AppDesign, ...]:
    chosen = spec.chosen()
    if chosen and not surroundings.workers:
        first = chosen[0][0]
        alone = first == "backup"
        raise InputError(
            f"hosts.workers.count: there is no worker for {first if alone else f'apps.{first}'}",
            hint="Set it to 2, or add `also: [worker]` to hosts.storage"
            + (", or write `backup: null`." if alone else "."),
        )
    return _kept(tuple(placers[name](settings, surroundings) for name, settings in chosen))


def _kept(apps: tuple[AppDesign, ...]) -> tuple[AppDesign, ...]:
    """Return applications with their buckets as the one wants them that backs them up."""
    keeping = next((app.keeping for app in apps if app.keeping is not None), None)
    if keeping is None:
        return apps
    kept = tuple(_keep(app, keeping) for app in apps)
    lent = tuple(
        (bucket.owner, f"{keeping.folder}/{bucket.name}")
        for app in kept
        for bucket in app.buckets
        if bucket.copied_by
    )
    return tuple(_lend(app, lent) if app.keeping else app for app in kept)


def _lend(app: AppDesign, lent: tuple[tuple[str, str], ...]) -> AppDesign:
    """Return who keeps with its bucket as the others' owners may read it."""
    buckets = (one if one.copied_by else replace(one, lent=lent) for one in app.buckets)
    return replace(app, buckets=tuple(buckets))


def _keep(app: AppDesign, wanted: Keeping) -> AppDesign:
    """Return an application with its buckets kept; of who keeps, those that say so themselves."""
    if app.keeping is not None:
        return app
    buckets = (replace(one, copied_by=wanted.user, versions=wanted.versions) for one in app.buckets)
    return replace(app, buckets=tuple(buckets), pods=(*app.pods, *(wanted.pods if app.buckets else ())))


def _frontends(
    spec: Spec, platform: Platform, hosts: tuple[Host, ...], apps: tuple[AppDesign, ...]
) -> tuple[Frontend, ...]:
    found = (*(front for app in apps for front in app.frontends), *_ceph_frontends(spec, hosts))
    return cluster_frontends(found, hosts) if platform == "kubernetes" else found


def _ceph_frontends(spec: Spec, hosts: tuple[Host, ...]) -> tuple[Frontend, ...]:
    """Return the load balancer's ports for Ceph's own services."""
    found: list[Frontend] = []
    if spec.storage.object.enabled:
        found.append(
            Frontend(
                name="s3",
                port=RGW_PORT,
                backends=_backends(hosts, DaemonKind.RGW),
                backend_port=RGW_PORT,
                check="/swift/healthcheck",
            )
        )
    if spec.storage.dashboard:
        # Standby managers answer 503 (standby_behaviour=error): the balancer finds the active one.
        found.append(
            Frontend(
                name="dashboard",
                port=DASHBOARD_PORT,
                backends=_backends(hosts, DaemonKind.MGR),
                backend_port=DASHBOARD_PORT,
                check="/",
            )
        )
    return tuple(found)


def _backends(hosts: tuple[Host, ...], kind: DaemonKind) -> tuple[tuple[str, str], ...]:
    return tuple((host.name, host.address) for host in hosts if host.daemons_of(kind))


def _with_instances(hosts: tuple[Host, ...], apps: tuple[AppDesign, ...]) -> tuple[Host, ...]:
    placed: dict[str, list[Instance]] = {}
    for app in apps:
        for host_name, instance in app.placements:
            placed.setdefault(host_name, []).append(instance)
    return tuple(replace(host, instances=tuple(placed.get(host.name, ()))) for host in hosts)
