"""The bill: what a design costs on a cloud from a moment on for some time, and which cloud is cheaper when.

All amounts are unrounded Decimals. Rounding is the business of who shows them: `cents` there, and
`mills` (a tenth of a cent) for prices of an hour, which are of that order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from rookery.design.model import Design
from rookery.errors import InputError
from rookery.prices.book import TITLES, Cloud, Currency, ExchangeRate, PriceBook
from rookery.prices.period import DAY, HOUR, LIST_MONTH, WEEK, calendar_month, calendar_parts
from rookery.prices.quote import DEFAULT_TERMS, Charge, Position, Quote, Terms, quote_for

HETZNER_RULE = (
    "Hetzner bills started hours, at most the monthly cap, for each resource and calendar month; nothing is "
    "charged in advance, and a stopped server costs the same until it is deleted."
)
"""The rule in one line: the belief that a whole month is charged on provisioning is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """What something costs by the price list (a month has 730 hours), in a calendar month, and in all.

    `calendar_month` is the whole month in which the bill begins; `total` is for the bill's own time.
    """

    hour: Decimal
    day: Decimal
    week: Decimal
    month: Decimal
    calendar_month: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a bill: `count` times `product`, with the amounts of all of them."""

    item: Position
    product: str
    count: int
    amounts: Amounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What a design costs on one provider from `start` (UTC) for `duration`, in `currency`.

    `quote` has the charges in the provider's own currency, the machine types, the notes and the prices used;
    `rate` was used where the two currencies differ.
    """

    design: str
    quote: Quote
    start: datetime
    duration: timedelta
    currency: Currency
    rate: ExchangeRate
    lines: tuple[Line, ...]
    amounts: Amounts

    @property
    def total(self) -> Decimal:
        """What the whole duration costs, unrounded."""
        return self.amounts.total

    def convert(self, amount: Decimal) -> Decimal:
        """Return an amount of the provider's currency in the bill's."""
        return self.rate.convert(amount, have=self.quote.currency, want=self.currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From `begin` to `end`, in seconds after the start, a system that is taken down then costs least on
    `cheaper`."""

    begin: int
    end: int
    cheaper: Cloud


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """Which of two providers is cheaper, by how long the system lives within a month of 730 hours.

    `spans` follow each other without gaps. `whole_month_hours` is the hour in which `other` would have cost
    what `one` costs for a whole month: the break-even if `one` charged a month in advance, which none of
    the three does; None where `other` stays below that for the month.
    """

    one: Cloud
    other: Cloud
    spans: tuple[Span, ...]
    whole_month_hours: int | None


def cost_of(
    design: Design,
    book: PriceBook,
    provider: Cloud,
    start: datetime,
    duration: timedelta,
    *,
    terms: Terms = DEFAULT_TERMS,
    currency: Currency | None = None,
) -> Bill:
    """Return the bill of `design` on `provider` from `start` (UTC where it names no zone) for `duration`.

    `currency` is the provider's own unless named. InputError where the book cannot price the design. How old
    the prices are is for the caller to judge, with `refuse_stale` and `Quote.older_than`.
    """
    quote = quote_for(design, book, provider, terms)
    want = currency or quote.currency
    parts, month = calendar_parts(start, duration), calendar_month(start)

    def amounts(thing: Charge | Quote) -> Amounts:
        listed = [thing.listed(seconds) for seconds in (HOUR, DAY, WEEK, LIST_MONTH)]
        values = (*listed, thing.amount(month), thing.amount(parts))
        names = ("hour", "day", "week", "month", "calendar_month", "total")
        converted = (book.rate.convert(value, have=quote.currency, want=want) for value in values)
        return Amounts(**dict(zip(names, converted, strict=True)))

    return Bill(
        design=design.name,
        quote=quote,
        start=start,
        duration=duration,
        currency=want,
        rate=book.rate,
        lines=tuple(
            Line(item=charge.item, product=charge.product, count=charge.count, amounts=amounts(charge))
            for charge in quote.charges
        ),
        amounts=amounts(quote),
    )


def break_even(one: Quote, other: Quote, rate: ExchangeRate) -> BreakEven:
    """Return when `one` and when `other` is cheaper, to the second, within a month of 730 hours.

    Of two that cost the same, `one` counts as the cheaper. Between two full hours each cost is a step or a
    straight line, so the two lines cross at most once there, and that second is found by halving.
    """

    def ahead(seconds: int) -> bool:
        mine = rate.convert(one.listed(seconds), have=one.currency, want=other.currency)
        return mine <= other.listed(seconds)

    changes: list[tuple[int, bool]] = []
    for hour in range(LIST_MONTH // HOUR):
        first, last = hour * HOUR + 1, (hour + 1) * HOUR
        begins, ends = ahead(first), ahead(last)
        if not changes or changes[-1][1] != begins:
            changes.append((first - 1, begins))
        if begins != ends:
            changes.append((_last_like(ahead, first, last), ends))
    edges = [*(second for second, _ in changes), LIST_MONTH]
    spans = tuple(
        Span(begin=second, end=edges[number + 1], cheaper=one.provider if wins else other.provider)
        for number, (second, wins) in enumerate(changes)
    )
    month = rate.convert(one.listed(LIST_MONTH), have=one.currency, want=other.currency)
    return BreakEven(
        one=one.provider, other=other.provider, spans=spans, whole_month_hours=hours_until(other, month)
    )


def hours_until(quote: Quote, amount: Decimal) -> int | None:
    """Return the hour of a month of 730 by whose end the system has cost `amount`; None where it has not."""
    low, high = 0, LIST_MONTH // HOUR
    if quote.listed(high * HOUR) < amount:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if quote.listed(middle * HOUR) >= amount else (middle, high)
    return high


def refuse_stale(quote: Quote, today: date, *, after_days: int) -> None:
    """Raise InputError where the quote uses a price that is older than `after_days` on `today`."""
    stale = quote.older_than(after_days, today)
    if stale:
        details = tuple(
            f"{name}: {price.amount} {price.currency} a {price.unit}, read on {price.date}"
            for name, price in stale[:5]
        )
        raise InputError(
            f"prices of {TITLES[quote.provider]}, {quote.region}, are older than {after_days} days",
            details=details,
            hint=f"`rookery prices refresh --provider {quote.provider}` reads them anew; "
            "--stale-ok takes them as they are.",
        )


def cents(amount: Decimal) -> Decimal:
    """Round to cents, half away from zero."""
    return amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def mills(amount: Decimal) -> Decimal:
    """Round to a tenth of a cent, half away from zero: for prices of an hour."""
    return amount.quantize(Decimal("0.001"), rounding=ROUND_HALF_UP)


def _last_like(ahead: Callable[[int], bool], low: int, high: int) -> int:
    """Return the last second from `low` on at which `ahead` says what it says at `low`; not so at `high`."""
    said = ahead(low)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if ahead(middle) == said else (low, middle)
    return low
