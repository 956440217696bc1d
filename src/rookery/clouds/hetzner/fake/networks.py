"""Networks, their subnets and routes."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from ipaddress import IPv4Network

from rookery.clouds.hetzner.fake.bodies import (
    ChangeNetwork,
    CreateNetwork,
    IpRange,
    RouteBody,
    SubnetBody,
)
from rookery.clouds.hetzner.fake.call import Answer, Call, thing_of
from rookery.clouds.hetzner.fake.catalogue import LOCATIONS
from rookery.clouds.hetzner.fake.errors import ApiError, invalid
from rookery.clouds.hetzner.fake.links import taken
from rookery.clouds.hetzner.fake.selectors import check_labels
from rookery.clouds.hetzner.fake.things import LoadBalancer, Network, Route, Server, Subnet
from rookery.clouds.hetzner.fake.views import view_action, view_network

_PRIVATE = tuple(IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
_PUBLIC_GATEWAY = ipaddress.IPv4Address("172.31.1.1")
_SMALLEST_NETWORK, _SMALLEST_SUBNET, _SUBNET = 24, 30, 24
_EVERYWHERE = IPv4Network("0.0.0.0/0")


def create_network(call: Call) -> Answer:
    """Make a network, with its subnets and routes; it is there at once."""
    account, said = call.account, call.says(CreateNetwork)
    check_labels(said.labels or {})
    account.require_name("networks", said.name)
    account.require_room("networks")
    network = Network(
        id=account.next_id(),
        name=said.name,
        created=account.clock.now(),
        labels=dict(said.labels or {}),
        ip_range=str(_range(said.ip_range, "ip_range", _SMALLEST_NETWORK)),
        exposes_routes=bool(said.expose_routes_to_vswitch),
    )
    for subnet in said.subnets or ():
        network.subnets.append(_subnet(network, subnet))
    for route in said.routes or ():
        network.routes.append(_route(network, route))
    account.holdings.networks[network.id] = network
    return Answer(status=201, body={"network": view_network(account, network)})


def _range(text: str, field: str, smallest: int) -> IPv4Network:
    try:
        found = IPv4Network(text)
    except ValueError:
        raise invalid((field, "is not a network in CIDR notation")) from None
    if not any(found.subnet_of(private) for private in _PRIVATE):
        raise invalid((field, "is not within the private ranges of RFC1918"))
    if found.prefixlen > smallest:
        raise invalid((field, f"is smaller than /{smallest}"))
    return found


def _subnet(network: Network, said: SubnetBody) -> Subnet:
    zones = {place.zone for place in LOCATIONS}
    if said.network_zone not in zones:
        raise invalid(("network_zone", f"'{said.network_zone}' does not exist"))
    if said.type == "vswitch" and said.vswitch_id is None:
        raise invalid(("vswitch_id", "is needed for a subnet of type vswitch"))
    whole = IPv4Network(network.ip_range)
    others = [IPv4Network(one.ip_range) for one in network.subnets]
    found = (
        _range(said.ip_range, "ip_range", _SMALLEST_SUBNET) if said.ip_range else _first_free(whole, others)
    )
    if not found.subnet_of(whole):
        raise invalid(("ip_range", f"is not within {whole}"))
    destinations = [IPv4Network(one.destination) for one in network.routes]
    if any(found.overlaps(other) for other in (*others, *destinations) if other != _EVERYWHERE):
        raise invalid(("ip_range", "overlaps with another subnet or a route"))
    return Subnet(
        type=said.type, ip_range=str(found), network_zone=said.network_zone, vswitch_id=said.vswitch_id
    )


def _first_free(whole: IPv4Network, others: Sequence[IPv4Network]) -> IPv4Network:
    for candidate in whole.subnets(new_prefix=max(_SUBNET, whole.prefixlen)):
        if not any(candidate.overlaps(other) for other in others):
            return candidate
    raise invalid(("ip_range", "no range is free in the network"))


def _route(network: Network, said: RouteBody) -> Route:
    try:
        destination = IPv4Network(said.destination)
        gateway = ipaddress.IPv4Address(said.gateway)
    except ValueError:
        raise invalid(("destination", "or gateway is no address")) from None
    if destination != _EVERYWHERE and not any(destination.subnet_of(one) for one in _PRIVATE):
        raise invalid(("destination", "is not within the private ranges of RFC1918"))
    whole = IPv4Network(network.ip_range)
    if gateway not in whole or gateway in (whole[1], _PUBLIC_GATEWAY):
        raise invalid(("gateway", f"is not an address of {whole} that can be one"))
    others = [IPv4Network(one.destination) for one in network.routes]
    others += [IPv4Network(one.ip_range) for one in network.subnets if destination != _EVERYWHERE]
    if any(
        destination == one or (_EVERYWHERE not in (one, destination) and destination.overlaps(one))
        for one in others
    ):
        raise invalid(("destination", "overlaps with a subnet or another route"))
    return Route(destination=str(destination), gateway=str(gateway))


def change_network(call: Call) -> Answer:
    """Change a network's name and labels, and whether a vSwitch learns its routes."""
    account, said, network = call.account, call.says(ChangeNetwork), _free(call)
    if said.labels is not None:
        check_labels(said.labels)
        network.labels = dict(said.labels)
    if said.name is not None:
        account.require_name("networks", said.name, but=network.id)
        network.name = said.name
    if said.expose_routes_to_vswitch is not None:
        network.exposes_routes = said.expose_routes_to_vswitch
    return Answer(body={"network": view_network(account, network)})


