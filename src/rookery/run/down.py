"""Taking a system down, and proving that nothing is left."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass

from rookery.drivers.machine.files import remove_tree
from rookery.errors import InputError, RookeryError
from rookery.run.homes import forget_home
from rookery.run.lock import hold, is_known
from rookery.run.preflight import require_root
from rookery.run.systems import find_system
from rookery.run.workspace import no_such_system, open_running, running_names
from rookery.systems.kubernetes.paths import ClusterPaths
from rookery.systems.kubernetes.system import KubernetesSystem
from rookery.systems.lab.leftovers import find_leftovers, take_down
from rookery.systems.lab.paths import LabPaths
from rookery.systems.protocol import Leftover


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """What `down` found, and what is still there; `seconds` is how long it took."""

    found: tuple[Leftover, ...]
    left: tuple[Leftover, ...]
    seconds: float


def bring_down(
    name: str, report: Callable[[str], None] = lambda _: None, *, must_exist: bool = False
) -> Departure:
    """Remove everything of the system `name`, then look again; `report` hears what takes long.

    With `must_exist`, raises InputError where there never was such a system and nothing of one is found.
    """
    known = ClusterPaths(name=name).folder
    if known.is_dir() and not _is_lab(name):
        return _bring_cluster_down(name, report)
    require_root()
    began = time.monotonic()
    paths = LabPaths(name=name)
    networks = _networks(name)
    existed = is_known(name) or name in running_names()
    with hold(name, forget=True):
        found = find_leftovers(paths, networks=networks)
        take_down(paths, report)
        left = find_leftovers(paths, networks=networks)
        # With its servers the whole cluster is gone, and what was known of it leads nowhere.
        remove_tree(known)
        if not left:
            forget_home(name)
    if must_exist and not existed and not found:
        raise no_such_system(name)
    return Departure(found=found, left=left, seconds=time.monotonic() - began)


def _bring_cluster_down(name: str, report: Callable[[str], None]) -> Departure:
    """Remove a system from its cluster. The cluster itself stays: its servers are somebody's own."""
    began = time.monotonic()
    system = find_system(open_running(name).design)
    assert isinstance(system, KubernetesSystem)
    if not system.is_reachable():
        raise RookeryError(
            f"the cluster of {name} does not answer, so nobody can tell what is left of it",
            hint=f"Where its servers are gone for good, remove {system.paths.folder}.",
        )
    removal = system.removal()
    with hold(name, forget=True):
        found = removal.leftovers()
        removal.take_down(report)
        left = removal.leftovers()
        if not left:
            shutil.rmtree(system.paths.folder)
    return Departure(found=found, left=left, seconds=time.monotonic() - began)


def _is_lab(name: str) -> bool:
    """Tell whether a cluster's servers are the lab's own, also where its spec cannot be read any more."""
    try:
        return open_running(name).design.provider == "lab"
    except InputError:
        return LabPaths(name=name).folder.is_dir()


def _networks(name: str) -> tuple[str, ...]:
    """Return the networks of a system whose spec is still there, to look for their routes."""
    try:
        network = open_running(name).design.network
    except InputError:
        return ()
    return tuple(cidr for cidr in (network.public, network.cluster) if cidr)
