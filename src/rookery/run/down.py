"""Taking a system down, and proving that nothing is left."""

from __future__ import annotations

import time
from dataclasses import dataclass

from rookery.errors import InputError
from rookery.run.lock import hold
from rookery.run.preflight import require_root
from rookery.run.workspace import open_running
from rookery.systems.native.leftovers import Leftover, find_leftovers, take_down
from rookery.systems.native.paths import LabPaths


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """What `down` found, and what is still there; `seconds` is how long it took."""

    found: tuple[Leftover, ...]
    left: tuple[Leftover, ...]
    seconds: float


def bring_down(name: str) -> Departure:
    """Remove everything of the system `name`, then look again."""
    require_root()
    began = time.monotonic()
    paths = LabPaths(name=name)
    networks = _networks(name)
    with hold(name, forget=True):
        found = find_leftovers(paths, networks=networks)
        take_down(paths)
        left = find_leftovers(paths, networks=networks)
    return Departure(found=found, left=left, seconds=time.monotonic() - began)


def _networks(name: str) -> tuple[str, ...]:
    """Return the networks of a system whose spec is still there, to look for their routes."""
    try:
        network = open_running(name).design.network
    except InputError:
        return ()
    return tuple(cidr for cidr in (network.public, network.cluster) if cidr)
