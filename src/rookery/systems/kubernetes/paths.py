"""Where what this machine knows of a cluster is kept: how to reach it, and what it was asked to be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rookery.systems.home import home, own_home


def clusters_folder() -> Path:
    return own_home() / "clusters"


def roots_clusters() -> Path:
    """Return where root's are: those on the lab, and whatever was brought up by root."""
    return home() / "clusters"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPaths:
    """The places of one system on Kubernetes."""

    name: str

    @property
    def folder(self) -> Path:
        return clusters_folder() / self.name

    @property
    def kubeconfig(self) -> Path:
        """How the API is reached, as its administrator; readable by its owner only."""
        return self.folder / "kubeconfig"

    @property
    def spec(self) -> Path:
        """The spec as resolved at `up`, from which later commands design the system again."""
        return self.folder / "spec.json"

    @property
    def mirror(self) -> Path:
        """The folder of the mirror that the system was brought up with, in one line; absent without one."""
        return self.folder / "mirror"

    @property
    def mirror_url(self) -> Path:
        """Where servers fetch from that mirror, in one line; absent where they do not."""
        return self.folder / "mirror-url"

    @property
    def bootstrapped(self) -> Path:
        """A hash over what the servers were told when they last became a cluster; absent before."""
        return self.folder / "bootstrapped"

    @property
    def variables(self) -> Path:
        """What the playbooks were told beside the tree."""
        return self.folder / "variables.json"

    @property
    def tree(self) -> Path:
        """The tree as it was rendered for the last `up`: playbooks run from there."""
        return self.folder / "tree"

    @property
    def ca(self) -> Path:
        return self.folder / "ca.crt"
