"""A cloud in memory, behind the protocol of all clouds: an account that outlives whoever works on it.

It refuses what a real one refuses: a name twice, the removal of what something else still uses. Each of its
calls can fail, lose its answer, or be the last that its process makes.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from rookery.clouds.cloud import (
    SYSTEM,
    UNTIL,
    BusyError,
    CloudError,
    Labels,
    Made,
    Preflight,
    Problem,
    Reporter,
    There,
    UnsureError,
)
from rookery.plan.resources import (
    AttachmentWish,
    BalancerWish,
    Kind,
    NetworkWish,
    Resource,
    ServerWish,
    TargetWish,
    VolumeWish,
)
from rookery.providers import Provider


class Fault(StrEnum):
    """What happens to one call."""

    FAILS = "fails"
    LOST = "its answer is lost"
    KILLED_BEFORE = "the process is killed before it"
    KILLED_AFTER = "the process is killed after it"


class Killed(BaseException):
    """The process is no more."""


@dataclass(slots=True, kw_only=True)
class Thing:
    """One thing of the account."""

    kind: Kind
    id: str
    name: str
    labels: dict[str, str]
    network: str = ""
    address: str = ""
    group: str = ""
    firewall: str = ""
    on: str = ""
    running: bool = False
    targets: set[str] = field(default_factory=set)
    product: str = ""
    size: int = 0
    maker: str = ""


@dataclass(slots=True)
class Account:
    """What there is, and how many calls were made. No two of a kind share a name."""

    things: dict[tuple[Kind, str], Thing] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    controlled: str = ""

    def add(self, kind: Kind, name: str, labels: Labels, **more: object) -> Thing:
        if (kind, name) in self.things:
            raise CloudError(f"there is a {kind} {name} already")
        thing = Thing(kind=kind, id=str(next(self.numbers)), name=name, labels=dict(labels))
        for key, value in more.items():
            setattr(thing, key, value)
        self.things[kind, name] = thing
        return thing

    def of(self, kind: Kind) -> list[Thing]:
        return [one for one in self.things.values() if one.kind is kind]

    def control(self) -> None:
        """Be the cluster's controller: while a server runs, its load balancer and its volume are there."""
        servers = [
            one for one in self.of(Kind.SERVER) if one.labels.get(SYSTEM) == self.controlled and one.running
        ]
        if not self.controlled or not servers:
            return
        name = f"{self.controlled}-public"
        if (Kind.BALANCER, name) not in self.things:
            self.add(Kind.BALANCER, name, {}, network=servers[0].network, maker="ccm", product="lb")
        if (Kind.VOLUME, "pvc-1") not in self.things:
            self.add(Kind.VOLUME, "pvc-1", {}, on=servers[0].name, maker="csi", product="volume", size=10**10)


