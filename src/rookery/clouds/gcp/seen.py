"""What Google's answers say of things, as values that all clouds share.

Networks, rules of the firewall, placement policies and all parts of a load balancer but its forwarding rules
have no labels; forwarding rules and addresses cannot be given theirs when they are made. So whatever has no
label from the call that makes it says in its description whose it is. A description is never changed: the
end of a lease, which may be moved, is of those then what the labelled things of the system say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from rookery.clouds.cloud import SYSTEM, UNTIL, Labels, Made
from rookery.plan.resources import Kind
from rookery.units import GIB

Json = Mapping[str, Any]
Lists = Mapping[str, Sequence[Json]]
"""What a project has, by Google's names of its collections."""

INSIDE = "-inside"
"""Ends the names of what is for the network alone: the second rule of a firewall or of a load balancer."""

BALANCER_PARTS = (
    "forwardingRules",
    "backendServices",
    "targetPools",
    "instanceGroups",
    "healthChecks",
    "addresses",
)
"""What a load balancer is made of beside rules of the firewall, in the order in which it may be removed."""

SSH_KEYS = "ssh-keys"
"""The item of a server's metadata that says who may log in: a user, and a key."""

OF_BALANCER = "of=balancer"
"""Stands in the description of a rule of the firewall that is a load balancer's."""

KUBERNETES = "kubernetes"
_LABEL = re.compile(r"[./]")
_CONTROLLERS = ("kubernetes.io/", "k8s-")
_CONTROLLERS_RULE = "k8s-fw-"
_RULE = "forwarding rules"  # the price book's name of what a load balancer costs


def labels_of(labels: Labels) -> dict[str, str]:
    """Return labels as Google writes them: `rookery-io-system`."""
    return {_LABEL.sub("-", name): value for name, value in labels.items()}


def description_of(labels: Labels) -> str:
    """Return the description that says what labels would."""
    return " ".join(f"{name}={value}" for name, value in labels_of(labels).items())


def label(thing: Json, name: str) -> str:
    """Return what a thing's labels say under a name, else what its description says; empty where neither."""
    key = _LABEL.sub("-", name)
    if found := thing.get("labels", {}).get(key):
        return str(found)
    said = re.search(rf"(?:^| ){key}=([-a-z0-9_]+)(?: |$)", str(thing.get("description", "")))
    return said[1] if said else ""


def path_in(url: object) -> str:
    """Return a URL of a thing from `projects/` on: links are written in more than one way."""
    text = str(url or "")
    return text[text.find("projects/") :] if "projects/" in text else text


def last(url: object) -> str:
    """Return the last part of a URL: the name of what it leads to."""
    return str(url or "").rpartition("/")[2]


def collection_of(service: str) -> str:
    """Return the collection of a service: load balancers of a region have services of their own."""
    plain = service.removeprefix("region")
    return f"{plain[0].lower()}{plain[1:]}"


def service_of(collection: str, thing: Json) -> str:
    """Return the service that a thing of a collection is asked of."""
    is_regional = collection in ("backendServices", "healthChecks") and thing.get("region")
    return f"region{collection[0].upper()}{collection[1:]}" if is_regional else collection


def place_of(thing: Json) -> dict[str, str]:
    """Return the zone or the region that a thing is in, as a request names it; nothing of a global one."""
    return {name: last(thing[name]) for name in ("zone", "region") if thing.get(name)}


def maker_of(thing: Json) -> str:
    """Return who made a thing where it was the cluster's controllers, else an empty text."""
    said = str(thing.get("description", ""))
    is_theirs = _CONTROLLERS[0] in said or str(thing.get("name", "")).startswith(_CONTROLLERS[1])
    return KUBERNETES if is_theirs else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balancer:
    """A load balancer by its parts that are there: `parts` by collection, and `rules` of the firewall."""

    name: str
    parts: Mapping[str, tuple[Json, ...]]
    rules: tuple[Json, ...] = ()

    def of(self, collection: str) -> tuple[Json, ...]:
        return self.parts.get(collection, ())

    @property
    def all(self) -> tuple[Json, ...]:
        return (*(one for parts in self.parts.values() for one in parts), *self.rules)

    def has(self, collection: str, name: str) -> bool:
        return any(one["name"] == name for one in (*self.of(collection), *self.rules))


