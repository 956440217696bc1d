"""What each provider's network has otherwise: its packets, the addresses it keeps for itself, its sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from rookery.spec.model import Provider

LARGEST_MTU = 9000  # that the spec has


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderNetwork:
    """A provider's network between servers.

    `mtu` is what it carries unless told otherwise, in bytes; `most` what it carries at most. The first
    `kept_first` and the last `kept_last` addresses of a network are never a server's. `largest` and
    `smallest` are the shortest and the longest prefix that a network may have.
    """

    mtu: int = 1500
    most: int = LARGEST_MTU
    kept_first: int = 2
    kept_last: int = 1
    largest: int = 8
    smallest: int = 30


# Sources, as of November 2026. Hetzner: docs.hetzner.com/cloud/networks/faq (1450 bytes; the network's own
# address, its gateway and the broadcast address are kept). AWS: docs.aws.amazon.com/vpc/latest/userguide,
# subnet-sizing (the first four and the last; /16 to /28) and network_mtu (9001 within a VPC, 1500 out of it).
# Google: cloud.google.com/vpc/docs, subnets (the first two and the last two; /29 at least) and mtu (1460
# unless the network was made with another, 8896 at most). Elsewhere: the network's own address, a way out,
# broadcast.
PROVIDER_NETWORKS: Mapping[Provider, ProviderNetwork] = {
    "lab": ProviderNetwork(),
    "existing": ProviderNetwork(kept_first=1),
    "hetzner": ProviderNetwork(mtu=1450, most=1450),
    "aws": ProviderNetwork(kept_first=4, largest=16, smallest=28),
    "gcp": ProviderNetwork(mtu=1460, most=8896, kept_last=2, smallest=29),
}


def balancer_number(provider: Provider) -> int:
    """Return the number of the first address of a network that a load balancer may have: its second, or the
    first that the provider leaves."""
    return max(2, PROVIDER_NETWORKS[provider].kept_first)


def is_kept(provider: Provider, network: IPv4Network, address: IPv4Address) -> bool:
    """Whether an address of a network is one that the provider keeps for itself."""
    kept = PROVIDER_NETWORKS[provider]
    number = int(address) - int(network.network_address)
    return number < kept.kept_first or number >= network.num_addresses - kept.kept_last
