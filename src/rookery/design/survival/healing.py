"""What comes back by itself, and into how many: pools, daemons, instances, hosts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rookery.design.model import DaemonKind, Role
from rookery.design.survival.left import Left
from rookery.design.survival.pools import hindrance
from rookery.design.survival.sentences import Said
from rookery.design.survival.verdict import Mending, PoolLeft

_NATIVE = "the native platform moves no instance to another host"
_NO_API = "without a majority of the control planes nothing is moved"
_RESTARTED = {"native": "supervisord starts it again", "kubernetes": "its kubelet starts it again"}
# What Rook starts anew on another storage node where one is free; an OSD goes with its drive.
_MOVED = (DaemonKind.MON, DaemonKind.MGR, DaemonKind.MDS, DaemonKind.RGW)


def mendings(left: Left, pools: Sequence[PoolLeft]) -> tuple[Mending, ...]:
    """Return what becomes of all that the loss has touched."""
    return (*_pools(left, pools), *_daemons(left), *_instances(left), *_hosts(left))


def _pools(left: Left, pools: Sequence[PoolLeft]) -> Iterator[Mending]:
    for pool in pools if left.hit else ():
        what = f"pool {pool.name}"
        yield Mending(what=what, now=pool.kept, after=pool.after, of=pool.size, why=_why(left, pool))


def _why(left: Left, pool: PoolLeft) -> str:
    if not pool.safe:
        return "what is lost is made again from nothing"
    if why := hindrance(left):
        return why
    hosts = left.weights.total()
    are = f"{hosts} host{'' if hosts == 1 else 's'} with drives {'is' if hosts == 1 else 'are'} left"
    return "made again on the drives that are left" if pool.after == pool.size else are


def _daemons(left: Left) -> Iterator[Mending]:
    gone = left.gone.daemons
    for kind in DaemonKind:
        if not gone[kind]:
            continue
        now, total = left.daemons(kind), left.whole.there.daemons[kind]
        for_good = left.out if kind is DaemonKind.OSD else left.with_hosts.daemons[kind]
        after, why = total, _RESTARTED[left.whole.design.platform]
        if for_good:
            after, why = _moved(left, kind, total - for_good, total)
        yield Mending(what=str(kind), now=now, after=after, of=total, why=why)


def _moved(left: Left, kind: DaemonKind, stay: int, total: int) -> tuple[int, str]:
    """Return how many daemons of a kind there are in the end where hosts are lost, and why."""
    if kind not in _MOVED:
        return stay, "an OSD goes with its drive"
    if left.whole.design.platform == "native":
        return stay, _NATIVE
    if not left.changes_are_made:
        return stay, _NO_API
    if not left.has_quorum:
        return stay, "without a majority of the monitors Rook replaces nothing"
    nodes = left.hosts(Role.STORAGE)
    after = max(stay, min(total, nodes))
    return after, f"Rook starts them on other storage nodes, one on each: {nodes} are left"


def _instances(left: Left) -> Iterator[Mending]:
    for name, gone in sorted(left.gone.instances.items()):
        total = left.whole.there.instances[name]
        with_hosts = left.with_hosts.instances[name]
        after, why = total, _RESTARTED[left.whole.design.platform]
        if with_hosts and left.whole.design.platform == "native":
            after, why = total - with_hosts, _NATIVE
        elif with_hosts and not left.changes_are_made:
            after, why = total - with_hosts, _NO_API
        elif with_hosts:
            workers = left.hosts(Role.WORKER)
            after, why = min(total, workers), f"one on each worker: {workers} are left"
        if gone:
            yield Mending(what=name, now=total - gone, after=after, of=total, why=why)


def _hosts(left: Left) -> Iterator[Mending]:
    for role in sorted(left.gone.roles):
        now, total = left.hosts(role), left.whole.there.roles[role]
        comes = role is Role.LOAD_BALANCER and left.whole.design.traits.balancer != "server"
        why = "its provider replaces it" if comes else "it comes back when somebody brings it back"
        yield Mending(what=f"hosts: {role}", now=now, after=total if comes else now, of=total, why=why)


def bare_instances(left: Left) -> Iterator[Said]:
    """Speak of the instances of lost hosts without drives; of a storage node's loss, healing is about the
    data."""
    names = sorted({one.name for host in left.bare for one in host.instances} - left.whole.electing.keys())
    if not names:
        return
    if left.whole.design.platform == "native":
        yield Said(well=False, text=_NATIVE)
        return
    workers = left.hosts(Role.WORKER)
    stuck: dict[int, list[str]] = {}
    for name in names:
        if (total := left.whole.there.instances[name]) > workers:
            stuck.setdefault(total, []).append(name)
    for total, those in sorted(stuck.items()):
        yield Said(well=False, text=f"{total} instances want {total} workers ({', '.join(those)})")
    if not stuck:
        yield Said(well=True, text="Kubernetes starts the lost ones on other workers")


def bare_control_planes(left: Left) -> Iterator[Said]:
    if any(Role.CONTROL_PLANE in host.roles for host in left.bare):
        yield Said(well=False, text="it needs replacing")


def balancers(left: Left) -> Iterator[Said]:
    if left.gone.roles[Role.LOAD_BALANCER]:
        ours = left.whole.design.traits.balancer == "server"
        text = "it comes back when it is started again" if ours else "its provider replaces it"
        yield Said(well=not ours, text=text)
