"""Which system a design's name leads to, and what this machine must have to work with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rookery.apps.cdn.nginx import DOCUMENT
from rookery.design.model import Design
from rookery.errors import NotPossibleError
from rookery.files import File
from rookery.mirror.folder import Mirror
from rookery.run.preflight import require_cluster_lab, require_cluster_tools, require_lab_machine
from rookery.run.workspace import noted_mirror, noted_mirror_url, open_running
from rookery.systems.kubernetes.system import KubernetesSystem
from rookery.systems.native.system import NativeSystem
from rookery.systems.protocol import System


def find_system(design: Design, *, mirror: Path | None = None, mirror_url: str | None = None) -> System:
    """Return the system of a design; raises NotPossibleError where this version cannot run it.

    What it is made of comes from the folder `mirror` where that is given, else from the one that it was
    brought up with. So does what its servers fetch, from `mirror_url`; empty where they ask the internet.
    """

    def pages() -> tuple[File, ...]:
        return (_document(design.name),)

    if design.platform == "native":
        return NativeSystem(design, pages=pages)
    _refuse_provider(design)
    folder = mirror or noted_mirror(design.name)
    url = noted_mirror_url(design.name) if mirror_url is None else mirror_url
    made_of = None if folder is None else Mirror.open(folder)
    return KubernetesSystem(design, pages=pages, mirror=made_of, mirror_url=url)


def _refuse_provider(design: Design) -> None:
    if design.provider not in ("existing", "lab"):
        raise NotPossibleError(
            f"platform {design.platform} on provider {design.provider} cannot be brought up by this version",
            hint="It can be designed, checked and rendered (`rookery render`); what is brought up is the lab,"
            " and Kubernetes on servers that are there already (`provider: existing`).",
        )


def require_machine(design: Design, *, mirror: Path | None = None) -> None:
    """Raise NotPossibleError where this machine cannot bring up or look at such a system.

    With a mirror, given or noted, kubectl and helm come from there.
    """
    _refuse_provider(design)
    if design.platform == "native":
        require_lab_machine(design)
    elif design.provider == "lab":
        require_cluster_lab(design)
    elif mirror is None and noted_mirror(design.name) is None:
        require_cluster_tools()


def _document(name: str) -> File:
    """Return the design document of a running system, as its website has it."""
    from rookery.projections.table import document_page
    from rookery.run.prices import load_prices
    from rookery.run.render import render_input

    page = document_page(render_input(open_running(name), load_prices().book))
    return replace(page, path=DOCUMENT)
