"""Checks of what runs on a server against the server's memory and CPUs."""

from __future__ import annotations

from collections.abc import Iterator

from rookery.design.checks.finding import Remark, Subject, error, warning
from rookery.design.checks.fitting import short_node_memory
from rookery.design.checks.hosts import section_of
from rookery.design.model import Daemon, DaemonKind, Design, Host, Role
from rookery.design.placement import MEMORY_NEEDS, SYSTEM_MEMORY
from rookery.design.pods import CPU_NEEDS
from rookery.design.sharing import GOOD_OSD_MEMORY
from rookery.units import GIB, format_size

_PRODUCTION = (
    "A production set-up would take 8 CPU and 16 GiB for a storage node with two drives, and 1 CPU and 4 GiB"
    " more for each further drive."
)


def _sections(design: Design) -> dict[str, list[Host]]:
    """Return the servers by the section that sizes them: findings are per role, not per host."""
    found: dict[str, list[Host]] = {}
    for host in design.servers:
        found.setdefault(section_of(host), []).append(host)
    return found


def _given(host: Host) -> int:
    """Return the memory that a host's system, daemons and instances are given, in bytes."""
    daemons = sum(daemon.memory for daemon in host.daemons)
    return SYSTEM_MEMORY + daemons + sum(instance.memory for instance in host.instances)


def _least(host: Host) -> int:
    """Return the memory without which a host's daemons and instances do not work, in bytes."""
    daemons = sum(MEMORY_NEEDS[daemon.kind].least for daemon in host.daemons)
    return SYSTEM_MEMORY + daemons + sum(instance.memory for instance in host.instances)


def short_memory(subject: Subject) -> Iterator[Remark]:
    """On a cluster, where the scheduler decides, what pods request; elsewhere what programs are given."""
    if subject.design.platform == "kubernetes":
        yield from short_node_memory(subject)
        return
    for section, hosts in _sections(subject.design).items():
        least = {host.name: _least(host) for host in hosts}
        given = {host.name: _given(host) for host in hosts}
        worst = max(hosts, key=lambda host: (least[host.name], given[host.name]))
        fullest = max(hosts, key=lambda host: given[host.name])
        if least[worst.name] > worst.memory:
            yield error(
                f"{section}.memory",
                f"What runs on {worst.name} needs at least {format_size(least[worst.name])} of memory, and it"
                f" has {format_size(worst.memory)}. Its daemons would be killed.",
                f"Set it to {_whole_gib(least[worst.name])} or more.",
            )
        elif given[fullest.name] > fullest.memory:
            yield warning(
                f"{section}.memory",
                f"What runs on {fullest.name} is given {format_size(given[fullest.name])} of memory, and it"
                f" has {format_size(fullest.memory)}. Under load its daemons would be killed.",
                f"Set it to {_whole_gib(given[fullest.name])} or more.",
            )


def _whole_gib(size: int) -> str:
    return f"{-(-size // GIB)}GiB"


def below_recommended_memory(subject: Subject) -> Iterator[Remark]:
    lowest: dict[DaemonKind, Daemon] = {}
    for host in subject.design.with_role(Role.STORAGE):
        for daemon in host.daemons:
            if daemon.kind not in lowest or daemon.memory < lowest[daemon.kind].memory:
                lowest[daemon.kind] = daemon
    short = [
        f"{kind} {format_size(daemon.memory)} of {format_size(MEMORY_NEEDS[kind].recommended)}"
        for kind, daemon in sorted(lowest.items(), key=lambda item: list(DaemonKind).index(item[0]))
        if daemon.memory < MEMORY_NEEDS[kind].recommended
    ]
    if not short:
        return
    osd = lowest[DaemonKind.OSD].memory
    slow = " An OSD below 2 GiB is slow under load." if osd < GOOD_OSD_MEMORY else ""
    yield warning(
        "hosts.storage.memory",
        f"Some daemons get less than Ceph recommends: {', '.join(short)}. That does for light loads.{slow}",
        _PRODUCTION,
    )


def short_cpus(subject: Subject) -> Iterator[Remark]:
    hosts = subject.design.with_role(Role.STORAGE)
    wants = {host.name: sum(CPU_NEEDS[daemon.kind] for daemon in host.daemons) for host in hosts}
    host = max(hosts, key=lambda host: wants[host.name] - host.cpus)
    if wants[host.name] > host.cpus:
        yield warning(
            "hosts.storage.cpus",
            f"The daemons on {host.name} may keep {wants[host.name]:g} CPUs busy, and it has {host.cpus}."
            " Under load, or while healing, they wait for each other.",
            _PRODUCTION,
        )
