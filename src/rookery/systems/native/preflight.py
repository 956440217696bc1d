"""Whether this machine can run the native system, with all that its design has."""

from __future__ import annotations

from pathlib import Path

from rookery.design.model import Design
from rookery.drivers.machine import krbd
from rookery.releases import DEFAULT_RELEASE
from rookery.systems.lab.preflight import require_device, require_lab
from rookery.systems.native.identity import blank_key
from rookery.systems.native.root import image_root
from rookery.systems.preflight import BUILD_TOOLS


def require_native_lab(design: Design | None = None) -> None:
    """Raise NotPossibleError where a lab cannot run here, or not all that its design has."""
    release = DEFAULT_RELEASE if design is None else design.ceph
    require_lab(tools=() if image_root(release).is_dir() else BUILD_TOOLS)
    if design is not None:
        _require_attachment(design)


def _require_attachment(design: Design) -> None:
    """Volumes are attached by the kernel's RBD, else by a FUSE file below a loop device; CephFS is FUSE."""
    if design.volumes and (why := krbd.obstacle(blank_key(design.ceph))):
        require_device(Path("/dev/loop-control"), "loop", f"volumes are attached by loop devices: {why}")
        require_device(Path("/dev/fuse"), "fuse", f"volumes are attached by a program, through FUSE: {why}")
    if design.file_system is not None and design.apps:
        require_device(Path("/dev/fuse"), "fuse", "CephFS is mounted by a program, through FUSE")
