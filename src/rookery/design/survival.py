"""What the design survives, computed before anything runs.

Each statement comes from taking hosts or a drive out of the design and looking at what is left. Of all
choices the worst counts; hosts with the same roles, daemons, drives and instances are interchangeable, so
one or two of each kind stand for all, and the work grows with the kinds of hosts, not with their number.

The loss is sudden: nothing has healed yet. What answers again after the seconds that a failover takes
counts as going on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from rookery.design.capacity import NEARFULL, gigabytes, heals_on, host_raw, mixed_usable
from rookery.design.model import DaemonKind, Design, Drive, Host, Instance, Role
from rookery.design.stored import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Survives:
    """What remains after a loss.

    `data`: nothing stored is lost. `service`: every client's reads and writes go on, through the load
    balancer too. `heals`: what was lost is made again on what is left, without anybody's help: copies of
    data, a worker's instances. `reason` says why, for the worst choice.
    """

    subject: str
    data: bool
    service: bool
    heals: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """One aspect of one case: whether it is well, and why."""

    about: Literal["data", "service", "heals", "note"]
    well: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lost:
    """What is taken out: whole hosts, or one drive of a host that stays."""

    hosts: tuple[Host, ...] = ()
    drive: tuple[Host, Drive] | None = None

    @property
    def name(self) -> str:
        if self.drive is not None:
            return f"{self.drive[1].name} of {self.drive[0].name}"
        return " and ".join(host.name for host in self.hosts)


class _State:
    """How much of everything there is on a set of hosts."""

    def __init__(self, hosts: Iterable[Host], device_class: str) -> None:
        self.weights: Counter[int] = Counter()
        self.daemons: Counter[DaemonKind] = Counter()
        self.instances: Counter[str] = Counter()
        self.electing: dict[str, Instance] = {}
        self.roles: Counter[Role] = Counter()
        for host in hosts:
            self.weights.update([raw] if (raw := host_raw(host, device_class)) else [])
            self.daemons.update(daemon.kind for daemon in host.daemons)
            self.instances.update(instance.name for instance in host.instances)
            self.electing.update((one.name, one) for one in host.instances if one.elects)
            self.roles.update(host.roles)


def survival(design: Design) -> tuple[Survives, ...]:
    """Return what the design survives: the loss of a drive, of hosts of each role, of the load balancer."""
    storage = design.with_role(Role.STORAGE)
    workers = tuple(host for host in design.with_role(Role.WORKER) if Role.STORAGE not in host.roles)
    control = tuple(host for host in design.with_role(Role.CONTROL_PLANE) if Role.STORAGE not in host.roles)
    cases: list[tuple[str, Iterable[_Lost]]] = [
        ("any one drive", _drives(storage)),
        ("any one storage node", _choices(storage, 1)),
        ("any two storage nodes at once", _choices(storage, 2)),
        ("any one worker", _choices(workers, 1)),
        ("any one control plane", _choices(control, 1)),
        ("the load balancer", _choices(design.with_role(Role.LOAD_BALANCER), 1)),
    ]
    before = _State(design.hosts, _device_class(design))
    found = (_worst(subject, design, before, choices) for subject, choices in cases)
    return tuple(statement for statement in found if statement is not None)


def _kind(host: Host) -> tuple[object, ...]:
    """Return what makes a host differ from another as far as its loss goes."""
    daemons = tuple(sorted(Counter(daemon.kind for daemon in host.daemons).items()))
    drives = tuple((drive.size, drive.device_class) for drive in host.drives)
    return host.roles, daemons, drives, tuple(sorted(instance.name for instance in host.instances))


def _representatives(hosts: tuple[Host, ...], number: int) -> tuple[Host, ...]:
    """Return up to `number` hosts of each kind: any choice of `number` hosts has its like among them."""
    seen: Counter[tuple[object, ...]] = Counter()
    kept: list[Host] = []
    for host in hosts:
        kind = _kind(host)
        seen[kind] += 1
        if seen[kind] <= number:
            kept.append(host)
    return tuple(kept)


def _choices(hosts: tuple[Host, ...], number: int) -> Iterator[_Lost]:
    for chosen in combinations(_representatives(hosts, number), number):
        yield _Lost(hosts=chosen)


def _drives(hosts: tuple[Host, ...]) -> Iterator[_Lost]:
    for host in _representatives(hosts, 1):
        for drive in {(drive.size, drive.device_class): drive for drive in reversed(host.drives)}.values():
            yield _Lost(drive=(host, drive))


def _worst(subject: str, design: Design, before: _State, choices: Iterable[_Lost]) -> Survives | None:
    """Return the statement on a subject: well only where every choice is, with the worst choice's reason."""
    cases = [(lost, tuple(_sayings(design, before, lost))) for lost in choices]
    if not cases:
        return None
    wells = [(_well(said, "data"), _well(said, "service"), _well(said, "heals")) for _, said in cases]
    lost, said = cases[wells.index(min(wells))]
    why = "; ".join(one.text for one in said) or "nothing of the design runs there"
    return Survives(
        subject=subject,
        data=all(well[0] for well in wells),
        service=all(well[1] for well in wells),
        heals=all(well[2] for well in wells),
        reason=f"Without {lost.name}: {why}.",
    )


