"""The price book: what providers ask for servers, drives, load balancers, addresses and traffic.

Every price says for itself what it is: currency, net or gross, unit, the day it was read and where. Public
tables mix net and gross, and prices of one year are wrong in the next by a factor of three, so a figure
without these five is not a price. All prices of one provider must be alike in currency and tax.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, get_args

from pydantic import ConfigDict, TypeAdapter, ValidationError

from rookery.errors import InputError
from rookery.providers import PROVIDERS, Provider

BOOK_VERSION = "rookery/prices/v1"
MARKED_AFTER_DAYS = 90
"""A price older than this is marked wherever it is used."""
REFUSED_AFTER_DAYS = 365
"""A price older than this is used only where the user says so."""

Cloud = Literal["hetzner", "aws", "gcp"]
CLOUDS: tuple[Cloud, ...] = get_args(Cloud)
TITLES: dict[Cloud, str] = {cloud: PROVIDERS[cloud].title for cloud in CLOUDS}
"""The providers' names as people write them."""
CAPPED: Cloud = "hetzner"
"""Whose servers cost at most so much in a month; what runs nowhere yet is priced there first."""
Currency = Literal["EUR", "USD"]
Architecture = Literal["x86", "arm"]


def cloud_of(provider: Provider) -> Cloud:
    """Return where a design for a provider is priced unless told otherwise: there, or on the first cloud."""
    return next((cloud for cloud in CLOUDS if cloud == provider), CAPPED)


_STRICT = ConfigDict(extra="forbid")


class Unit(StrEnum):
    """What an amount of money is for one of."""

    HOUR = "hour"
    MONTH = "month"
    GB_MONTH = "GB-month"
    GB = "GB"
    GIB = "GiB"
    TB = "TB"


