"""Which hosts share one box: beyond a handful, hosts that are alike are drawn once.

Alike is what a reader would call so: the same roles, machine, drives and programs, and the same marks. Names,
addresses and the numbers of OSDs may differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rookery.design.model import DaemonKind, Host
from rookery.projections.drawing.picture import Mark

# More cards than this no page holds; marks then no longer keep hosts apart.
_MOST_CARDS = 12
Marks = Mapping[str, Mark]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One box of the drawing: a host, or several that are alike."""

    hosts: tuple[Host, ...]

    @property
    def sample(self) -> Host:
        return self.hosts[0]

    @property
    def folded(self) -> bool:
        return len(self.hosts) > 1


def fold_hosts(hosts: Sequence[Host], most: int, marks: Marks) -> tuple[Card, ...]:
    """Return a card for each host where there are at most `most`, else one for each kind of host."""
    if len(hosts) <= most:
        return tuple(Card(hosts=(host,)) for host in hosts)
    cards = _grouped(hosts, marks)
    return cards if len(cards) <= _MOST_CARDS else _grouped(hosts, {})


def _grouped(hosts: Sequence[Host], marks: Marks) -> tuple[Card, ...]:
    groups: dict[object, list[Host]] = {}
    for host in hosts:
        groups.setdefault(_likeness(host, marks), []).append(host)
    return tuple(Card(hosts=tuple(group)) for group in groups.values())


def _likeness(host: Host, marks: Marks) -> object:
    programs = tuple((daemon.kind, daemon.drive) for daemon in host.daemons)
    names = tuple(instance.name for instance in host.instances)
    machine = (host.cpus, host.memory, host.disk, host.drives)
    return host.roles, machine, programs, names, _relative_marks(host, marks) if marks else ()


def _relative_marks(host: Host, marks: Marks) -> tuple[object, ...]:
    """Return the host's marks under names that its likes share: a daemon by its kind and drive."""
    ids: list[tuple[str, object]] = [(host.name, "host")]
    ids += [(daemon.name, (daemon.kind, daemon.drive)) for daemon in host.daemons]
    ids += [(f"{host.name}/{name}", name) for name in _names(host)]
    return tuple((shared, marks[own]) for own, shared in ids if own in marks)


def _names(host: Host) -> Iterable[str]:
    return (*(instance.name for instance in host.instances), *(drive.name for drive in host.drives))


def names_of(card: Card) -> str:
    """Return the hosts' names, runs of them written as first and last: `storage-k … storage-n`."""
    return _runs(tuple(host.name for host in card.hosts), _name_order)


def addresses_of(card: Card, *, cluster: bool = False) -> str:
    """Return the hosts' addresses in the same manner, the end of a run by its last number alone."""
    found = tuple(host.cluster_address if cluster else host.address for host in card.hosts)
    return _runs(found, _address_order)


def osds_of(card: Card) -> str:
    """Return the numbers of the hosts' OSDs as Ceph writes them: `osd.4 … osd.11`."""
    ids = [daemon.name for host in card.hosts for daemon in host.daemons_of(DaemonKind.OSD)]
    return _runs(tuple(ids), lambda name: int(name.partition(".")[2]))


def _name_order(name: str) -> int:
    """Return a host's number by the end of its name: digits, or letters as spreadsheets count columns."""
    end = name.rpartition("-")[2]
    if end.isdigit():
        return int(end)
    number = 0
    for letter in end:
        number = number * 26 + ord(letter) - ord("a") + 1
    return number


def _address_order(address: str) -> int:
    number = 0
    for part in address.split("."):
        number = number * 256 + int(part)
    return number


def _runs(names: tuple[str, ...], order: object) -> str:
    assert callable(order)
    runs: list[list[str]] = []
    for name in names:
        if runs and order(name) == order(runs[-1][-1]) + 1:
            runs[-1].append(name)
        else:
            runs.append([name])
    words = [
        f"{run[0]} … {run[-1]}" if len(run) > 2 else ", ".join(run)  # two are as short by their names
        for run in runs
    ]
    return ", ".join(words)
