"""The providers' billing rules: started hours, seconds, caps, discounts, traffic."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rookery.prices.book import (
    Egress,
    MachineType,
    Tier,
    Unit,
)
from rookery.prices.period import (
    DAY,
    HOUR,
    LIST_MONTH,
    MonthPart,
    Parts,
    calendar_parts,
    list_parts,
)
from rookery.prices.rules import (
    PerSecond,
    PerSecondOfMonth,
    StartedHours,
    StartedHoursOfMonth,
    SustainedUse,
    Tariff,
    Traffic,
    server_tariff,
)
from rookery.units import GIB
from tests.kit.prices import BOOK, INSTANTS, price


def month(hours: float, of_days: int = 30) -> Parts:
    return (MonthPart(seconds=round(hours * HOUR), month_seconds=of_days * DAY),)


CPX22 = StartedHours(hourly=Decimal("0.0312"), cap=Decimal("19.49"))


@pytest.mark.parametrize(
    ("hours", "cost"),
    [(0.01, "0.0312"), (1, "0.0312"), (1.01, "0.0624"), (624, "19.4688"), (625, "19.49"), (720, "19.49")],
)
def test_hetzner_counts_started_hours_up_to_the_cap(hours: float, cost: str) -> None:
    assert CPX22.amount(month(hours)) == Decimal(cost)


def test_the_cap_is_of_each_calendar_month() -> None:
    """30 days over two months are dearer than a whole calendar month: neither reaches its cap."""
    across = calendar_parts(datetime(2026, 11, 16, tzinfo=UTC), timedelta(days=30))
    assert CPX22.amount(across) == 720 * Decimal("0.0312")
    assert CPX22.amount(calendar_parts(datetime(2026, 12, 1, tzinfo=UTC), timedelta(days=31))) == Decimal(
        "19.49"
    )
    assert CPX22.amount(calendar_parts(datetime(2026, 12, 1, tzinfo=UTC), timedelta(days=62))) == 2 * Decimal(
        "19.49"
    )


def test_made_anew_within_the_hour_pays_again() -> None:
    assert 2 * CPX22.amount(month(0.3)) == Decimal("0.0624")
    assert CPX22.amount(month(0.6)) == Decimal("0.0312")


def test_a_volume_costs_its_part_of_the_month_in_started_hours() -> None:
    volume = StartedHoursOfMonth(monthly=Decimal("7.20"))
    assert [volume.amount(month(hours)) for hours in (0.1, 1, 360, 720)] == [
        Decimal("0.01"),
        Decimal("0.01"),
        Decimal("3.60"),
        Decimal("7.20"),
    ]


def test_aws_and_gcp_count_seconds_from_a_minute_on() -> None:
    server = PerSecond(hourly=Decimal("3.6"))
    seconds = (1, 60, 61, 5400)
    assert [server.amount(list_parts(count)) for count in seconds] == [
        Decimal("0.06"),
        Decimal("0.06"),
        Decimal("0.061"),
        Decimal("5.4"),
    ]
    assert server.amount(()) == 0
    drive = PerSecondOfMonth(monthly=Decimal(30 * DAY))
    assert [round(drive.amount((MonthPart(seconds=n, month_seconds=30 * DAY),))) for n in seconds] == [
        60,
        60,
        61,
        5400,
    ]


def test_sustained_use_is_a_fifth_off_over_a_month() -> None:
    server = SustainedUse(hourly=Decimal(1))
    assert server.amount(month(180)) == 180
    assert server.amount(month(360)) == 180 * (1 + Decimal("0.8678"))
    assert server.amount(month(720)) == Decimal("576.144")
    assert server.amount(list_parts(1)) == Decimal(60) / 3600
    assert isinstance(server_tariff("gcp", machine("gcp", "n2-standard-2")), SustainedUse)
    assert isinstance(server_tariff("gcp", machine("gcp", "e2-standard-2")), PerSecond)


def machine(provider: str, name: str) -> MachineType:
    found = next(prices for prices in BOOK.providers if prices.provider == provider).region().machine(name)
    assert found is not None
    return found


def test_traffic_is_free_at_first_and_then_in_tiers() -> None:
    egress = Egress(
        free=Decimal(100),
        tiers=(
            Tier(up_to=Decimal(1000), price=price("0.10", Unit.GB)),
            Tier(up_to=None, price=price("0.05", Unit.GB)),
        ),
    )

    def cost(gigabytes: int, through: str = "0", months: int = 1) -> Decimal:
        traffic = Traffic(monthly_bytes=gigabytes * 10**9, egress=egress, through=Decimal(through))
        return traffic.amount(list_parts(months * LIST_MONTH))

    assert [cost(size) for size in (0, 50, 100, 500, 1000, 3000)] == [0, 0, 0, 40, 90, 190]
    assert cost(500, months=3) == 120
    assert cost(1000, through="0.01") == 90 + Decimal("0.01") * 10**12 / GIB


TARIFFS: tuple[Tariff, ...] = (
    CPX22,
    StartedHours(hourly=Decimal("0.027")),
    StartedHoursOfMonth(monthly=Decimal("1.144")),
    PerSecond(hourly=Decimal("0.048")),
    SustainedUse(hourly=Decimal("0.125124")),
    PerSecondOfMonth(monthly=Decimal("1.904")),
    Traffic(monthly_bytes=30 * 10**12, egress=BOOK.of("gcp").region().egress, through=Decimal("0.01")),
)


@settings(deadline=None)
@given(
    INSTANTS,
    st.integers(0, 100 * DAY),
    st.integers(0, 100 * DAY),
    st.sampled_from(TARIFFS),
)
def test_longer_is_never_cheaper(start: datetime, seconds: int, more: int, tariff: Tariff) -> None:
    short = tariff.amount(calendar_parts(start, timedelta(seconds=seconds)))
    long = tariff.amount(calendar_parts(start, timedelta(seconds=seconds + more)))
    # Decimals have 28 digits; dividing by a month's seconds rounds the last.
    assert 0 <= short <= long + Decimal("1e-20")


@settings(deadline=None)
@given(INSTANTS, st.integers(1, 100 * DAY))
def test_no_month_costs_more_than_its_cap(start: datetime, seconds: int) -> None:
    parts = calendar_parts(start, timedelta(seconds=seconds))
    assert CPX22.amount(parts) == sum(CPX22.amount((part,)) for part in parts)
    assert all(CPX22.amount((part,)) <= Decimal("19.49") for part in parts)
    hours = sum(-(-part.seconds // HOUR) for part in parts)
    assert CPX22.amount(parts) <= hours * Decimal("0.0312")


@settings(deadline=None)
@given(INSTANTS, st.integers(60, 50 * DAY), st.integers(60, 50 * DAY), st.sampled_from(TARIFFS[3:4]))
def test_seconds_add_up(start: datetime, first: int, second: int, tariff: Tariff) -> None:
    """Two stretches, each above a minute, cost what they cost in one."""
    apart = tariff.amount(calendar_parts(start, timedelta(seconds=first))) + tariff.amount(
        calendar_parts(start + timedelta(seconds=first), timedelta(seconds=second))
    )
    together = tariff.amount(calendar_parts(start, timedelta(seconds=first + second)))
    assert abs(apart - together) < Decimal("1e-20")
