"""What the pages say of a design: hosts grouped, pools by service, capacity counted.

Pages only show; whatever has to be computed for them is computed here, once.
"""

# ruff: noqa: RUF001  the multiplication sign, dashes and apostrophes are meant

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from rookery.apps.cdn.settings import CdnSettings
from rookery.design.model import Design, Host, Role
from rookery.design.stored import Pool

# Ceph warns when an OSD is this full (its default mon_osd_nearfull_ratio): what lies above is no capacity.
NEARFULL = 0.85

_WORDS = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
_DECIMAL = (("PB", 10**15), ("TB", 10**12), ("GB", 10**9), ("MB", 10**6))


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Hosts that differ in nothing but their names, their addresses and their daemons' numbers."""

    hosts: tuple[Host, ...]

    @property
    def one(self) -> Host:
        return self.hosts[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One way to store: `data` is the pool that holds what users write, `pools` are all of the service."""

    name: str
    kind: str
    data: Pool
    pools: tuple[Pool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """How the raw bytes are spent when the pools fill in the proportions the design expects.

    raw = reserve (kept free, so that one lost host's data finds room) + slack (above Ceph's warning) +
    redundancy (copies and coding) + usable.
    """

    raw: int
    reserve: int
    slack: int
    redundancy: int
    usable: int


def number(count: int) -> str:
    """Write a small number as a word, a larger one in digits with separators."""
    return _WORDS[count] if 0 <= count < len(_WORDS) else f"{count:,}"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun if count == 1 else noun + 's'}"


def decimal_size(size: float) -> str:
    """Write bytes as drives are sold: powers of ten, three digits."""
    for unit, factor in _DECIMAL:
        if size >= factor:
            value = size / factor
            shown = f"{value:,.0f}" if value >= 99.5 else f"{value:.3g}"
            return f"{shown}\u00a0{unit}"
    return f"{size:.0f}\u00a0B"


def name_range(names: Sequence[str], most: int = 4) -> str:
    """Return a few names as a list, many as first … last."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{names[0]} … {names[-1]}"


def group_hosts(design: Design) -> tuple[Group, ...]:
    """Group alike hosts, in the order in which the first of each kind stands in the design."""
    groups: dict[object, list[Host]] = {}
    for host in design.hosts:
        groups.setdefault(_likeness(host), []).append(host)
    return tuple(Group(hosts=tuple(hosts)) for hosts in groups.values())


def _likeness(host: Host) -> tuple[object, ...]:
    daemons = tuple((daemon.kind, daemon.memory, daemon.drive) for daemon in host.daemons)
    return (host.roles, host.cpus, host.memory, host.disk, host.drives, daemons, host.instances)


def drive_summary(host: Host) -> str:
    """Write a host's data drives, alike ones together: `2 × 20 GB ssd`."""
    kinds = ((drive.size, drive.device_class) for drive in host.drives)
    return ", ".join(
        f"{len(tuple(alike))} × {decimal_size(size)} {device_class}"
        for (size, device_class), alike in groupby(kinds)
    )


def services(design: Design) -> tuple[Service, ...]:
    """Return the ways to store that the design offers."""
    found = []
    for name, kind, application in (
        ("Block", "RBD", "rbd"),
        ("File", "CephFS", "cephfs"),
        ("Object", "S3", "rgw"),
    ):
        pools = tuple(pool for pool in design.pools if pool.application == application)
        if pools:
            data = max(pools, key=lambda pool: pool.share)
            found.append(Service(name=name, kind=kind, data=data, pools=pools))
    return tuple(found)


def object_pool(design: Design) -> Pool | None:
    """Return the pool that holds what buckets hold."""
    store = design.object_store
    return next((pool for pool in design.pools if store and pool.name == store.data_pool), None)


def scheme(pool: Pool) -> str:
    """Write how a pool keeps its data: `3 copies` or `4+2 erasure coding`."""
    if pool.erasure_code is None:
        return "1 copy" if pool.size == 1 else f"{pool.size} copies"
    return f"{pool.erasure_code.k}+{pool.erasure_code.m} erasure coding"


def losses_kept(pool: Pool, hosts: int) -> int:
    """Return how many of `hosts` storage hosts may be lost at once without losing data."""
    needed = 1 if pool.erasure_code is None else pool.erasure_code.k
    return max(min(pool.size, hosts) - needed, 0)


def losses_served(pool: Pool, hosts: int) -> int:
    """Return how many of `hosts` storage hosts may be lost at once while the pool still reads and writes."""
    return max(min(pool.size, hosts) - pool.min_size, 0)


def storage_hosts(design: Design) -> tuple[Host, ...]:
    return design.with_role(Role.STORAGE)


def survives_a_host(design: Design) -> bool:
    """Tell whether every pool goes on when one storage host is lost, as far as its copies find hosts."""
    hosts = len(storage_hosts(design))
    return all(losses_served(pool, hosts) >= 1 for pool in design.pools)


def heals_a_host(design: Design) -> bool:
    """Tell whether a lost host's copies can be made again on the hosts that are left."""
    return len(storage_hosts(design)) > max((pool.size for pool in design.pools), default=1)


def capacity(design: Design) -> Capacity:
    """Count where the raw bytes go. Only drives of the class that the pools use are counted."""
    classes = {pool.device_class for pool in design.pools if pool.device_class}
    per_host = [
        sum(drive.size for drive in host.drives if not classes or drive.device_class in classes)
        for host in storage_hosts(design)
    ]
    raw = sum(per_host)
    reserve = max(per_host, default=0) if heals_a_host(design) else 0
    weight = sum(pool.share for pool in design.pools) or 1.0
    overhead = sum(pool.share / weight * pool.overhead for pool in design.pools) or 1.0
    filled = (raw - reserve) * NEARFULL
    usable = round(filled / overhead)
    slack = raw - reserve - round(filled)
    return Capacity(raw=raw, reserve=reserve, slack=slack, redundancy=round(filled) - usable, usable=usable)


def streams(design: Design) -> bool:
    """Tell whether the system has films and music to show."""
    return any(app.name == "streaming" for app in design.apps)


def has_catalogue(design: Design) -> bool:
    """Tell whether the catalogue answers beside the site, which knows the titles and counts their plays."""
    return any(app.name == "catalogue" for app in design.apps)


def has_channel(design: Design) -> bool:
    """Tell whether there is a live channel.

    The settings are read by name: the site is below the other applications and knows none of their types.
    """
    settings = next((app.settings for app in design.apps if app.name == "streaming"), None)
    return bool(getattr(settings, "channel", False))


def edges(design: Design) -> tuple[Host, ...]:
    """Return the hosts that run an edge of the CDN."""
    return tuple(host for host in design.hosts if any(item.app == "cdn" for item in host.instances))


def edge_cache(design: Design) -> int:
    """Return how many bytes each edge may cache; 0 where there is no CDN."""
    settings = next((app.settings for app in design.apps if app.name == "cdn"), None)
    return int(settings.cache) if isinstance(settings, CdnSettings) else 0
