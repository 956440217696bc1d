"""What is taken out of a design at once: hosts, drives, single programs. Data, and no way of doing it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rookery.design.model import Design
from rookery.errors import InputError

_MOST_NAMED = 12  # names that a hint lists


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What is lost at once, by the design's own names.

    `hosts` are gone with all that they have. Of hosts that stay, `drives` are gone with what is on them, as
    (host, drive): ("storage-k", "vdb"). `daemons` are programs that end and keep what they stored, as (host,
    program): a daemon by Ceph's name ("storage-k", "osd.3"), an application's instance by its own
    ("worker-a", "cdn-edge").
    """

    hosts: tuple[str, ...] = ()
    drives: tuple[tuple[str, str], ...] = ()
    daemons: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """What it is called in a sentence: `storage-k and vdb of storage-l`; empty where nothing is lost."""
        pairs = (*self.drives, *self.daemons)
        parts = (*dict.fromkeys(self.hosts), *dict.fromkeys(f"{what} of {host}" for host, what in pairs))
        if len(parts) < 3:
            return " and ".join(parts)
        return f"{', '.join(parts[:-1])} and {parts[-1]}"


def check_loss(design: Design, loss: Loss) -> None:
    """Raise InputError for a loss of what the design does not have; it says all that is wrong."""
    problems = tuple(_problems(design, loss))
    if problems:
        raise InputError(
            f"{design.name} cannot lose what it does not have",
            details=problems,
            hint="Hosts, drives and programs are called as `rookery plan` shows them.",
        )


def _problems(design: Design, loss: Loss) -> Iterator[str]:
    hosts = {host.name: host for host in design.hosts}
    for name in (*loss.hosts, *(host for host, _ in (*loss.drives, *loss.daemons))):
        if name not in hosts:
            yield f"there is no host {name}: {_some(hosts)}"
    for host, drive in loss.drives:
        if host in hosts and drive not in (there := [one.name for one in hosts[host].drives]):
            yield f"{host} has no drive {drive}: {_some(there)}"
    for host, daemon in loss.daemons:
        if host not in hosts:
            continue
        programs = [*(one.name for one in hosts[host].daemons), *(one.name for one in hosts[host].instances)]
        if daemon not in programs:
            yield f"{host} does not run {daemon}: {_some(programs)}"


def _some(names: Iterable[str]) -> str:
    there = list(names)
    if not there:
        return "it has none"
    more = f" and {len(there) - _MOST_NAMED} more" if len(there) > _MOST_NAMED else ""
    return f"there are {', '.join(there[:_MOST_NAMED])}{more}"
