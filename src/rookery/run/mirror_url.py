"""Which mirror servers of one's own fetch from during `up`, and that it answers, before anything is made."""

from __future__ import annotations

from pathlib import Path

from rookery.design.model import Design
from rookery.errors import InputError
from rookery.mirror.folder import Mirror
from rookery.mirror.serving.url import parse_mirror_url, require_served
from rookery.run.workspace import noted_mirror, noted_mirror_url

UNSERVED = (
    "servers fetch packages and images themselves, from the internet; `rookery mirror serve` and"
    " --mirror-url bring them these, too"
)


def settle_mirror_url(design: Design, given: str | None, mirror: Path | None) -> str:
    """Return the URL that servers fetch from: `given`, or what was noted at the last `up`; empty for none.

    Raises InputError where it means nothing for such a system, or is not the system's mirror, RookeryError
    where nothing answers there.
    """
    if not _become_a_cluster(design):
        if given is None:
            return ""
        raise InputError(
            "--mirror-url is for servers of one's own that become a cluster (`provider: existing`,"
            " `bootstrap: kubeadm`)",
            hint="Leave it out; the lab's servers have the mirror as a folder, where they need one."
            if design.traits.here
            else "Leave it out.",
        )
    url = noted_mirror_url(design.name) if given is None else given and parse_mirror_url(given)
    if not url:
        return ""
    folder = mirror or noted_mirror(design.name)
    if folder is None:
        raise InputError(
            "--mirror-url says where a mirror is served, and not which",
            hint="Name its folder, too: --mirror DIR.",
        )
    require_served(url, Mirror.open(folder).folder)
    return url


def serving_advice(design: Design, mirror: Path | None, url: str) -> str:
    """Return what a person should know of where servers fetch from; nothing where that is the mirror."""
    if not _become_a_cluster(design):
        return ""
    return UNSERVED if not url and (mirror or noted_mirror(design.name)) else ""


def _become_a_cluster(design: Design) -> bool:
    """Tell whether servers of one's own fetch packages and images, to become a cluster."""
    cluster = design.kubernetes
    return cluster is not None and design.traits.made_by == "somebody" and cluster.bootstrap == "kubeadm"
