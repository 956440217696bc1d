"""The worst of each kind of loss: any drive, any host of each role, any two storage nodes, the load balancer.

Of all choices the worst counts; hosts with the same roles, daemons, drives and instances are
interchangeable, so one or two of each kind stand for all, and the work grows with the kinds of hosts, not
with their number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import combinations

from rookery.design.model import Design, Host, Role
from rookery.design.survival.left import Whole
from rookery.design.survival.loss import Loss
from rookery.design.survival.promise import promise_of
from rookery.design.survival.verdict import Survives


def survival(design: Design) -> tuple[Survives, ...]:
    """Return what the design survives: the loss of a drive, of hosts of each role, of the load balancer."""
    storage = design.with_role(Role.STORAGE)
    workers = tuple(host for host in design.with_role(Role.WORKER) if Role.STORAGE not in host.roles)
    control = tuple(host for host in design.with_role(Role.CONTROL_PLANE) if Role.STORAGE not in host.roles)
    cases: list[tuple[str, Iterable[Loss]]] = [
        ("any one drive", _drives(storage)),
        ("any one storage node", _choices(storage, 1)),
        ("any two storage nodes at once", _choices(storage, 2)),
        ("any one worker", _choices(workers, 1)),
        ("any one control plane", _choices(control, 1)),
        ("the load balancer", _choices(design.with_role(Role.LOAD_BALANCER), 1)),
    ]
    whole = Whole(design)
    found = (_worst(subject, whole, choices) for subject, choices in cases)
    return tuple(statement for statement in found if statement is not None)


def _worst(subject: str, whole: Whole, choices: Iterable[Loss]) -> Survives | None:
    """Return the promise for a subject: well only where every choice is, else that of the worst choice."""
    promises = [promise_of(whole, loss, subject=subject) for loss in choices]
    if not promises:
        return None
    worst = min(promises, key=lambda one: (one.data, one.service, one.heals, one.room))
    return replace(
        worst,
        data=all(one.data for one in promises),
        service=all(one.service for one in promises),
        heals=all(one.heals for one in promises),
    )


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


def _choices(hosts: tuple[Host, ...], number: int) -> Iterator[Loss]:
    for chosen in combinations(_representatives(hosts, number), number):
        yield Loss(hosts=tuple(host.name for host in chosen))


def _drives(hosts: tuple[Host, ...]) -> Iterator[Loss]:
    for host in _representatives(hosts, 1):
        for drive in {(drive.size, drive.device_class): drive for drive in reversed(host.drives)}.values():
            yield Loss(drives=((host.name, drive.name),))
