"""What things that are there have cost so far, and what they cost while they stay.

Unlike a bill, which prices a design, this prices what an account has: each thing by when it was made.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from rookery.prices.book import CAPPED, Currency, ProviderPrices, Region
from rookery.prices.period import HOUR, calendar_parts, list_parts, utc
from rookery.prices.rules import Tariff, address_tariff, balancer_tariff, drive_tariff, server_tariff


@dataclass(frozen=True, slots=True, kw_only=True)
class Possession:
    """One thing that is paid for: what the price book calls it, when it was made, a drive's size in GB."""

    product: str
    since: datetime
    gigabytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What possessions have cost until a moment, and what an hour more of all of them costs, unrounded.

    `next_hour` is when the first of them begins another hour, where hours are billed once they have begun;
    `unpriced` are products that the book does not know, which are in no sum.
    """

    currency: Currency
    net: bool
    total: Decimal
    hourly: Decimal
    next_hour: datetime | None
    unpriced: tuple[str, ...]


def spent_on(
    possessions: Iterable[Possession], prices: ProviderPrices, region: Region, now: datetime
) -> Spent:
    """Return what possessions in a region have cost until `now`."""
    total = hourly = Decimal(0)
    unpriced: list[str] = []
    begins: list[datetime] = []
    for one in possessions:
        tariff = _tariff(prices, region, one)
        if tariff is None:
            unpriced.append(one.product)
            continue
        age = max(utc(now) - utc(one.since), timedelta(seconds=1))
        total += tariff.amount(calendar_parts(one.since, age))
        hourly += tariff.amount(list_parts(HOUR))
        begins.append(utc(one.since) + timedelta(hours=-(-age // timedelta(hours=1))))
    return Spent(
        currency=prices.currency,
        net=region.address.hourly.net,
        total=total,
        hourly=hourly,
        # Who bills by the second has no hour that begins.
        next_hour=min(begins, default=None) if prices.provider == CAPPED else None,
        unpriced=tuple(dict.fromkeys(unpriced)),
    )


def _tariff(prices: ProviderPrices, region: Region, one: Possession) -> Tariff | None:
    machine = region.machine(one.product)
    if machine is not None:
        return server_tariff(prices.provider, machine)
    if one.product == region.load_balancer.name:
        return balancer_tariff(prices.provider, region.load_balancer)
    if one.product == region.address.name:
        return address_tariff(prices.provider, region.address)
    drive = next((drive for drive in region.drives if drive.name == one.product), None)
    return drive_tariff(prices.provider, drive, one.gigabytes) if drive is not None else None
