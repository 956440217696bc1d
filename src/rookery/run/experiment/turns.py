"""One fault of a run on its way: due, begun, being healed, over."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Protocol

from rookery.design.faults import KINDS
from rookery.errors import RookeryError
from rookery.experiments.outline import Planned
from rookery.experiments.record import Broken
from rookery.systems.faults import Faults, Healing


class Healer(Protocol):
    """Who heals what a turn broke, and has the run's clock."""

    def now(self) -> float: ...

    def healing(self, turn: Turn) -> None: ...


class Turn:
    """A fault that was planned, from when it is due until it is healed."""

    def __init__(self, *, planned: Planned, due: float) -> None:
        self.planned = planned
        self.handle: Healing | None = None
        self._due = due
        self._healed: Future[None] | None = None
        fault = planned.fault
        self.broken = Broken(what=str(fault), host=fault.host, program=fault.program, began=due)

    @property
    def began(self) -> bool:
        return self.handle is not None

    @property
    def lasts(self) -> bool:
        """Whether it is broken until it is healed, and nobody heals it yet."""
        return self.began and KINDS[self.planned.fault.kind].lasts and self._healed is None

    @property
    def over(self) -> bool:
        """Whether nothing is left to be done."""
        if not self.began:
            return False
        return not self.lasts and (self._healed is None or self._healed.done())

    def is_due(self, now: float) -> bool:
        return not self.began and now >= self._due

    def begin(self, faults: Faults, now: float) -> None:
        """Break it; raises RookeryError where that cannot be."""
        self.broken = replace(self.broken, began=now)
        self.handle = faults.begin(self.planned.fault)

    def heal_now(self, healers: ThreadPoolExecutor, healer: Healer) -> None:
        """Begin to heal it, beside everything else; what does not last, or is being healed, is left alone."""
        if self.lasts:
            self._healed = healers.submit(self._heal, healer)

    def _heal(self, healer: Healer) -> None:
        try:
            healer.healing(self)
        except RookeryError as error:
            self.broken = replace(self.broken, trouble=f"it did not heal: {error.what}")
        else:
            self.broken = replace(self.broken, healed=healer.now())
