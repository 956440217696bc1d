"""What the checks say of a design, with what is there on this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rookery.design.checks import Finding, check_design
from rookery.design.model import Design
from rookery.drivers.machine.process import CommandError, run
from rookery.run.content import look_at_content
from rookery.systems.home import home
from rookery.systems.lab.machine import read_machine
from rookery.systems.lab.paths import LabPaths
from rookery.systems.native.root import image_root


def findings_here(design: Design) -> tuple[Finding, ...]:
    """Return what the checks say of a design and of the folders that it publishes, on this machine where it
    is to run here."""
    content = look_at_content(design)
    if not design.traits.here:
        return check_design(design, content=content)
    links = LabPaths(name=design.name).link_prefix
    machine = read_machine(labs=home(), without_links=links)
    folder = LabPaths(name=design.name).folder
    built = design.platform != "native" or image_root(design.ceph).is_dir()
    return check_design(design, replace(machine, disk_taken=_taken(folder), image_built=built), content)


def _taken(folder: Path) -> int:
    """Return the bytes that a lab takes already; its drives are sparse, and count as what was written."""
    if not folder.is_dir():
        return 0
    try:
        return int(run(("du", "-sx", "--block-size=1", str(folder))).split()[0])
    except CommandError:  # files go while they are counted
        return 0
