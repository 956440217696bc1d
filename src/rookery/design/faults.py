"""What can break in a system, as data: the kinds of faults, and what may be said of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from rookery.design.model import Design


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
