"""How full what a system stands on is: its volumes, its drives, and the disk of a lab's machine."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rookery.load.fullness import parse_use
from rookery.run.asked import LONG, Asked
from rookery.systems.home import home
from rookery.systems.kubernetes.system import KubernetesSystem
from rookery.systems.native.system import NativeSystem
from rookery.systems.protocol import System

_LIMIT = 2.0  # seconds for a volume; a file system whose device hangs may never answer

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
    """What was seen, and what could not be looked at, in words."""

    seen: tuple[Fullness, ...]
    unseen: tuple[str, ...]


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
        )


def read_fullness(system: System) -> Look:
    """Look at everything that can fill up, now."""
    return Reading(system).result(LONG)


def _volumes(system: System) -> Look:
    if isinstance(system, KubernetesSystem):
        return Look(seen=tuple(_claims(system)), unseen=())
    assert isinstance(system, NativeSystem)
    running = system.lab.runc.running()
    asked = []
    for volume in system.design.volumes:
        pid = running.get(system.lab.paths.container(volume.host))
        place = Path(f"/proc/{pid}/root{volume.path}")
        asked.append((f"{volume.host}:{volume.path}", Asked(functools.partial(_use_of, place))))
    uses = [(name, one.result(_LIMIT)) for name, one in asked]
    return Look(
        seen=tuple(Fullness(kind="volume", name=name, used=use[0], size=use[1]) for name, use in uses if use),
        unseen=tuple(name for name, use in uses if not use),
    )


def _use_of(place: Path) -> tuple[int, int] | None:
    """Return used and usable bytes of the file system that is mounted at a place; None where none is."""
    if place.stat().st_dev == place.parent.stat().st_dev:
        return None
    found = shutil.disk_usage(place)
    return found.used, found.used + found.free


def _claims(system: KubernetesSystem) -> Iterator[Fullness]:
    """Yield the volumes of all pods as each kubelet counts them (its summary of statistics)."""
    told: set[tuple[str, str]] = set()
    for host in system.design.servers:
        path = f"/api/v1/nodes/{host.name}/proxy/stats/summary"
        summary = json.loads(system.kubectl.run("get", "--raw", path))
        for pod in summary.get("pods", ()):
            for volume in pod.get("volume", ()):
                claim = volume.get("pvcRef")
                if claim is None or (claim["namespace"], claim["name"]) in told:
                    continue
                told.add((claim["namespace"], claim["name"]))
                used, free = int(volume.get("usedBytes", 0)), int(volume.get("availableBytes", 0))
                name = f"{claim['namespace']}/{claim['name']}"
                yield Fullness(kind="volume", name=name, used=used, size=used + free)


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
