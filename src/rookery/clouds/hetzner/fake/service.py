"""The service: who may ask, how often, and what is answered. It knows nothing of how requests arrive."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from rookery.clouds.hetzner.fake.account import Account
from rookery.clouds.hetzner.fake.bill import Billed, bill
from rookery.clouds.hetzner.fake.bodies import Body
from rookery.clouds.hetzner.fake.call import Answer, Call
from rookery.clouds.hetzner.fake.catalogue import Catalogue
from rookery.clouds.hetzner.fake.clock import Clock, MachineClock, TurnedClock
from rookery.clouds.hetzner.fake.effects import EFFECTS
from rookery.clouds.hetzner.fake.errors import ApiError, invalid
from rookery.clouds.hetzner.fake.faults import Fault, Faults
from rookery.clouds.hetzner.fake.hands import Hands
from rookery.clouds.hetzner.fake.machines import Machines
from rookery.clouds.hetzner.fake.routes import Row
from rookery.clouds.hetzner.fake.settings import Settings
from rookery.clouds.hetzner.fake.things import Holdings
from rookery.prices.book import ProviderPrices

Keep = Callable[[Holdings], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as it came: `ids` are those in its path, which is without /v1."""

    method: str
    path: str
    ids: Mapping[str, int]
    query: Mapping[str, list[str]]
    token: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request that came, and the status that it was answered with; `at` in seconds since 1970.

    What it said is not kept: it may have a secret in it.
    """

    at: float
    method: str
    path: str
    status: int


@dataclass(slots=True, kw_only=True)
class Allowance:
    """How many requests are left: it grows with time, up to what an hour has."""

    per_hour: int
    at: float
    left: float = field(init=False)

    def __post_init__(self) -> None:
        self.left = float(self.per_hour)

    def take(self, now: float) -> bool:
        """Take one, and tell whether there was one."""
        if not self.per_hour:
            return True
        self.left = min(self.per_hour, self.left + (now - self.at) * self.per_hour / 3600)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True

    def headers(self) -> dict[str, str]:
        """Return what answers say of it."""
        if not self.per_hour:
            return {}
        missing = self.per_hour - self.left
        return {
            "RateLimit-Limit": str(self.per_hour),
            "RateLimit-Remaining": str(int(self.left)),
            "RateLimit-Reset": str(int(self.at + missing * 3600 / self.per_hour)),
        }


class FakeHetzner:
    """Hetzner's cloud with one account, in memory. All of it may be used from several threads.

    `keep` is called with what the account has after each request that may have changed it. `machines` are
    what stands behind it, nothing unless told.
    """

    def __init__(
        self,
        prices: ProviderPrices,
        settings: Settings | None = None,
        *,
        clock: Clock | None = None,
        holdings: Holdings | None = None,
        keep: Keep | None = None,
        machines: Machines | None = None,
    ) -> None:
        self._settings = settings or Settings()
        self._clock = clock or MachineClock()
        self._catalogue = Catalogue(prices)
        self._keep = keep
        self.lock = threading.RLock()
        self._hands = Hands(machines, self.lock) if machines is not None else None
        self.renew(holdings=holdings)

    def renew(self, settings: Settings | None = None, *, holdings: Holdings | None = None) -> None:
        """Begin anew, with an account that has nothing, or these things."""
        with self.lock:
            self._settings = settings or self._settings
            self.account = Account(
                self._settings,
                self._catalogue,
                self._clock,
                effects=EFFECTS,
                holdings=holdings,
                hands=self._hands,
            )
            self.faults = Faults()
            self.calls: list[Seen] = []
            self.allowance = Allowance(per_hour=self._settings.per_hour, at=self._clock.now())

    @property
    def currency(self) -> str:
        """What the bill is in."""
        return self._catalogue.currency

    def close(self) -> None:
        """Wait for what is under way behind the account."""
        if self._hands is not None:
            self._hands.close()

    # What tests and the control page ask.

    def plan(self, fault: Fault) -> None:
        """Let something go wrong."""
        with self.lock:
            self.faults.planned.append(fault)

    def fail_action(self, command: str, *, nth: int = 1) -> None:
        """Let the `nth` action of that name that ends from now on fail."""
        with self.lock:
            self.account.doomed.append((command, nth - 1))

    def turn(self, seconds: float) -> None:
        """Let so many seconds have passed."""
        assert isinstance(self._clock, MachineClock | TurnedClock)
        with self.lock:
            self._clock.turn(seconds)
            self.account.holdings.ahead += seconds
            self.account.settle()
            self._keep_it()

    def bill(self) -> tuple[Billed, ...]:
        """Return what everything cost until now."""
        with self.lock:
            self.account.settle()
            return bill(self.account.holdings, self._catalogue, self._clock.now())

    def counts(self) -> dict[str, int]:
        """Return how many things of each kind there are, without those of which there is none."""
        with self.lock:
            self.account.settle()
            held = self.account.holdings
            kinds = ("servers", "volumes", "networks", "firewalls", "load_balancers", "placement_groups")
            more = ("ssh_keys", "primary_ips", "images", "certificates")
            found = {kind: len(getattr(held, kind)) for kind in (*kinds, *more)}
            return {kind: number for kind, number in found.items() if number}

    def fault(self, method: str, path: str) -> Fault | None:
        """Return what is to go wrong with a call."""
        with self.lock:
            return self.faults.of(method, path)

    # What clients ask.

    def answer(
        self,
        row: Row | ApiError,
        asked: Asked,
    ) -> tuple[Answer, dict[str, str]]:
        """Answer a request for that operation, or for none: the answer, and its headers of the rate limit."""
        with self.lock:
            try:
                answer = self._answer(row, asked)
            except ApiError as error:
                answer = Answer(status=error.status, body=error.body)
            self.calls.append(
                Seen(at=self._clock.now(), method=asked.method, path=asked.path, status=answer.status)
            )
            self._keep_it()
            return answer, self.allowance.headers()

    def _keep_it(self) -> None:
        if self._keep is not None:
            self._keep(self.account.holdings)

    def _answer(self, row: Row | ApiError, asked: Asked) -> Answer:
        if not self.allowance.take(self._clock.now()):
            raise ApiError(
                "rate_limit_exceeded", f"limit of {self.allowance.per_hour} requests per hour reached"
            )
        self._let_in(asked.token, asked.method)
        if isinstance(row, ApiError):
            raise row
        self.account.settle()
        body = _read(row, asked.content)
        return row.operation(Call(account=self.account, path=asked.ids, query=asked.query, body=body))

    def _let_in(self, token: str, method: str) -> None:
        if token in self._settings.readonly:
            if method != "GET":
                raise ApiError("token_readonly", "the token is only allowed to perform GET requests")
        elif token not in self._settings.tokens:
            raise ApiError("unauthorized", "unable to authenticate")


def _read(row: Row, content: bytes) -> Body:
    try:
        read: Any = json.loads(content) if content.strip() else {}
    except ValueError:
        raise ApiError("json_error", "Invalid JSON input in your request") from None
    if not isinstance(read, dict):
        raise ApiError("json_error", "Invalid JSON input in your request")
    try:
        return row.body.model_validate_json(json.dumps(read))
    except ValidationError as error:
        problems = {
            (".".join(str(part) for part in one["loc"] if part not in ("int", "str")), one["msg"])
            for one in error.errors(include_input=False, include_url=False)
        }
        raise invalid(*sorted(problems)) from None
