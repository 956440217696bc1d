"""CephFS by the kernel's own client."""

from __future__ import annotations

from pathlib import Path

from rookery.drivers.modules import has_or_loads

_KNOWN = Path("/proc/filesystems")


def is_available(known: Path = _KNOWN) -> bool:
    """Tell whether this kernel mounts CephFS, loading its module where there is one."""
    return has_or_loads(lambda: "ceph" in known.read_text().split(), "ceph")
