"""What an account has: each kind as it is kept, with references by id. `views` says it in the API's words."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Any, Literal

Selected = Literal["server", "label_selector", "ip"]


@dataclass(slots=True, kw_only=True)
class Thing:
    """What all kinds have. `created` is in seconds since 1970; `protected` forbids that it is deleted."""

    id: int
    name: str
    created: float
    labels: dict[str, str] = field(default_factory=dict)
    protected: bool = False


@dataclass(slots=True, kw_only=True)
class Link:
    """An address in a network that a server or a load balancer has."""

    network: int
    ip: str
    alias_ips: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Server(Thing):
    """A server. `keys` are the public keys that it was made with."""

    server_type: str
    location: str
    image: int | None
    disk: int
    status: str = "initializing"
    user_data: str = ""
    keys: list[str] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    placement_group: int | None = None
    public: bool = True
    rescue: bool = False
    backup_window: str | None = None
    rebuild_protected: bool = False


@dataclass(slots=True, kw_only=True)
class Volume(Thing):
    """A volume of `size` GB."""

    size: int
    location: str
    server: int | None = None
    format: str | None = None
    status: str = "creating"


@dataclass(slots=True, kw_only=True)
class Subnet:
    """A part of a network, in one zone of locations."""

    type: str
    ip_range: str
    network_zone: str
    vswitch_id: int | None = None


@dataclass(slots=True, kw_only=True)
class Route:
    """Where packets for `destination` go."""

    destination: str
    gateway: str


@dataclass(slots=True, kw_only=True)
class Network(Thing):
    """A private network."""

    ip_range: str
    subnets: list[Subnet] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    exposes_routes: bool = False


@dataclass(slots=True, kw_only=True)
class Applied:
    """What a firewall stands before: a server, or all that a selector finds."""

    server: int | None = None
    selector: str = ""


@dataclass(slots=True, kw_only=True)
class Firewall(Thing):
    """A firewall with its rules, as the API has them."""

    rules: list[dict[str, Any]] = field(default_factory=list)
    applied: list[Applied] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Target:
    """Where a load balancer sends to."""

    type: Selected
    server: int | None = None
    selector: str = ""
    ip: str = ""
    private: bool = False


@dataclass(slots=True, kw_only=True)
class LoadBalancer(Thing):
    """A load balancer with its services, as the API has them."""

    type: str
    location: str
    ipv4: str
    ipv6: str
    algorithm: str = "round_robin"
    services: list[dict[str, Any]] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    public: bool = True
    names: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class PlacementGroup(Thing):
    """Servers that stand on machines of their own."""

    type: str


@dataclass(slots=True, kw_only=True)
class SshKey(Thing):
    """A public key."""

    public_key: str
    fingerprint: str


@dataclass(slots=True, kw_only=True)
class PrimaryIp(Thing):
    """A public address; an IPv6 one is a network of 64 bits. `names` are what its addresses are called."""

    type: Literal["ipv4", "ipv6"]
    ip: str
    location: str
    server: int | None = None
    auto_delete: bool = False
    names: dict[str, str] = field(default_factory=dict)

    def has(self, ip: str) -> bool:
        """Whether an address is this, or of this network."""
        try:
            return ipaddress.ip_address(ip) in ipaddress.ip_network(self.ip)
        except ValueError:
            return False

    def call(self, ip: str, name: str | None) -> None:
        """Call one of these addresses something else, or what it was called first."""
        if name is None:
            self.names.pop(ip, None)
        else:
            self.names[ip] = name


@dataclass(slots=True, kw_only=True)
class Image(Thing):
    """What a server's disk is made from; `name` is empty for those that users made."""

    type: str
    description: str
    os_flavor: str
    os_version: str | None
    architecture: str
    disk: int
    size: float | None = None
    status: str = "available"
    made_of: int | None = None
    made_of_name: str = ""
    bound_to: int | None = None


@dataclass(slots=True, kw_only=True)
class Certificate(Thing):
    """An uploaded certificate, without its key."""

    certificate: str
    fingerprint: str
    domains: list[str]
    begins: float
    ends: float


@dataclass(slots=True, kw_only=True)
class Action:
    """Work that takes time.

    It begins once the one that it comes `after` has ended, and then takes so long; what it does is done when
    it ends, by its command. `about` is what that needs to know.
    """

    id: int
    command: str
    resources: list[tuple[str, int]]
    asked: float
    takes: float
    after: int | None = None
    begins: float | None = None
    finished: float | None = None
    status: Literal["running", "success", "error"] = "running"
    error: tuple[str, str] | None = None
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Existence:
    """How long a thing was there that costs money: `what` is its type or, for a volume, its size in GB."""

    kind: str
    id: int
    name: str
    what: str
    location: str
    since: float
    until: float | None = None


@dataclass(slots=True, kw_only=True)
class Holdings:
    """All that an account has and had; what is written to a file, and read from it.

    `ahead` is by how many seconds its time was turned forward.
    """

    ahead: float = 0.0
    last_id: int = 1000
    last_address: int = 1
    servers: dict[int, Server] = field(default_factory=dict)
    volumes: dict[int, Volume] = field(default_factory=dict)
    networks: dict[int, Network] = field(default_factory=dict)
    firewalls: dict[int, Firewall] = field(default_factory=dict)
    load_balancers: dict[int, LoadBalancer] = field(default_factory=dict)
    placement_groups: dict[int, PlacementGroup] = field(default_factory=dict)
    ssh_keys: dict[int, SshKey] = field(default_factory=dict)
    primary_ips: dict[int, PrimaryIp] = field(default_factory=dict)
    images: dict[int, Image] = field(default_factory=dict)
    certificates: dict[int, Certificate] = field(default_factory=dict)
    actions: dict[int, Action] = field(default_factory=dict)
    existences: list[Existence] = field(default_factory=list)
    sold: dict[str, int] = field(default_factory=dict)
