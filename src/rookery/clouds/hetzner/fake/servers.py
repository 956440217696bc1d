"""Servers: made and deleted."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass

from rookery.clouds.hetzner.fake.account import Account
from rookery.clouds.hetzner.fake.bodies import CreateServer, PublicNet
from rookery.clouds.hetzner.fake.call import Answer, Call, thing_of
from rookery.clouds.hetzner.fake.catalogue import Location, location_named
from rookery.clouds.hetzner.fake.errors import ApiError, invalid, limit_exceeded, locked
from rookery.clouds.hetzner.fake.links import choose
from rookery.clouds.hetzner.fake.primary_ips import give_address
from rookery.clouds.hetzner.fake.selectors import check_labels
from rookery.clouds.hetzner.fake.things import (
    Action,
    Applied,
    Firewall,
    Image,
    Link,
    Network,
    PlacementGroup,
    PrimaryIp,
    Server,
    SshKey,
    Volume,
)
from rookery.clouds.hetzner.fake.views import view_action, view_server
from rookery.prices.book import Cpu, MachineType

SPREAD_LIMIT = 10
VOLUMES_LIMIT = 16
NETWORKS_LIMIT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What a request for a server means, everything in it found."""

    kind: MachineType
    image: Image
    location: Location
    keys: list[SshKey]
    volumes: list[Volume]
    networks: list[tuple[Network, Link]]
    firewalls: list[Firewall]
    group: PlacementGroup | None
    addresses: dict[str, PrimaryIp | None]


def create_server(call: Call) -> Answer:
    """Make a server; it is made, then attached to its networks and volumes, then started."""
    account, said = call.account, call.says(CreateServer)
    check_labels(said.labels or {})
    order = _ordered(account, said)
    account.require_name("servers", said.name)
    _require_limits(account, order)
    if not account.has_stock(order.kind.name, order.location.name):
        raise ApiError("resource_unavailable", "error during placement")
    server = _placed(account, said, order)
    starts = said.start_after_create is not False
    action = account.act("create_server", ("server", server.id), about={"starts": starts})
    following = _following(account, said, order, server, action)
    password = None if order.keys else secrets.token_urlsafe(16)
    body = {
        "server": view_server(account, server),
        "action": view_action(account, action),
        "next_actions": [view_action(account, one) for one in following],
        "root_password": password,
    }
    return Answer(status=201, body=body)


def _ordered(account: Account, said: CreateServer) -> _Order:
    kind = account.catalogue.type_named(said.server_type)
    if kind is None:
        raise invalid(("server_type", f"server type {said.server_type} does not exist"))
    location = _location(account, said, kind)
    keys = [account.named("ssh_keys", "ssh_keys", one) for one in said.ssh_keys or ()]
    return _Order(
        kind=kind,
        image=_image(account, said, kind),
        location=location,
        keys=[one for one in keys if isinstance(one, SshKey)],
        volumes=[_volume(account, one, location) for one in dict.fromkeys(said.volumes or ())],
        networks=_networks(account, said, location),
        firewalls=[_firewall(account, one.firewall) for one in said.firewalls or ()],
        group=_group(account, said),
        addresses=_addresses(account, said.public_net or PublicNet(), location, bool(said.networks)),
    )


def _group(account: Account, said: CreateServer) -> PlacementGroup | None:
    if said.placement_group is None:
        return None
    group = account.named("placement_groups", "placement_group", said.placement_group)
    assert isinstance(group, PlacementGroup)
    return group


def _location(account: Account, said: CreateServer, kind: MachineType) -> Location:
    if said.location is not None and said.datacenter is not None:
        raise invalid(("location", "must not be used together with datacenter"))
    if said.datacenter is not None and not account.settings.datacenters:
        raise invalid(("datacenter", "was removed; use location"))
    wanted = said.location if said.location is not None else said.datacenter
    if wanted is None:
        stocked = (name for name in ("nbg1", "fsn1", "hel1") if account.has_stock(kind.name, name))
        wanted = next(stocked, "nbg1")
    found = location_named(wanted)
    if found is None:
        raise invalid(("location", f"location '{wanted}' does not exist"))
    if not account.catalogue.sells(found):
        raise invalid(("server_type", f"unsupported location for server type in {found.name}"))
    return found


def _image(account: Account, said: CreateServer, kind: MachineType) -> Image:
    image = account.image(said.image, kind.architecture)
    if image.architecture != kind.architecture:
        raise invalid(("image", f"image is for {image.architecture}, the server type is {kind.architecture}"))
    if image.status != "available":
        raise invalid(("image", "image is not available yet"))
    if image.disk > kind.disk_gb:
        raise invalid(("image", "image disk is bigger than server type disk"))
    return image


def _volume(account: Account, wanted: int, location: Location) -> Volume:
    volume = account.named("volumes", "volumes", wanted)
    assert isinstance(volume, Volume)
    if volume.location != location.name:
        raise invalid(("volumes", f"volume {wanted} is in another location"))
    if volume.server is not None:
        raise ApiError("volume_already_attached", f"volume {wanted} is already attached to a server")
    account.require_free([("volume", wanted)])
    return volume


