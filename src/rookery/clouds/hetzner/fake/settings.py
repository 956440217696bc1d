"""What the stand-in is told before it starts: who may ask, how long things take, what an account may have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DEFAULT_TOKEN = (
    "rookerys-stand-in-takes-this-token-and-" + "0" * 25
)  # 64 characters, as Hetzner's tokens have

_TAKES: Mapping[str, float] = {
    "create_server": 12.0,
    "start_server": 3.0,
    "stop_server": 2.0,
    "shutdown_server": 5.0,
    "reboot_server": 5.0,
    "reset_server": 5.0,
    "rebuild_server": 12.0,
    "change_server_type": 10.0,
    "delete_server": 3.0,
    "create_image": 10.0,
    "create_volume": 5.0,
    "attach_volume": 3.0,
    "detach_volume": 3.0,
    "resize_volume": 2.0,
    "create_load_balancer": 10.0,
    "attach_to_network": 2.0,
    "detach_from_network": 2.0,
    "add_subnet": 2.0,
    "delete_subnet": 2.0,
    "add_route": 2.0,
    "delete_route": 2.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long actions take, in seconds: the order of the real ones, divided by `speed`; 0 is at once.

    A server is there after 15 s: 12 to be made, 3 to start.
    """

    speed: float = 1.0
    takes: Mapping[str, float] = field(default_factory=lambda: dict(_TAKES))

    def of(self, command: str) -> float:
        """Return how long an action of that name takes."""
        return self.takes.get(command, 0.0) / self.speed if self.speed else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The account and its service.

    `tokens` may do all, `readonly` may look. `limits` are of the account, by the name that its error has
    without `_limit` (`server`, `volume`, `dedicated_core`, ...); what is not named has no limit. `per_hour`
    is how many requests an hour has, 0 for no limit. `stock` is how many servers of a type a location has
    (type, location), where that is another than what the price book says. With `datacenters` the API is as it
    was until summer 2026: servers and addresses name theirs, and they can be listed.
    """

    tokens: tuple[str, ...] = (DEFAULT_TOKEN,)
    readonly: tuple[str, ...] = ()
    times: Times = Times()
    limits: Mapping[str, int] = field(default_factory=dict)
    per_hour: int = 3600
    stock: Mapping[tuple[str, str], int] = field(default_factory=dict)
    datacenters: bool = True
