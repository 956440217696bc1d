"""What an experiment does, before it does it: who breaks when, for how long, and what the design promises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rookery.design.faults import Fault
from rookery.design.model import Design
from rookery.design.survival import Loss, Survives, promise
from rookery.experiments.model import Break, Experiment
from rookery.experiments.targets import Roles, Spot, resolve

_WARM = 30.0  # seconds until the load is there, and its players have filled their buffers
_SETTLES = 60.0  # seconds that a system takes to be as before, where nothing has to be copied


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One fault of an experiment for one system: when it begins, and how it ends, in words."""

    at: float
    fault: Fault
    ends: str
    asked: Break


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What will happen: each fault, how long all of it takes at least and at most, in seconds, and what the
    design says of losing all that is broken at once."""

    planned: tuple[Planned, ...]
    least: float
    most: float
    promise: Survives


def outline(experiment: Experiment, design: Design, roles: Roles) -> Outline:
    """Return what an experiment does to a system as it runs now.

    Raises InputError where a target is nobody there.
    """
    planned = tuple(_planned(experiment, design, roles))
    ends = [one.at + _least(one.asked) for one in planned]
    longest = [one.at + (one.asked.most if one.asked.until else _least(one.asked)) for one in planned]
    around = experiment.steady.lasting + experiment.observe + _WARM
    return Outline(
        planned=planned,
        least=around + max(ends) + _SETTLES,
        most=around + max(longest) + 2 * experiment.steady.within,
        promise=promise(design, loss_of(design, [one.fault for one in planned])),
    )


def loss_of(design: Design, faults: list[Fault]) -> Loss:
    """Return what faults take from a system while they last: a server that hangs serves nobody."""
    hosts = tuple(dict.fromkeys(one.host for one in faults if not one.program))
    known = {
        (host.name, name)
        for host in design.hosts
        for name in (*(one.name for one in host.daemons), *(one.name for one in host.instances))
    }
    programs = ((one.host, one.program) for one in faults if one.program and one.host not in hosts)
    return Loss(hosts=hosts, daemons=tuple(dict.fromkeys(one for one in programs if one in known)))


def _planned(experiment: Experiment, design: Design, roles: Roles) -> Iterator[Planned]:
    hit: tuple[Spot, ...] = ()
    for one in experiment.method:
        fault = resolve(design, roles, one.fault, one.target, parameters=one.parameters, hit=hit)
        hit = (*hit, (fault.host, fault.program))
        yield Planned(at=one.at, fault=fault, ends=_end(one), asked=one)


def _least(one: Break) -> float:
    return one.lasting or 0.0


def _end(one: Break) -> str:
    if one.lasting is not None:
        return f"healed after {one.lasting:g} s"
    words = {"redundant": "all data is redundant again", "back": "users are served again"}
    if one.until is not None:
        return f"healed once {words[one.until]}, after {one.most:g} s at the latest"
    return "comes back by itself"
