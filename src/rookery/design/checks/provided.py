"""Checks of the servers' networks against what their provider's networks are."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from rookery.design.checks.finding import Remark, Subject, error, warning
from rookery.design.checks.free import free_address, free_network, taken_networks_of
from rookery.design.model import Design, Host, Role

_OWN = "10.20.0.0"
_SECTIONS = {
    Role.CONTROL_PLANE: "hosts.controlPlane.addresses",
    Role.WORKER: "hosts.workers.addresses",
    Role.STORAGE: "hosts.storage.addresses",
}


def large_packets(subject: Subject) -> Iterator[Remark]:
    design = subject.design
    kept, mtu = design.traits.network, design.network.mtu
    if mtu > kept.most:
        yield error(
            "network.mtu",
            f"Packets have up to {mtu} bytes, and networks of {design.provider} carry {kept.most}. Larger "
            f"ones are lost or cut in two, and connections hang.",
            f"Leave it out, or set it to {kept.mtu}.",
        )
    elif kept.mtu_is_made and mtu > kept.mtu:
        yield warning(
            "network.mtu",
            f"Packets have up to {mtu} bytes, and a network of {design.provider} carries {kept.mtu} unless it"
            " was made with more. Larger ones are lost, and connections hang.",
            f"Leave it out, which is {kept.mtu}, or make the network with an MTU of {mtu}.",
        )


def kept_addresses(subject: Subject) -> Iterator[Remark]:
    """Find servers at addresses that are no server's: worst of all the load balancer, which all are told
    of."""
    design = subject.design
    network = IPv4Network(design.network.public)
    found: dict[str, list[Host]] = {}
    for host in design.hosts:
        address = IPv4Address(host.address)
        if address in network and design.traits.network.keeps(network, address):
            found.setdefault(_path(design, host), []).append(host)
    for path, hosts in found.items():
        named = ", ".join(f"{host.name} has {host.address}" for host in hosts)
        yield error(
            path,
            f"Of {network}, {_kept(design)} are kept by the network itself ({design.provider}), and {named}.",
            _other_place(design, path, network),
        )


def _path(design: Design, host: Host) -> str:
    """Return the path of the spec that decides where a host is reached."""
    if Role.LOAD_BALANCER in host.roles:
        return "network.balancer"
    role = Role.STORAGE if Role.STORAGE in host.roles else host.roles[0]
    return "network.public" if design.traits.gives_addresses else _SECTIONS[role]


def _kept(design: Design) -> str:
    kept = design.traits.network
    words = ("address", "addresses")
    first = (
        f"the first {kept.kept_first} {words[kept.kept_first > 1]}" if kept.kept_first > 1 else "the first"
    )
    return f"{first} and the last{f' {kept.kept_last}' if kept.kept_last > 1 else ''}"


def _other_place(design: Design, path: str, network: IPv4Network) -> str:
    if path == "network.balancer":
        address = free_address(design)
        return f"Set it to a free one, like {address}." if address else "Give a larger network.public."
    if path == "network.public":
        larger = free_network(network.prefixlen - 1, taken_networks_of(design, path), _OWN)
        return f"Set it to a larger network, like {larger}." if larger else "Ask for fewer servers."
    return "Give the server another address."


def misplaced_balancer(subject: Subject) -> Iterator[Remark]:
    """Find a load balancer outside of the network that it is to answer in, or at a server's address."""
    design, balancer = subject.design, subject.design.load_balancer
    if balancer is None:
        return
    network, address = IPv4Network(design.network.public), free_address(design)
    hint = f"Set it to a free one, like {address}." if address else "Give a larger network.public."
    owner = next((host for host in design.servers if host.address == balancer.address), None)
    if owner is not None:
        yield error("network.balancer", f"{balancer.address} is {owner.name}'s address already.", hint)
    elif IPv4Address(balancer.address) not in network:
        yield error(
            "network.balancer",
            f"{balancer.address} is not in network.public ({network}), where it has to answer.",
            hint,
        )


def sizes_of_networks(subject: Subject) -> Iterator[Remark]:
    design = subject.design
    kept = design.traits.network
    named = (("network.public", design.network.public), ("network.cluster", design.network.cluster))
    for path, text in named:
        prefix = IPv4Network(text).prefixlen if text else kept.smallest
        if not kept.largest <= prefix <= kept.smallest:
            wanted = min(max(prefix, kept.largest), kept.smallest)
            free = free_network(wanted, taken_networks_of(design, path), _OWN)
            yield error(
                path,
                f"{text} is a /{prefix}, and networks of {design.provider} are /{kept.largest} to"
                f" /{kept.smallest}.",
                f"Set it to one of these sizes, like {free}.",
            )
