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
from rookery.prices.book import cloud_of
from rookery.providers import ELSEWHERE, Provider
from rookery.run.clouds import CONNECTIONS, connect, login_folder, machines_of
from rookery.run.workspace import Workspace, noted_mirror, noted_mirror_url, open_running
from rookery.systems.cloud.servers import CloudServers
from rookery.systems.existing.servers import ExistingServers
from rookery.systems.kubernetes.system import KubernetesSystem
from rookery.systems.lab.nodes.servers import LabServers
from rookery.systems.native.system import NativeSystem
from rookery.systems.protocol import System
from rookery.systems.servers import Servers


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What servers are made with: a mirror, where it is served to them, the end of their lease."""

    mirror: Mirror | None
    url: str
    until: str


def _on_cloud(design: Design, given: _Given) -> Servers:
    provider = cloud_of(design.provider)
    return CloudServers(
        design,
        lambda: connect(provider),
        machines=lambda: machines_of(design, provider),
        folder=login_folder(design.name),
        mirror=given.mirror,
        mirror_url=given.url,
        until=given.until,
    )


# Whose servers a system on Kubernetes stands on: a row for each provider that this version works with.
_SERVERS: Mapping[Provider, Callable[[Design, _Given], Servers]] = {
    "lab": lambda design, given: LabServers(design, given.mirror),
    "existing": lambda design, given: ExistingServers(design, mirror=given.mirror, mirror_url=given.url),
    **dict.fromkeys(CONNECTIONS, _on_cloud),
}


def find_system(
    design: Design, *, mirror: Path | None = None, mirror_url: str | None = None, until: str = ""
) -> System:
    """Return the system of a design; raises NotPossibleError where this version cannot run it.

    What it is made of comes from the folder `mirror` where that is given, else from the one that it was
    brought up with. So does what its servers fetch, from `mirror_url`; empty where they ask the internet.
    With `until`, servers of a cloud are wanted until then, and no longer.
    """

    def pages() -> tuple[File, ...]:
        return (_document(design.name),)

    if design.platform == "native":
        return NativeSystem(design, pages=pages)
    folder = mirror or noted_mirror(design.name)
    url = noted_mirror_url(design.name) if mirror_url is None else mirror_url
    made_of = None if folder is None else Mirror.open(folder)
    given = _Given(mirror=made_of, url=url, until=until)
    return KubernetesSystem(design, _servers(design, given), pages=pages, mirror=made_of)


def _servers(design: Design, given: _Given) -> Servers:
    """Return the servers of a design on Kubernetes; raises NotPossibleError where nobody makes them yet."""
    if design.provider not in _SERVERS:
        raise NotPossibleError(
            f"platform {design.platform} on provider {design.provider} cannot be brought up by this version",
            hint="It can be designed, checked and rendered (`rookery render`); what is brought up is the lab,"
            f" and Kubernetes on provider {', '.join(name for name in _SERVERS if name in ELSEWHERE)}.",
        )
    return _SERVERS[design.provider](design, given)


def cloud_servers(system: System) -> CloudServers | None:
    """Return the servers of a system on a cloud; None where they are nothing that an account has."""
    servers = system.servers if isinstance(system, KubernetesSystem) else None
    return servers if isinstance(servers, CloudServers) else None


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


def require_machine(design: Design, *, mirror: Path | None = None) -> tuple[str, ...]:
    """Raise NotPossibleError where this machine, or the account, cannot bring up such a system; return what
    nobody can tell of that.

    With a mirror, given or noted, kubectl and helm come from there.
    """
    system = find_system(design, mirror=mirror)
    system.require()
    servers = cloud_servers(system)
    return servers.notes if servers is not None else ()


def _document(name: str) -> File:
    """Return the design document of a running system, as its website has it."""
    from rookery.projections.table import document_page
    from rookery.run.prices import load_prices
    from rookery.run.render import render_input

    page = document_page(render_input(open_running(name), load_prices().book))
    return replace(page, path=document_path())