def _networks(account: Account, said: CreateServer, location: Location) -> list[tuple[Network, Link]]:
    found = []
    for wanted in dict.fromkeys(said.networks or ()):
        network = account.named("networks", "networks", wanted)
        assert isinstance(network, Network)
        account.require_free([("network", network.id)])
        found.append((network, choose(account, network, location.zone)))
    if len(found) > NETWORKS_LIMIT:
        raise invalid(("networks", f"a server can be in {NETWORKS_LIMIT} networks"))
    return found


def _firewall(account: Account, wanted: int) -> Firewall:
    firewall = account.named("firewalls", "firewalls", wanted)
    assert isinstance(firewall, Firewall)
    return firewall


def _addresses(
    account: Account,
    wanted: PublicNet,
    location: Location,
    has_network: bool,  # noqa: FBT001 - a fact, not a switch
) -> dict[str, PrimaryIp | None]:
    """Return the addresses that a server gets: one that there is, or None for one that is to be made."""
    asked = {"ipv4": (wanted.enable_ipv4, wanted.ipv4), "ipv6": (wanted.enable_ipv6, wanted.ipv6)}
    found: dict[str, PrimaryIp | None] = {}
    for kind, (enabled, number) in asked.items():
        if not enabled:
            continue
        found[kind] = None
        if number is not None:
            found[kind] = _own_address(account, kind, number, location)
    if not found and not has_network:
        raise invalid(("public_net", "a server needs a public address or a network"))
    return found


def _own_address(account: Account, kind: str, number: int, location: Location) -> PrimaryIp:
    address = account.named("primary_ips", f"public_net.{kind}", number)
    assert isinstance(address, PrimaryIp)
    if address.type != kind:
        raise ApiError("primary_ip_version_mismatch", "the primary IP has the wrong IP version")
    if address.server is not None:
        raise ApiError("primary_ip_assigned", "the primary IP is already assigned to a server")
    if address.location != location.name:
        raise ApiError("primary_ip_datacenter_mismatch", "the primary IP is in a different datacenter")
    return address


def _require_limits(account: Account, order: _Order) -> None:
    account.require_room("servers")
    limits = account.settings.limits
    cores = limits.get("dedicated_core")
    if cores is not None and order.kind.cpu is Cpu.DEDICATED:
        types = account.catalogue.types
        kinds = [types[server.server_type] for server in account.holdings.servers.values()]
        used = sum(kind.cpus for kind in kinds if kind.cpu is Cpu.DEDICATED)
        if used + order.kind.cpus > cores:
            raise limit_exceeded("dedicated_core_limit")
    new = sum(1 for address in order.addresses.values() if address is None)
    most = limits.get("primary_ip")
    if most is not None and len(account.holdings.primary_ips) + new > most:
        raise limit_exceeded("primary_ip_limit")
    if len(order.volumes) > VOLUMES_LIMIT:
        raise invalid(("volumes", f"a server can have {VOLUMES_LIMIT} volumes"))
    if order.group:
        require_room_in_group(account, order.group)


def require_room_in_group(account: Account, group: PlacementGroup) -> None:
    """Raise ApiError where a spread group has as many servers as one may."""
    members = [one for one in account.holdings.servers.values() if one.placement_group == group.id]
    if len(members) >= SPREAD_LIMIT:
        raise ApiError("placement_error", f"placement group {group.name} has {SPREAD_LIMIT} servers already")


def _placed(account: Account, said: CreateServer, order: _Order) -> Server:
    now = account.clock.now()
    server = Server(
        id=account.next_id(),
        name=said.name,
        created=now,
        labels=dict(said.labels or {}),
        server_type=order.kind.name,
        location=order.location.name,
        image=order.image.id,
        disk=order.kind.disk_gb,
        user_data=said.user_data or "",
        keys=[key.public_key for key in order.keys],
        placement_group=order.group.id if order.group else None,
        public=bool(order.addresses),
    )
    account.holdings.servers[server.id] = server
    account.take(server.server_type, server.location)
    account.meter("servers", server, server.server_type, server.location)
    for kind, address in order.addresses.items():
        if address is None:
            give_address(account, server, kind)
        else:
            address.server = server.id
    for firewall in order.firewalls:
        firewall.applied.append(Applied(server=server.id))
    return server


def _following(
    account: Account, said: CreateServer, order: _Order, server: Server, made: Action
) -> list[Action]:
    itself = ("server", server.id)
    last, following = made, []
    for network, link in order.networks:
        resources = (itself, ("network", network.id))
        last = account.act("attach_to_network", *resources, after=last, about={"link": asdict(link)})
        following.append(last)
    for volume in order.volumes:
        last = account.act("attach_volume", itself, ("volume", volume.id), after=last)
        following.append(last)
    if said.start_after_create is not False:
        following.append(account.act("start_server", itself, after=made))
    return following


def delete_server(call: Call) -> Answer:
    """Delete a server; what it had is let go when the action ends."""
    server: Server = thing_of(call, "servers", Server)
    account = call.account
    if server.status == "deleting":
        raise locked("server", [server.id])
    if server.protected:
        raise ApiError("protected", "server deletion is protected")
    account.require_free([("server", server.id)])
    server.status = "deleting"
    action = account.act("delete_server", ("server", server.id))
    return Answer(body={"action": view_action(account, action)})