def all_made(lists: Lists, members: Mapping[str, Sequence[str]]) -> Iterator[Made]:
    """Yield everything that has a system, attachments and targets beside what they are of.

    `members` are the paths of the servers behind each load balancer, by its name.
    """
    found = [*_servers(lists), *_volumes(lists), *_plain(lists), *_networks(lists)]
    found += [balancer_made(one) for one in (*own_balancers(lists), *controllers_balancers(lists))]
    ends: dict[str, str] = {}
    for one in found:
        if one.kind in (Kind.SERVER, Kind.VOLUME) and one.system:
            ends[one.system] = max(ends.get(one.system, ""), one.until)
    for one in found:
        is_told = one.kind in (Kind.SERVER, Kind.VOLUME) or not ends.get(one.system)
        yield one if is_told else replace(one, until=ends[one.system])
    for one in found:
        if one.kind is Kind.BALANCER:
            yield from (target_made(one, last(path)) for path in members.get(one.name, ()))


def server_made(thing: Json) -> Made:
    """Return a server."""
    nic: Json = next(iter(thing.get("networkInterfaces", ())), {})
    config: Json = next(iter(nic.get("accessConfigs", ())), {})
    place, name = place_of(thing), str(thing["name"])
    project = path_in(thing.get("selfLink")).split("/")[1:2]
    return replace(
        _made(Kind.SERVER, thing),
        product=last(thing.get("machineType")),
        public=str(config.get("natIP", "")),
        private=str(nic.get("networkIP", "")),
        state=str(thing.get("status", "")),
        node_id=f"gce://{''.join(project)}/{place.get('zone', '')}/{name}",
    )


def knows_key(server: Json, public_key: str) -> bool:
    """Whether a server was made with this key of who may log in, as its metadata says."""
    items = server.get("metadata", {}).get("items", ())
    known = next((str(one.get("value", "")) for one in items if one.get("key") == SSH_KEYS), "")
    return known.partition(":")[2].split()[:2] == public_key.split()[:2]


def volume_made(thing: Json) -> Made:
    """Return a volume."""
    return replace(
        _made(Kind.VOLUME, thing),
        product=last(thing.get("type")),
        size=int(thing.get("sizeGb", 0)) * GIB,
        state=str(thing.get("status", "")),
        on=last(next(iter(thing.get("users", ())), "")),
    )


def attachment_made(server: Json, disk: Json) -> Made:
    """Return a volume's attachment to a server; its path there is by the name that it was attached by."""
    return Made(
        kind=Kind.ATTACHMENT,
        id=path_in(disk.get("source")),
        name=last(disk.get("source")),
        system=label(server, SYSTEM),
        on=str(server["name"]),
        device=f"/dev/disk/by-id/google-{disk.get('deviceName', '')}",
        seen=disk,
    )


def target_made(balancer: Made, server: str) -> Made:
    """Return a server behind a load balancer."""
    return Made(
        kind=Kind.TARGET,
        id=balancer.id,
        name=server,
        system=balancer.system,
        on=balancer.name,
        seen=balancer.seen,
    )


def network_made(thing: Json, subnetworks: Iterable[Json]) -> Made:
    """Return a network with its parts."""
    own = [one for one in subnetworks if path_in(one.get("network")) == path_in(thing.get("selfLink"))]
    return replace(
        _made(Kind.NETWORK, thing),
        private=next((str(one.get("ipCidrRange", "")) for one in own), ""),
        seen={"network": thing, "subnetworks": own},
    )


def balancer_made(balancer: Balancer) -> Made:
    """Return a load balancer, of whatever parts of it are there."""
    rules = balancer.of("forwardingRules")
    first = next(iter((*rules, *balancer.all)))
    outside = next((one for one in rules if not str(one["name"]).endswith(INSIDE)), {})
    inside = next((one for one in rules if str(one["name"]).endswith(INSIDE)), {})
    address = next((one.get("address", "") for one in balancer.of("addresses")), "")
    return replace(
        _made(Kind.BALANCER, first),
        id=balancer.name,
        name=balancer.name,
        maker=next((maker for one in balancer.all if (maker := maker_of(one))), ""),
        product=_RULE if rules else "",
        public=str(outside.get("IPAddress", address)),
        private=str(inside.get("IPAddress", "")),
        state="whole" if outside and inside else "in parts",
        seen=balancer,
    )


def plain_made(kind: Kind, thing: Json) -> Made:
    """Return a thing of which there is nothing more to tell."""
    return _made(kind, thing)


