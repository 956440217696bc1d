"""Where servers are reached: at addresses that follow from the network, or at those that the spec gives.

A spec gives addresses to servers that are there already; all others get theirs by role and number.
"""

from __future__ import annotations

from collections.abc import Mapping

from rookery.design.naming import Addresses
from rookery.errors import InputError
from rookery.providers import PROVIDERS, Provider
from rookery.spec.model import ControlPlane, Spec, StorageNodes, Workers

_Section = ControlPlane | Workers | StorageNodes


class ServerAddresses:
    """Hands out the addresses of servers, by role and number.

    Raises InputError where a spec gives addresses to servers that get theirs from elsewhere, too few, or one
    twice.
    """

    def __init__(self, spec: Spec, network: Addresses) -> None:
        self._network = network
        hosts = spec.hosts
        self._given = _given(
            {"controlPlane": hosts.control_plane, "workers": hosts.workers, "storage": hosts.storage},
            provider=spec.provider,
        )

    def control_plane(self, number: int) -> str:
        return self._given.get(("controlPlane", number)) or self._network.control_plane(number)

    def worker(self, number: int) -> str:
        return self._given.get(("workers", number)) or self._network.worker(number)

    def storage(self, number: int) -> str:
        return self._given.get(("storage", number)) or self._network.storage(number)


def _given(sections: Mapping[str, _Section], *, provider: Provider) -> Mapping[tuple[str, int], str]:
    """Return the addresses that a spec gives, by section (`workers`) and number."""
    found: dict[tuple[str, int], str] = {}
    for section, machines in sections.items():
        path, addresses = f"hosts.{section}.addresses", machines.addresses
        if addresses and PROVIDERS[provider].gives_addresses:
            raise InputError(
                f"{path}: servers of {provider} get their addresses from there",
                hint="Remove it, or set `provider: existing`.",
            )
        if addresses and len(addresses) != machines.count:
            raise InputError(
                f"{path}: {machines.count} servers want an address each; given: {len(addresses)}",
                hint=f"Give one for each, or set hosts.{section}.count to {len(addresses)}.",
            )
        for number, address in enumerate(addresses):
            if address in found.values():
                raise InputError(f"{path}: {address} is there twice", hint="Give each server its own.")
            found[section, number] = address
    return found
