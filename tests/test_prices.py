"""The price book, and stretches of time as they are billed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rookery.errors import InputError
from rookery.prices.book import (
    CLOUDS,
    ExchangeRate,
    ProviderPrices,
    merge_books,
    parse_book,
    render_book,
)
from rookery.prices.period import (
    DAY,
    HOUR,
    LIST_MONTH,
    MonthPart,
    calendar_month,
    calendar_parts,
    format_duration,
    list_parts,
    parse_duration,
)
from tests.kit.prices import BOOK, INSTANTS

GERMANY = timezone(timedelta(hours=1))


# --- The book


def test_every_shipped_price_is_net_dated_and_has_a_source() -> None:
    assert tuple(prices.provider for prices in BOOK.providers) == CLOUDS
    for prices in BOOK.providers:
        for name, found in prices.prices:
            assert found.net, name
            assert found.amount > 0, name
            assert found.source, name
            assert date(2023, 1, 1) < found.date < date(2026, 11, 1), name
    assert {prices.provider: prices.currency for prices in BOOK.providers} == {
        "hetzner": "EUR",
        "aws": "USD",
        "gcp": "USD",
    }


def test_the_shipped_book_has_the_prices_that_were_collected() -> None:
    hetzner, aws, gcp = (BOOK.of(cloud).region() for cloud in CLOUDS)
    cpx22 = hetzner.machine("cpx22")
    assert cpx22 is not None
    assert cpx22.cap is not None
    assert (cpx22.hourly.amount, cpx22.cap.amount) == (Decimal("0.0312"), Decimal("19.49"))
    assert (cpx22.hourly.date, cpx22.cap.date) == (date(2026, 7, 24), date(2026, 9, 27))
    assert (hetzner.drives[0].price.amount, hetzner.drives[0].min_gb) == (Decimal("0.0572"), 10)
    assert aws.drives[0].price.date == date(2026, 9, 3)
    assert gcp.load_balancer.hourly.date == date(2023, 4, 6)
    assert sorted(machine.name for machine in hetzner.machines if machine.available is False) == [
        "cax11", "cax21", "cax31", "cax41", "cx23", "cx33", "cx43", "cx53",
    ]  # fmt: skip


def test_the_shipped_file_is_written_as_the_program_writes_books() -> None:
    text = (Path(__file__).parent.parent / "src/rookery/prices/book.json").read_text()
    assert render_book(parse_book(text, file="book.json")) == text


def test_a_broken_book_names_the_file_and_every_problem() -> None:
    text = render_book(BOOK).replace('"amount": "0.0088"', '"amount": "cheap"').replace('"EUR"', '"DM"', 1)
    with pytest.raises(InputError) as caught:
        parse_book(text, file="/etc/prices.json")
    assert caught.value.what == "/etc/prices.json is not a price book of this version"
    assert [line.partition(": ")[0] for line in caught.value.details] == [
        "providers.0.regions.0.machines.0.hourly.amount",
        "providers.0.regions.0.machines.0.hourly.currency",
    ]


def test_unknown_keys_and_other_versions_are_refused() -> None:
    for text in ("{", "[]", render_book(BOOK).replace("prices/v1", "prices/v9")):
        with pytest.raises(InputError, match="is not a price book of this version"):
            parse_book(text, file="x")
    with pytest.raises(InputError) as caught:
        parse_book(render_book(BOOK).replace('"rate": {', '"rate": {"vat": 19, '), file="x")
    assert caught.value.details == ("rate.vat: Unexpected keyword argument",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('"net": true', '"net": false'), "hetzner hel1: has EUR gross and EUR net"),
        (('"currency": "EUR"', '"currency": "USD"'), "hetzner hel1: has EUR net and USD net"),
    ],
)
def test_mixed_prices_are_refused(change: tuple[str, str], said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_book(render_book(BOOK).replace(*change, 1), file="x")
    assert caught.value.what == "x mixes prices that cannot be added"
    assert caught.value.details == (said,)


def of_day(prices: ProviderPrices, day: date, amount: str) -> ProviderPrices:
    """Return a provider's prices with one of them read on another day."""
    region = prices.regions[0]
    address = replace(region.address, hourly=replace(region.address.hourly, date=day, amount=Decimal(amount)))
    return replace(prices, regions=(replace(region, address=address), *prices.regions[1:]))