def delete_network(call: Call) -> Answer:
    """Delete a network; what is attached to it is detached."""
    network, held = _free(call), call.account.holdings
    if network.protected:
        raise ApiError("protected", "network deletion is protected")
    for action in call.account.under_way():
        if ("network", network.id) in action.resources:
            raise ApiError("conflict", "the network has changed during the request, please retry")
    attached: list[Server | LoadBalancer] = [*held.servers.values(), *held.load_balancers.values()]
    for one in attached:
        one.links = [link for link in one.links if link.network != network.id]
    call.account.forget("networks", network.id)
    return Answer(status=204)


def add_subnet(call: Call) -> Answer:
    """Add a subnet."""
    network = _free(call)
    subnet = _subnet(network, call.says(SubnetBody))
    return _done(call, "add_subnet", network, {"subnet": asdict(subnet)})


def delete_subnet(call: Call) -> Answer:
    """Delete a subnet in which nothing has an address."""
    network, wanted = _free(call), call.says(IpRange).ip_range
    if all(one.ip_range != wanted for one in network.subnets):
        raise ApiError("not_found", f"subnet {wanted} not found")
    subnet = IPv4Network(wanted)
    if any(ipaddress.IPv4Address(one) in subnet for one in taken(call.account, network)):
        raise ApiError("service_error", "cannot remove subnet because servers are attached to it")
    return _done(call, "delete_subnet", network, {"ip_range": wanted})


def add_route(call: Call) -> Answer:
    """Add a route."""
    network = _free(call)
    return _done(call, "add_route", network, {"route": asdict(_route(network, call.says(RouteBody)))})


def delete_route(call: Call) -> Answer:
    """Delete a route."""
    network, said = _free(call), call.says(RouteBody)
    gone = Route(destination=said.destination, gateway=said.gateway)
    if gone not in network.routes:
        raise ApiError("not_found", f"route to {said.destination} not found")
    return _done(call, "delete_route", network, {"route": asdict(gone)})


def change_ip_range(call: Call) -> Answer:
    """Make a network larger, from the same first address."""
    network = _free(call)
    wanted = _range(call.says(IpRange).ip_range, "ip_range", _SMALLEST_NETWORK)
    now = IPv4Network(network.ip_range)
    if wanted.network_address != now.network_address or wanted.prefixlen > now.prefixlen:
        raise invalid(("ip_range", "can only be extended, from the same first address"))
    network.ip_range = str(wanted)
    return _done(call, "change_ip_range", network, {})


def _free(call: Call) -> Network:
    network: Network = thing_of(call, "networks", Network)
    call.account.require_free([("network", network.id)])
    return network


def _done(call: Call, command: str, network: Network, about: Mapping[str, object]) -> Answer:
    action = call.account.act(command, ("network", network.id), about=about)
    return Answer(status=201, body={"action": view_action(call.account, action)})