class Cpu(StrEnum):
    """How a machine's CPUs are given: all the time, or shared with others."""

    DEDICATED = "dedicated"
    SHARED = "shared"
    BURSTABLE = "burstable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """An amount of money for one `unit`; `net` is without VAT; it was read from `source` on `date`."""

    __pydantic_config__ = _STRICT

    amount: Decimal
    currency: Currency
    net: bool
    unit: Unit
    date: dt.date
    source: str

    def age(self, today: dt.date) -> int:
        """Return the price's age in days."""
        return (today - self.date).days


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """A thing that is paid while it exists: by the hour, up to `cap` a calendar month where there is one."""

    __pydantic_config__ = _STRICT

    name: str
    hourly: Price
    cap: Price | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineType:
    """A server that a provider rents out.

    `memory_gib` is what the provider calls GB or GiB: all of them mean powers of two. `disk_gb` is the local
    disk that the price includes, 0 where a disk costs extra. `available` is None where the provider does not
    tell its stock; `available_on` is the day it was asked.
    """

    __pydantic_config__ = _STRICT

    name: str
    cpus: int
    memory_gib: Decimal
    disk_gb: int
    architecture: Architecture
    cpu: Cpu
    hourly: Price
    cap: Price | None = None
    available: bool | None = None
    available_on: dt.date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveType:
    """A network drive, by the GB and month. `classes` are the device classes of a design it is for.

    `min_gb`, `max_gb` bound one drive, `max_per_server` their number on a server; 0 means no known limit.
    """

    __pydantic_config__ = _STRICT

    name: str
    classes: tuple[Literal["hdd", "ssd", "nvme"], ...]
    price: Price
    min_gb: int
    max_gb: int = 0
    max_per_server: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalancer:
    """A load balancer. `addresses` are public IPv4 addresses that it is charged for beside its own price.

    `services` is how many ports one of them serves, 0 where that is not limited; `traffic` is what each GiB
    through it costs.
    """

    __pydantic_config__ = _STRICT

    name: str
    hourly: Price
    cap: Price | None = None
    addresses: int = 0
    services: int = 0
    traffic: Price | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """Egress of a month up to `up_to` units, counted from the first byte; None is without an end."""

    __pydantic_config__ = _STRICT

    up_to: Decimal | None
    price: Price


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """Traffic to the internet in a calendar month: `free` units of the tiers' unit, then the tiers."""

    __pydantic_config__ = _STRICT

    free: Decimal
    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """What a provider asks in one of its regions."""

    __pydantic_config__ = _STRICT

    name: str
    machines: tuple[MachineType, ...]
    drives: tuple[DriveType, ...]
    load_balancer: LoadBalancer
    address: Metered
    egress: Egress

    def machine(self, name: str) -> MachineType | None:
        """Return the machine type of that name."""
        return next((machine for machine in self.machines if machine.name == name), None)

    def drive(self, device_class: str) -> DriveType:
        """Return the drive taken for a device class; the first where none is named for it."""
        return next((drive for drive in self.drives if device_class in drive.classes), self.drives[0])

    @property
    def prices(self) -> tuple[tuple[str, Price], ...]:
        """Every price with what it is for."""
        balancer = self.load_balancer
        named: list[tuple[str, Price | None]] = []
        for machine in self.machines:
            named += [(machine.name, machine.hourly), (f"{machine.name}, cap", machine.cap)]
        named += [(drive.name, drive.price) for drive in self.drives]
        named += [(balancer.name, balancer.hourly), (f"{balancer.name}, cap", balancer.cap)]
        named += [(f"{balancer.name}, traffic", balancer.traffic)]
        named += [(self.address.name, self.address.hourly), (f"{self.address.name}, cap", self.address.cap)]
        named += [
            (f"egress to {tier.up_to}" if tier.up_to else "egress", tier.price) for tier in self.egress.tiers
        ]
        return tuple((name, price) for name, price in named if price is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPrices:
    """One provider's prices; the first region is the one taken unless another is named."""

    __pydantic_config__ = _STRICT

    provider: Cloud
    regions: tuple[Region, ...]

    @property
    def prices(self) -> tuple[tuple[str, Price], ...]:
        """Every price of every region, with what it is for."""
        return tuple(
            (f"{region.name} {name}", price) for region in self.regions for name, price in region.prices
        )

    @property
    def newest(self) -> dt.date:
        return max(price.date for _, price in self.prices)

    @property
    def currency(self) -> Currency:
        """The currency that the provider bills in; `parse_book` checked that it is one."""
        return self.regions[0].address.hourly.currency

    def region(self, name: str = "") -> Region:
        """Return the region of that name, the first for an empty one; InputError where there is none."""
        for region in self.regions:
            if name in ("", region.name):
                return region
        known = ", ".join(region.name for region in self.regions)
        raise InputError(
            f"the price book has no region {name} of {TITLES[self.provider]}", hint=f"It has: {known}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRate:
    """US dollars for one euro on a day."""

    __pydantic_config__ = _STRICT

    usd_per_eur: Decimal
    date: dt.date
    source: str

    def convert(self, amount: Decimal, *, have: Currency, want: Currency) -> Decimal:
        """Return `amount` of one currency in the other, unrounded."""
        if have == want:
            return amount
        return amount * self.usd_per_eur if have == "EUR" else amount / self.usd_per_eur


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBook:
    """All prices that the program knows, and the rate to compare them."""

    __pydantic_config__ = _STRICT

    version: Literal["rookery/prices/v1"]
    rate: ExchangeRate
    providers: tuple[ProviderPrices, ...]

    def of(self, provider: Cloud) -> ProviderPrices:
        """Return a provider's prices; InputError where the book has none."""
        for prices in self.providers:
            if prices.provider == provider:
                return prices
        known = ", ".join(prices.provider for prices in self.providers)
        raise InputError(
            f"the price book has no prices of {TITLES[provider]}", hint=f"It has: {known or 'none'}."
        )

    def with_prices(self, prices: ProviderPrices) -> PriceBook:
        """Return the book with one provider's prices replaced or added."""
        others = {known.provider: known for known in self.providers} | {prices.provider: prices}
        return replace(self, providers=tuple(others[cloud] for cloud in CLOUDS if cloud in others))


_ADAPTER = TypeAdapter(PriceBook)


def parse_book(text: str | bytes, *, file: str) -> PriceBook:
    """Return the book that `text` holds as JSON; every problem is in one InputError that names `file`."""
    try:
        book = _ADAPTER.validate_json(text)
    except ValidationError as error:
        details = tuple(
            f"{'.'.join(str(part) for part in found['loc']) or 'file'}: {found['msg']}"
            for found in error.errors()[:10]
        )
        raise InputError(
            f"{file} is not a price book of this version",
            details=details,
            hint="`rookery prices refresh` writes a new one; or remove the file.",
        ) from None
    problems = tuple(problem for prices in book.providers for problem in _problems(prices))
    if problems:
        raise InputError(
            f"{file} mixes prices that cannot be added",
            details=problems,
            hint="All prices of one provider must have one currency, and be net or gross alike.",
        )
    return book


def render_book(book: PriceBook) -> str:
    """Return the book as JSON that `parse_book` reads: a line for a price, in the book's own order."""
    return _json(_ADAPTER.dump_python(book, mode="json"), 0) + "\n"


def merge_books(shipped: PriceBook, own: PriceBook) -> PriceBook:
    """Return the book with the newer of two sources for each provider; `own` counts where both are as new."""
    merged = shipped if shipped.rate.date > own.rate.date else replace(shipped, rate=own.rate)
    known = {prices.provider: prices for prices in shipped.providers}
    for prices in own.providers:
        if prices.provider not in known or prices.newest >= known[prices.provider].newest:
            merged = merged.with_prices(prices)
    return merged


def _problems(prices: ProviderPrices) -> list[str]:
    if not prices.regions:
        return [f"{prices.provider}: has no region"]
    problems = []
    for region in prices.regions:
        if not region.machines or not region.drives or not region.egress.tiers:
            problems.append(
                f"{prices.provider} {region.name}: has no machines, no drives or no egress prices"
            )
        elif len({(price.currency, price.net) for _, price in region.prices}) > 1:
            kinds = {f"{price.currency} {'net' if price.net else 'gross'}" for _, price in region.prices}
            problems.append(f"{prices.provider} {region.name}: has {' and '.join(sorted(kinds))}")
    if not problems and len({price.currency for _, price in prices.prices}) > 1:
        problems.append(f"{prices.provider}: its regions have different currencies")
    return problems


def _json(value: Any, depth: int) -> str:
    """Write JSON with every object of plain values on one line, so that a change of price is a line."""
    inner = " " * (depth + 1)
    if isinstance(value, dict) and any(isinstance(part, dict | list) and part for part in value.values()):
        lines = [f"{inner}{json.dumps(key)}: {_json(part, depth + 1)}" for key, part in value.items()]
        return "{\n" + ",\n".join(lines) + "\n" + " " * depth + "}"
    if isinstance(value, list) and any(isinstance(part, dict | list) for part in value):
        return "[\n" + ",\n".join(inner + _json(part, depth + 1) for part in value) + "\n" + " " * depth + "]"
    return json.dumps(value, ensure_ascii=False)
