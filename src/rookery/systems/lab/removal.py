"""A lab's removal, whatever ran on it: with its servers all of it is gone, a cluster of Kubernetes too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rookery.design.model import Design
from rookery.drivers.machine.files import remove_tree
from rookery.systems.lab.leftovers import find_leftovers, take_down
from rookery.systems.lab.paths import LabPaths
from rookery.systems.lab.preflight import require_lab_root
from rookery.systems.protocol import Leftover, Report


@dataclass(frozen=True, slots=True, kw_only=True)
class LabRemoval:
    """Takes a lab off this machine. It goes by the name alone: no spec need be readable any more.

    `networks` are its CIDRs where they are known, to look for their routes; `noted`, where else this machine
    has noted something of it.
    """

    name: str
    networks: tuple[str, ...] = ()
    noted: Path | None = None

    def require(self) -> None:
        require_lab_root()

    def leftovers(self) -> tuple[Leftover, ...]:
        return find_leftovers(LabPaths(name=self.name), networks=self.networks)

    def take_down(self, report: Report) -> None:
        take_down(LabPaths(name=self.name), report)

    def forget(self) -> None:
        if self.noted is not None:
            remove_tree(self.noted)


def lab_removal(design: Design, *, noted: Path | None = None) -> LabRemoval:
    """Return the removal of the lab of a design."""
    networks = tuple(cidr for cidr in (design.network.public, design.network.cluster) if cidr)
    return LabRemoval(name=design.name, networks=networks, noted=noted)
