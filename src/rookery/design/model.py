"""The Design: a spec fully resolved, immutable all the way down.

Every host, drive, daemon, instance and address stands here, so that each projection and each plan reads
instead of computing. Sizes are bytes; addresses and networks are text, as the files need them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rookery.design.pod import PodGroup
from rookery.design.stored import (
    Bucket,
    CephUser,
    Claim,
    FileSystem,
    Keeping,
    ObjectStore,
    Pool,
    Share,
    Volume,
)
from rookery.providers import PROVIDERS, Provider, Traits
from rookery.releases import RELEASES
from rookery.spec.model import AppSettings, Platform
from rookery.versions import DISTRIBUTIONS


class Role(StrEnum):
    """What a host is for. A host may have several (hyperconverged, compact)."""

    CONTROL_PLANE = "control-plane"
    WORKER = "worker"
    STORAGE = "storage"
    LOAD_BALANCER = "load-balancer"


class DaemonKind(StrEnum):
    """Ceph's daemons, by the names Ceph itself uses."""

    MON = "mon"
    MGR = "mgr"
    OSD = "osd"
    MDS = "mds"
    RGW = "rgw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """One data drive. `name` is its device on the host (`vdb`); an OSD owns it whole."""

    name: str
    size: int
    device_class: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """One Ceph daemon. `id` is Ceph's (`mon.storage-k` has `storage-k`, `osd.3` has `3`).

    `memory` is what it is given: for an OSD its osd_memory_target, for others the request. `drive` is the
    device of an OSD, empty for the others; `ports` are those it listens on at a fixed number.
    """

    kind: DaemonKind
    id: str
    memory: int
    drive: str = ""
    ports: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """Ceph's name of the daemon, such as `osd.3`."""
        return f"{self.kind}.{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One running copy of an application's component on a host (`cdn-edge` on worker-a).

    `memory` is what it is given; `resident` what it takes in a small lab, lightly loaded, as measured. A
    component that `elects` another decides by majority which instance of that component is primary.
    """

    app: str
    component: str
    memory: int
    resident: int
    ports: tuple[int, ...]
    elects: str = ""

    @property
    def name(self) -> str:
        return f"{self.app}-{self.component}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One server: an address on each network, its machine's size, and what runs on it.

    `cluster_address` is empty where there is no separate network for replication.
    """

    name: str
    roles: tuple[Role, ...]
    address: str
    cluster_address: str
    cpus: int
    memory: int
    disk: int
    drives: tuple[Drive, ...] = ()
    daemons: tuple[Daemon, ...] = ()
    instances: tuple[Instance, ...] = ()

    @property
    def is_dedicated(self) -> bool:
        """Whether it is for storage alone: on Kubernetes it is tainted, so that nothing else comes there."""
        return self.roles == (Role.STORAGE,)

    @property
    def is_open(self) -> bool:
        """Whether its node has no taint: a worker takes any pod, a control plane that is none does not."""
        shares = Role.WORKER in self.roles or Role.CONTROL_PLANE not in self.roles
        return shares and not self.is_dedicated

    def daemons_of(self, kind: DaemonKind) -> tuple[Daemon, ...]:
        return tuple(daemon for daemon in self.daemons if daemon.kind is kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The system's IPv4 networks.

    `gateway` is the address of the machine outside (in the lab: the bridge).
    """

    public: str
    gateway: str
    cluster: str
    mtu: int
    encryption: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A PostgreSQL database that an application asks for, with the role that its instances log in as.

    Unless it `owns` the database, the role may only do what the application's schema grants it; then the
    owner is a role that nobody logs in as.
    """

    name: str
    user: str
    owns: bool = False

    @property
    def owner(self) -> str:
        return self.user if self.owns else f"{self.name}_owner"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseService:
    """PostgreSQL as clients reach it: the primary at `port` of `address`, replicas at `read_port`.

    `instances` are name and address of the hosts that run it, `coordinators` those of etcd. Where it is
    `synchronous`, a transaction is acknowledged when two instances have it, if there are two.
    """

    address: str
    port: int
    read_port: int
    instances: tuple[tuple[str, str], ...]
    coordinators: tuple[tuple[str, str], ...]
    synchronous: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A part of the site that comes from elsewhere than the site's own bucket.

    Paths below `path` (`/media/`) are objects of `bucket`, or else come from `backends` (name and address)
    at `port`, over TLS. Only with `writes` are requests let through that change something.
    """

    path: str
    bucket: str = ""
    backends: tuple[tuple[str, str], ...] = ()
    port: int = 0
    writes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontend:
    """One port of the load balancer, passed through as TCP; the backends speak TLS themselves.

    `check` is the HTTP path that tells a healthy backend, `check_status` what it answers; it is asked on
    `check_port` (0 is the backend's own), over TLS unless `check_clear`. With `client_address`, the backend
    is told of the client by the PROXY protocol. `scheme` is that of its URL; while no backend is healthy, the
    port leads where that of the frontend called `fallback` does.
    """

    name: str
    port: int
    backends: tuple[tuple[str, str], ...]
    backend_port: int
    check: str
    check_status: int = 200
    check_port: int = 0
    check_clear: bool = False
    client_address: bool = False
    scheme: str = "https"
    fallback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppDesign:
    """What one application adds to the design.

    `placements` pairs each instance with its host's name; `settings` are the spec's, kept for the
    application's own projections; `users` are cephx users that its shares and instances need; `service` is
    what the application that runs the database offers to the others. An application `makes` content by a
    program where it is neither packaged nor given, and `uses` what the named others make. `claims` are
    promised space beside its volumes, `pods` what it asks of a cluster's nodes; `keeping` is what it wants
    of the others' buckets.
    """

    name: str
    settings: AppSettings
    placements: tuple[tuple[str, Instance], ...]
    frontends: tuple[Frontend, ...] = ()
    routes: tuple[Route, ...] = ()
    buckets: tuple[Bucket, ...] = ()
    volumes: tuple[Volume, ...] = ()
    shares: tuple[Share, ...] = ()
    databases: tuple[Database, ...] = ()
    users: tuple[CephUser, ...] = ()
    service: DatabaseService | None = None
    makes: bool = False
    uses: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    pods: tuple[PodGroup, ...] = ()
    keeping: Keeping | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Kubernetes: its minor version (`1.36`), who installs it, its networks, and the domain of its services.

    `network` is who connects pods, cilium or bridge. `endpoint` is where the API server answers, as
    address:port: the load balancer's address where there is one. Instances of applications are one per host
    as in the design; which of the hosts, the scheduler says.
    """

    version: str
    bootstrap: str
    network: str
    endpoint: str
    pods: str
    services: str
    domain: str
    monitoring: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """The whole system. `hosts` are in the order control plane, workers, storage, load balancer.

    `ceph` is the release of Ceph by its first number; every release of the native platform has its row in
    `RELEASES`.
    """

    name: str
    description: str
    provider: Provider
    platform: Platform
    distribution: str
    ceph: str
    network: Network
    hosts: tuple[Host, ...]
    pools: tuple[Pool, ...]
    file_system: FileSystem | None
    object_store: ObjectStore | None
    dashboard: bool
    users: tuple[CephUser, ...]
    apps: tuple[AppDesign, ...]
    frontends: tuple[Frontend, ...]
    kubernetes: Cluster | None = None

    @property
    def traits(self) -> Traits:
        """What its provider is like."""
        return PROVIDERS[self.provider]

    @property
    def ceph_title(self) -> str:
        """Its release of Ceph as people write it; on Kubernetes the version that the distribution has."""
        if self.platform == "native":
            return RELEASES[self.ceph].title
        return f"Ceph {DISTRIBUTIONS[self.distribution].ceph_image.rpartition(':v')[2]}"

    @property
    def servers(self) -> tuple[Host, ...]:
        """The hosts that are servers of ours: all but the provider's load balancer."""
        return tuple(host for host in self.hosts if Role.LOAD_BALANCER not in host.roles)

    @property
    def load_balancer(self) -> Host | None:
        return next((host for host in self.hosts if Role.LOAD_BALANCER in host.roles), None)

    @property
    def backup(self) -> AppDesign | None:
        """What takes backups, where the spec asks for them."""
        return next((app for app in self.apps if app.keeping is not None), None)

    @property
    def buckets(self) -> tuple[Bucket, ...]:
        return tuple(bucket for app in self.apps for bucket in app.buckets)

    @property
    def volumes(self) -> tuple[Volume, ...]:
        return tuple(volume for app in self.apps for volume in app.volumes)

    @property
    def routes(self) -> tuple[Route, ...]:
        return tuple(route for app in self.apps for route in app.routes)

    @property
    def databases(self) -> tuple[Database, ...]:
        return tuple(database for app in self.apps for database in app.databases)

    @property
    def database(self) -> DatabaseService | None:
        """The database service, where an application runs one."""
        return next((app.service for app in self.apps if app.service is not None), None)

    def host(self, name: str) -> Host:
        """Return the host of that name; raises KeyError where there is none."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(name)

    def volume(self, name: str) -> Volume:
        """Return the volume of that name; raises KeyError where there is none."""
        for volume in self.volumes:
            if volume.name == name:
                return volume
        raise KeyError(name)

    def with_role(self, role: Role) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts if role in host.roles)

    def with_daemon(self, kind: DaemonKind) -> tuple[tuple[Host, Daemon], ...]:
        """Return every daemon of a kind with its host, in the hosts' order."""
        return tuple((host, daemon) for host in self.hosts for daemon in host.daemons if daemon.kind is kind)

    @property
    def admin_host(self) -> Host:
        """Where administration starts: the first control-plane host, else the first storage host."""
        return (self.with_role(Role.CONTROL_PLANE) or self.with_role(Role.STORAGE))[0]
