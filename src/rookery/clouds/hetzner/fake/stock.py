"""What is for sale, as lists: locations, datacenters, types of servers and load balancers, prices."""

from __future__ import annotations

from typing import Any

from rookery.clouds.hetzner.fake.call import Answer, Call
from rookery.clouds.hetzner.fake.catalogue import BALANCER_TYPES, LOCATIONS
from rookery.clouds.hetzner.fake.errors import ApiError, missing_here, not_found
from rookery.clouds.hetzner.fake.kinds import page_answer
from rookery.clouds.hetzner.fake.lists import sort_words
from rookery.clouds.hetzner.fake.views import view_datacenter, view_server_type

_GONE = "https://docs.hetzner.cloud/changelog#2026-06-02-datacenters-deprecated"
_TWO = ("id", "name")


def _listed(call: Call, name: str, words: list[dict[str, Any]], **more: object) -> Answer:
    wanted = call.one("name")
    kept = [one for one in words if wanted in (None, one["name"])]
    return page_answer(call, name, sort_words(kept, call.query, _TWO), **more)


def _shown(call: Call, single: str, words: list[dict[str, Any]]) -> Answer:
    for one in words:
        if one["id"] == call.id:
            return Answer(body={single: one})
    raise not_found(single.replace("_", " "), call.id)


def _locations() -> list[dict[str, Any]]:
    return [one.view() for one in LOCATIONS]


def list_locations(call: Call) -> Answer:
    """List where servers can stand."""
    return _listed(call, "locations", _locations())


def get_location(call: Call) -> Answer:
    """Show a location."""
    return _shown(call, "location", _locations())


def _datacenters(call: Call) -> list[dict[str, Any]]:
    if not call.account.settings.datacenters:
        raise ApiError("deprecated_api_endpoint", "API functionality was removed", {"announcement": _GONE})
    return [view_datacenter(call.account, one) for one in LOCATIONS]


def list_datacenters(call: Call) -> Answer:
    """List datacenters, where the API still has them."""
    return _listed(call, "datacenters", _datacenters(call), recommendation=LOCATIONS[0].id + 1)


def get_datacenter(call: Call) -> Answer:
    """Show a datacenter, where the API still has them."""
    return _shown(call, "datacenter", _datacenters(call))


def _server_types(call: Call) -> list[dict[str, Any]]:
    return [view_server_type(call.account, name) for name in call.account.catalogue.types]


def list_server_types(call: Call) -> Answer:
    """List types of servers with prices and stock."""
    return _listed(call, "server_types", _server_types(call))


def get_server_type(call: Call) -> Answer:
    """Show a type of servers."""
    return _shown(call, "server_type", _server_types(call))


def _balancer_types(call: Call) -> list[dict[str, Any]]:
    return [call.account.catalogue.balancer_type(one) for one in BALANCER_TYPES]


def list_balancer_types(call: Call) -> Answer:
    """List sizes of load balancers."""
    return _listed(call, "load_balancer_types", _balancer_types(call))


def get_balancer_type(call: Call) -> Answer:
    """Show a size of load balancers."""
    return _shown(call, "load_balancer_type", _balancer_types(call))


def get_pricing(call: Call) -> Answer:
    """Show all prices."""
    return Answer(body={"pricing": call.account.catalogue.pricing()})


def list_floating_ips(call: Call) -> Answer:
    """List floating addresses: there are none, because none can be made here."""
    return page_answer(call, "floating_ips", [])


def list_isos(call: Call) -> Answer:
    """List images of discs: none can be had here."""
    return page_answer(call, "isos", [])


def no_floating_ips(call: Call) -> Answer:
    """Refuse to make a floating address."""
    del call
    raise missing_here("floating IPs")


def no_isos(call: Call) -> Answer:
    """Refuse to attach an image of a disc."""
    del call
    raise missing_here("ISOs")


def no_console(call: Call) -> Answer:
    """Refuse a console in the browser."""
    del call
    raise missing_here("console over VNC")


def no_metrics(call: Call) -> Answer:
    """Refuse to tell a server's or load balancer's figures."""
    del call
    raise missing_here("metrics")
