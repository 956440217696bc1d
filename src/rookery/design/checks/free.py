"""Networks and addresses that a hint may propose: free of all that the finding is about, and of the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network

from rookery.design.model import Design

# Private space (RFC 1918), the largest part first.
_PRIVATE = tuple(IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))


def taken_networks_of(design: Design, but_for: str = "") -> tuple[IPv4Network, ...]:
    """Return the networks of a design, but for the one at the path `but_for`."""
    cluster = design.kubernetes
    named = {
        "network.public": design.network.public,
        "network.cluster": design.network.cluster,
        "kubernetes.pods": cluster.pods if cluster else "",
        "kubernetes.services": cluster.services if cluster else "",
    }
    return tuple(IPv4Network(text) for path, text in named.items() if text and path != but_for)


def free_network(prefix: int, taken: Iterable[IPv4Network], first: str) -> IPv4Network | None:
    """Return a private network with that prefix that overlaps none of the taken ones: the one that begins at
    `first` or the next free one after it, starting over at the end; None where there is none."""
    taken = tuple(taken)
    start = IPv4Address(first)
    found = [network for network in _candidates(prefix, taken) if not any(map(network.overlaps, taken))]
    return next((one for one in found if one.network_address >= start), found[0] if found else None)


def _candidates(prefix: int, taken: tuple[IPv4Network, ...]) -> Iterator[IPv4Network]:
    """Yield the private networks with that prefix: of small ones, those of the first free larger part."""
    for space in _PRIVATE:
        if prefix < space.prefixlen:
            continue
        between = max(space.prefixlen, min(prefix, 16))
        for part in space.subnets(new_prefix=between):
            if prefix <= between:
                yield part
            elif not any(map(part.overlaps, taken)):
                yield next(part.subnets(new_prefix=prefix))


def set_to(network: IPv4Network | None) -> str:
    """Return the hint that proposes a network; where no private one is free, what else helps."""
    if network is None:
        return "Make another network smaller: no private one of this size is free beside them."
    return f"Set it to a network that is free, like {network}."


def free_address(design: Design) -> IPv4Address | None:
    """Return an address of the public network that no server has and the provider does not keep."""
    network = IPv4Network(design.network.public)
    taken = {host.address for host in design.servers}
    # As many as are taken or kept may be in the way, and one more.
    tried = (network.network_address + number for number in range(min(network.num_addresses, len(taken) + 8)))
    kept = (one for one in tried if not design.traits.network.keeps(network, one) and str(one) not in taken)
    return next(kept, None)
