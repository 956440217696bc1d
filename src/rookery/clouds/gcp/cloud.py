"""Google Cloud, as every cloud is seen from above: things are found, made, finished and removed.

Names are unique within a project, by kind and place, so a creation that was sent twice is refused the second
time, and what is there is taken if it is the system's own. What Google is still making, or removing, is
waited for above: it is said to be busy.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rookery.clouds.cloud import (
    SYSTEM,
    CloudError,
    Labels,
    Made,
    Preflight,
    Reporter,
    There,
)
from rookery.clouds.gcp import seen
from rookery.clouds.gcp.account import ONE, Account
from rookery.clouds.gcp.lacking import lacks
from rookery.clouds.gcp.left import left_of
from rookery.clouds.gcp.making import Maker, in_group
from rookery.clouds.gcp.preflight import look_before
from rookery.clouds.gcp.removal import remove
from rookery.clouds.gcp.seen import Balancer, label, labels_of, last, place_of
from rookery.plan.resources import (
    Kind,
    Resource,
)
from rookery.providers import Provider

Json = dict[str, Any]

_AT_ONCE = 8
_LABELLED = ("instances", "disks")
_PLAIN = (
    "resourcePolicies",
    "backendServices",
    "healthChecks",
    "instanceGroups",
    "addresses",
    "forwardingRules",
    "networks",
    "subnetworks",
    "firewalls",
)
_BESIDE = ("targetPools", "routes")


class GoogleCloud:
    """One project at Google, at one region of it; everything is in one zone."""

    title = "Google Cloud"
    provider: Provider = "gcp"

    def __init__(self, account: Account, *, place: str) -> None:
        self._account = account
        self._place = place
        self._zone = account.access.zone
        self._lock = threading.Lock()

    @property
    def place(self) -> str:
        return self._place

    # --- Looking

    def preflight(self, system: str, resources: Sequence[Resource]) -> Preflight:
        lists = self._lists((*_LABELLED, *_PLAIN))
        zone = self._settle_zone(system, lists)
        return look_before(self._account, system, resources, lists=lists, place=self._place, zone=zone)

    def found(self, system: str) -> tuple[Made, ...]:
        lists = self._lists(_PLAIN, f"labels.{labels_of({SYSTEM: ''}).popitem()[0]}={system}")
        self._settle_zone(system, lists)
        return tuple(
            one for one in seen.all_made(lists, self._members(lists, system)) if one.system == system
        )

    def systems(self) -> tuple[Made, ...]:
        lists = self._lists(_PLAIN, f"labels.{labels_of({SYSTEM: ''}).popitem()[0]}:*")
        return tuple(one for one in seen.all_made(lists, {}) if one.system)

    def left(self, system: str, names: frozenset[str]) -> tuple[Made, ...]:
        return left_of(self._lists((*_LABELLED, *_PLAIN, *_BESIDE)), system, names)

    def _lists(self, collections: Sequence[str], labelled: str = "") -> dict[str, list[Json]]:
        """Return what the project has; with `labelled`, what has labels from the start is sorted there."""
        asked = [
            (one, labelled if one in _LABELLED else "") for one in dict.fromkeys((*_LABELLED, *collections))
        ]
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            found = pool.map(lambda one: self._account.all(one[0], only=one[1]), asked)
            return {name: things for (name, _), things in zip(asked, found, strict=True)}

    def _members(self, lists: seen.Lists, system: str) -> dict[str, list[str]]:
        """Return the paths of the servers behind each load balancer of a system."""
        groups = [one for one in lists["instanceGroups"] if label(one, SYSTEM) == system]
        return {
            str(one["name"]): in_group(self._account, str(one["name"]), last(one["zone"])) for one in groups
        }

    def _settle_zone(self, system: str, lists: seen.Lists) -> str:
        """Return the zone: that of what is there, else the one asked for, else the region's first."""
        own = (one for name in (*_LABELLED, "instanceGroups") for one in lists.get(name, ()))
        zones = sorted(last(one["zone"]) for one in own if label(one, SYSTEM) == system and one.get("zone"))
        with self._lock:
            self._zone = next((one for one in zones if one.startswith(f"{self._place}-")), self._zone)
        return self.zone

    @property
    def zone(self) -> str:
        """The zone in which servers and volumes are."""
        with self._lock:
            if not self._zone:
                zones = self._account.all("zones")
                here = [one for one in zones if last(one.get("region")) == self._place]
                up = sorted(str(one["name"]) for one in here if one.get("status", "UP") == "UP")
                if not up:
                    raise CloudError(f"Google has no region {self._place}, or no zone of it is up")
                self._zone = up[0]
            return self._zone

    def secrets(self, there: There) -> tuple[tuple[str, Mapping[str, str]], ...]:
        del there
        return ()  # the tree installs no controller of Google's

    # --- Making, changing and removing

    def lacks(self, resource: Resource, made: Made, there: There) -> str:
        return lacks(resource, made, there)

    def make(self, resource: Resource, labels: Labels, there: There, report: Reporter) -> Made:
        del report  # what takes long at Google is one operation, and that says nothing on its way
        maker = Maker(self._account, region=self._place, zone=lambda: self.zone)
        return maker.make(resource, labels, there)

    def mark(self, made: Made, labels: Labels) -> None:
        """Label what can have labels; of the rest, what it was made with is told (`seen.py`)."""
        for service, thing in _labelled(made):
            self._mark(service, thing, labels_of(labels))

    def _mark(self, service: str, thing: Json, labels: Mapping[str, str]) -> None:
        where = place_of(thing)
        now = self._account.find(service, **where, **{ONE[service]: str(thing["name"])})
        if now is None or {**now.get("labels", {}), **labels} == now.get("labels", {}):
            return
        body = {"labels": {**now.get("labels", {}), **labels}, "labelFingerprint": now["labelFingerprint"]}
        # Of addresses and forwarding rules the parameter is called otherwise than everywhere else.
        name = "resource" if service in ("addresses", "forwardingRules", "disks") else ONE[service]
        self._account.change(service, "set_labels", body, **where, **{name: str(thing["name"])})

    def remove(self, made: Made, report: Reporter) -> None:
        del report
        remove(self._account, made)


def _labelled(made: Made) -> list[tuple[str, Json]]:
    """Return the things of a value that can have labels, with the collections that they are in."""
    thing: Any = made.seen
    if isinstance(thing, Balancer):
        return [(name, dict(one)) for name in ("forwardingRules", "addresses") for one in thing.of(name)]
    if made.kind is Kind.SERVER:
        # With a server goes the disk that it starts from, which no design speaks of.
        disks = [one for one in thing.get("disks", ()) if one.get("boot")]
        starts = [("disks", {"name": last(one["source"]), "zone": thing["zone"]}) for one in disks]
        return [("instances", thing), *starts]
    services = {Kind.VOLUME: "disks", Kind.ADDRESS: "addresses"}
    return [(services[made.kind], thing)] if made.kind in services else []