def _well(sayings: tuple[_Said, ...], about: str) -> bool:
    return all(said.well for said in sayings if said.about == about)


def _sayings(design: Design, before: _State, lost: _Lost) -> Iterator[_Said]:
    gone = _State(lost.hosts, _device_class(design))
    left = before.weights - gone.weights
    if lost.drive is not None:
        host, drive = lost.drive
        if _device_class(design) in ("", drive.device_class):
            raw = host_raw(host, _device_class(design))
            gone.weights[raw] += 1
            left = before.weights - gone.weights + Counter([raw - drive.size] if raw > drive.size else [])
    if gone.weights:
        yield from _pools(design, before, gone)
        yield _healing(design, left)
    yield from _daemons(design, before, gone)
    yield from _instances(design, before, gone)
    yield from _coordinators(before, gone)
    if gone.roles[Role.CONTROL_PLANE]:
        yield from _control_plane(design, before, gone)
    if gone.roles[Role.LOAD_BALANCER]:
        yield from _load_balancer(design)


def _pools(design: Design, before: _State, gone: _State) -> Iterator[_Said]:
    """Speak of the pools that are worst off: each host that is lost takes one piece of an object."""
    hosts, lost = before.weights.total(), gone.weights.total()

    def spare(pool: Pool) -> tuple[int, int]:
        left = max(min(pool.size, hosts) - lost, 0)
        return left - _needed(pool), left - pool.min_size

    by_data = min(design.pools, key=lambda pool: (spare(pool)[0], -pool.share))
    by_service = min(design.pools, key=lambda pool: (spare(pool)[1], -pool.share))
    if spare(by_data)[0] < 0:
        yield _Said(about="data", well=False, text=f"{_pieces(by_data, hosts, lost)}, too few to read it")
    if spare(by_service)[1] >= 0:
        yield _Said(about="service", well=True, text=f"{_pieces(by_service, hosts, lost)}, enough to go on")
    else:
        text = f"{_pieces(by_service, hosts, lost)}, and it stops below {by_service.min_size}"
        yield _Said(about="service", well=False, text=text)


def _needed(pool: Pool) -> int:
    """Return how many copies or chunks of an object must be left for it to be readable at all."""
    return 1 if pool.erasure_code is None else pool.erasure_code.k


def _pieces(pool: Pool, hosts: int, lost: int) -> str:
    left = max(min(pool.size, hosts) - lost, 0)
    return f"pool {pool.name} keeps {left} of {pool.size} {'chunks' if pool.erasure_code else 'copies'}"


def _healing(design: Design, weights: Counter[int]) -> _Said:
    if not heals_on(design, weights):
        pool = max(design.pools, key=lambda pool: (pool.size, pool.share))
        left = weights.total()
        hosts = f"{left} host{'' if left == 1 else 's'} with drives {'is' if left == 1 else 'are'} left"
        text = f"{hosts}, and pool {pool.name} wants {pool.size}: it heals only when what was lost is back"
        return _Said(about="heals", well=False, text=text)
    room = gigabytes(int(mixed_usable(design, weights) * NEARFULL))
    return _Said(about="heals", well=True, text=f"the data heals while no more than {room} is stored")


