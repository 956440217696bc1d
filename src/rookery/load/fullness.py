"""Whether objects of a load fit: nothing is begun that would bring an OSD to nearfull.

CRUSH spreads placement groups, not bytes: with the few of a demo an OSD gets up to a quarter more than its
share. The look ahead counts with that; while a load runs, its generator looks how full the OSDs are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rookery.design.capacity import gigabytes
from rookery.design.stored import Pool
from rookery.units import GB, KIB, format_size

_UNEVEN = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class OsdUse:
    """An OSD that takes data: its size and what of it is used, in bytes, and its CRUSH weight."""

    name: str
    device_class: str
    size: int
    used: int
    weight: float


def parse_use(answer: Mapping[str, Any]) -> tuple[OsdUse, ...]:
    """Return the OSDs of an answer to `osd df`; those that are down and out take no data."""
    return tuple(
        OsdUse(
            name=f"osd.{node['id']}",
            device_class=str(node.get("device_class", "")),
            size=int(node["kb"]) * KIB,
            used=int(node["kb_used"]) * KIB,
            weight=float(node["crush_weight"]) * float(node["reweight"]),
        )
        for node in answer["nodes"]
        if node["kb"] and node["crush_weight"] and node["reweight"]
    )


def why_not(osds: Sequence[OsdUse], *, nearfull: float, pool: Pool | None, budget: int) -> str:
    """Return why a load whose objects take `budget` bytes of `pool` must not begin; empty where it may."""
    if not osds:
        return "no OSD takes data"
    fullest = max(osds, key=lambda osd: osd.used / osd.size)
    if fullest.used >= nearfull * fullest.size:
        return f"{fullest.name} is {fullest.used / fullest.size:.1%} full, and nearfull is {nearfull:.1%}"
    if pool is None or not budget:
        return ""
    chosen = [osd for osd in osds if pool.device_class in ("", osd.device_class)]
    weight = sum(osd.weight for osd in chosen)
    if not weight:
        return f"no OSD of class {pool.device_class} takes data"
    raw = budget * pool.overhead * _UNEVEN
    room = min((nearfull * osd.size - osd.used) * weight / osd.weight for osd in chosen)
    if raw < room:
        return ""
    most = max(0, int(room / pool.overhead / _UNEVEN)) // 10**6 * 10**6
    there = f"there is room for {gigabytes(most) if most >= GB else format_size(most)}"
    return f"{format_size(budget)} of objects would bring an OSD to nearfull; {there}"
