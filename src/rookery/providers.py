"""Every provider, a row each: who makes its servers, what it has, and what it calls that.

A provider is this row and a class. What is known of one without asking anybody stands here; what has to be
done stands in its `Servers` (`systems/servers.py`), and which class that is in `run/systems.py`. No other
place asks for a provider by its name, but for prices and for the objects of a cloud's own controller, which
have tables of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

Provider = Literal["lab", "hetzner", "aws", "gcp", "existing"]

LARGEST_MTU = 9000  # that the spec has


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderNetwork:
    """A provider's network between servers.

    `mtu` is what it carries unless told otherwise, in bytes; `most` what it carries at most, and with
    `mtu_is_made` only where the network was made so. The first `kept_first` and the last `kept_last`
    addresses of a network are never a server's. `largest` and `smallest` are the shortest and the longest
    prefix that a network may have. `carries_pods` says whether packets of addresses that are no server's
    arrive.
    """

    mtu: int = 1500
    most: int = LARGEST_MTU
    mtu_is_made: bool = False
    kept_first: int = 2
    kept_last: int = 1
    largest: int = 8
    smallest: int = 30
    carries_pods: bool = True

    @property
    def balancer_number(self) -> int:
        """The number of the first address of a network that a load balancer may have: its second, or the
        first that the provider leaves."""
        return max(2, self.kept_first)

    def keeps(self, network: IPv4Network, address: IPv4Address) -> bool:
        """Whether an address of a network is one that the provider keeps for itself."""
        number = int(address) - int(network.network_address)
        return number < self.kept_first or number >= network.num_addresses - self.kept_last


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a provider is like.

    `title` is its name as people write it, `place` what servers are said to be on. `made_by` says who makes
    them: this machine, a cloud, or somebody before us. `balancer` is what stands in front of them: a `server`
    more that is made with them, the `cloud`'s own, or what the `user` has.

    `login` is whom one logs in as on a fresh server. `drive_path` is where a data drive is found by its name
    in the design (`{name}`); empty where it is found by its size. With `gives_addresses` servers get theirs
    by role and number, else the spec may say them. `controller` says whether the tree installs the cloud's
    own controller, which tells nodes who they are and makes load balancers. `native` says whether the native
    system runs there, and does where the spec does not say. `bootstraps` are the ways to a cluster,
    `pod_network` is who connects pods unless the spec says. `priced` ones are in the price book.

    `balancer_outside` says whether the cloud's load balancer before the API servers is reached from outside
    too, and not in the servers' network alone.

    `spread` is how many servers a placement group has at most, which keeps them on different machines; 0
    where there is none. `keeps_keys` says whether an account keeps the public keys of who may log in.

    `environment` are the variables by which one is let in there, with `*` for whatever comes after: what root
    is handed where it takes over.
    """

    title: str
    place: str
    made_by: Literal["this machine", "a cloud", "somebody"]
    balancer: Literal["server", "cloud", "user"]
    network: ProviderNetwork = ProviderNetwork()
    login: str = "root"
    drive_path: str = ""
    gives_addresses: bool = True
    controller: bool = False
    balancer_outside: bool = True
    native: bool = False
    bootstraps: tuple[str, ...] = ("kubeadm", "kubeone", "none")
    pod_network: Literal["cilium", "bridge"] = "cilium"
    priced: bool = False
    spread: int = 0
    keeps_keys: bool = True
    environment: tuple[str, ...] = ()

    @property
    def here(self) -> bool:
        """Whether the servers are containers of this machine: they share its kernel, its disk, its CPUs and
        its folders, a mirror among them."""
        return self.made_by == "this machine"


# Sources of the networks, as of November 2026. Hetzner: docs.hetzner.com/cloud/networks/faq (1450 bytes; the
# network's own address, its gateway and the broadcast address are kept). AWS:
# docs.aws.amazon.com/vpc/latest/userguide, subnet-sizing (the first four and the last; /16 to /28) and
# network_mtu (9001 within a VPC, 1500 out of it). Google: cloud.google.com/vpc/docs, subnets (the first two
# and the last two; /29 at least) and mtu (1460 unless the network was made with another, 8896 at most).
# Elsewhere: the network's own address, a way out, broadcast. Users are those of fresh Ubuntu servers.
# Load balancers: of AWS' only internal ones have an address that one chooses (elasticloadbalancing/latest/
# APIReference, SubnetMapping). Placement groups: docs.hetzner.com, placement-groups (10 servers), AWS,
# placement-strategies (spread: 7 running instances in a zone), Google's instances/define-instance-placement
# (8 domains).
PROVIDERS: Mapping[Provider, Traits] = {
    "lab": Traits(
        title="Lab",
        place="one Linux machine",
        made_by="this machine",
        balancer="server",
        drive_path="/dev/disk/by-id/lab-{name}",
        native=True,
        bootstraps=("kubeadm",),
        pod_network="bridge",
    ),
    "hetzner": Traits(
        title="Hetzner",
        place="Hetzner Cloud",
        made_by="a cloud",
        balancer="cloud",
        network=ProviderNetwork(mtu=1450, most=1450, carries_pods=False),
        controller=True,
        priced=True,
        spread=10,
        environment=("HCLOUD_*",),
    ),
    "aws": Traits(
        title="AWS",
        place="AWS",
        made_by="a cloud",
        balancer="cloud",
        network=ProviderNetwork(kept_first=4, largest=16, smallest=28, carries_pods=False),
        login="ubuntu",
        balancer_outside=False,
        priced=True,
        spread=7,
        environment=("AWS_*",),
    ),
    "gcp": Traits(
        title="GCP",
        place="Google Cloud",
        made_by="a cloud",
        balancer="cloud",
        network=ProviderNetwork(
            mtu=1460, most=8896, mtu_is_made=True, kept_last=2, smallest=29, carries_pods=False
        ),
        login="ubuntu",
        priced=True,
        spread=8,
        keeps_keys=False,
        environment=("GOOGLE_*", "GCP_*", "CLOUDSDK_*"),
    ),
    "existing": Traits(
        title="Servers of one's own",
        place="servers that were there already",
        made_by="somebody",
        balancer="user",
        network=ProviderNetwork(kept_first=1),
        gives_addresses=False,
        environment=("SSH_AUTH_SOCK", "KUBECONFIG"),
    ),
}

ELSEWHERE: tuple[Provider, ...] = tuple(name for name, traits in PROVIDERS.items() if not traits.here)
"""Where a design of the lab may be asked for as well."""

PLAIN: Provider = next(name for name, traits in PROVIDERS.items() if traits.made_by == "somebody")
"""Servers with nothing of any provider's: what a design needs there, it needs everywhere."""

# What every command reads, whatever the provider is.
_ENVIRONMENT = ("ROOKERY_*", "CI", "PYTHONPATH", "NO_COLOR", "http_proxy", "https_proxy", "no_proxy")


def handed_on(names: Iterable[str]) -> tuple[str, ...]:
    """Return those names of environment variables that root needs where it takes a command over, sorted.

    Which provider is meant only the command finds out, so those of all are among them.
    """
    patterns = (*_ENVIRONMENT, *(one for traits in PROVIDERS.values() for one in traits.environment))
    return tuple(sorted(name for name in names if any(fnmatchcase(name, one) for one in patterns)))
