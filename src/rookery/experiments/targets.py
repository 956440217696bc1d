"""Who is meant: words for a server or a program, and which one that is in a design, as it runs now.

What only looking can tell (who is the database's primary, which metadata server is active) is in `Roles`. A
word that no design can answer, or that nobody could look up, ends the experiment before anything breaks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from rookery.design.faults import KINDS, Fault, FaultKind
from rookery.design.model import DaemonKind, Design, Role
from rookery.errors import InputError

_NAMED = re.compile(r"^[a-z][a-z0-9-]*(/[A-Za-z0-9.-]+)?$")
Spot = tuple[str, str]
"""A host, and a program on it; empty where the host itself is meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Who is what now, by looking; empty where nobody can tell.

    `primary` and `replicas` are hosts of the database, `mds` the program of the active metadata server of
    rank 0, `leader` the program that has the quorum's lead, `channel` the host whose channel encodes.
    """

    primary: str = ""
    replicas: tuple[str, ...] = ()
    mds: str = ""
    leader: str = ""
    channel: str = ""


Finder = Callable[[Design, Roles], Iterator[Spot]]
"""Yields everybody whom a word may mean, whom it means first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A word: whom it means, for people, and how that is found."""

    says: str
    find: Finder
    of_program: bool = False


def _hosts(role: Role) -> Finder:
    return lambda design, _: ((host.name, "") for host in design.hosts if role in host.roles)


def _daemons(kind: DaemonKind) -> Finder:
    return lambda design, _: ((host.name, daemon.name) for host, daemon in design.with_daemon(kind))


def _instances(app: str, component: str) -> Finder:
    def find(design: Design, _: Roles) -> Iterator[Spot]:
        for host in design.hosts:
            for one in host.instances:
                if (one.app, one.component) == (app, component):
                    yield host.name, one.name

    return find


def _at(role: Callable[[Roles], tuple[str, ...]], program: str = "") -> Finder:
    return lambda _, roles: ((host, program) for host in role(roles) if host)


def _daemon(role: Callable[[Roles], str], kind: DaemonKind) -> Finder:
    def find(design: Design, roles: Roles) -> Iterator[Spot]:
        for host, daemon in design.with_daemon(kind):
            if daemon.name == role(roles):
                yield host.name, daemon.name

    return find


def _standby(design: Design, roles: Roles) -> Iterator[Spot]:
    for host, daemon in design.with_daemon(DaemonKind.MDS):
        if roles.mds and daemon.name != roles.mds:
            yield host.name, daemon.name


def _peon(design: Design, roles: Roles) -> Iterator[Spot]:
    for host, daemon in design.with_daemon(DaemonKind.MON):
        if roles.leader and daemon.name != roles.leader:
            yield host.name, daemon.name


def _mds_host(design: Design, roles: Roles) -> Iterator[Spot]:
    return ((host, "") for host, _ in _daemon(lambda seen: seen.mds, DaemonKind.MDS)(design, roles))


def _program(says: str, find: Finder) -> Target:
    return Target(says=says, find=find, of_program=True)


_POSTGRES = "database-postgres"

TARGETS: Mapping[str, Target] = {
    "storage node": Target(says="a server with drives", find=_hosts(Role.STORAGE)),
    "worker": Target(says="a server for applications", find=_hosts(Role.WORKER)),
    "control plane": Target(says="the first server", find=_hosts(Role.CONTROL_PLANE)),
    "load balancer": Target(says="the server of the load balancer", find=_hosts(Role.LOAD_BALANCER)),
    "host of primary": Target(
        says="the server with the database's primary", find=_at(lambda seen: (seen.primary,))
    ),
    "host of active mds": Target(says="the server with the active metadata server", find=_mds_host),
    "host of channel": Target(
        says="the server that encodes the live channel", find=_at(lambda seen: (seen.channel,))
    ),
    "osd": _program("an OSD", _daemons(DaemonKind.OSD)),
    "mon": _program("a monitor", _daemons(DaemonKind.MON)),
    "leader mon": _program("the monitor that leads", _daemon(lambda seen: seen.leader, DaemonKind.MON)),
    "peon mon": _program("a monitor that does not lead", _peon),
    "mgr": _program("a manager", _daemons(DaemonKind.MGR)),
    "rgw": _program("an object gateway", _daemons(DaemonKind.RGW)),
    "active mds": _program("the metadata server that serves", _daemon(lambda seen: seen.mds, DaemonKind.MDS)),
    "standby mds": _program("a metadata server that waits", _standby),
    "primary": _program("the database's primary", _at(lambda seen: (seen.primary,), _POSTGRES)),
    "replica": _program("a replica of the database", _at(lambda seen: seen.replicas, _POSTGRES)),
    "edge": _program("an edge of the CDN", _instances("cdn", "edge")),
    "origin": _program("an origin of the films", _instances("streaming", "origin")),
    "channel": _program(
        "the program that encodes the live channel", _at(lambda seen: (seen.channel,), "streaming-channel")
    ),
    "catalogue": _program("an instance of the catalogue", _instances("catalogue", "api")),
    "etcd": _program("a member of the database's etcd", _instances("database", "etcd")),
}
"""The words, by what is written. `the same` and `another` follow from what broke before (`resolve`)."""

AGAIN, ANOTHER = "the same", "another"
"""What the fault before hit, once more; and with a word behind it, one that no fault has hit yet."""


def is_word(text: str) -> bool:
    """Whether a text is a word for somebody."""
    return text == AGAIN or text.removeprefix(f"{ANOTHER} ") in TARGETS


def is_named(text: str) -> bool:
    """Whether a text may be a host's name, or a program's as HOST/PROGRAM."""
    return bool(_NAMED.match(text))


def is_of_program(text: str) -> bool | None:
    """Whether a text means a program; None where that is known of the fault before only."""
    if text == AGAIN:
        return None
    word = text.removeprefix(f"{ANOTHER} ")
    return TARGETS[word].of_program if word in TARGETS else "/" in text


def resolve(
    design: Design,
    roles: Roles,
    kind: FaultKind,
    text: str,
    *,
    parameters: Mapping[str, str],
    hit: tuple[Spot, ...],
) -> Fault:
    """Return the fault of a kind that a text means; `hit` is what faults before have hit.

    Raises InputError for one that no such design can have, and where nobody can tell who is meant.
    """
    host, program = _spot(design, roles, text, hit)
    if not KINDS[kind].of_program:
        program = ""
    fault = Fault(kind=kind, host=host, program=program, parameters=tuple(sorted(parameters.items())))
    if mistake := fault.mistake(design):
        raise InputError(f"{text}: {mistake}", hint="`rookery plan` shows hosts and programs.")
    return fault


def _spot(design: Design, roles: Roles, text: str, hit: tuple[Spot, ...]) -> Spot:
    if text == AGAIN:
        return hit[-1]
    another = text.startswith(f"{ANOTHER} ")
    word = text.removeprefix(f"{ANOTHER} ")
    if word not in TARGETS:
        host, _, program = text.partition("/")
        return host, program
    found = list(TARGETS[word].find(design, roles))
    if not found:
        raise InputError(
            f"{design.name} has no `{word}`, or nobody can tell now who that is",
            hint="`rookery status` shows what runs; another target, or another spec, may do.",
        )
    left = [spot for spot in found if not another or spot not in hit]
    if not left:
        raise InputError(f"{design.name} has no other `{word}`: there are {len(found)}, and each is hit")
    return left[0]
