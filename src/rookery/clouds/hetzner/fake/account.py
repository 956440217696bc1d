"""An account: what it has, under which rules it may have more, and the actions that are under way."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol, cast

from rookery.clouds.hetzner.fake.catalogue import Catalogue, location_named
from rookery.clouds.hetzner.fake.clock import Clock
from rookery.clouds.hetzner.fake.errors import (
    ApiError,
    invalid,
    limit_exceeded,
    locked,
    not_found,
    not_unique,
)
from rookery.clouds.hetzner.fake.selectors import Selector
from rookery.clouds.hetzner.fake.settings import Settings
from rookery.clouds.hetzner.fake.things import (
    Action,
    Existence,
    Holdings,
    Image,
    LoadBalancer,
    Server,
    Target,
    Thing,
)

Effect = Callable[["Account", Action], None]


class Hand(Protocol):
    """Carries out what actions mean, where something stands behind the account."""

    def begin(self, account: Account, action: Action) -> None:
        """Begin what an action means; until it is done the action is among the account's `busy` ones."""
        ...

    def forget(self, kind: str, number: int) -> None:
        """Take away what is deleted without an action."""
        ...

    def health(self, balancer: int, server: int, port: int) -> str:
        """Return what a load balancer finds of a server."""
        ...


# Addresses that are nobody's: of the block for benchmarks, and of the one for documents.
_PUBLIC_V4 = ipaddress.IPv4Network("198.18.0.0/15")
_PUBLIC_V6 = ipaddress.IPv6Network("2001:db8::/32")

_SAID: Mapping[str, str] = {
    "servers": "server",
    "volumes": "volume",
    "networks": "network",
    "firewalls": "firewall",
    "load_balancers": "load balancer",
    "placement_groups": "placement group",
    "ssh_keys": "SSH key",
    "primary_ips": "primary IP",
    "images": "image",
    "certificates": "certificate",
}
KINDS = tuple(_SAID)