class MemoryCloud:
    """One process' way into an account; `faults` are what happens to its calls, by their numbers."""

    provider: Provider = "hetzner"
    title = "Memory"
    place = "here"

    def __init__(self, account: Account, faults: Mapping[int, Fault] | None = None) -> None:
        self.account = account
        self._faults = dict(faults or {})
        self._number = 0
        self._dead = False

    @property
    def calls(self) -> int:
        """How many calls this process has made."""
        return self._number

    def _call(self, what: str, effect: Callable[[], object]) -> None:
        with self.account.lock:
            if self._dead:
                raise Killed
            fault = self._faults.get(self._number)
            self._number += 1
            self.account.calls.append(what)
            if fault is Fault.KILLED_BEFORE:
                self._dead = True
                raise Killed
            if fault is Fault.FAILS:
                raise BusyError(f"{what}: locked")
            effect()
            self.account.control()
            if fault is Fault.KILLED_AFTER:
                self._dead = True
                raise Killed
            if fault is Fault.LOST:
                raise UnsureError(f"{what}: no answer came")

    def preflight(self, system: str, resources: Sequence[Resource]) -> Preflight:
        self._call("preflight", lambda: None)
        taken = [
            Problem(
                what=f"the {one.kind} {one.name} is somebody else's", hint="Give the system another name."
            )
            for one in resources
            if (thing := self.account.things.get((one.kind, one.name))) and thing.labels.get(SYSTEM) != system
        ]
        return Preflight(problems=tuple(taken))

    def found(self, system: str) -> tuple[Made, ...]:
        return tuple(one for one in self._all("found") if one.system == system)

    def systems(self) -> tuple[Made, ...]:
        return tuple(one for one in self._all("systems") if one.system)

    def left(self, system: str, names: frozenset[str]) -> tuple[Made, ...]:
        seen = self._all("left")
        ours = {one.name for one in seen if one.system == system and one.kind is Kind.SERVER}

        def belongs(one: Made) -> bool:
            if one.system:
                return one.system == system
            hangs = one.maker and (one.on in ours or one.private == system)
            return bool(hangs) or one.name in names

        return tuple(one for one in seen if belongs(one))

    def _all(self, what: str) -> tuple[Made, ...]:
        seen: list[Made] = []
        self._call(
            what, lambda: seen.extend(made for one in self.account.things.values() for made in _seen(one))
        )
        return tuple(seen)

    def lacks(self, resource: Resource, made: Made, there: There) -> str:
        thing = made.seen
        if isinstance(resource.wish, ServerWish):
            assert isinstance(thing, dict)
            if thing["address"] != resource.wish.address:
                return "not in the network"
            return "" if thing["running"] else "off"
        return ""

    def make(self, resource: Resource, labels: Labels, there: There, report: Reporter) -> Made:
        key = (resource.kind, resource.name)
        wish = resource.wish
        if isinstance(wish, AttachmentWish):
            return self._attach(resource, there[wish.volume].name, there[wish.server].name)
        if isinstance(wish, TargetWish):
            return self._target(resource, there[wish.balancer].name, there[wish.server].name)
        self._look_for(resource, labels)
        if key not in self.account.things:
            self._call(f"create {resource.name}", lambda: self._create(resource, labels, there))
        thing = self.account.things[key]
        if isinstance(wish, ServerWish):
            if not thing.address:
                self._call(f"join {resource.name}", lambda: _join(thing, wish, there[wish.network].name))
            if not thing.running:
                self._call(f"start {resource.name}", lambda: setattr(thing, "running", True))
        return next(iter(_seen(thing)))

    def _look_for(self, resource: Resource, labels: Labels) -> None:
        def look() -> None:
            thing = self.account.things.get((resource.kind, resource.name))
            if thing is not None and thing.labels.get(SYSTEM) != labels[SYSTEM]:
                raise CloudError(f"the {resource.kind} {resource.name} is somebody else's")

        self._call(f"look for {resource.name}", look)

    def _create(self, resource: Resource, labels: Labels, there: There) -> None:
        wish = resource.wish
        more: dict[str, object] = {}
        if isinstance(wish, ServerWish):
            more = {"firewall": there[wish.firewall].name, "product": wish.machine}
            more["group"] = there[wish.group].name if wish.group else ""
        elif isinstance(wish, VolumeWish):
            more = {"size": wish.size, "product": "volume"}
        elif isinstance(wish, BalancerWish):
            more = {"network": there[wish.network].name, "address": wish.address, "product": "lb"}
        elif isinstance(wish, NetworkWish):
            more = {"address": wish.cidr}
        self.account.add(resource.kind, resource.name, labels, **more)

    def _attach(self, resource: Resource, volume: str, server: str) -> Made:
        thing = self.account.things[Kind.VOLUME, volume]
        if thing.on != server:
            self._call(f"attach {resource.name}", lambda: setattr(thing, "on", server))
        return next(one for one in _seen(thing) if one.kind is Kind.ATTACHMENT)

    def _target(self, resource: Resource, balancer: str, server: str) -> Made:
        thing = self.account.things[Kind.BALANCER, balancer]
        if server not in thing.targets:
            self._call(f"target {resource.name}", lambda: thing.targets.add(server))
        return next(one for one in _seen(thing) if one.kind is Kind.TARGET and one.name == server)

    def secrets(self, there: There) -> tuple[tuple[str, Mapping[str, str]], ...]:
        return (("memory", {"token": "of-memory"}),)

    def mark(self, made: Made, labels: Labels) -> None:
        thing = self.account.things.get((made.kind, made.name))
        if thing is not None:
            self._call(f"mark {made.name}", lambda: thing.labels.update(labels))

    def remove(self, made: Made, report: Reporter) -> None:
        self._call(f"remove {made.kind} {made.name}", lambda: self._remove(made))

    def _remove(self, made: Made) -> None:
        things = self.account.things
        if (made.kind, made.name) not in things:
            return
        users = [one for one in things.values() if _uses(one, made)]
        if users:
            raise CloudError(f"{made.name} is used by {', '.join(one.name for one in users)}")
        del things[made.kind, made.name]
        if made.kind is Kind.SERVER:
            for one in things.values():
                one.targets.discard(made.name)
                if one.on == made.name:
                    one.on = ""


def _join(thing: Thing, wish: ServerWish, network: str) -> None:
    thing.network, thing.address = network, wish.address


def _uses(one: Thing, made: Made) -> bool:
    if made.kind is Kind.NETWORK:
        return one.network == made.name
    if made.kind is Kind.FIREWALL:
        return one.firewall == made.name
    if made.kind is Kind.GROUP:
        return one.group == made.name
    return made.kind is Kind.VOLUME and one.name == made.name and one.kind is Kind.VOLUME and bool(one.on)


def _seen(thing: Thing) -> list[Made]:
    network = thing.network if thing.kind is Kind.BALANCER else thing.address
    made = Made(
        kind=thing.kind,
        id=thing.id,
        name=thing.name,
        system=thing.labels.get(SYSTEM, ""),
        until=thing.labels.get(UNTIL, ""),
        maker=thing.maker,
        since=1_796_000_000.0,
        product=thing.product,
        size=thing.size,
        public=f"192.0.2.{thing.id}" if thing.kind in (Kind.SERVER, Kind.BALANCER) else "",
        private=network,
        state="running" if thing.running else "",
        on=thing.on,
        node_id=f"memory://{thing.id}" if thing.kind is Kind.SERVER else "",
        seen={"address": thing.address, "running": thing.running},
    )
    found = [made]
    if thing.kind is Kind.VOLUME and thing.on:
        device = f"/dev/disk/by-id/memory-{thing.id}"
        found.append(_beside(made, Kind.ATTACHMENT, thing.name, on=thing.on, device=device))
    found += [_beside(made, Kind.TARGET, name, on=thing.name) for name in sorted(thing.targets)]
    return found


def _beside(made: Made, kind: Kind, name: str, *, on: str, device: str = "") -> Made:
    return Made(kind=kind, id=made.id, name=name, system=made.system, maker=made.maker, on=on, device=device)
