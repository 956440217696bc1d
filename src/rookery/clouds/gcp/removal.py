"""Removing one thing at Google with all its parts, in the order in which nothing is used by what is left.

Google lets go of what a thing used a moment after that is gone. So what is said to be in use by something
that is not there any more is busy, and is tried again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rookery.clouds.cloud import BusyError, CloudError, Made
from rookery.clouds.gcp.account import ONE, Account
from rookery.clouds.gcp.refusals import GoneError, InUseError
from rookery.clouds.gcp.seen import BALANCER_PARTS, Balancer, last, path_in, place_of, service_of
from rookery.plan.resources import Kind

Json = Mapping[str, Any]

_COLLECTIONS = {
    Kind.SERVER: "instances",
    Kind.VOLUME: "disks",
    Kind.GROUP: "resourcePolicies",
    Kind.FIREWALL: "firewalls",
    Kind.ADDRESS: "addresses",
    Kind.OTHER: "routes",
}


def remove(account: Account, made: Made) -> None:
    """Remove a thing and wait until it is gone; one that is gone already is fine."""
    thing: Any = made.seen
    if isinstance(thing, Balancer):
        for collection in BALANCER_PARTS:
            for part in thing.of(collection):
                _remove(account, collection, part, is_shared=bool(made.maker))
        for rule in thing.rules:
            _remove(account, "firewalls", rule)
    elif made.kind is Kind.NETWORK:
        _remove_network(account, thing["network"])
    elif made.kind in _COLLECTIONS:
        _remove(account, _COLLECTIONS[made.kind], thing)


def _remove_network(account: Account, thing: Json) -> None:
    now = account.find("networks", network=str(thing["name"]))
    for link in (now or {}).get("subnetworks", ()):
        subnetwork = {"name": last(link), "region": path_in(link).split("/")[-3]}
        _remove(account, "subnetworks", subnetwork)
    _remove(account, "networks", thing)


def _remove(account: Account, collection: str, thing: Json, *, is_shared: bool = False) -> None:
    """Remove one thing. What is shared goes with the last that uses it, and stays with the others."""
    service = service_of(collection, thing)
    name = str(thing["name"])
    try:
        account.change(service, "delete", **place_of(thing), **{ONE[service]: name})
    except GoneError:
        return
    except InUseError as error:
        if is_shared and collection in ("instanceGroups", "healthChecks"):
            return
        if _is_there(account, error.user):
            raise CloudError(f"{name} is used by {last(error.user) or 'something else'}") from None
        raise BusyError(f"{name} is still used by {last(error.user)}, which is gone") from None


def _is_there(account: Account, path: str) -> bool:
    """Whether what uses a thing is there; so it is where nobody can tell."""
    parts = path.split("/")
    if len(parts) < 4 or parts[0] != "projects":
        return True
    thing = dict(zip(("region", "zone"), ("", ""), strict=True)) | {parts[2].removesuffix("s"): parts[3]}
    service = service_of(parts[-2], thing)
    where = {name: value for name, value in thing.items() if value and name in ("region", "zone")}
    if service not in ONE:
        return True
    found = account.find(service, **where, **{ONE[service]: parts[-1]})
    return found is not None and found.get("status") != "STOPPING"