def test_the_newer_prices_are_taken_for_each_provider() -> None:
    newer = of_day(BOOK.of("aws"), date(2026, 11, 20), "0.006")
    older_gcp = replace(BOOK.of("gcp"), regions=BOOK.of("gcp").regions[:1])
    own = replace(BOOK, providers=(newer, older_gcp))
    merged = merge_books(BOOK, own)
    assert merged.of("aws") == newer
    assert merged.of("gcp") == BOOK.of("gcp")
    assert merged.of("hetzner") == BOOK.of("hetzner")
    later_release = BOOK.with_prices(of_day(BOOK.of("aws"), date(2026, 12, 1), "0.007"))
    assert merge_books(later_release, own) == later_release


def test_the_newer_exchange_rate_is_taken() -> None:
    own = replace(BOOK, rate=ExchangeRate(usd_per_eur=Decimal("1.2"), date=date(2026, 11, 1), source="x"))
    assert merge_books(BOOK, own).rate.usd_per_eur == Decimal("1.2")
    assert merge_books(own, BOOK).rate.usd_per_eur == Decimal("1.2")


def test_what_is_not_in_the_book_is_named() -> None:
    with pytest.raises(InputError) as caught:
        BOOK.of("aws").region("eu-north-1")
    assert str(caught.value) == (
        "the price book has no region eu-north-1 of AWS\n  It has: eu-central-1, us-east-1."
    )
    empty = replace(BOOK, providers=())
    with pytest.raises(InputError, match="the price book has no prices of GCP"):
        empty.of("gcp")


# --- Time


def test_a_stretch_is_cut_at_the_months() -> None:
    start = datetime(2026, 11, 30, 22, tzinfo=UTC)
    assert calendar_parts(start, timedelta(hours=3)) == (
        MonthPart(seconds=2 * HOUR, month_seconds=30 * DAY),
        MonthPart(seconds=1 * HOUR, month_seconds=31 * DAY),
    )
    assert calendar_parts(start.astimezone(GERMANY), timedelta(hours=3)) == calendar_parts(
        start.replace(tzinfo=None), timedelta(hours=3)
    )
    assert calendar_parts(start, timedelta()) == ()
    assert calendar_month(datetime(2028, 2, 11, tzinfo=UTC)) == (
        MonthPart(seconds=29 * DAY, month_seconds=29 * DAY),
    )


def test_a_list_month_has_730_hours() -> None:
    assert list_parts(LIST_MONTH + 5) == (
        MonthPart(seconds=LIST_MONTH, month_seconds=LIST_MONTH),
        MonthPart(seconds=5, month_seconds=LIST_MONTH),
    )


@settings(deadline=None)
@given(INSTANTS, st.integers(1, 400 * DAY))
def test_the_parts_are_the_whole(start: datetime, seconds: int) -> None:
    parts = calendar_parts(start, timedelta(seconds=seconds))
    assert sum(part.seconds for part in parts) == seconds
    assert all(0 < part.seconds <= part.month_seconds for part in parts)


@pytest.mark.parametrize(
    ("text", "start", "hours"),
    [
        ("90min", "2026-11-23", 1.5),
        ("8h", "2026-11-23", 8),
        ("8 hours", "2026-11-23", 8),
        ("3d", "2026-11-23", 72),
        ("1d12h", "2026-11-23", 36),
        ("0.5h", "2026-11-23", 0.5),
        ("2w", "2026-11-23", 336),
        ("1month", "2026-12-01", 744),
        ("1month", "2026-11-23", 720),
        ("1month", "2027-01-31", 28 * 24),
        ("2months", "2026-12-31", (31 + 28) * 24),
    ],
)
def test_durations(text: str, start: str, hours: float) -> None:
    assert parse_duration(text, datetime.fromisoformat(start)) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "8", "h", "8x", "8h and more", "1.5month", "-8h", "9" * 400 + "h"])
def test_a_duration_that_is_none(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_duration(text, datetime(2026, 11, 23, tzinfo=UTC))
    assert caught.value.what == f"{text!r} is no duration"
    assert caught.value.hint == "Write it like 90min, 8h, 3d, 1d12h, 2w or 1month."


@pytest.mark.parametrize("text", ["0h", "20000d", "200months"])
def test_a_duration_out_of_range(text: str) -> None:
    with pytest.raises(InputError, match="is out of range"):
        parse_duration(text, datetime(2026, 11, 23, tzinfo=UTC))


def test_durations_are_written_exactly() -> None:
    assert [format_duration(seconds) for seconds in (0, 59, 2165, 3600, 129_600)] == [
        "0 s",
        "59 s",
        "36 min 5 s",
        "1 h",
        "1 d 12 h",
    ]
