"""What a design asks of a cloud, as values: every cloud's module is given the same ones.

A resource is one thing of an account, by a kind and a name. What it builds on it names by the ids of other
resources, never by what the cloud calls them: those are known only once they are made.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The kinds of things of an account, as people are shown them.

    An `ATTACHMENT` is a volume's to its server, a `TARGET` a server's behind the load balancer: both are
    there as long as one of the two. An `ADDRESS` is never asked for: it comes with a server or a balancer,
    and may be left of one. So may what is `OTHER`.
    """

    NETWORK = "network"
    FIREWALL = "firewall"
    KEY = "SSH key"
    GROUP = "placement group"
    SERVER = "server"
    VOLUME = "volume"
    ATTACHMENT = "attachment"
    BALANCER = "load balancer"
    TARGET = "target"
    ADDRESS = "address"
    OTHER = "other"


def many(count: int, kind: Kind) -> str:
    """Say how many of a kind: `1 server`, `3 servers`."""
    return f"{count} {kind}{'' if count == 1 else 's'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkWish:
    """An IPv4 network between servers: its CIDR, and the largest packet in bytes that it has to carry.

    All of it is one subnet. What leads out of it, where a cloud wants to be told, is made with it.
    """

    cidr: str
    mtu: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What is let in from anywhere: a TCP port, or with 0 ICMP."""

    port: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FirewallWish:
    """What is let in to servers from outside; everything is let out.

    Servers of the network `network` reach each other freely, and the cloud's load balancer reaches them.
    """

    network: str
    openings: tuple[Opening, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyWish:
    """Who may log in on fresh servers: a public key of OpenSSH's, in one line."""

    public: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupWish:
    """A group whose servers stand on different machines of the cloud, as many as one may have."""

    servers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerWish:
    """One server: `machine` is the cloud's type, `disk` its system disk in bytes where the type has none.

    `address` is the one that it has in the network. `network`, `firewall`, `key` and `group` are ids of
    resources; `group` is empty where the cloud has none, `key` where the account keeps no keys: then
    `public_key` comes with the server. `user_data` is for cloud-init, at the first start. It has a public
    IPv4 address as well, which goes when the server goes.
    """

    host: str
    machine: str
    disk: int
    address: str
    network: str
    firewall: str
    key: str
    public_key: str
    group: str
    user_data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeWish:
    """A raw data drive of `size` bytes: no file system, in the place of the servers."""

    size: int
    device_class: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentWish:
    """A volume attached to a server, by their ids; `drive` is its name in the design (`vdb`).

    It outlives restarts. The volume need not go with its server.
    """

    volume: str
    server: str
    drive: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A TCP port of a load balancer that leads to the same port of its targets.

    A target is healthy where `check` (a path) answers 200 over TLS, whose certificate is not looked at; an
    empty one asks for a connection only.
    """

    name: str
    port: int
    check: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancerWish:
    """A load balancer with `address` in the network, and where the cloud has such, with a public one too."""

    address: str
    network: str
    services: tuple[Service, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetWish:
    """A server behind a load balancer, reached in the network; by their ids."""

    balancer: str
    server: str


Wish = (
    NetworkWish
    | FirewallWish
    | KeyWish
    | GroupWish
    | ServerWish
    | VolumeWish
    | AttachmentWish
    | BalancerWish
    | TargetWish
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One thing that a design asks of a cloud.

    `id` is the step that makes it, and the fact that it is there; `name` is what it is called in the account,
    where no other of its kind is called so: lower case, digits and hyphens, at most 63 characters. An
    attachment has its volume's name, a target its server's.
    """

    kind: Kind
    id: str
    name: str
    wish: Wish

    @property
    def needs(self) -> tuple[str, ...]:
        """The ids of what has to be there before it."""
        return needs_of(self.wish)


def needs_of(wish: Wish) -> tuple[str, ...]:
    """Return the ids of the resources that a wish builds on."""
    match wish:
        case FirewallWish(network=network) | BalancerWish(network=network):
            return (network,)
        case ServerWish():
            found = (wish.network, wish.firewall, wish.key, wish.group)
            return tuple(one for one in found if one)
        case AttachmentWish():
            return (wish.volume, wish.server)
        case TargetWish():
            return (wish.balancer, wish.server)
        case _:
            return ()
