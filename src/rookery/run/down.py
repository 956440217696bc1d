"""Taking a system down, and proving that nothing is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rookery.errors import InputError
from rookery.run.homes import forget_home
from rookery.run.lock import hold, is_known
from rookery.run.systems import find_system
from rookery.run.workspace import no_such_system, open_running, running_names
from rookery.systems.kubernetes.paths import ClusterPaths
from rookery.systems.lab.paths import LabPaths
from rookery.systems.lab.removal import LabRemoval, lab_removal
from rookery.systems.protocol import Leftover, Removal


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
    began = time.monotonic()
    removal = _removal(name)
    removal.require()
    existed = is_known(name) or name in running_names()
    with hold(name, forget=True):
        found = removal.leftovers()
        removal.take_down(report)
        left = removal.leftovers()
        if not left:
            removal.forget()
            forget_home(name)
    if must_exist and not existed and not found:
        raise no_such_system(name)
    return Departure(found=found, left=left, seconds=time.monotonic() - began)


def require_removable(name: str) -> None:
    """Raise NotPossibleError where whoever runs this may not remove the system; nothing is changed."""
    _removal(name).require()


def _removal(name: str) -> Removal:
    """Return the removal of a system, also where nothing but its name is left.

    What is on this machine goes by name. Into somebody's cluster only its spec leads: raises InputError where
    that cannot be read.
    """
    noted = ClusterPaths(name=name).folder
    try:
        design = open_running(name).design
    except InputError:
        if noted.is_dir() and not LabPaths(name=name).folder.is_dir():
            raise
        return LabRemoval(name=name, noted=noted)
    try:
        return find_system(design).removal
    except InputError:
        # The mirror that its servers were made of is gone; they are here all the same.
        if not design.traits.here:
            raise
        return lab_removal(design, noted=noted)
