"""What stands behind servers, volumes and load balancers where they are to be real: said from above.

The stand-in keeps the account; whoever implements this makes what the account says. Its methods take as long
as they take, are called from several threads, and raise an error whose text the action then ends with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A server's or load balancer's card in a network, with its address there and the network's range."""

    network: int
    ip: str
    ip_range: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A volume of `size` GB; `format` is a file system that it is made with, empty for none."""

    id: int
    size: int
    format: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A server: `memory` in bytes; `address` is its public IPv4 address, empty without one."""

    id: int
    name: str
    cpus: int
    memory: int
    address: str
    keys: tuple[str, ...]
    user_data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """What a load balancer does: its services in the API's words, and where to, by the servers' ids."""

    id: int
    address: str
    cards: tuple[Card, ...]
    algorithm: str
    services: tuple[Mapping[str, Any], ...]
    targets: Mapping[int, str]


class Machines(Protocol):
    """What makes them."""

    def make(self, machine: Machine) -> None:
        """Lay a server out, which does not run yet."""
        ...

    def start(self, machine: Machine) -> None:
        """Let it run, with all cards and disks that it was given; return once it can be logged in on."""
        ...

    def stop(self, machine: Machine) -> None:
        """Cut its power; one that is off stays off."""
        ...

    def remove(self, machine: Machine) -> None:
        """Take it away with all that was written to its own disk; its volumes stay."""
        ...

    def plug(self, machine: Machine, card: Card) -> None:
        """Give it a card, whether it runs or not."""
        ...

    def unplug(self, machine: Machine, card: Card) -> None:
        """Take a card from it."""
        ...

    def remove_network(self, number: int) -> None:
        """Take a network away, with all cards in it."""
        ...

    def attach(self, machine: Machine, disk: Disk) -> None:
        """Give it a volume, which appears as /dev/disk/by-id/scsi-0HC_Volume_<id>."""
        ...

    def detach(self, machine: Machine, disk: Disk) -> None:
        """Take a volume from it."""
        ...

    def make_disk(self, disk: Disk) -> None:
        """Make a volume, or let one that is there grow."""
        ...

    def remove_disk(self, number: int) -> None:
        """Take a volume away with all that is on it."""
        ...

    def balance(self, sending: Sending) -> None:
        """Let a load balancer do this from now on; it is made where there is none."""
        ...

    def stop_balancing(self, number: int) -> None:
        """Take a load balancer away."""
        ...

    def health(self, number: int) -> Mapping[tuple[int, int], str]:
        """Return what a load balancer found of each target: by its port and the server's id."""
        ...
