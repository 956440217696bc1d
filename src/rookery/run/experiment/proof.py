"""That a fault took: seen by looking, not believed because a command returned."""

from __future__ import annotations

import time
from collections.abc import Callable

from rookery.design.faults import KINDS, Fault
from rookery.errors import RookeryError
from rookery.systems.protocol import System

_LIMIT = 15.0  # seconds
_EVERY = 0.2


class Proof:
    """Looks at what a fault is to break before it begins, and afterwards until it shows."""

    def __init__(self, system: System, fault: Fault) -> None:
        self._system = system
        self._fault = fault
        self._before = "" if KINDS[fault.kind].lasts else self._program()
        self.trouble = ""

    def wait(self, clock: Callable[[], float]) -> float | None:
        """Return when it was seen by a clock, None where it was not within the limit; `trouble` says why."""
        deadline = time.monotonic() + _LIMIT
        while time.monotonic() < deadline:
            if self._shows():
                return clock()
            time.sleep(_EVERY)
        self.trouble = f"that it took was not seen within {_LIMIT:.0f} s"
        return None

    def _shows(self) -> bool:
        if not KINDS[self._fault.kind].lasts:
            return self._program() != self._before
        asked = (self._fault.kind, self._fault.host, self._fault.program)
        begun = (one.fault for one in self._system.faults.begun())
        return any((one.kind, one.host, one.program) == asked for one in begun)

    def _program(self) -> str:
        """Return which life of the program it is, as its supervisor tells; empty where it has none."""
        try:
            hosts = self._system.hosts()
        except RookeryError:
            return ""
        for host in hosts:
            for program in host.programs:
                if (program.host, program.name) == (self._fault.host, self._fault.program):
                    return program.detail.partition(",")[0] if program.running else ""
        return ""
