"""Which machine type a host gets: the one of least cost that gives at least what was designed.

At least the CPUs, the memory and, where the type has a disk of its own, the system disk. Cost is that of a
month of 730 hours by the provider's rule; of two alike, the one with more memory. What is sold out is passed
over, and said: it is often what one would rather have.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from rookery.design.model import Host
from rookery.errors import InputError
from rookery.prices.book import TITLES, Architecture, Cloud, Cpu, MachineType, Region
from rookery.prices.period import LIST_MONTH, list_parts
from rookery.prices.rules import server_tariff
from rookery.units import GB, GIB, format_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a host was designed with; sizes in bytes."""

    cpus: int
    memory: int
    disk: int

    def __str__(self) -> str:
        return f"{self.cpus} CPU, {format_size(self.memory)} and a disk of {format_size(self.disk)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The type that all hosts of one need get.

    `sold_out` are types that fit, would cost less and cannot be ordered, cheapest first; `saving` is what the
    first of them would save for one server in a month of 730 hours, in the provider's currency.
    """

    hosts: tuple[str, ...]
    need: Need
    machine: MachineType
    sold_out: tuple[MachineType, ...]
    saving: Decimal


def choose_machines(
    provider: Cloud,
    region: Region,
    hosts: Iterable[Host],
    *,
    architecture: Architecture = "x86",
    only: tuple[str, ...] = (),
) -> tuple[Choice, ...]:
    """Return the machine type of every host, grouped by what the hosts need, in the hosts' order.

    With `only`, no other types are looked at, whatever their architecture or stock. InputError names the
    hosts for which there is no type.
    """
    groups: dict[Need, list[str]] = {}
    for host in hosts:
        need = Need(cpus=host.cpus, memory=host.memory, disk=host.disk)
        groups.setdefault(need, []).append(host.name)
    ordered = sorted(region.machines, key=lambda machine: _rank(provider, machine))
    if only:
        candidates = tuple(machine for machine in ordered if machine.name in only)
    else:
        candidates = tuple(machine for machine in ordered if machine.architecture == architecture)
    choices, problems = [], []
    for need, names in groups.items():
        fitting = tuple(machine for machine in candidates if fits(machine, need))
        ready = fitting if only else tuple(machine for machine in fitting if machine.available is not False)
        if ready:
            before = fitting[: fitting.index(ready[0])]
            choices.append(_choice(provider, tuple(names), need, ready[0], before))
        else:
            problems.append(f"{_named(names)}: {need}{_why_not(fitting)}")
    if problems:
        kinds = " or ".join(only) if only else f"{architecture} machine type in the price book"
        refresh = f"`rookery prices refresh --provider {provider}` reads all types and what is in stock."
        raise InputError(
            f"no {kinds} of {TITLES[provider]}, {region.name}, is enough for some hosts",
            details=tuple(problems),
            hint="Name larger types, or none." if only else refresh,
        )
    return tuple(choices)


def fits(machine: MachineType, need: Need) -> bool:
    """Tell whether a type gives a host what it was designed with."""
    return (
        machine.cpus >= need.cpus
        and machine.memory_gib * GIB >= need.memory
        and (machine.disk_gb == 0 or machine.disk_gb * GB >= need.disk)
    )


def month_of(provider: Cloud, machine: MachineType) -> Decimal:
    """Return what a server of a type costs in a month of 730 hours, unrounded."""
    return server_tariff(provider, machine).amount(list_parts(LIST_MONTH))


def cpu_note(provider: Cloud, machine: MachineType) -> str:
    """Return what is to be known about a type's CPUs, empty where they are the server's own."""
    if machine.cpu is Cpu.DEDICATED:
        return ""
    if machine.cpu is Cpu.SHARED and provider == "hetzner":
        return f"{machine.name} shares its CPUs with other customers' servers"
    if machine.cpu is Cpu.SHARED:
        return f"{machine.name} has all of its CPUs most of the time, not always"
    more = "; CPU time above that is charged on top" if provider == "aws" else ""
    return f"{machine.name} bursts: over time it has a part of its CPUs only{more}"


def _choice(
    provider: Cloud,
    hosts: tuple[str, ...],
    need: Need,
    machine: MachineType,
    before: tuple[MachineType, ...],
) -> Choice:
    saving = month_of(provider, machine) - month_of(provider, before[0]) if before else Decimal(0)
    return Choice(hosts=hosts, need=need, machine=machine, sold_out=before, saving=saving)


def _rank(provider: Cloud, machine: MachineType) -> tuple[Decimal, Decimal, str]:
    return month_of(provider, machine), -machine.memory_gib, machine.name


def _named(hosts: list[str]) -> str:
    return hosts[0] if len(hosts) == 1 else f"{hosts[0]} and {len(hosts) - 1} more"


def _why_not(fitting: tuple[MachineType, ...]) -> str:
    return f" (sold out: {', '.join(machine.name for machine in fitting)})" if fitting else ""
