"""What would have been paid: each hour begun that a thing was there, up to its price for a month."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from rookery.clouds.hetzner.fake.catalogue import Catalogue
from rookery.clouds.hetzner.fake.things import Existence, Holdings

_HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """What one thing cost, net; `hours` are those begun. `ended` says that it costs nothing more."""

    kind: str
    id: int
    name: str
    what: str
    hours: int
    amount: Decimal
    ended: bool


def bill(holdings: Holdings, catalogue: Catalogue, now: float) -> tuple[Billed, ...]:
    """Return what everything cost that an account ever had, in the order in which it came."""
    return tuple(_billed(existence, catalogue, now) for existence in holdings.existences)


def _billed(existence: Existence, catalogue: Catalogue, now: float) -> Billed:
    until = existence.until if existence.until is not None else now
    hourly = catalogue.hourly(existence.kind, existence.what)
    cap = catalogue.cap(existence.kind, existence.what)
    months = [_hours(begin, end) for begin, end in _months(existence.since, until)]
    amounts = (min(hourly * hours, cap) if cap is not None else hourly * hours for hours in months)
    return Billed(
        kind=existence.kind,
        id=existence.id,
        name=existence.name,
        what=existence.what,
        hours=sum(months),
        amount=sum(amounts, Decimal(0)),
        ended=existence.until is not None,
    )


def _hours(begin: float, end: float) -> int:
    return max(1, math.ceil((end - begin) / _HOUR))


def _months(begin: float, end: float) -> Iterator[tuple[float, float]]:
    """Yield the parts of a time that are in one calendar month each."""
    while True:
        day = datetime.fromtimestamp(begin, UTC)
        following = datetime(day.year + day.month // 12, day.month % 12 + 1, 1, tzinfo=UTC).timestamp()
        yield begin, min(end, following)
        if end <= following:
            return
        begin = following