class Account:
    """One project of Hetzner's cloud.

    Nothing runs in it: whoever asks it first lets those actions end whose time has come (`settle`). One that
    takes no time ends at once. `effects` say what they do then.
    """

    def __init__(
        self,
        settings: Settings,
        catalogue: Catalogue,
        clock: Clock,
        *,
        effects: Mapping[str, Effect],
        holdings: Holdings | None = None,
        hands: Hand | None = None,
    ) -> None:
        self._effects = effects
        self._hands = hands
        self.busy: set[int] = set()
        self.settings = settings
        self.catalogue = catalogue
        self.clock = clock
        self.holdings = holdings or Holdings()
        self.doomed: list[tuple[str, int]] = []
        self.running = {action.id for action in self.holdings.actions.values() if action.status == "running"}

    # What there is.

    def of(self, kind: str) -> dict[int, Thing]:
        """Return all things of a kind, by id."""
        return cast("dict[int, Thing]", getattr(self.holdings, kind))

    def get(self, kind: str, wanted: int) -> Thing:
        """Return a thing; ApiError where there is none of that id."""
        found = self.of(kind).get(wanted)
        if found is None:
            raise not_found(_SAID[kind], wanted)
        return found

    def named(self, kind: str, field: str, wanted: object) -> Thing:
        """Return the thing that a request names by its id or name; ApiError about the field where none is."""
        for thing in self.of(kind).values():
            if str(thing.id) == str(wanted) or (thing.name and thing.name == wanted):
                return thing
        raise invalid((field, f"{_SAID[kind]} '{wanted}' does not exist"))

    def image(self, wanted: object, architecture: str) -> Image:
        """Return the image that a request names; system images have one of a name for each architecture."""
        known = [*self.catalogue.images.values(), *self.holdings.images.values()]
        for image in known:
            if str(image.id) == str(wanted) or (
                image.name == wanted and image.name and image.architecture == architecture
            ):
                return image
        raise invalid(("image", f"image '{wanted}' does not exist"))

    def selected(self, selector: Selector) -> Iterator[Server]:
        """Yield the servers whose labels are selected."""
        yield from (server for server in self.holdings.servers.values() if selector(server.labels))

    def image_of(self, server: Server) -> Image | None:
        """Return the image that a server was made from, None where it was deleted since."""
        wanted = server.image or 0
        return self.catalogue.images.get(wanted) or self.holdings.images.get(wanted)

    # What is for sale.

    def has_stock(self, server_type: str, location: str) -> bool:
        """Whether a server of a type can be ordered at a location."""
        place = location_named(location)
        if place is None or not self.catalogue.sells(place):
            return False
        limit = self.settings.stock.get((server_type, location))
        if limit is None:
            return self.catalogue.types[server_type].available is not False
        return self.holdings.sold.get(f"{server_type}@{location}", 0) < limit

    def take(self, server_type: str, location: str) -> None:
        """Take a server out of stock."""
        key = f"{server_type}@{location}"
        self.holdings.sold[key] = self.holdings.sold.get(key, 0) + 1

    def give_back(self, server_type: str, location: str) -> None:
        """Put a server back in stock."""
        self.holdings.sold[f"{server_type}@{location}"] -= 1

    # What may be added.

    def next_id(self) -> int:
        """Return an id that nothing has; kinds share them, so that one taken for another is not found."""
        self.holdings.last_id += 1
        return self.holdings.last_id

    def require_name(self, kind: str, name: str | None, *, but: int = 0) -> None:
        """Raise ApiError where another thing of the kind has the name."""
        if any(thing.name == name and thing.id != but for thing in self.of(kind).values()):
            raise not_unique("name", f"{_SAID[kind]} name is already used")

    def require_room(self, kind: str) -> None:
        """Raise ApiError where the account may have no more of a kind."""
        name = _SAID[kind].replace(" ", "_").lower()
        limit = self.settings.limits.get(name)
        if limit is not None and len(self.of(kind)) >= limit:
            raise limit_exceeded(f"{name}_limit")

    def require_free(self, resources: Iterable[tuple[str, int]]) -> None:
        """Raise ApiError where an action runs on one of these: of a network `conflict`, else `locked`."""
        wanted = set(resources)
        for action in self.under_way():
            changes_network = all(kind == "network" for kind, _ in action.resources)
            for kind, number in wanted.intersection(action.resources):
                if kind != "network":
                    raise locked(kind.replace("_", " "), [number])
                if changes_network:
                    raise ApiError("conflict", "the network has changed during the request, please retry")

    def is_locked(self, kind: str, wanted: int) -> bool:
        """Whether an action runs on a thing."""
        return any((kind, wanted) in action.resources for action in self.under_way())

    def address(self) -> tuple[str, str]:
        """Return an IPv4 address and an IPv6 network that nothing has."""
        self.holdings.last_address += 1
        number = self.holdings.last_address
        network = ipaddress.IPv6Network((int(_PUBLIC_V6.network_address) + (number << 64), 64))
        return str(_PUBLIC_V4[number]), str(network)

    # Actions.

    def under_way(self) -> Iterator[Action]:
        """Yield the actions that have not ended."""
        yield from (self.holdings.actions[number] for number in sorted(self.running))

    def act(
        self,
        command: str,
        *resources: tuple[str, int],
        after: Action | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> Action:
        """Begin an action, once the one that it comes after has ended."""
        now = self.clock.now()
        action = Action(
            id=self.next_id(),
            command=command,
            resources=list(resources),
            asked=now,
            takes=self.settings.times.of(command),
            after=after.id if after else None,
            about=dict(about or {}),
        )
        self.holdings.actions[action.id] = action
        self.running.add(action.id)
        if after is not None and after.error:
            action.about["failed"] = True
        if after is None or after.finished is not None:
            self._begin(action, now if after is None or after.finished is None else after.finished)
        if action.begins is not None and action.takes == 0 and action.id not in self.busy:
            self._end(action, action.begins)
        return action

    def _begin(self, action: Action, at: float) -> None:
        action.begins = at
        if self._hands is not None and not action.about.get("failed"):
            self._hands.begin(self, action)

    def settle(self) -> None:
        """End every action whose time has come, in the order in which they end."""
        while (action := self._next_to_end()) is not None:
            self._end(action, _due(action))

    def _next_to_end(self) -> Action | None:
        now = self.clock.now()
        over = [
            action
            for action in self.under_way()
            if action.begins is not None and action.id not in self.busy and _due(action) <= now
        ]
        return min(over, key=lambda action: (_due(action), action.id), default=None)

    def _end(self, action: Action, at: float) -> None:
        self.running.discard(action.id)
        action.finished = at
        action.error = self.doom(action)
        action.status = "error" if action.error else "success"
        if action.error is None and action.command in self._effects:
            self._effects[action.command](self, action)
        for following in list(self.under_way()):
            if following.after == action.id:
                if action.error:
                    following.takes = 0.0
                    following.about["failed"] = True
                self._begin(following, at)

    def doom(self, action: Action) -> tuple[str, str] | None:
        """Return the error with which an action is to end, as a test or its machine said."""
        if action.about.get("failed"):
            return "action_failed", "an action that comes before it failed"
        if action.about.get("broke"):
            return "action_failed", str(action.about["broke"])
        for number, (command, left) in enumerate(self.doomed):
            if command == action.command:
                self.doomed[number] = (command, left - 1)
                if left == 0:
                    del self.doomed[number]
                    return "action_failed", "Action failed"
        return None

    def health(
        self, balancer: LoadBalancer, target: Target, server: Server, service: Mapping[str, Any]
    ) -> str:
        """Return the health of a target for a service: it is well where it runs and can be reached."""
        if self._hands is not None:
            return self._hands.health(balancer.id, server.id, int(service["listen_port"]))
        networks = {link.network for link in balancer.links} & {link.network for link in server.links}
        reached = bool(networks) if target.private else server.public
        return "healthy" if server.status == "running" and reached else "unhealthy"

    # What costs money.

    def meter(self, kind: str, thing: Thing, what: str, location: str) -> None:
        """Note that a thing costs money from now on, as `what`; as something else until now, if it did."""
        self.unmeter(kind, thing.id)
        self.holdings.existences.append(
            Existence(
                kind=kind,
                id=thing.id,
                name=thing.name,
                what=what,
                location=location,
                since=self.clock.now(),
            )
        )

    def forget(self, kind: str, wanted: int) -> None:
        """Delete a thing that no action deletes."""
        self.unmeter(kind, wanted)
        del self.of(kind)[wanted]
        if self._hands is not None:
            self._hands.forget(kind, wanted)

    def unmeter(self, kind: str, wanted: int) -> None:
        """Note that a thing costs nothing from now on."""
        for existence in self.holdings.existences:
            if (existence.kind, existence.id) == (kind, wanted) and existence.until is None:
                existence.until = self.clock.now()


def _due(action: Action) -> float:
    """Return when an action that has begun ends: after its time, and not before its work was done."""
    return max((action.begins or 0.0) + action.takes, float(action.about.get("until", 0.0)))
