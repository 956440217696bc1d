"""What this machine's kernel can do: built in, loaded, or loaded now where there is a module of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from rookery.drivers.machine.process import CommandError, run

_LIMIT = 20.0  # seconds


def has_or_loads(there: Callable[[], bool], module: str) -> bool:
    """Tell whether something is `there`, after loading the module that brings it where it is not."""
    if not there():
        with contextlib.suppress(CommandError):
            run(("modprobe", module), timeout=_LIMIT)
    return there()
