"""GCP's prices from the Cloud Billing Catalog API, with an API key.

The catalogue sells vCPUs and memory of a machine family, not machine types: a type's price is made of its
parts. An e2-medium has the use of one CPU over time, an e2-small of half of one, and both are priced so.
What the catalogue tells in many parts (egress), or does not tell under a name we know (forwarding rules),
keeps its known price with that price's date. All amounts are net, in US dollars.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal

from pydantic import BaseModel, Field

from rookery.clouds.api import PriceApi, missing_price, shortest
from rookery.prices.book import Cpu, DriveType, MachineType, Price, ProviderPrices, Region, Unit

GCP_BILLING_API = "https://cloudbilling.googleapis.com/v1"
_COMPUTE = "6F81-5844-456A"  # the service "Compute Engine", which sells networking too
_PAGE = 5000
_MOST_PAGES = 100
_NANO = Decimal(1_000_000_000)

# Machine type: family, CPUs as priced, CPUs as seen, GiB. https://cloud.google.com/compute/docs/machine-resource
_MACHINES = {
    "e2-small": ("E2", Decimal("0.5"), 2, 2),
    "e2-medium": ("E2", Decimal(1), 2, 4),
    **{f"e2-standard-{cpus}": ("E2", Decimal(cpus), cpus, 4 * cpus) for cpus in (2, 4, 8, 16, 32)},
    **{f"e2-highmem-{cpus}": ("E2", Decimal(cpus), cpus, 8 * cpus) for cpus in (2, 4, 8, 16)},
    **{f"n2-standard-{cpus}": ("N2", Decimal(cpus), cpus, 4 * cpus) for cpus in (2, 4, 8, 16, 32, 48, 64)},
    **{f"n2-highmem-{cpus}": ("N2", Decimal(cpus), cpus, 8 * cpus) for cpus in (2, 4, 8, 16, 32, 48, 64)},
}
_DRIVES = {
    "pd-balanced": r"Balanced PD Capacity( in .*)?",
    "pd-ssd": r"SSD backed PD Capacity( in .*)?",
    "pd-standard": r"Storage PD Capacity( in .*)?",
}
_ADDRESS = r"External IP Charge on a Standard VM( in .*)?"
_RULES = r"Network Load Balancing: Forwarding Rule Minimum Service Charge.*"
_THROUGH = r"Network Load Balancing: Data Processing Charge.*"


class _Money(BaseModel):
    currency_code: str = Field("USD", alias="currencyCode")
    units: Decimal = Decimal(0)
    nanos: int = 0

    @property
    def amount(self) -> Decimal:
        return self.units + self.nanos / _NANO


class _Tier(BaseModel):
    unit_price: _Money = Field(alias="unitPrice")


class _Expression(BaseModel):
    usage_unit: str = Field(alias="usageUnit")
    tiers: list[_Tier] = Field(alias="tieredRates")


class _PricingInfo(BaseModel):
    expression: _Expression = Field(alias="pricingExpression")


class _Category(BaseModel):
    usage_type: str = Field("", alias="usageType")


class _Sku(BaseModel):
    description: str
    category: _Category
    regions: list[str] = Field(alias="serviceRegions")
    pricing: list[_PricingInfo] = Field(alias="pricingInfo")


class _SkusAnswer(BaseModel):
    skus: list[_Sku]
    next_page: str = Field("", alias="nextPageToken")


def fetch_gcp_prices(
    known: ProviderPrices, *, api_key: str, today: date, base_url: str = GCP_BILLING_API, timeout: float = 30
) -> ProviderPrices:
    """Return today's prices of the regions that `known` has.

    RookeryError where the API cannot be asked or answers otherwise than it did.
    """
    headers = {"X-Goog-Api-Key": api_key}
    with PriceApi("Google Cloud", base_url, headers=headers, key="GCP_API_KEY", timeout=timeout) as api:
        skus = _skus(api)
    return replace(known, regions=tuple(_region(skus, region, today) for region in known.regions))


def _skus(api: PriceApi) -> list[_Sku]:
    skus: list[_Sku] = []
    query: dict[str, str | int] = {"pageSize": _PAGE, "currencyCode": "USD"}
    for _ in range(_MOST_PAGES):
        answer = api.get(f"/services/{_COMPUTE}/skus", _SkusAnswer, **query)
        skus += [sku for sku in answer.skus if sku.category.usage_type == "OnDemand" and sku.pricing]
        if not answer.next_page:
            break
        query["pageToken"] = answer.next_page
    return skus


def _region(skus: list[_Sku], known: Region, today: date) -> Region:
    here = [sku for sku in skus if known.name in sku.regions]
    everywhere, balancer = here + [sku for sku in skus if "global" in sku.regions], known.load_balancer

    def price(found: list[_Sku], pattern: str, unit: Unit, usage_unit: str) -> Price | None:
        amount = _amount(found, pattern, usage_unit)
        if amount is None:
            return None
        source = f"Google Cloud Billing Catalog API, {known.name}"
        return Price(amount=amount, currency="USD", net=True, unit=unit, date=today, source=source)

    def needed(pattern: str, unit: Unit, usage_unit: str, what: str, found: list[_Sku]) -> Price:
        price_found = price(found, pattern, unit, usage_unit)
        if price_found is None:
            raise missing_price("Google Cloud", f"{what} in {known.name}")
        return price_found

    parts = {
        family: (
            needed(rf"{family} Instance Core running in .*", Unit.HOUR, "h", f"{family} CPUs", here),
            needed(rf"{family} Instance Ram running in .*", Unit.HOUR, "GiBy.h", f"{family} memory", here),
        )
        for family in ("E2", "N2")
    }
    drives = {
        name: needed(pattern, Unit.GB_MONTH, "GiBy.mo", name, here)
        for name, pattern in _DRIVES.items()
        if any(drive.name == name for drive in known.drives)
    }
    rules = price(here, _RULES, Unit.HOUR, "h")
    through = price(here, _THROUGH, Unit.GIB, "GiBy")
    return replace(
        known,
        machines=tuple(_machine(name, parts) for name in _MACHINES),
        drives=tuple(_drive(drive, drives) for drive in known.drives),
        load_balancer=replace(balancer, hourly=rules or balancer.hourly, traffic=through or balancer.traffic),
        address=replace(
            known.address, hourly=needed(_ADDRESS, Unit.HOUR, "h", "external IPv4 addresses", everywhere)
        ),
    )


def _machine(name: str, parts: dict[str, tuple[Price, Price]]) -> MachineType:
    family, priced, cpus, memory = _MACHINES[name]
    core, ram = parts[family]
    bursts = priced < cpus
    return MachineType(
        name=name,
        cpus=cpus,
        memory_gib=Decimal(memory),
        disk_gb=0,
        architecture="x86",
        cpu=Cpu.BURSTABLE if bursts else Cpu.SHARED if family == "E2" else Cpu.DEDICATED,
        hourly=replace(core, amount=shortest(priced * core.amount + memory * ram.amount)),
    )


def _drive(drive: DriveType, prices: dict[str, Price]) -> DriveType:
    return replace(drive, price=prices.get(drive.name, drive.price))


def _amount(skus: list[_Sku], pattern: str, usage_unit: str) -> Decimal | None:
    """Return the price of the SKU with that description, in its dearest tier: the first is free for some."""
    for sku in sorted(skus, key=lambda sku: sku.description):
        expression = sku.pricing[0].expression
        if re.fullmatch(pattern, sku.description) and expression.usage_unit == usage_unit:
            amount = max((tier.unit_price.amount for tier in expression.tiers), default=Decimal(0))
            if amount > 0:
                return shortest(amount)
    return None
