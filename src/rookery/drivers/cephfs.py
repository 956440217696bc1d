"""CephFS by the kernel's own client."""

from __future__ import annotations

import contextlib
from pathlib import Path

from rookery.drivers.process import CommandError, run

_KNOWN = Path("/proc/filesystems")


def is_available(known: Path = _KNOWN) -> bool:
    """Tell whether this kernel mounts CephFS, loading its module where there is one."""
    if not _has_it(known):
        with contextlib.suppress(CommandError):
            run(("modprobe", "ceph"), timeout=20)
    return _has_it(known)


def _has_it(known: Path) -> bool:
    return "ceph" in known.read_text().split()
