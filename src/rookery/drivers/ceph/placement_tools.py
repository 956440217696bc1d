"""Ceph's own placement tools, run from the servers' image: crushtool, osdmaptool, a monitor for a second.

`crushtool --test` with a pool's id hashes a PG as the OSD map does (`hashpspool`), so that it places every PG
exactly where a cluster with this map would. `osdmaptool --upmap` is what the manager's balancer calls, once
for each pool; it needs an OSD map with the designed pools, which osdmaptool cannot make (`--createsimple`
knows a single pool, its number of PGs a multiple of the OSDs): a monitor makes it (`offline_monitor.py`).

Each tool runs in mount and network namespaces of its own over the image, read-only but for its work folder:
they end with the tool, however that ends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from rookery.drivers.machine.process import run
from rookery.errors import RookeryError

_LIMIT = 600.0  # seconds; the largest pool on 8,000 OSDs takes a few
_INSIDE = "/srv"
_ENTER = (
    'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && mount --bind "$2" "$1/srv"'
    ' && mount -t proc proc "$1/proc" && root=$1 && shift 2 && exec chroot "$root" "$@"'
)
_NONE = 0x7FFFFFFF
"""CRUSH_ITEM_NONE (crush.h): no OSD was found for a chunk."""
_MAPPING = re.compile(r"^CRUSH rule \d+ x (\d+) \[([\d,]*)\]$", re.MULTILINE)
Upmaps = Mapping[int, tuple[tuple[int, int], ...]]
"""For the number of a PG, OSDs with those that replace them."""
_UPMAP = re.compile(r"^ceph osd pg-upmap-items \d+\.([0-9a-f]+)((?: \d+ \d+)+)$", re.MULTILINE)


class PlacementTools:
    """The tools of an image; `folder` is where their files are, for one simulation.

    `code_name` is what the tools call the release of Ceph in the image.
    """

    def __init__(self, image: Path, folder: Path, *, code_name: str) -> None:
        self._code_name = code_name
        self._image = image
        self._folder = folder

    def version(self) -> str:
        """Return Ceph's version, such as `18.2.7`."""
        return self._run("ceph-mon", "--version").split()[2]

    def compile(self, name: str, text: str) -> str:
        """Compile a CRUSH map, and return the name of its file."""
        (self._folder / f"{name}.txt").write_text(text, encoding="utf-8")
        self._run("crushtool", "--compile", f"{name}.txt", "-o", f"{name}.crush")
        return f"{name}.crush"

    def place(
        self, crush: str, *, rule: int, pool: int, pgs: range, size: int, out: Sequence[int] = ()
    ) -> tuple[tuple[int, ...], ...]:
        """Return the OSDs of PGs of a pool, with those of `out` marked out; -1 where CRUSH found none."""
        weights = [word for osd in out for word in ("--weight", str(osd), "0")]
        options = ("--rule", str(rule), "--num-rep", str(size), "--pool-id", str(pool), *weights)
        inputs = ("--min-x", str(pgs.start), "--max-x", str(pgs.stop - 1))
        text = self._run("crushtool", "-i", crush, "--test", "--show-mappings", *options, *inputs)
        return parse_mappings(text, pgs=pgs)

    def make_osd_map(self, crush: str, *, osds: int, commands: Sequence[dict[str, Any]]) -> str:
        """Let a monitor with that CRUSH map, which has no OSDs, obey commands; return its map's file."""
        (self._folder / "monitor.py").write_bytes(
            (files("rookery.drivers.ceph") / "offline_monitor.py").read_bytes()
        )
        job = {
            "crush": crush,
            "osds": osds,
            "release": self._code_name,
            "commands": list(commands),
        }
        (self._folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        self._run("python3", "monitor.py")
        return "osdmap"

    def complete_osd_map(self, osd_map: str, crush: str) -> None:
        """Give an OSD map its CRUSH map."""
        self._run("osdmaptool", osd_map, "--import-crush", crush)

    def balance(self, osd_map: str, pool: str, *, deviation: int, most: int) -> Upmaps:
        """Return at most `most` changes that the balancer would make to a pool; `deviation` is how many PGs
        an OSD may have too many or too few."""
        result = f"upmap-{pool}"
        limits = ("--upmap-deviation", str(deviation), "--upmap-max", str(most))
        # Without the seed it would draw lots, and no two simulations would be alike.
        chosen = ("--upmap", result, *limits, "--upmap-seed", "1", "--upmap-pool", pool)
        self._run("osdmaptool", osd_map, "--mark-up-in", *chosen)
        return parse_upmaps((self._folder / result).read_text(encoding="utf-8"))

    def _run(self, *argv: str) -> str:
        enter = ("unshare", "--mount", "--net", "sh", "-c", _ENTER, "sh")
        inside = ("env", "-i", "-C", _INSIDE, "PATH=/usr/bin:/usr/sbin:/bin:/sbin", *argv)
        return run((*enter, str(self._image), str(self._folder), *inside), timeout=_LIMIT)


def parse_mappings(text: str, *, pgs: range) -> tuple[tuple[int, ...], ...]:
    """Return the OSDs of each PG as `crushtool --show-mappings` writes them; raises RookeryError where one
    is missing."""
    found = {
        int(number): tuple(-1 if osd == _NONE else osd for osd in map(int, filter(None, osds.split(","))))
        for number, osds in _MAPPING.findall(text)
    }
    if found.keys() != set(pgs):
        raise RookeryError(f"crushtool placed {len(found)} of {len(pgs)} PGs")
    return tuple(found[number] for number in pgs)


def parse_upmaps(text: str) -> Upmaps:
    """Return the changes that `osdmaptool --upmap` writes as commands."""
    upmaps: dict[int, tuple[tuple[int, int], ...]] = {}
    for line in text.splitlines():
        found = _UPMAP.match(line)
        if found is None:
            raise RookeryError(f"osdmaptool wrote what is no upmap: {line[:100]}")
        osds = [int(word) for word in found[2].split()]
        upmaps[int(found[1], 16)] = tuple(zip(osds[::2], osds[1::2], strict=True))
    return upmaps
