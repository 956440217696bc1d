"""Taking a system down, and proving that nothing is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rookery.clouds.cloud import Cloud
from rookery.errors import InputError, NotPossibleError
from rookery.run.homes import forget_home
from rookery.run.lock import hold, is_known
from rookery.run.systems import find_system
from rookery.run.workspace import no_such_system, open_running, running_names
from rookery.systems.cloud.removal import CloudRemoval
from rookery.systems.cloud.servers import controller_names
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
    name: str,
    report: Callable[[str], None] = lambda _: None,
    *,
    must_exist: bool = False,
    cloud: Cloud | None = None,
) -> Departure:
    """Remove everything of the system `name`, then look again; `report` hears what takes long.

    It is the system that this machine knows by the name, or with `cloud` the one of its account, whoever
    brought it up. With `must_exist`, raises InputError where there never was such a system and nothing of one
    is found.
    """
    began = time.monotonic()
    stranger = cloud is not None and not _is_known_on(name, cloud)
    removal = _account_removal(name, cloud) if cloud is not None and stranger else _removal(name)
    removal.require()
    existed = not stranger and (is_known(name) or name in running_names())
    with hold(name, forget=not stranger):
        found = removal.leftovers()
        removal.take_down(report)
        left = removal.leftovers()
        if not left:
            removal.forget()
            if not stranger:
                forget_home(name)
    if must_exist and not existed and not found:
        raise no_such_system(name)
    return Departure(found=found, left=left, seconds=time.monotonic() - began)


def _is_known_on(name: str, cloud: Cloud) -> bool:
    """Whether the system that this machine knows by a name is the one of a cloud."""
    try:
        return open_running(name).design.provider == cloud.provider
    except (InputError, NotPossibleError):
        return False


def _account_removal(name: str, cloud: Cloud) -> Removal:
    """Return the removal of a system that was brought up elsewhere: all that is known of it is its name."""
    return CloudRemoval(name=name, names=controller_names(name), connect=lambda: cloud, noted=())


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
