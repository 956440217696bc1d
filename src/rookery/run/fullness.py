"""How full what a system stands on is: its volumes, its drives, and the disk of a lab's machine."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from rookery.drivers.machine.asked import LONG, Asked
from rookery.load.fullness import parse_use
from rookery.systems.home import home
from rookery.systems.protocol import System

# From here on something soon refuses writes: Ceph's nearfull is 0.85 and full 0.95 of an OSD, XFS and a
# database on it need some room to work in.
NEARLY_FULL = 0.85


@dataclass(frozen=True, slots=True, kw_only=True)
class Fullness:
    """One thing that can be full: its kind (volume, drive, disk), its name, and bytes."""

    kind: str
    name: str
    used: int
    size: int

    @property
    def part(self) -> float:
        """How full it is, 0 to 1; of XFS, ext4 and BlueStore alike used over what can be used."""
        return self.used / self.size if self.size else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen, and what could not be looked at, in words; `ways` says by what volumes are attached."""

    seen: tuple[Fullness, ...]
    unseen: tuple[str, ...]
    ways: tuple[str, ...] = ()


class Reading:
    """Looks at everything that can fill up, under way at once, none waiting for another."""

    def __init__(self, system: System) -> None:
        self._volumes = Asked(lambda: _volumes(system))
        self._drives = Asked(lambda: _drives(system))
        self._disk = Asked(lambda: _disk(system))

    def result(self, limit: float) -> Look:
        """Return what was seen `limit` seconds after it began; what has not answered by then is named."""
        named = (("the drives", self._drives), ("this machine's disk", self._disk))
        found = [(what, asked.result(limit)) for what, asked in named]
        volumes = self._volumes.result(limit) or Look(seen=(), unseen=("the volumes",))
        return Look(
            seen=(*volumes.seen, *(one for _, seen in found for one in seen or ())),
            unseen=(*volumes.unseen, *(what for what, seen in found if seen is None)),
            ways=volumes.ways,
        )


def read_fullness(system: System) -> Look:
    """Look at everything that can fill up, now."""
    return Reading(system).result(LONG)


def _volumes(system: System) -> Look:
    uses = system.volumes()
    return Look(
        seen=tuple(
            Fullness(kind="volume", name=one.name, used=one.used, size=one.size)
            for one in uses
            if one.used is not None and one.size is not None
        ),
        unseen=tuple(one.name for one in uses if one.used is None),
        ways=tuple(sorted({one.way for one in uses if one.way})),
    )


def _drives(system: System) -> tuple[Fullness, ...]:
    ceph = system.ceph_or_none()
    if ceph is None:
        raise LookupError("no monitor answers")
    found = parse_use(ceph.mgr("osd df"))
    return tuple(Fullness(kind="drive", name=osd.name, used=osd.used, size=osd.size) for osd in found)


def _disk(system: System) -> tuple[Fullness, ...]:
    if not system.design.traits.here:
        return ()
    use = shutil.disk_usage(home())
    return (Fullness(kind="disk", name=str(home()), used=use.used, size=use.used + use.free),)


def summary_words(look: Look) -> str:
    """Return one line: the fullest of each kind, and what could not be looked at."""
    words = []
    for kind in ("volume", "drive", "disk"):
        fullest = max((one for one in look.seen if one.kind == kind), key=lambda one: one.part, default=None)
        if fullest is not None:
            rank = "" if kind == "disk" else "fullest "
            words.append(f"{rank}{kind} {fullest.name} {fullest.part:.0%}")
    if look.unseen:
        words.append(f"not seen: {', '.join(look.unseen)}")
    return "; ".join(words)
