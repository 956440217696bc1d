"""Mounts of the machine: a server's root is an overlay over the image that all of them share."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from rookery.errors import NotPossibleError, RookeryError

_libc = ctypes.CDLL(None, use_errno=True)
_MNT_DETACH = 2


def mount_points(under: Path) -> tuple[Path, ...]:
    """Return what is mounted at or below a path, the deepest first."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        point = Path(line.split()[4].encode().decode("unicode_escape"))
        if point.is_relative_to(under):
            found.append(point)
    return tuple(sorted(found, key=lambda path: len(path.parts), reverse=True))


def mount_overlay(*, lower: Path, upper: Path, work: Path, at: Path) -> None:
    """Mount an overlay; raises NotPossibleError where the file system below cannot carry one."""
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    result = _libc.mount(b"overlay", os.fsencode(at), b"overlay", 0, options.encode())
    if result != 0:
        reason = os.strerror(ctypes.get_errno())
        raise NotPossibleError(
            f"no overlay can be mounted at {at}: {reason}",
            hint="The lab's directory must lie on an ordinary file system (ext4, xfs), not on an overlay or "
            "a network share: set ROOKERY_HOME to such a folder. In a container, run it privileged.",
        )


def unmount(point: Path) -> None:
    """Unmount now; users that still hold files there lose sight of them (lazy), as with a power cut."""
    if _libc.umount2(os.fsencode(point), _MNT_DETACH) != 0:
        number = ctypes.get_errno()
        raise RookeryError(f"{point} cannot be unmounted: {os.strerror(number)}")
