"""What can break in a system, as data: begun by one call, told by looking, healed by another.

Nothing is noted of a fault that was begun. What is broken shows in what runs, so it can be told and healed
after the command that began it was killed, and by whoever looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Protocol, Self

from rookery.design.model import Design
from rookery.errors import InputError, NotPossibleError

Heard = Callable[[str], None]

PowerOn = Callable[[str, Heard], None]
"""Starts a server by its name, with all that ran on it; one that runs goes on."""


class FaultKind(StrEnum):
    """What happens to a server, or to a program on it."""

    POWER = "power"
    HANG = "hang"
    CUT = "cut"
    KILL = "kill"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """What may be said of a fault: one of the `choices`, of which the first holds where nothing is said.

    `other` says what any other word means; empty where there may be none.
    """

    name: str
    choices: tuple[str, ...]
    other: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What all faults of one kind have in common.

    `says` is what becomes of the target, for people. One `of_program` needs a program beside its host. One
    that `lasts` does so until it is healed; what another broke comes back by itself.
    """

    says: str
    of_program: bool = False
    lasts: bool = True
    parameters: tuple[Parameter, ...] = ()


KINDS: Mapping[FaultKind, Traits] = {
    # All of its processes end at once, and what it had not written is lost.
    FaultKind.POWER: Traits(says="loses power"),
    # None of its processes goes on. Connections to it stay, and are silent.
    FaultKind.HANG: Traits(says="hangs"),
    # Its cables are out; it runs on, and notices as a server does.
    FaultKind.CUT: Traits(
        says="is cut off", parameters=(Parameter(name="network", choices=("all", "public", "cluster")),)
    ),
    FaultKind.KILL: Traits(
        says="is killed",
        of_program=True,
        lasts=False,
        parameters=(
            Parameter(
                name="processes",
                choices=("first", "all"),
                other="the name of those of the program's server, as `ps -o comm` shows it",
            ),
        ),
    ),
    # Nobody starts it again. Asked to end it ends in order; killed, all of its processes end at once.
    FaultKind.STOP: Traits(
        says="is stopped", of_program=True, parameters=(Parameter(name="how", choices=("asked", "killed")),)
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that breaks: a host of the design, or a program on it, by the names that `status` shows.

    `parameters` are pairs of name and value; those of a kind that are not among them have their first choice.
    """

    kind: FaultKind
    host: str
    program: str = ""
    parameters: tuple[tuple[str, str], ...] = ()

    def parameter(self, name: str) -> str:
        """Return what is said of the fault, or holds where nothing is."""
        first = {one.name: one.choices[0] for one in KINDS[self.kind].parameters}
        return dict(self.parameters).get(name, first[name])

    def mistake(self, design: Design) -> str:
        """Return what makes it a fault that no system of this design can have; empty for one that may be."""
        traits, hosts = KINDS[self.kind], [host.name for host in design.hosts]
        if self.host not in hosts:
            return f"there is no host {self.host!r}, but {', '.join(hosts)}"
        if traits.of_program != bool(self.program):
            return (
                f"{self.kind} needs a program" if traits.of_program else f"{self.kind} is of a whole server"
            )
        known = {one.name: one for one in traits.parameters}
        for name, value in self.parameters:
            if name not in known:
                return f"{self.kind} has no {name!r}" + (f", but {', '.join(known)}" if known else "")
            if not value or (value not in known[name].choices and not known[name].other):
                return f"{name} is one of {', '.join(known[name].choices)}, not {value!r}"
        return ""

    def __str__(self) -> str:
        target = f"{self.program} on {self.host}" if self.program else self.host
        said = ", ".join(f"{name}: {value}" for name, value in self.parameters)
        return f"{target} {KINDS[self.kind].says}" + (f" ({said})" if said else "")


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
