"""The kernel's device-mapper, which LVM and encrypted drives stand on."""

from __future__ import annotations

from pathlib import Path

from rookery.drivers.machine.modules import has_or_loads

_DEVICE = Path("/sys/class/misc/device-mapper")


def is_available(device: Path = _DEVICE) -> bool:
    """Tell whether this kernel has it, loading its module where there is one."""
    return has_or_loads(device.exists, "dm_mod")
