"""Waiting for what others do, in tests: looked at again and again, up to a limit."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(holds: Callable[[], bool], *, limit: float = 20.0) -> bool:
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return holds()
