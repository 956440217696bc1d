"""Checks of the networks."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from rookery.design.checks.finding import Remark, Subject, error, info, warning
from rookery.design.checks.free import free_network, set_to, taken_networks_of
from rookery.design.model import Network

# Carriers' shared space (RFC 6598): not private by name, and nobody's on the internet either.
_SHARED = IPv4Network("100.64.0.0/10")
_DEFAULT_ROUTE = IPv4Network("0.0.0.0/0")
# Where a network that a hint proposes is looked for first.
_OWN = "10.20.0.0"


def _networks(network: Network) -> tuple[tuple[str, IPv4Network], ...]:
    named = (("network.public", network.public), ("network.cluster", network.cluster))
    return tuple((path, IPv4Network(text)) for path, text in named if text)


def overlapping_networks(subject: Subject) -> Iterator[Remark]:
    design = subject.design
    (_, public), *others = _networks(design.network)
    for path, network in others:
        if network.overlaps(public):
            yield error(
                path,
                f"{network} overlaps network.public ({public}). A server could not tell which one an address"
                " is in.",
                set_to(free_network(network.prefixlen, taken_networks_of(design, path), _OWN)),
            )


def unfit_networks(subject: Subject) -> Iterator[Remark]:
    for path, network in _networks(subject.design.network):
        if network.is_loopback or network.is_multicast or network.is_link_local or network.is_reserved:
            yield error(
                path,
                f"{network} is set aside for other uses (loopback, link-local, multicast). Servers cannot"
                " have its addresses.",
                set_to(free_network(network.prefixlen, taken_networks_of(subject.design, path), _OWN)),
            )
        elif not network.is_private and not network.overlaps(_SHARED):
            yield warning(
                path,
                f"{network} belongs to somebody on the internet, who would be out of reach.",
                set_to(free_network(network.prefixlen, taken_networks_of(subject.design, path), _OWN)),
            )


def taken_networks(subject: Subject) -> Iterator[Remark]:
    if subject.machine is None or not subject.design.traits.here:
        return
    routes = [(IPv4Network(text), where) for text, where in subject.machine.routes]
    routed = tuple(route for route, _ in routes if route != _DEFAULT_ROUTE)
    for path, network in _networks(subject.design.network):
        taken = (*routed, *taken_networks_of(subject.design, path))
        for route, where in routes:
            if route != _DEFAULT_ROUTE and route.overlaps(network):
                yield error(
                    path,
                    f"{network} overlaps {route}, which this machine reaches through {where}. The lab would"
                    " cut it off.",
                    set_to(free_network(network.prefixlen, taken, _OWN)),
                )


def readable_traffic(subject: Subject) -> Iterator[Remark]:
    if not subject.design.network.encryption:
        yield info(
            "network.encryption",
            "Ceph's traffic between the servers is checked but not encrypted: who reads the network reads the"
            " data.",
            "Set it to true where the network is not yours alone; it costs some CPU.",
        )
