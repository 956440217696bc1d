"""Hetzner Cloud, as every cloud is seen from above: things are found, made, finished and removed.

A server is made off, joins the network under the address of the design, and starts then: the call that makes
one cannot ask for an address. Names are unique within a project, so a creation that was sent twice is refused
the second time, and what is there is taken if it is the system's own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

from rookery.clouds.cloud import (
    SYSTEM,
    BusyError,
    CloudError,
    Labels,
    Made,
    Preflight,
    Reporter,
    There,
)
from rookery.clouds.hetzner.account import Account, GoneError
from rookery.clouds.hetzner.asked import (
    asked_rules,
    has_subnet,
    is_same_key,
    missing_services,
    rules_in_short,
)
from rookery.clouds.hetzner.left import left_of
from rookery.clouds.hetzner.making import Maker
from rookery.clouds.hetzner.preflight import look_before
from rookery.clouds.hetzner.prices import HETZNER_API
from rookery.clouds.hetzner.seen import PATHS, Lists, Thing, networks_of
from rookery.plan.cloud import NETWORK
from rookery.plan.resources import (
    AttachmentWish,
    BalancerWish,
    FirewallWish,
    KeyWish,
    Kind,
    NetworkWish,
    Resource,
    ServerWish,
    TargetWish,
    VolumeWish,
    Wish,
)
from rookery.providers import Provider

IMAGE = "ubuntu-22.04"
_LOOKS_AT_ONCE = 4


class HetznerCloud:
    """One project at Hetzner, at one location."""

    provider: Provider = "hetzner"
    title = "Hetzner"

    def __init__(self, account: Account, *, place: str, image: str = IMAGE) -> None:
        self._account = account
        self._place = place
        self._image = image

    @property
    def place(self) -> str:
        return self._place

    def preflight(self, system: str, resources: Sequence[Resource]) -> Preflight:
        return look_before(self._account, system, resources, place=self._place, image=self._image)

    def found(self, system: str) -> tuple[Made, ...]:
        return tuple(self._lists(f"{SYSTEM}={system}").all())

    def systems(self) -> tuple[Made, ...]:
        return tuple(self._lists(SYSTEM).all())

    def left(self, system: str, names: frozenset[str]) -> tuple[Made, ...]:
        return left_of(self._lists(), system, names)

    def _lists(self, selector: str = "") -> Lists:
        with ThreadPoolExecutor(max_workers=_LOOKS_AT_ONCE) as pool:
            found = pool.map(lambda kind: self._account.all(PATHS[kind], selector=selector), PATHS)
            return Lists(things=dict(zip(PATHS, found, strict=True)))

    def make(self, resource: Resource, labels: Labels, there: There, report: Reporter) -> Made:
        del report  # one action is under way at a time, and none tells how far it is
        return self._maker.make(resource, labels, there)

    @cached_property
    def _maker(self) -> Maker:
        found = self._account.named("locations", self._place)
        if found is None:
            raise CloudError(f"Hetzner has no location {self._place}")
        zone = str(found["network_zone"])
        return Maker(self._account, place=self._place, zone=zone, image=self._image)

    def lacks(self, resource: Resource, made: Made, there: There) -> str:
        thing, wish = made.seen, resource.wish
        assert isinstance(thing, Mapping)
        if isinstance(wish, ServerWish):
            return _outside(thing, wish.network, there) or _not_running(thing)
        if isinstance(wish, BalancerWish):
            missing = missing_services(thing, wish)
            return _outside(thing, wish.network, there) or (f"without {missing[0].name}" if missing else "")
        return _differs(thing, wish) or _elsewhere(wish, made, there)

    def secrets(self, there: There) -> tuple[tuple[str, Mapping[str, str]], ...]:
        network = there.get(NETWORK)
        if network is None:
            return ()
        access = self._account.access
        elsewhere = {} if access.endpoint == HETZNER_API else {"endpoint": access.endpoint}
        return (("hcloud", {"token": access.token, "network": network.name, **elsewhere}),)

    def mark(self, made: Made, labels: Labels) -> None:
        thing = made.seen
        assert isinstance(thing, Mapping)
        wanted = {**(thing.get("labels") or {}), **labels}
        with contextlib.suppress(GoneError):
            path = f"/{PATHS[made.kind]}/{made.id}"
            self._account.call("PUT", path, f"{made.kind} {made.name}", json={"labels": wanted})

    def remove(self, made: Made, report: Reporter) -> None:
        del report
        what = f"{made.kind} {made.name}"
        path = f"/{PATHS[made.kind]}/{made.id}"
        with contextlib.suppress(GoneError):
            try:
                answer = self._account.call("DELETE", path, what)
            except BusyError:
                raise
            except CloudError:
                # One that is still attached is a `service_error`, as is whatever else went wrong there.
                if made.kind is not Kind.VOLUME or not self._detach(made, what):
                    raise
                answer = self._account.call("DELETE", path, what)
            self._account.finish(answer, what)

    def _detach(self, made: Made, what: str) -> bool:
        """Detach a volume, unless its server took it off by going; return whether there was need to."""
        volume = self._account.call("GET", f"/volumes/{made.id}", what)["volume"]
        if not volume.get("server"):
            return False
        self._account.act(f"/volumes/{made.id}/actions/detach", what)
        return True


def _outside(thing: Thing, network: str, there: There) -> str:
    made = there.get(network)
    return "" if made is not None and int(made.id) in networks_of(thing) else "not in the network"


def _not_running(thing: Thing) -> str:
    return "" if thing.get("status") == "running" else str(thing.get("status"))


def _differs(thing: Thing, wish: Wish) -> str:
    match wish:
        case NetworkWish() if not has_subnet(thing, wish):
            return "without its subnet"
        case FirewallWish() if rules_in_short(thing["rules"]) != rules_in_short(asked_rules(wish)):
            return "has other rules"
        case VolumeWish() if thing.get("status") != "available":
            return "being made"
        case KeyWish() if not is_same_key(thing, wish):
            return "another machine's"
    return ""


def _elsewhere(wish: Wish, made: Made, there: There) -> str:
    """Return where something between two things is, if that is not where it is asked to be."""
    if isinstance(wish, AttachmentWish):
        server = there.get(wish.server)
        return "" if server is not None and made.on == server.name else "attached elsewhere"
    if isinstance(wish, TargetWish):
        balancer = there.get(wish.balancer)
        return "" if balancer is not None and made.on == balancer.name else "behind another"
    return ""
