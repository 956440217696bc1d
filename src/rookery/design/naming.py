"""Names and addresses: derived, stable when the system grows, the same on every machine.

A host's name and address depend on its role and its number alone, so adding a worker or a storage node
moves nobody else (as long as the network's size stays).
"""

from __future__ import annotations

import hashlib
import ipaddress

from rookery.errors import InputError

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_FIRST_STORAGE_LETTER = _LETTERS.index("k")

# Networks that the lab derives from a system's name lie in this half of 10.0.0.0/8: its lower addresses are
# the ones that home and office networks use most.
_LAB_SPACE = ipaddress.ip_network("10.128.0.0/9")
_SMALLEST_PREFIX = 24
_LONGEST_PREFIX = 30


def letters(number: int) -> str:
    """Return a, b, ... z, aa, ab, ... for 0, 1, ...: as spreadsheets name columns."""
    result = ""
    number += 1
    while number:
        number, digit = divmod(number - 1, 26)
        result = _LETTERS[digit] + result
    return result


def control_plane_name(number: int) -> str:
    return f"cp-{number + 1}"


def worker_name(number: int) -> str:
    return f"worker-{letters(number)}"


def storage_name(number: int) -> str:
    """Storage nodes start at k, as in the drawing: workers have the letters before."""
    return f"storage-{letters(number + _FIRST_STORAGE_LETTER)}"


def _blocks(size: int, first: int = 3) -> tuple[int, int, int]:
    """Return the first number of control-plane, worker and storage addresses in a network of `size`.

    Below `first` stand the network itself, the gateway (1), what the provider keeps, and the load balancer,
    in the smallest networks too.
    """
    return 10, max(size // 8, first), max(size // 2, first)


def network_prefix(control_planes: int, workers: int, storage: int, *, kept_last: int = 1) -> int:
    """Return the longest prefix (smallest network) that has room for that many hosts.

    `kept_last` are the addresses at its end that are no server's.
    """
    for prefix in range(_SMALLEST_PREFIX, 8, -1):
        size = 2 ** (32 - prefix)
        first, second, third = _blocks(size)
        if (
            control_planes <= second - first
            and workers <= third - second
            and storage <= size - third - kept_last
        ):
            return prefix
    raise InputError("no IPv4 network of ours has room for that many hosts")


def derived_network(name: str, prefix: int, purpose: str = "public") -> str:
    """Return the network of a system by its name, so that labs with different names rarely collide.

    They can collide; a check against the machine's routes tells before anything is made.
    """
    count = 2 ** (prefix - _LAB_SPACE.prefixlen)
    digest = hashlib.sha256(f"{purpose}:{name}".encode()).digest()
    index = int.from_bytes(digest[:8], "big") % count
    base = int(_LAB_SPACE.network_address) + index * 2 ** (32 - prefix)
    return str(ipaddress.ip_network((base, prefix)))


class Addresses:
    """Hands out the addresses of one network by role and number, no server's below the number `first`."""

    def __init__(self, network: str, path: str, *, first: int = 3) -> None:
        try:
            self._network = ipaddress.IPv4Network(network)
        except ValueError as error:
            raise InputError(
                f"{path}: {network} is no IPv4 network: {error}",
                hint="Write its first address and prefix, like 10.20.0.0/24.",
            ) from None
        if self._network.prefixlen > _LONGEST_PREFIX:
            raise InputError(
                f"{path}: {network} has no room for hosts",
                hint="Give a larger network (a smaller number after the slash), or leave it out.",
            )
        self._path = path
        self._control_plane, self._worker, self._storage = _blocks(self._network.num_addresses, first)

    @property
    def gateway(self) -> str:
        return self._at(1)

    def load_balancer(self, number: int) -> str:
        """Return the load balancer's address: which number it has, the provider leaves."""
        return self._at(number)

    def control_plane(self, number: int) -> str:
        return self._in_block(self._control_plane, number, self._worker, "control-plane hosts")

    def worker(self, number: int) -> str:
        return self._in_block(self._worker, number, self._storage, "workers")

    def storage(self, number: int) -> str:
        return self._in_block(self._storage, number, self._network.num_addresses - 1, "storage nodes")

    def _in_block(self, first: int, number: int, end: int, what: str) -> str:
        if first + number >= end:
            raise InputError(
                f"{self._path}: {self._network} has room for {max(end - first, 0)} {what} only",
                hint="Give a larger network (a smaller number after the slash), or leave it out.",
            )
        return self._at(first + number)

    def _at(self, number: int) -> str:
        return str(self._network.network_address + number)
