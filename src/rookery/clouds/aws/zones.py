"""The availability zone of a system: all of it is in one, for a volume can be attached nowhere else.

What is there of the system says which; before, the user (ROOKERY_AWS_ZONE). Else it is the one that has
most of the machine types there are to choose from, of several the first by name: so a volume and the network,
which are made side by side, come to the same, and so does the next command after a kill.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from rookery.clouds.aws.account import Account
from rookery.clouds.aws.seen import batched, filters, tagged
from rookery.clouds.cloud import CloudError


class Zones:
    """Chooses the zone; `machines` are the types there are to choose from, `wanted` is what a user says."""

    def __init__(self, account: Account, machines: Callable[[], Iterable[str]], wanted: str = "") -> None:
        self._account = account
        self._machines = machines
        self._wanted = wanted
        self._chosen: dict[str, str] = {}
        self._lock = threading.Lock()

    def zone(self, system: str) -> str:
        """Return the zone of a system."""
        with self._lock:
            if system not in self._chosen:
                self._chosen[system] = self._there(system) or self._wanted or self._first()
            return self._chosen[system]

    def _there(self, system: str) -> str:
        for kind in ("subnets", "volumes"):
            found = sorted(str(one["AvailabilityZone"]) for one in self._account.each(kind, tagged(system)))
            if found:
                return found[0]
        return ""

    def _first(self) -> str:
        offered = self.offered(self._machines())
        if not offered:
            raise CloudError(f"{self._account.api.region} has no zone that takes orders")
        return max(sorted(offered), key=lambda zone: len(offered[zone]))

    def lacking(self, system: str, types: Iterable[str]) -> tuple[str, ...]:
        """Return which of these types the zone of a system does not have."""
        wanted = sorted(set(types))
        has = self.offered(wanted).get(self.zone(system), set())
        return tuple(one for one in wanted if one not in has)

    def offered(self, types: Iterable[str]) -> dict[str, set[str]]:
        """Return which of these types each zone has that takes orders."""
        wanted = sorted(set(types))
        api = self._account.api
        answer = api.call(
            "ec2",
            "describe_availability_zones",
            "the list of zones",
            Filters=filters(state="available", zone_type="availability-zone"),
        )
        found: dict[str, set[str]] = {str(one["ZoneName"]): set() for one in answer["AvailabilityZones"]}
        for some in batched(wanted):
            offerings = api.pages(
                "ec2",
                "describe_instance_type_offerings",
                "InstanceTypeOfferings",
                "the list of machine types",
                LocationType="availability-zone",
                Filters=filters(instance_type=some),
            )
            for one in offerings:
                if one["Location"] in found:
                    found[one["Location"]].add(str(one["InstanceType"]))
        return found