def own_balancers(lists: Lists) -> list[Balancer]:
    """Return the load balancers that systems were made with, each of the parts that say so."""
    parts: dict[str, dict[str, list[Json]]] = {}
    for collection in BALANCER_PARTS:
        for one in lists.get(collection, ()):
            if label(one, SYSTEM) and not maker_of(one):
                name = str(one["name"]).removesuffix(INSIDE)
                parts.setdefault(name, {}).setdefault(collection, []).append(one)
    rules = [one for one in lists.get("firewalls", ()) if label(one, SYSTEM) and not is_firewall(one)]
    for one in rules:
        parts.setdefault(str(one["name"]), {})
    return [
        Balancer(
            name=name,
            parts={collection: tuple(found) for collection, found in of.items()},
            rules=tuple(one for one in rules if one["name"] == name),
        )
        for name, of in sorted(parts.items())
    ]


def controllers_balancers(lists: Lists) -> list[Balancer]:
    """Return the load balancers of clusters' controllers, each of what its forwarding rule leads to.

    A target pool that no rule leads to any more is one as well: what is left of one. The rule of the firewall
    that is called after it is its last part: that one says on which network all this was.
    """
    rules = {str(one["name"]): one for one in lists.get("firewalls", ()) if maker_of(one)}
    pools = {path_in(one.get("selfLink")): one for one in lists.get("targetPools", ()) if maker_of(one)}
    services = {path_in(one.get("selfLink")): one for one in lists.get("backendServices", ())}
    found = []
    for rule in lists.get("forwardingRules", ()):
        if not maker_of(rule):
            continue
        parts: dict[str, tuple[Json, ...]] = {"forwardingRules": (rule,)}
        if (pool := pools.pop(path_in(rule.get("target")), None)) is not None:
            parts["targetPools"] = (pool,)
        if (service := services.get(path_in(rule.get("backendService")))) is not None:
            parts |= {"backendServices": (service,), **_behind(service, lists)}
        found.append(Balancer(name=str(rule["name"]), parts=parts))
    found += [Balancer(name=str(one["name"]), parts={"targetPools": (one,)}) for one in pools.values()]
    ends = {name: (one,) for name, one in rules.items()}
    return [replace(one, rules=ends.get(f"{_CONTROLLERS_RULE}{one.name}", ())) for one in found]


def _behind(service: Json, lists: Lists) -> dict[str, tuple[Json, ...]]:
    """Return what a controller made behind a backend service; what others share goes with the last."""
    groups = {path_in(one.get("group")) for one in service.get("backends", ())}
    checks = {path_in(one) for one in service.get("healthChecks", ())}
    return {
        name: tuple(
            one for one in lists.get(name, ()) if path_in(one.get("selfLink")) in paths and maker_of(one)
        )
        for name, paths in (("instanceGroups", groups), ("healthChecks", checks))
    }


def is_firewall(rule: Json) -> bool:
    """Whether a rule is a firewall's own, and not that of a load balancer: those are said to be."""
    return OF_BALANCER not in str(rule.get("description", "")).split()


def _servers(lists: Lists) -> Iterator[Made]:
    for one in lists.get("instances", ()):
        yield server_made(one)
        yield from (attachment_made(one, disk) for disk in one.get("disks", ()) if not disk.get("boot"))


def _volumes(lists: Lists) -> Iterator[Made]:
    """Yield the volumes, the disks that servers start from among them: they are paid for as well."""
    yield from (volume_made(one) for one in lists.get("disks", ()))


def _plain(lists: Lists) -> Iterator[Made]:
    yield from (plain_made(Kind.GROUP, one) for one in lists.get("resourcePolicies", ()))
    parts = {str(rule["name"]) for one in controllers_balancers(lists) for rule in one.rules}
    for one in lists.get("firewalls", ()):
        if is_firewall(one) and one["name"] not in parts:
            yield plain_made(Kind.FIREWALL, one)


def _networks(lists: Lists) -> Iterator[Made]:
    subnetworks = lists.get("subnetworks", ())
    yield from (network_made(one, subnetworks) for one in lists.get("networks", ()))


def _made(kind: Kind, thing: Json) -> Made:
    return Made(
        kind=kind,
        id=path_in(thing.get("selfLink")),
        name=str(thing["name"]),
        system=label(thing, SYSTEM),
        until=label(thing, UNTIL),
        maker=maker_of(thing),
        since=_since(thing.get("creationTimestamp")),
        seen=thing,
    )


def _since(text: object) -> float | None:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None
