"""How what can break is broken: begun by one call, told by looking, healed by another.

Nothing is noted of a fault that was begun. What is broken shows in what runs, so it can be told and healed
after the command that began it was killed, and by whoever looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Protocol, Self

from rookery.design.faults import KINDS, Fault, FaultKind
from rookery.design.model import Design
from rookery.errors import InputError, NotPossibleError

Heard = Callable[[str], None]

PowerOn = Callable[[str, Heard], None]
"""Starts a server by its name, with all that ran on it; one that runs goes on."""


class Breaker(Protocol):
    """How one system comes by the faults of one kind."""

    def obstacle(self, fault: Fault) -> str:
        """Return why this fault cannot be begun now; empty where it can."""
        ...

    def begin(self, fault: Fault) -> None: ...

    def heal(self, fault: Fault, report: Heard) -> None:
        """Put back what such a fault breaks, whoever broke it; what is well is left as it is."""
        ...

    def begun(self) -> Iterable[Fault]:
        """Return what looks as if it had been broken like that."""
        ...


class Impossible:
    """Stands for a kind that a system cannot have, with the reason."""

    def __init__(self, why: str) -> None:
        self._why = why

    def obstacle(self, _fault: Fault) -> str:
        return self._why

    def begin(self, fault: Fault) -> None:
        raise NotPossibleError(f"{fault}: {self._why}")

    def heal(self, fault: Fault, _report: Heard) -> None:
        raise NotPossibleError(f"{fault}: {self._why}")

    def begun(self) -> tuple[Fault, ...]:
        return ()


def _unheard(_text: str) -> None:
    """Hears what nobody asked for."""


class Healing:
    """A fault that was begun, and its end. As a context it heals at the end of the block."""

    def __init__(self, fault: Fault, breaker: Breaker) -> None:
        self.fault = fault
        self._breaker = breaker

    def heal(self, report: Heard = _unheard) -> None:
        """Put everything back as it was before; once more does nothing more.

        Returns when what was broken runs; what follows from that in others (data that is copied, members that
        catch up) takes its time. Raises WaitError where it does not come back.
        """
        self._breaker.heal(self.fault, report)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.heal()


class Faults:
    """The faults of one system: what may break in it, by whom it is broken, and what is broken now."""

    def __init__(
        self,
        design: Design,
        breakers: Mapping[FaultKind, Breaker],
        *,
        otherwise: str = "such a system cannot have it",
    ) -> None:
        """`otherwise` says why what has no breaker cannot be."""
        self._design = design
        self._breakers = {kind: breakers.get(kind, Impossible(otherwise)) for kind in KINDS}

    def can(self, fault: Fault) -> str:
        """Return why a fault cannot be begun now; empty where it can."""
        return fault.mistake(self._design) or self._breakers[fault.kind].obstacle(fault)

    def begin(self, fault: Fault) -> Healing:
        """Break something, and return what heals it.

        Raises InputError for a fault that no such design has, NotPossibleError for one that cannot be now.
        """
        if mistake := fault.mistake(self._design):
            raise InputError(f"{fault}: {mistake}")
        breaker = self._breakers[fault.kind]
        if obstacle := breaker.obstacle(fault):
            raise NotPossibleError(f"{fault}: {obstacle}")
        breaker.begin(fault)
        return Healing(fault, breaker)

    def begun(self) -> tuple[Healing, ...]:
        """Return what is broken now as a fault breaks it, whoever began that: found by looking."""
        return tuple(
            Healing(fault, breaker) for breaker in self._breakers.values() for fault in breaker.begun()
        )
