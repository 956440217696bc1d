"""Addresses that a spec gives its servers, where they are there already."""

from __future__ import annotations

from collections.abc import Mapping

from rookery.errors import InputError
from rookery.spec.model import ControlPlane, Hosts, Provider, StorageNodes, Workers


def given_addresses(hosts: Hosts, provider: Provider) -> Mapping[tuple[str, int], str]:
    """Return the addresses that a spec gives its servers, by section (`workers`) and number.

    Raises InputError where it gives some to servers that get theirs from elsewhere, too few, or one twice.
    """
    sections: dict[str, ControlPlane | Workers | StorageNodes] = {
        "controlPlane": hosts.control_plane,
        "workers": hosts.workers,
        "storage": hosts.storage,
    }
    found: dict[tuple[str, int], str] = {}
    for section, machines in sections.items():
        path, addresses = f"hosts.{section}.addresses", machines.addresses
        if addresses and provider != "existing":
            raise InputError(
                f"{path}: servers of {provider} get their addresses from there",
                hint="Remove it, or set `provider: existing`.",
            )
        if addresses and len(addresses) != machines.count:
            raise InputError(
                f"{path}: there are {len(addresses)} addresses for {machines.count} servers",
                hint=f"Give one for each, or set hosts.{section}.count to {len(addresses)}.",
            )
        for number, address in enumerate(addresses):
            if address in found.values():
                raise InputError(f"{path}: {address} is there twice", hint="Give each server its own.")
            found[section, number] = address
    return found
