"""Hetzner's prices and stock from its API: GET /pricing and GET /server_types, with a read token.

The API gives net and gross side by side; net is taken. It has a price for each location, and tells in
`locations[].available` of a server type whether one can be ordered there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from rookery.clouds.api import PriceApi, missing_price, shortest
from rookery.prices.book import (
    Cpu,
    LoadBalancer,
    MachineType,
    Metered,
    Price,
    ProviderPrices,
    Region,
    Tier,
    Unit,
)

HETZNER_API = "https://api.hetzner.cloud/v1"
_PAGE = 50
_MOST_PAGES = 100
_TIB = 1024**4


class _Amount(BaseModel):
    net: Annotated[Decimal, Field(ge=0)]


class _PerTime(BaseModel):
    location: str
    price_hourly: _Amount
    price_monthly: _Amount
    price_per_tb_traffic: _Amount | None = None
    included_traffic: int = 0


class _Named(BaseModel):
    name: str
    prices: list[_PerTime]


class _PrimaryIp(BaseModel):
    type: str
    prices: list[_PerTime]


class _Volume(BaseModel):
    price_per_gb_month: _Amount


class _Pricing(BaseModel):
    currency: Literal["EUR", "USD"]
    server_types: list[_Named]
    load_balancer_types: list[_Named]
    primary_ips: list[_PrimaryIp]
    volume: _Volume


class _PricingAnswer(BaseModel):
    pricing: _Pricing


class _Location(BaseModel):
    name: str
    available: bool | None = None


class _ServerType(BaseModel):
    name: str
    cores: int
    memory: Decimal
    disk: int
    architecture: Literal["x86", "arm"]
    cpu_type: Literal["shared", "dedicated"]
    locations: list[_Location]


class _Pagination(BaseModel):
    next_page: int | None


class _Meta(BaseModel):
    pagination: _Pagination


class _ServerTypesAnswer(BaseModel):
    server_types: list[_ServerType]
    meta: _Meta


def fetch_hetzner_prices(
    known: ProviderPrices, *, token: str, today: date, base_url: str = HETZNER_API, timeout: float = 20
) -> ProviderPrices:
    """Return today's prices and stock of the regions (Hetzner's locations) that `known` has.

    RookeryError where the API cannot be asked or answers otherwise than it did.
    """
    headers = {"Authorization": f"Bearer {token}"}
    with PriceApi("Hetzner", base_url, headers=headers, key="HCLOUD_TOKEN", timeout=timeout) as api:
        pricing = api.get("/pricing", _PricingAnswer).pricing
        types = _server_types(api)
    return replace(
        known,
        regions=tuple(_Reader(pricing, types, region.name, today).region(region) for region in known.regions),
    )


def _server_types(api: PriceApi) -> list[_ServerType]:
    types: list[_ServerType] = []
    page: int | None = 1
    while page is not None and page <= _MOST_PAGES:
        answer = api.get("/server_types", _ServerTypesAnswer, page=page, per_page=_PAGE)
        types += answer.server_types
        page = answer.meta.pagination.next_page
    return types


class _Reader:
    """One location's part of the answers, as values of the book."""

    def __init__(self, pricing: _Pricing, types: list[_ServerType], location: str, today: date) -> None:
        self._pricing = pricing
        self._types = types
        self._location = location
        self._today = today

    def region(self, known: Region) -> Region:
        machines = tuple(found for kind in self._types if (found := self._machine(kind)))
        if not machines:
            raise missing_price("Hetzner", f"servers in {self._location}")
        drive = known.drives[0]
        per_gb = self._price(self._pricing.volume.price_per_gb_month, Unit.GB_MONTH)
        balancer, metered = known.load_balancer, self._named(self._pricing.load_balancer_types, "lb11")
        address = self._address()
        return Region(
            name=self._location,
            machines=machines,
            drives=(replace(drive, price=per_gb),),
            load_balancer=LoadBalancer(
                name=balancer.name,
                hourly=self._price(metered.price_hourly, Unit.HOUR),
                cap=self._price(metered.price_monthly, Unit.MONTH),
                addresses=balancer.addresses,
                services=balancer.services,
            ),
            address=Metered(
                name=known.address.name,
                hourly=self._price(address.price_hourly, Unit.HOUR),
                cap=self._price(address.price_monthly, Unit.MONTH),
            ),
            egress=replace(
                known.egress,
                free=Decimal(metered.included_traffic // _TIB)
                if metered.included_traffic
                else known.egress.free,
                tiers=(Tier(up_to=None, price=self._overage(metered, known)),),
            ),
        )

    def _machine(self, kind: _ServerType) -> MachineType | None:
        prices = next((named.prices for named in self._pricing.server_types if named.name == kind.name), [])
        here = self._here(prices)
        if here is None:
            return None
        place = next((place for place in kind.locations if place.name == self._location), None)
        return MachineType(
            name=kind.name,
            cpus=kind.cores,
            memory_gib=shortest(kind.memory),
            disk_gb=kind.disk,
            architecture=kind.architecture,
            cpu=Cpu(kind.cpu_type),
            hourly=self._price(here.price_hourly, Unit.HOUR),
            cap=self._price(here.price_monthly, Unit.MONTH),
            available=place.available if place else False,
            available_on=self._today,
        )

    def _address(self) -> _PerTime:
        for address in self._pricing.primary_ips:
            if address.type == "ipv4" and (here := self._here(address.prices)):
                return here
        raise missing_price("Hetzner", f"primary IPv4 addresses in {self._location}")

    def _named(self, things: list[_Named], name: str) -> _PerTime:
        for thing in things:
            if thing.name == name and (here := self._here(thing.prices)):
                return here
        raise missing_price("Hetzner", f"{name} in {self._location}")

    def _here(self, prices: Sequence[_PerTime]) -> _PerTime | None:
        return next((price for price in prices if price.location == self._location), None)

    def _overage(self, metered: _PerTime, known: Region) -> Price:
        amount = metered.price_per_tb_traffic
        return self._price(amount, Unit.TB) if amount else known.egress.tiers[0].price

    def _price(self, amount: _Amount, unit: Unit) -> Price:
        if amount.net == 0:  # an IPv6 address may be free; nothing that a bill counts is
            raise missing_price("Hetzner", f"everything in {self._location}: one of 0 a {unit}")
        return Price(
            amount=shortest(amount.net),
            currency=self._pricing.currency,
            net=True,
            unit=unit,
            date=self._today,
            source=f"Hetzner Cloud API, GET /v1/pricing, {self._location}",
        )
