"""The same design on several clouds: their bills side by side, and from when on which is cheaper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from rookery.design.model import Design
from rookery.errors import InputError
from rookery.prices.bill import Bill, BreakEven, Span, break_even, cost_of, refuse_stale
from rookery.prices.book import CAPPED, CLOUDS, REFUSED_AFTER_DAYS, TITLES, Cloud, Currency, PriceBook
from rookery.prices.period import HOUR, LIST_MONTH, format_duration
from rookery.prices.quote import DEFAULT_TERMS, Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Bills of one design for the same time, all in one currency.

    `unpriced` are the clouds without a bill, each with the reason. `break_evens` compare Hetzner (the first
    bill where it has none) with each of the others.
    """

    bills: tuple[Bill, ...]
    unpriced: tuple[tuple[Cloud, str], ...]
    break_evens: tuple[BreakEven, ...]

    def of(self, provider: Cloud) -> Bill | None:
        """Return the provider's bill where it has one."""
        return next((bill for bill in self.bills if bill.quote.provider == provider), None)

    @property
    def capped(self) -> Bill | None:
        """The bill that has a monthly cap, which is often taken for what is charged on provisioning."""
        return self.of(CAPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """How prices are judged by age: on which day, and whether those of more than a year are used."""

    today: date
    stale_ok: bool = False


def bill_for(
    design: Design,
    book: PriceBook,
    provider: Cloud,
    start: datetime,
    duration: timedelta,
    *,
    judgement: Judgement,
    terms: Terms = DEFAULT_TERMS,
    currency: Currency | None = None,
) -> Bill:
    """Return `cost_of`, and refuse prices of more than a year with an InputError unless told otherwise."""
    bill = cost_of(design, book, provider, start, duration, terms=terms, currency=currency)
    if not judgement.stale_ok:
        refuse_stale(bill.quote, judgement.today, after_days=REFUSED_AFTER_DAYS)
    return bill


def compare_clouds(
    design: Design,
    book: PriceBook,
    start: datetime,
    duration: timedelta,
    *,
    judgement: Judgement,
    terms: Terms = DEFAULT_TERMS,
    currency: Currency = "EUR",
) -> Comparison:
    """Return the bills of all clouds that can be priced, with the break-even points among them.

    `terms` holds for each cloud as far as it is about it: a region or a machine type of another one leaves it
    free to choose.
    """
    bills: list[Bill] = []
    unpriced: list[tuple[Cloud, str]] = []
    for provider in CLOUDS:
        try:
            own = terms_of(terms, book, provider)
            bills.append(
                bill_for(
                    design, book, provider, start, duration, judgement=judgement, terms=own, currency=currency
                )
            )
        except InputError as error:
            unpriced.append((provider, "; ".join((error.what, *error.details))))
    return Comparison(bills=tuple(bills), unpriced=tuple(unpriced), break_evens=break_evens(bills))


def break_evens(bills: Sequence[Bill]) -> tuple[BreakEven, ...]:
    """Return the first bill's provider against each of the others, one by one."""
    return tuple(break_even(bills[0].quote, bill.quote, bill.rate) for bill in bills[1:])


def terms_of(terms: Terms, book: PriceBook, provider: Cloud) -> Terms:
    """Return the part of `terms` that is about a provider: its region, its machine types."""
    regions = book.of(provider).regions
    region = terms.region if any(known.name == terms.region for known in regions) else ""
    place = book.of(provider).region(region)
    return replace(
        terms,
        region=region,
        machines=tuple(name for name in terms.machines if place.machine(name) is not None),
    )


def refuse_unknown(terms: Terms, book: PriceBook, providers: Sequence[Cloud]) -> None:
    """Raise InputError where a region or a machine type is of none of the providers."""
    places = [region for provider in providers for region in book.of(provider).regions]
    whose = " or ".join(TITLES[provider] for provider in providers)
    if terms.region and terms.region not in {place.name for place in places}:
        known = ", ".join(place.name for place in places)
        raise InputError(f"{whose} has no region {terms.region} in the price book", hint=f"Known: {known}.")
    known_types = {machine.name for place in places for machine in place.machines}
    unknown = [name for name in terms.machines if name not in known_types]
    if unknown:
        raise InputError(
            f"{whose} has no machine type {' or '.join(unknown)} in the price book",
            hint="`rookery prices show` lists the types; `rookery prices refresh` reads them anew.",
        )


def say_break_even(found: BreakEven) -> str:
    """Return in a sentence from when on which of the two is cheaper, by the real rules."""
    spans = found.spans
    last = spans[-1]
    other = TITLES[found.other if last.cheaper == found.one else found.one]
    name = TITLES[last.cheaper]
    if len(spans) == 1:
        return f"{name} is cheaper than {other} for any time up to a month."
    text = f"{name} is cheaper than {other} from {format_duration(last.begin)} on"
    earlier = [span for span in spans[:-1] if span.cheaper == last.cheaper]
    if not earlier:
        return f"{text}."
    first = earlier[0]
    return f"{text}, and before it {'at times, first ' if len(earlier) > 1 else ''}between {_pair(first)}."


def say_whole_month(found: BreakEven) -> str:
    """Return in a sentence the break-even if the first charged a whole month in advance."""
    one, other = TITLES[found.one], TITLES[found.other]
    if found.whole_month_hours is None:
        return f"{other} stays below a whole month of {one} for all of {LIST_MONTH // HOUR} hours."
    return f"{other} would reach a whole month of {one} after {found.whole_month_hours} hours."


def _pair(span: Span) -> str:
    return f"{format_duration(span.begin)} and {format_duration(span.end)}"
