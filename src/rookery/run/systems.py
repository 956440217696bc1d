"""Which system a design's name leads to, and what this machine must have to work with it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rookery.apps.table import document_path
from rookery.design.model import Design
from rookery.errors import NotPossibleError
from rookery.files import File
from rookery.mirror.folder import Mirror
from rookery.providers import Provider
from rookery.run.workspace import Workspace, noted_mirror, noted_mirror_url, open_running
from rookery.systems.existing.servers import ExistingServers
from rookery.systems.kubernetes.system import KubernetesSystem
from rookery.systems.lab.nodes.servers import LabServers
from rookery.systems.native.system import NativeSystem
from rookery.systems.protocol import System
from rookery.systems.servers import Servers

# Whose servers a system on Kubernetes stands on: a row for each provider that this version works with.
_SERVERS: Mapping[Provider, Callable[[Design, Mirror | None, str], Servers]] = {
    "lab": lambda design, mirror, _: LabServers(design, mirror),
    "existing": lambda design, mirror, url: ExistingServers(design, mirror=mirror, mirror_url=url),
}


def find_system(design: Design, *, mirror: Path | None = None, mirror_url: str | None = None) -> System:
    """Return the system of a design; raises NotPossibleError where this version cannot run it.

    What it is made of comes from the folder `mirror` where that is given, else from the one that it was
    brought up with. So does what its servers fetch, from `mirror_url`; empty where they ask the internet.
    """

    def pages() -> tuple[File, ...]:
        return (_document(design.name),)

    if design.platform == "native":
        return NativeSystem(design, pages=pages)
    folder = mirror or noted_mirror(design.name)
    url = noted_mirror_url(design.name) if mirror_url is None else mirror_url
    made_of = None if folder is None else Mirror.open(folder)
    return KubernetesSystem(design, find_servers(design, made_of, url), pages=pages, mirror=made_of)


def find_servers(design: Design, mirror: Mirror | None, mirror_url: str) -> Servers:
    """Return the servers of a design on Kubernetes; raises NotPossibleError where nobody makes them yet."""
    if design.provider not in _SERVERS:
        raise NotPossibleError(
            f"platform {design.platform} on provider {design.provider} cannot be brought up by this version",
            hint="It can be designed, checked and rendered (`rookery render`); what is brought up is the lab,"
            " and Kubernetes on servers that are there already (`provider: existing`).",
        )
    return _SERVERS[design.provider](design, mirror, mirror_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A system that runs, open, and what it was asked to be."""

    workspace: Workspace
    system: System

    @property
    def design(self) -> Design:
        return self.workspace.design


@contextlib.contextmanager
def opened(target: str | None) -> Iterator[Running]:
    """Yield a system that runs here, by its name or its spec, or the only one; it is closed at the end.

    Raises InputError where there is none of that name, NotPossibleError where whoever runs this may not work
    with it, or this machine lacks what asks it.
    """
    workspace = open_running(target)
    system = find_system(workspace.design)
    system.require_access()
    with contextlib.closing(system):
        yield Running(workspace=workspace, system=system)


def require_machine(design: Design, *, mirror: Path | None = None) -> None:
    """Raise NotPossibleError where this machine cannot bring up such a system.

    With a mirror, given or noted, kubectl and helm come from there.
    """
    find_system(design, mirror=mirror).require()


def _document(name: str) -> File:
    """Return the design document of a running system, as its website has it."""
    from rookery.projections.table import document_page
    from rookery.run.prices import load_prices
    from rookery.run.render import render_input

    page = document_page(render_input(open_running(name), load_prices().book))
    return replace(page, path=document_path())
