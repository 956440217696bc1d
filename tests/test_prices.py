"""The price book, the providers' billing rules, and the choice of machine types."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rookery.apps.table import PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.model import Design
from rookery.errors import InputError
from rookery.prices.book import (
    CLOUDS,
    Egress,
    ExchangeRate,
    MachineType,
    Price,
    ProviderPrices,
    Tier,
    Unit,
    merge_books,
    parse_book,
    render_book,
)
from rookery.prices.machines import Choice, choose_machines
from rookery.prices.period import (
    DAY,
    HOUR,
    LIST_MONTH,
    MonthPart,
    Parts,
    calendar_month,
    calendar_parts,
    format_duration,
    list_parts,
    parse_duration,
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
from rookery.run.prices import shipped_book
from rookery.spec.load import read_pattern
from rookery.spec.parse import parse_spec
from rookery.units import GIB

BOOK = shipped_book()
GERMANY = timezone(timedelta(hours=1))
INSTANTS = st.integers(0, 3000 * DAY).map(
    lambda seconds: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


def design(body: str = "") -> Design:
    spec = parse_spec(
        f"apiVersion: rookery/v1\npattern: production-minimum\n{body}\n",
        file="demo.yaml",
        settings=SETTINGS,
        read_pattern=lambda name: read_pattern(name, relative_to=Path()),
    )
    return build_design(spec, placers=PLACERS)


def price(amount: str, unit: Unit = Unit.HOUR) -> Price:
    return Price(
        amount=Decimal(amount),
        currency="EUR",
        net=True,
        unit=unit,
        date=date(2026, 9, 1),
        source="test",
    )


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


# --- Rules


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


# --- Choice of machines


def chosen(provider: str, body: str = "", only: tuple[str, ...] = ()) -> tuple[Choice, ...]:
    prices = next(prices for prices in BOOK.providers if prices.provider == provider)
    return choose_machines(prices.provider, prices.region(), design(body).servers, only=only)


@pytest.mark.parametrize(
    ("provider", "name"), [("hetzner", "cpx22"), ("aws", "t3a.medium"), ("gcp", "e2-medium")]
)
def test_the_drawings_servers_get_the_cheapest_that_fits(provider: str, name: str) -> None:
    (choice,) = chosen(provider)
    assert (choice.machine.name, len(choice.hosts)) == (name, 7)


def test_what_is_sold_out_is_said_with_its_saving() -> None:
    (choice,) = chosen("hetzner")
    assert [machine.name for machine in choice.sold_out] == ["cx23", "cx33", "cx43"]
    assert choice.saving == Decimal("19.49") - Decimal("5.49")
    (arm_is_not_taken,) = chosen("aws")
    assert arm_is_not_taken.sold_out == ()


def test_cpus_memory_and_disk_all_count() -> None:
    assert chosen("hetzner", "hosts: {workers: {cpus: 3}}")[1].machine.name == "cpx32"
    assert chosen("hetzner", "hosts: {workers: {memory: 5GiB}}")[1].machine.name == "cpx32"
    assert chosen("hetzner", "hosts: {workers: {disk: 100GB}}")[1].machine.name == "cpx32"
    assert chosen("aws", "hosts: {workers: {disk: 100GB}}")[1].machine.name == "t3a.medium"


def test_a_named_type_is_taken_even_when_it_is_sold_out() -> None:
    (choice,) = chosen("hetzner", only=("cx23",))
    assert (choice.machine.name, choice.sold_out) == ("cx23", ())
    choices = chosen("hetzner", "hosts: {workers: {cpus: 4}}", only=("cx23", "ccx23"))
    assert [choice.machine.name for choice in choices] == ["cx23", "ccx23"]


def test_hosts_without_a_type_are_named() -> None:
    with pytest.raises(InputError) as caught:
        chosen("aws", "hosts: {storage: {cpus: 64}, workers: {memory: 1TiB}}")
    assert str(caught.value) == (
        "no x86 machine type in the price book of AWS, eu-central-1, is enough for some hosts\n"
        "    worker-a and 1 more: 2 CPU, 1 TiB and a disk of 20 GB\n"
        "    storage-k and 3 more: 64 CPU, 4 GiB and a disk of 20 GB\n"
        "  `rookery prices refresh --provider aws` reads all types and what is in stock."
    )
    with pytest.raises(InputError) as caught:
        chosen("hetzner", only=("cpx12",))
    assert str(caught.value) == (
        "no cpx12 of Hetzner, hel1, is enough for some hosts\n"
        "    cp-1 and 6 more: 2 CPU, 4 GiB and a disk of 20 GB\n"
        "  Name larger types, or none."
    )


def test_all_types_sold_out_is_said() -> None:
    region = BOOK.of("hetzner").region()
    none = replace(
        region, machines=tuple(replace(m, available=False) for m in region.machines if m.name < "cq")
    )
    with pytest.raises(InputError, match=r"cp-1 and 6 more: .* \(sold out: cpx22, cpx32"):
        choose_machines("hetzner", none, design().servers)


def test_prices_convert_by_the_rate() -> None:
    rate = BOOK.rate
    assert rate.convert(Decimal(10), have="EUR", want="USD") == Decimal("11.133")
    assert rate.convert(Decimal("11.133"), have="USD", want="EUR") == 10
    assert rate.convert(Decimal(7), have="USD", want="USD") == 7
