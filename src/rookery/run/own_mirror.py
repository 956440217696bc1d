"""What the lab's servers for Kubernetes are made of: a mirror, filled before anything is planned."""

from __future__ import annotations

from pathlib import Path

from rookery.design.model import Design
from rookery.errors import InputError
from rookery.mirror.downloads import Web
from rookery.mirror.folder import INDEX, Mirror
from rookery.mirror.pull import Watcher, pull_mirror
from rookery.projections.kubernetes import build_stages
from rookery.projections.kubernetes.sources import build_sources
from rookery.run.workspace import noted_mirror
from rookery.systems.home import home

_MOST_DETAILS = 20


def own_mirror() -> Path:
    """Return this machine's own mirror, which `up` fills where no other is named."""
    return home() / "mirror"


def ensure_supplies(design: Design, given: Path | None, *, watcher: Watcher) -> Path | None:
    """Return the mirror that a system is to be made of, with everything in it that its design needs.

    One that is `given` is taken as it is; InputError says what it lacks. Without one, the lab's servers are
    made of this machine's own, which is filled from the official places: whatever is there is not fetched
    again. Systems that need no mirror have None.
    """
    if design.platform != "kubernetes" or not design.traits.here:
        return given
    folder = given or noted_mirror(design.name) or own_mirror()
    sources = build_sources(design, build_stages(design))
    missing = Mirror.open(folder).missing(sources) if (folder / INDEX).exists() else ("everything",)
    if not missing:
        return folder
    if given is None and folder == own_mirror():
        with Web() as web:
            return pull_mirror(folder, sources, web=web, watcher=watcher).mirror.folder
    raise InputError(
        f"the mirror {folder} lacks {len(missing)} things that this design needs",
        details=missing[:_MOST_DETAILS],
        hint=f"`rookery mirror pull {folder}` with the same spec adds them where there is internet.",
    )
