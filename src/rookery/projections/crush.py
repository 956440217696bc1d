"""The CRUSH map of a design, as the text that `crushtool --compile` reads.

Hierarchy, rules and tunables are those of a cluster that Ceph itself builds: a root `default` with a bucket
for each host, failure domain host, tunables `jewel` (Ceph's `optimal`) and straw2 buckets,
https://docs.ceph.com/en/reef/rados/operations/crush-map/. A pool with erasure code has a rule of its own,
with the steps that `osd pool create` gives it; compared with what a monitor of Ceph 18.2.7 makes.

Bucket ids follow the order of hosts. A running cluster numbers them as they arrive, and CRUSH hashes these
numbers: single PGs lie elsewhere there, their distribution is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rookery.design.model import DaemonKind, Design
from rookery.design.stored import Pool

TIB = 1024**4
_TYPES = (
    *("osd", "host", "chassis", "rack", "row", "pdu", "pod", "room", "datacenter", "zone", "region", "root"),
)
_TUNABLES = (
    ("choose_local_tries", 0),
    ("choose_local_fallback_tries", 0),
    ("choose_total_tries", 50),
    ("chooseleaf_descend_once", 1),
    ("chooseleaf_vary_r", 1),
    ("chooseleaf_stable", 1),
    ("straw_calc_version", 1),
    ("allowed_bucket_algs", 54),
)
_REPLICATED_RULE = "replicated_rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class CrushOsd:
    """One OSD: its number, its drive's bytes, from which its weight follows, and its device class."""

    id: int
    size: int
    device_class: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CrushHost:
    """A host bucket with its OSDs."""

    name: str
    osds: tuple[CrushOsd, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CrushRule:
    """A rule; `device_class` is empty where it takes drives of every class."""

    name: str
    erasure: bool
    device_class: str


def crush_hosts(design: Design) -> tuple[CrushHost, ...]:
    """Return the design's hosts that have OSDs."""
    return tuple(
        CrushHost(
            name=host.name,
            osds=tuple(
                CrushOsd(id=int(daemon.id), size=drive.size, device_class=drive.device_class)
                for daemon in host.daemons_of(DaemonKind.OSD)
                for drive in host.drives
                if drive.name == daemon.drive
            ),
        )
        for host in design.hosts
        if host.daemons_of(DaemonKind.OSD)
    )


def crush_rules(pools: Sequence[Pool]) -> tuple[CrushRule, ...]:
    """Return the rules of the pools; a rule's id is its place. The first is the one every cluster has."""
    rules = [CrushRule(name=_REPLICATED_RULE, erasure=False, device_class="")]
    rules += [
        CrushRule(name=f"replicated-{name}", erasure=False, device_class=name)
        for name in sorted({pool.device_class for pool in pools if pool.device_class})
    ]
    rules += [
        CrushRule(name=pool.name, erasure=True, device_class=pool.device_class)
        for pool in pools
        if pool.erasure_code is not None
    ]
    return tuple(rules)


def rule_name(pool: Pool) -> str:
    """Return the name of the rule that places a pool."""
    if pool.erasure_code is not None:
        return pool.name
    return f"replicated-{pool.device_class}" if pool.device_class else _REPLICATED_RULE


def with_drives_added(hosts: Sequence[CrushHost]) -> tuple[CrushHost, ...]:
    """Return the hosts with one drive more each, like the first that each has."""
    number = _next_osd(hosts)
    return tuple(
        replace(host, osds=(*host.osds, replace(host.osds[0], id=number + place)))
        for place, host in enumerate(hosts)
    )


def with_host_added(hosts: Sequence[CrushHost]) -> tuple[CrushHost, ...]:
    """Return the hosts and one more, with drives like those of the last."""
    number = _next_osd(hosts)
    osds = tuple(replace(osd, id=number + place) for place, osd in enumerate(hosts[-1].osds))
    return (*hosts, CrushHost(name=f"{hosts[-1].name}-next", osds=osds))


def _next_osd(hosts: Sequence[CrushHost]) -> int:
    return max(osd.id for host in hosts for osd in host.osds) + 1


def render_crush_map(hosts: Sequence[CrushHost], rules: Sequence[CrushRule]) -> str:
    """Return the map's text; weights are TiB, to the five digits that Ceph writes."""
    osds = sorted((osd for host in hosts for osd in host.osds), key=lambda osd: osd.id)
    classes = sorted({osd.device_class for osd in osds} | {rule.device_class for rule in rules} - {""})
    blocks = (
        [f"tunable {name} {value}" for name, value in _TUNABLES],
        [f"device {osd.id} osd.{osd.id} class {osd.device_class}" for osd in osds],
        [f"type {number} {name}" for number, name in enumerate(_TYPES)],
        [line for number, host in enumerate(hosts, 1) for line in _host(host, number, classes)],
        list(_bucket("root default", 0, classes, [(host.name, _host_weight(host)) for host in hosts])),
        [line for number, rule in enumerate(rules) for line in _rule(number, rule)],
    )
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _host(host: CrushHost, number: int, classes: Sequence[str]) -> Iterator[str]:
    items = [(f"osd.{osd.id}", _weight(osd)) for osd in host.osds]
    return _bucket(f"host {host.name}", number, classes, items)


def _bucket(
    title: str, number: int, classes: Sequence[str], items: Sequence[tuple[str, float]]
) -> Iterator[str]:
    """Yield a bucket. Beside it Ceph keeps a shadow for each device class, with an id of its own."""
    first = -1 - number * (1 + len(classes))
    yield f"{title} {{"
    yield f"\tid {first}"
    yield from (f"\tid {first - place} class {name}" for place, name in enumerate(classes, 1))
    yield "\talg straw2"
    yield "\thash 0"
    yield from (f"\titem {name} weight {weight:.5f}" for name, weight in items)
    yield "}"


def _weight(osd: CrushOsd) -> float:
    return round(osd.size / TIB, 5)


def _host_weight(host: CrushHost) -> float:
    return sum(_weight(osd) for osd in host.osds)


def _rule(number: int, rule: CrushRule) -> Iterator[str]:
    take = f"default class {rule.device_class}" if rule.device_class else "default"
    yield f"rule {rule.name} {{"
    yield f"\tid {number}"
    yield f"\ttype {'erasure' if rule.erasure else 'replicated'}"
    if rule.erasure:
        yield "\tstep set_chooseleaf_tries 5"
        yield "\tstep set_choose_tries 100"
    yield f"\tstep take {take}"
    yield f"\tstep chooseleaf {'indep' if rule.erasure else 'firstn'} 0 type host"
    yield "\tstep emit"
    yield "}"
