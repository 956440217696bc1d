"""Making what a design asks at Google, one thing at a time: looked for, made where it is not, finished.

Whatever is not ready yet is said to be busy, and is looked for again by whoever asked.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rookery.clouds.cloud import SYSTEM, BusyError, CloudError, Labels, Made, There
from rookery.clouds.gcp import seen, wishes
from rookery.clouds.gcp.account import ONE, Account
from rookery.clouds.gcp.refusals import GoneError, TakenError
from rookery.clouds.gcp.seen import label, path_in
from rookery.clouds.gcp.wishes import Asked
from rookery.plan.resources import (
    AttachmentWish,
    BalancerWish,
    FirewallWish,
    GroupWish,
    Kind,
    NetworkWish,
    Resource,
    ServerWish,
    TargetWish,
    VolumeWish,
)

Json = dict[str, Any]

_AT_ONCE = 8
_STOPPED = ("TERMINATED", "STOPPED", "SUSPENDED")


class Maker:
    """Makes things in one zone of a region; `zone` tells which."""

    def __init__(self, account: Account, *, region: str, zone: Callable[[], str]) -> None:
        self._account = account
        self._region = region
        self._zone = zone
        self._ways: Mapping[type, Callable[[Asked], Made]] = {
            NetworkWish: self._network,
            FirewallWish: self._firewall,
            GroupWish: self._group,
            ServerWish: self._server,
            VolumeWish: self._volume,
            BalancerWish: self._balancer,
            AttachmentWish: self._attachment,
            TargetWish: self._target,
        }

    def make(self, resource: Resource, labels: Labels, there: There) -> Made:
        """Make one thing, or finish it; return it whole."""
        way = self._ways.get(type(resource.wish))
        if way is None:
            raise CloudError(f"Google keeps no {resource.kind} of its own")
        return way(Asked(name=resource.name, wish=resource.wish, labels=labels, there=there))

    def _find(self, service: str, name: str, **where: str) -> Json | None:
        return self._account.find(service, **where, **{ONE[service]: name})

    def _ensure(self, service: str, body: Json, labels: Labels, **where: str) -> Json:
        """Return a thing of this name, made where there is none; raises CloudError where it is another's."""
        name = str(body["name"])
        thing = self._find(service, name, **where)
        if thing is None:
            # An earlier try of ours may have been on its way; whose it is, the next look tells.
            with contextlib.suppress(TakenError):
                self._account.change(service, "insert", body, **where)
            thing = self._find(service, name, **where)
        if thing is None:
            raise BusyError(f"{name} is not to be seen yet")
        if label(thing, SYSTEM) != labels[SYSTEM]:
            raise CloudError(
                f"there is one called {name} among the project's {service} that is not this system's",
                hint="Give the system another name, or remove what has it.",
            )
        return thing

    def _network(self, asked: Asked) -> Made:
        network = self._ensure("networks", wishes.network_body(asked), asked.labels)
        body = wishes.subnetwork_body(asked, path_in(network["selfLink"]))
        subnetwork = self._ensure("subnetworks", body, asked.labels, region=self._region)
        return seen.network_made(network, [subnetwork])

    def _firewall(self, asked: Asked) -> Made:
        inside, outside = wishes.firewall_bodies(asked)
        self._ensure("firewalls", inside, asked.labels)
        thing = self._ensure("firewalls", outside, asked.labels)
        if rules_of(thing) != rules_of(outside):
            changed = {name: outside[name] for name in ("name", "network", "allowed")}
            self._account.change("firewalls", "patch", changed, firewall=asked.name)
            thing = self._account.get("firewalls", firewall=asked.name)
        return seen.plain_made(Kind.FIREWALL, thing)

    def _group(self, asked: Asked) -> Made:
        thing = self._ensure("resourcePolicies", wishes.group_body(asked), asked.labels, region=self._region)
        return seen.plain_made(Kind.GROUP, thing)

    def _server(self, asked: Asked) -> Made:
        wish, zone = asked.wish, self._zone()
        assert isinstance(wish, ServerWish)
        thing = self._ensure("instances", wishes.server_body(asked, zone), asked.labels, zone=zone)
        if not seen.knows_key(thing, wish.public_key):
            raise CloudError(
                f"{asked.name} was made from another machine, whose key alone logs in there",
                hint="Go on from that machine, or take the system down from here and make it anew.",
            )
        if thing.get("status") in _STOPPED:
            self._account.change("instances", "start", zone=zone, instance=asked.name)
            thing = self._account.get("instances", zone=zone, instance=asked.name)
        return seen.server_made(_require(thing, "RUNNING"))

    def _volume(self, asked: Asked) -> Made:
        zone = self._zone()
        thing = self._ensure("disks", wishes.volume_body(asked, zone), asked.labels, zone=zone)
        return seen.volume_made(_require(thing, "READY"))

    def _attachment(self, asked: Asked) -> Made:
        wish = asked.wish
        assert isinstance(wish, AttachmentWish)
        zone, server, volume = self._zone(), asked.there[wish.server].name, asked.there[wish.volume].id
        body = {"source": volume, "deviceName": wish.drive, "mode": "READ_WRITE", "autoDelete": False}
        for is_last in (False, True):
            thing = self._account.get("instances", zone=zone, instance=server)
            for disk in thing.get("disks", ()):
                if path_in(disk.get("source")) == volume:
                    return seen.attachment_made(thing, disk)
            if not is_last:
                self._account.change("instances", "attach_disk", body, zone=zone, instance=server)
        raise BusyError(f"{asked.name} is not to be seen on {server} yet")

    def _target(self, asked: Asked) -> Made:
        wish = asked.wish
        assert isinstance(wish, TargetWish)
        balancer, server, zone = asked.there[wish.balancer], asked.there[wish.server], self._zone()
        if server.id not in in_group(self._account, balancer.name, zone):
            body = {"instances": [{"instance": server.id}]}
            with contextlib.suppress(TakenError):
                self._account.change(
                    "instanceGroups", "add_instances", body, zone=zone, instanceGroup=balancer.name
                )
        return seen.target_made(balancer, server.name)

    def _balancer(self, asked: Asked) -> Made:
        place = {"region": self._region, "zone": self._zone()}
        made: dict[str, list[Json]] = {}
        for stage in wishes.balancer_stages(asked, place):
            for (service, _), thing in zip(stage, self._side_by_side(stage, asked, place), strict=True):
                made.setdefault(seen.collection_of(service), []).append(thing)
        return seen.balancer_made(next(iter(seen.own_balancers(made))))

    def _side_by_side(
        self, stage: Sequence[tuple[str, Json]], asked: Asked, place: Mapping[str, str]
    ) -> Iterable[Json]:
        def make(part: tuple[str, Json]) -> Json:
            service, body = part
            scope = {"instanceGroups": ("zone",), "firewalls": ()}.get(service, ("region",))
            return self._ensure(service, body, asked.labels, **{name: place[name] for name in scope})

        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            return list(pool.map(make, stage))


def in_group(account: Account, name: str, zone: str) -> list[str]:
    """Return the paths of the servers in an instance group; of none where that is not there."""
    try:
        answer = account.ask("instanceGroups", "list_instances", {}, zone=zone, instanceGroup=name)
    except GoneError:
        return []
    return [path_in(one.get("instance")) for one in answer.get("items", ())]


def rules_of(rule: Mapping[str, Any]) -> frozenset[tuple[str, tuple[str, ...]]]:
    """Return what a rule of the firewall lets in, to be compared."""
    return frozenset(
        (str(one.get("IPProtocol", "")), tuple(sorted(one.get("ports", ()))))
        for one in rule.get("allowed", ())
    )


def _require(thing: Json, state: str) -> Json:
    """Return a thing that is in this state; raises BusyError where it is not yet."""
    if thing.get("status") != state:
        raise BusyError(f"{thing['name']} is {str(thing.get('status', '')).lower()}")
    return thing
