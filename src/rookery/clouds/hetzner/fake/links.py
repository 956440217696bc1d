"""Which address a server or a load balancer gets in a network."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from rookery.clouds.hetzner.fake.account import Account
from rookery.clouds.hetzner.fake.errors import ApiError
from rookery.clouds.hetzner.fake.things import Link, Network, Server

_NEVER = ipaddress.IPv4Address("172.31.1.1")  # the gateway of public interfaces


def taken(account: Account, network: Network) -> set[str]:
    """Return the addresses of a network that are given, those of attachments under way included."""
    held = account.holdings
    links = [link for server in held.servers.values() for link in server.links]
    links += [link for balancer in held.load_balancers.values() for link in balancer.links]
    links += [
        Link(**action.about["link"])
        for action in account.under_way()
        if action.command == "attach_to_network" and "link" in action.about
    ]
    return {ip for link in links if link.network == network.id for ip in (link.ip, *link.alias_ips) if ip}


def choose(
    account: Account,
    network: Network,
    zone: str,
    *,
    ip: str | None = None,
    ip_range: str | None = None,
    aliases: Sequence[str] = (),
) -> Link:
    """Return the link that an attachment makes: with the address asked for, or the first that is free.

    Where `ip_range` is given, out of that subnet. ApiError where there is none.
    """
    used = taken(account, network)
    subnets = [
        ipaddress.IPv4Network(one.ip_range)
        for one in network.subnets
        if one.type in ("cloud", "server") and one.network_zone == zone
    ]
    if ip_range is not None:
        subnets = [one for one in subnets if str(one) == ip_range]
    if not subnets:
        raise ApiError("no_subnet_available", "no subnet or IP is available within the network")
    for wanted in (*([ip] if ip else []), *aliases):
        _require_free(network, subnets, wanted, used)
    if ip is None:
        free = (str(one) for subnet in subnets for one in _hosts(network, subnet) if str(one) not in used)
        ip = next((one for one in free if one not in aliases), None)
    if ip is None:
        raise ApiError("no_subnet_available", "no subnet or IP is available within the network")
    return Link(network=network.id, ip=ip, alias_ips=list(aliases))


def _hosts(network: Network, subnet: ipaddress.IPv4Network) -> Iterator[ipaddress.IPv4Address]:
    gateway = ipaddress.IPv4Network(network.ip_range)[1]
    yield from (one for one in subnet.hosts() if one not in (gateway, _NEVER))


def _require_free(
    network: Network, subnets: Sequence[ipaddress.IPv4Network], wanted: str, used: set[str]
) -> None:
    try:
        address = ipaddress.IPv4Address(wanted)
    except ValueError:
        address = _NEVER
    gateway = ipaddress.IPv4Network(network.ip_range)[1]
    inside = any(
        address in one and address not in (one.network_address, one.broadcast_address) for one in subnets
    )
    if not inside or address in (gateway, _NEVER) or str(address) in used:
        raise ApiError("ip_not_available", f"IP {wanted} is not available in the network")


def require_no_overlap(account: Account, server: Server, network: Network) -> None:
    """Raise ApiError where a network is, or overlaps with, one that the server is in."""
    new = ipaddress.IPv4Network(network.ip_range)
    for link in server.links:
        if link.network == network.id:
            raise ApiError("server_already_attached", "server is already attached to the network")
        other = account.holdings.networks[link.network]
        if ipaddress.IPv4Network(other.ip_range).overlaps(new):
            raise ApiError("networks_overlap", "network overlaps with another network of the server")
