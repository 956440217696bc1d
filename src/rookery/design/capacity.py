"""How much data fits, before and after a loss.

Ceph stops in three stages as the fullest OSD fills (its defaults, in the monitors' OSD map):
https://docs.ceph.com/en/reef/rados/configuration/mon-config-ref/#storage-capacity. All figures assume what
the balancer brings about: OSDs of one class equally full. What BlueStore takes for itself is left out (a few
percent). CRUSH never puts two pieces of an object on one host, so a pool of three copies on three unequal
hosts holds what the smallest of them holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from rookery.design.model import Design, Host
from rookery.design.stored import Pool
from rookery.units import GB

NEARFULL = 0.85
"""Health warns from here on."""
BACKFILLFULL = 0.90
"""No data is moved to the OSD: healing stops."""
FULL = 0.95
"""No writes any more."""

Weights = Mapping[int, int]
"""Raw bytes of a host -> how many hosts have that much: all that capacity depends on."""


class WorstLoss(StrEnum):
    """What is lost for good, so that Ceph restores its data elsewhere."""

    NOTHING = "nothing"
    DRIVE = "a drive"
    NODE = "a storage node"
    TWO_NODES = "two storage nodes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Bytes of user data that fit once a loss is healed, in the mix of pools that the design expects.

    Where the hosts left are too few for a pool's copies or chunks, `heals` is false and the sizes are 0.
    """

    loss: WorstLoss
    heals: bool
    under_nearfull: int
    under_backfillfull: int
    under_full: int


def gigabytes(size: int) -> str:
    """Write an amount of data as drives are sold: in powers of ten, to a tenth of a gigabyte."""
    return f"{size / GB:.1f} GB"


def host_raw(host: Host, device_class: str = "") -> int:
    """Return the raw bytes of a host's drives of a class; of all where `device_class` is empty."""
    return sum(drive.size for drive in host.drives if device_class in ("", drive.device_class))


def raw_bytes(design: Design, device_class: str = "") -> int:
    """Return the raw bytes of all drives of a class; of all where `device_class` is empty."""
    return sum(host_raw(host, device_class) for host in design.hosts)


def host_weights(hosts: tuple[Host, ...], device_class: str = "") -> Weights:
    """Return how many hosts have how many raw bytes of a class; hosts without any are left out."""
    return Counter(raw for host in hosts if (raw := host_raw(host, device_class)))


def usable_bytes(pool: Pool, weights: Weights) -> int:
    """Return the bytes that `pool` could store if it had these hosts for itself, filled to the brim."""
    pieces_per_byte = 1 if pool.erasure_code is None else pool.erasure_code.k
    return _largest_piece(weights, pool.size) * pieces_per_byte


def usable_by_pool(design: Design) -> tuple[tuple[str, int], ...]:
    """Return each pool's name with the bytes it could store if it were the only one."""
    found = {pool.device_class: host_weights(design.hosts, pool.device_class) for pool in design.pools}
    return tuple((pool.name, usable_bytes(pool, found[pool.device_class])) for pool in design.pools)


def room_after(design: Design, loss: WorstLoss) -> Room:
    """Return how much data fits once the worst loss of a kind is healed."""
    before = host_weights(design.hosts, _device_class(design))
    return _room(design, loss, remove(before, design, loss))


def safe_capacity(design: Design) -> Room:
    """Return how much the system may store so that losing a storage node heals without a warning."""
    return room_after(design, WorstLoss.NODE)


def heals_on(design: Design, weights: Weights) -> bool:
    """Say whether every pool finds a host for each of its copies or chunks."""
    return all(sum(weights.values()) >= pool.size for pool in design.pools)


def mixed_usable(design: Design, weights: Weights) -> int:
    """Return the bytes that fit when every pool takes its expected share of the data.

    A pool that gets a part f of every host stores f times what it would alone. Giving each pool the part
    that its raw bytes ask for makes all pools full at once where the hosts are equal, and is a safe lower
    figure where they are not.
    """
    filled = [pool for pool in design.pools if pool.share]
    share = sum(pool.share for pool in filled)
    if not filled:
        return 0
    mean_overhead = sum(pool.share * pool.overhead for pool in filled) / share
    return int(min(pool.overhead * usable_bytes(pool, weights) for pool in filled) / mean_overhead)


def remove(weights: Weights, design: Design, loss: WorstLoss) -> Weights:
    """Return the weights that are left after the largest drive, or the largest one or two hosts, are gone."""
    left = Counter(weights)
    for _ in range({WorstLoss.NODE: 1, WorstLoss.TWO_NODES: 2}.get(loss, 0)):
        if left:
            left = left - Counter([max(left)])
    if loss is WorstLoss.DRIVE and left:
        drive, host = max(_drives_with_hosts(design))
        left = left - Counter([host]) + Counter([host - drive] if host > drive else [])
    return left


def _drives_with_hosts(design: Design) -> set[tuple[int, int]]:
    """Return the sizes of drives with the raw bytes of the host they are in, each pair once."""
    device_class = _device_class(design)
    return {
        (drive.size, host_raw(host, device_class))
        for host in design.hosts
        for drive in host.drives
        if device_class in ("", drive.device_class)
    }


def _room(design: Design, loss: WorstLoss, weights: Weights) -> Room:
    heals = heals_on(design, weights)
    usable = mixed_usable(design, weights) if heals else 0
    return Room(
        loss=loss,
        heals=heals,
        under_nearfull=int(usable * NEARFULL),
        under_backfillfull=int(usable * BACKFILLFULL),
        under_full=int(usable * FULL),
    )


def _device_class(design: Design) -> str:
    """Return the class of drives that the pools use; all pools of a design use the same."""
    return design.pools[0].device_class


def _largest_piece(weights: Weights, pieces: int) -> int:
    """Return the largest X such that `pieces` times X bytes fit with at most X on each host.

    Hosts larger than X give X each, the others all they have: with j larger ones, X is what the others have
    together, divided by (pieces - j). Setting hosts aside from the largest down, the first X that no other
    host exceeds is it; with one piece left to place that X is always reached.
    """
    if sum(weights.values()) < pieces:
        return 0
    rest = sum(raw * count for raw, count in weights.items())
    descending = (raw for raw in sorted(weights, reverse=True) for _ in range(weights[raw]))
    for larger, raw in enumerate(descending):
        piece = rest // (pieces - larger)
        if raw <= piece:
            return piece
        rest -= raw
    return 0