def _daemons(design: Design, before: _State, gone: _State) -> Iterator[_Said]:
    if lost := gone.daemons[DaemonKind.MON]:
        total = before.daemons[DaemonKind.MON]
        well = 2 * (total - lost) > total
        text = f"{total - lost} of {total} monitors are left, {'a' if well else 'no'} majority"
        yield _Said(about="service", well=well, text=text)
    wanted = (
        (DaemonKind.MDS, design.file_system.active_mds if design.file_system else 0, "the file system"),
        (DaemonKind.RGW, 1 if design.object_store else 0, "object storage"),
    )
    for kind, least, service in wanted:
        if lost := gone.daemons[kind]:
            left = before.daemons[kind] - lost
            well = left >= least
            text = f"{left} of {left + lost} {kind} daemons are left" + ("" if well else f": {service} stops")
            yield _Said(about="service", well=well, text=text)
    if gone.daemons[DaemonKind.MGR] and gone.daemons[DaemonKind.MGR] == before.daemons[DaemonKind.MGR]:
        # Reads and writes need no manager; administration does.
        text = "no manager is left: no dashboard, no figures, no new volumes"
        yield _Said(about="note", well=False, text=text)


def _instances(design: Design, before: _State, gone: _State) -> Iterator[_Said]:
    names = sorted(gone.instances.keys() - gone.electing.keys())
    for name in names:
        total = before.instances[name]
        left = total - gone.instances[name]
        text = f"{left} of {total} {name} instances are left"
        yield _Said(about="service", well=left > 0, text=text)
    if not names or gone.weights:
        return  # of a storage node's loss, healing is about the data
    if design.platform == "native":
        yield _Said(about="heals", well=False, text="the native platform moves no instance to another host")
        return
    workers = before.roles[Role.WORKER] - gone.roles[Role.WORKER]
    stuck: dict[int, list[str]] = {}
    for name in names:
        if (total := before.instances[name]) > workers:
            stuck.setdefault(total, []).append(name)
    for total, those in sorted(stuck.items()):
        text = f"{total} instances want {total} workers ({', '.join(those)})"
        yield _Said(about="heals", well=False, text=text)
    if not stuck:
        yield _Said(about="heals", well=True, text="Kubernetes starts the lost ones on other workers")


def _coordinators(before: _State, gone: _State) -> Iterator[_Said]:
    """Speak of who decides which instance is primary: without a majority, a primary goes on only while it
    reaches all others, and none takes over."""
    for name, instance in sorted(gone.electing.items()):
        total = before.instances[name]
        left = total - gone.instances[name]
        text = f"{left} of {total} {name} instances are left"
        if 2 * left > total:
            yield _Said(about="note", well=True, text=f"{text}, a majority")
        elif gone.instances[instance.elects]:
            text += f", no majority, and a {instance.app} instance is lost as well: the {instance.app} stops"
            yield _Said(about="service", well=False, text=text)
        else:
            text += f", no majority: the {instance.app} goes on, without failover"
            yield _Said(about="note", well=False, text=text)


def _control_plane(design: Design, before: _State, gone: _State) -> Iterator[_Said]:
    total = before.roles[Role.CONTROL_PLANE]
    left = total - gone.roles[Role.CONTROL_PLANE]
    answers = left >= 1 if design.platform == "native" else 2 * left > total
    then = "" if answers else ": what runs goes on, but nothing is changed or moved"
    yield _Said(about="note", well=answers, text=f"{left} of {total} control planes are left{then}")
    if not answers and design.platform == "kubernetes":
        yield from _undecided(design, gone)
    if not gone.weights:
        yield _Said(about="heals", well=False, text="it needs replacing")


def _undecided(design: Design, gone: _State) -> Iterator[_Said]:
    """Speak of the database while no API server can say which instance is primary."""
    app = next((app for app in design.apps if app.service is not None), None)
    if app is None:
        return
    if any(gone.instances[instance.name] for _, instance in app.placements):
        text = (
            f"a {app.name} instance is lost as well, and nobody can say who is primary: the {app.name} stops"
        )
        yield _Said(about="service", well=False, text=text)
    else:
        yield _Said(about="note", well=False, text=f"the {app.name} goes on, without failover")


def _load_balancer(design: Design) -> Iterator[_Said]:
    names = ", ".join(frontend.name for frontend in design.frontends)
    text = f"{names} are reached through it alone, block and file storage without it"
    yield _Said(about="service", well=False, text=text)
    if design.provider == "lab":
        yield _Said(about="heals", well=False, text="it comes back when it is started again")
    else:
        yield _Said(about="heals", well=True, text="its provider replaces it")


def _device_class(design: Design) -> str:
    return design.pools[0].device_class
