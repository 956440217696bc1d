"""What a design costs on a cloud: the collected figures, the break-even, and what is shown of them."""

from __future__ import annotations

import functools
import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rookery.apps.table import PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.model import Design
from rookery.errors import InputError
from rookery.prices.bill import BreakEven, Span, break_even, cents, cost_of, hours_until, mills
from rookery.prices.book import CLOUDS, Cloud, Currency
from rookery.prices.comparison import (
    Comparison,
    Judgement,
    bill_for,
    compare_clouds,
    refuse_unknown,
    say_break_even,
    say_whole_month,
)
from rookery.prices.period import HOUR, LIST_MONTH
from rookery.prices.quote import Position, Quote, Terms, quote_for
from rookery.projections.bill.chart import render_chart
from rookery.projections.bill.document import render_bill
from rookery.run.prices import shipped_book
from rookery.spec.load import load_pattern, pattern_names, read_pattern
from rookery.spec.parse import parse_spec

BOOK = shipped_book()
TODAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
GOLDEN = Path(__file__).parent / "golden" / "bill"


def design(body: str = "") -> Design:
    spec = parse_spec(
        f"apiVersion: rookery/v1\npattern: production-minimum\n{body}\n",
        file="demo.yaml",
        settings=SETTINGS,
        read_pattern=lambda name: read_pattern(name, relative_to=Path()),
    )
    return build_design(spec, placers=PLACERS)


def pattern(name: str) -> Design:
    return build_design(load_pattern(name, settings=SETTINGS), placers=PLACERS)


SEVEN = design()


def quote(provider: Cloud, *machines: str) -> Quote:
    return quote_for(SEVEN, BOOK, provider, Terms(machines=machines))


def compared(
    found: Design, *machines: str, currency: Currency = "USD", hours: float = 8, stale_ok: bool = True
) -> Comparison:
    return compare_clouds(
        found,
        BOOK,
        DECEMBER,
        timedelta(hours=hours),
        judgement=Judgement(today=TODAY, stale_ok=stale_ok),
        terms=Terms(machines=machines),
        currency=currency,
    )


# --- The seven servers, by the figures that were collected (net, US dollars, 730 hours)


@pytest.mark.parametrize(
    ("provider", "machine", "hour", "month"),
    [
        ("hetzner", "cpx22", "0.277", 174),
        ("hetzner", "cx23", "0.102", 65),
        ("aws", "t3.medium", "0.442", 323),
        ("gcp", "e2-medium", "0.416", 304),
    ],
)
def test_the_seven_servers(provider: Cloud, machine: str, hour: str, month: int) -> None:
    bill = cost_of(
        SEVEN, BOOK, provider, NOW, timedelta(hours=1), terms=Terms(machines=(machine,)), currency="USD"
    )
    assert mills(bill.amounts.hour) == Decimal(hour)
    assert round(bill.amounts.month) == month
    counted = [(line.item, line.count) for line in bill.lines]
    disks = [(Position.SYSTEM_DISKS, 7)] if provider != "hetzner" else []
    addresses = 8 if provider == "aws" else 7  # AWS charges for its load balancer's address too
    assert counted == [
        (Position.SERVERS, 7),
        *disks,
        (Position.DATA_DRIVES, 8),
        (Position.LOAD_BALANCER, 1),
        (Position.ADDRESSES, addresses),
    ]


@pytest.mark.parametrize(
    ("provider", "machine", "hours"), [("aws", "t3.medium", 395), ("gcp", "e2-medium", 419)]
)
def test_the_break_even_if_a_month_were_charged(provider: Cloud, machine: str, hours: int) -> None:
    found = break_even(quote("hetzner", "cpx22"), quote(provider, machine), BOOK.rate)
    assert found.whole_month_hours == hours


def test_the_real_break_even() -> None:
    """Hetzner is cheaper from 36 minutes on, but for some minutes of its second started hour."""
    found = break_even(quote("hetzner", "cpx22"), quote("aws", "t3.medium"), BOOK.rate)
    assert found.spans == (
        Span(begin=0, end=36 * 60 + 5, cheaper="aws"),
        Span(begin=36 * 60 + 5, end=HOUR, cheaper="hetzner"),
        Span(begin=HOUR, end=HOUR + 12 * 60 + 10, cheaper="aws"),
        Span(begin=HOUR + 12 * 60 + 10, end=LIST_MONTH, cheaper="hetzner"),
    )
    assert say_break_even(found) == (
        "Hetzner is cheaper than AWS from 1 h 12 min 10 s on, and before it between 36 min 5 s and 1 h."
    )
    assert say_whole_month(found) == "AWS would reach a whole month of Hetzner after 395 hours."


@functools.cache
def against_hetzner(other: tuple[Cloud, str]) -> tuple[Quote, Quote, BreakEven]:
    mine, theirs = quote("hetzner", "cpx22"), quote(*other)
    return mine, theirs, break_even(mine, theirs, BOOK.rate)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5 * HOUR), st.sampled_from([("aws", "t3.medium"), ("gcp", "n2-standard-2")]))
def test_the_spans_say_who_is_cheaper_at_each_second(second: int, other: tuple[Cloud, str]) -> None:
    mine, theirs, found = against_hetzner(other)
    span = next(span for span in found.spans if span.begin < second <= span.end)
    cost = BOOK.rate.convert(mine.listed(second), have="EUR", want="USD")
    assert span.cheaper == ("hetzner" if cost <= theirs.listed(second) else other[0])


def test_a_break_even_that_never_comes() -> None:
    found = break_even(quote("aws", "t3.medium"), quote("hetzner", "cx23"), BOOK.rate)
    assert found.whole_month_hours is None
    assert say_whole_month(found) == "Hetzner stays below a whole month of AWS for all of 730 hours."
    always = BreakEven(
        one="gcp",
        other="aws",
        spans=(Span(begin=0, end=LIST_MONTH, cheaper="gcp"),),
        whole_month_hours=None,
    )
    assert say_break_even(always) == "GCP is cheaper than AWS for any time up to a month."


def test_hours_until_an_amount() -> None:
    found = quote("aws", "t3.medium")
    hours = hours_until(found, Decimal(100))
    assert hours is not None
    assert found.listed((hours - 1) * HOUR) < 100 <= found.listed(hours * HOUR)
    assert hours_until(found, Decimal(1000)) is None


# --- Bills


@given(st.sampled_from(CLOUDS), st.integers(60, 90 * 86_400), st.sampled_from(["EUR", "USD"]))
@settings(max_examples=40, deadline=None)
def test_the_lines_add_up(provider: Cloud, seconds: int, currency: Currency) -> None:
    bill = cost_of(SEVEN, BOOK, provider, NOW, timedelta(seconds=seconds), currency=currency)
    for name in ("hour", "day", "week", "month", "calendar_month", "total"):
        added = sum(getattr(line.amounts, name) for line in bill.lines)
        assert abs(getattr(bill.amounts, name) - added) < Decimal("1e-20")


def test_a_month_over_two_calendar_months_is_not_capped() -> None:
    over = cost_of(SEVEN, BOOK, "hetzner", NOW, timedelta(days=30))
    whole = cost_of(SEVEN, BOOK, "hetzner", DECEMBER, timedelta(days=31))
    assert cents(whole.total) == cents(whole.amounts.calendar_month) == Decimal("156.57")
    assert over.total > whole.total


def test_a_provider_bills_in_its_own_currency_unless_told() -> None:
    own = cost_of(SEVEN, BOOK, "hetzner", NOW, timedelta(hours=1))
    dollars = cost_of(SEVEN, BOOK, "hetzner", NOW, timedelta(hours=1), currency="USD")
    assert (own.currency, dollars.currency) == ("EUR", "USD")
    assert dollars.total == pytest.approx(own.total * Decimal("1.1133"))


def test_the_load_balancer_is_the_providers() -> None:
    found = cost_of(SEVEN, BOOK, "hetzner", NOW, timedelta(hours=1))
    assert "lb-1" not in [host for choice in found.quote.choices for host in choice.hosts]
    assert any(line.item is Position.LOAD_BALANCER for line in found.lines)
    alone = replace(SEVEN, hosts=SEVEN.servers)
    without = cost_of(alone, BOOK, "aws", NOW, timedelta(hours=1))
    assert [line.count for line in without.lines if line.item is Position.ADDRESSES] == [7]
    assert not any(line.item is Position.LOAD_BALANCER for line in without.lines)


def test_small_drives_cost_what_the_smallest_costs() -> None:
    small = design("hosts: {storage: {drives: [{count: 1, size: 5GB}, {count: 1, size: 12500MB}]}}")
    found = quote_for(small, BOOK, "hetzner")
    drives = [
        (charge.product, charge.count) for charge in found.charges if charge.item is Position.DATA_DRIVES
    ]
    assert drives == [("volume 10 GB", 4), ("volume 13 GB", 4)]
    assert "the smallest volume has 10 GB: drives of 5 GB cost as much" in found.notes


def test_drives_are_priced_by_class_where_the_provider_has_classes() -> None:
    mixed = design("hosts: {storage: {drives: [{count: 1, class: nvme}, {count: 2, class: hdd}]}}")
    gcp, aws = quote_for(mixed, BOOK, "gcp"), quote_for(mixed, BOOK, "aws")
    assert [(c.product, c.count) for c in gcp.charges if c.item is Position.DATA_DRIVES] == [
        ("pd-ssd 20 GB", 4),
        ("pd-standard 20 GB", 8),
    ]
    assert [(c.product, c.count) for c in aws.charges if c.item is Position.DATA_DRIVES] == [
        ("gp3 20 GB", 12)
    ]
    assert "nvme drives are priced as gp3, a network drive" in aws.notes


def test_what_cannot_be_ordered_is_said() -> None:
    many = design("hosts: {storage: {drives: [{count: 17}]}}")
    assert (
        "a server has 17 data drives, but may have 16: this cannot be ordered as it is"
        in quote_for(many, BOOK, "hetzner").notes
    )
    with pytest.raises(InputError) as caught:
        quote_for(design("hosts: {storage: {drives: [{size: 11TB}]}}"), BOOK, "hetzner")
    assert caught.value.what == "a drive of 11 TB is larger than a volume can be (10240 GB)"


def test_traffic_is_a_charge_of_its_own() -> None:
    def traffic(provider: Cloud, size: int) -> Decimal:
        found = quote_for(SEVEN, BOOK, provider, Terms(traffic=size))
        return sum((c.listed(LIST_MONTH) for c in found.charges if c.item is Position.TRAFFIC), Decimal(0))

    assert traffic("hetzner", 20 * 10**12) == 0
    assert traffic("hetzner", 21 * 10**12) == 1
    assert traffic("aws", 500 * 10**9) == 36
    assert traffic("gcp", 2**30) == Decimal("0.13")
    assert not [note for note in quote_for(SEVEN, BOOK, "aws", Terms(traffic=1)).notes if "traffic" in note]


def test_a_lab_design_is_priced_as_if_on_the_cloud_and_says_so() -> None:
    said = "the design is for the lab, where it costs nothing; it is priced as if it ran on AWS"
    assert said in quote_for(SEVEN, BOOK, "aws").notes
    own = quote_for(design("provider: aws"), BOOK, "aws")
    assert not [note for note in own.notes if "as if" in note]


# --- Age


def test_prices_of_more_than_a_year_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        bill_for(SEVEN, BOOK, "gcp", NOW, timedelta(hours=1), judgement=Judgement(today=TODAY))
    assert str(caught.value) == (
        "prices of GCP, europe-west3, are older than 365 days\n"
        "    forwarding rules: 0.03 USD a hour, read on 2023-04-06\n"
        "  `rookery prices refresh --provider gcp` reads them anew; --stale-ok takes them as they are."
    )
    taken = bill_for(
        SEVEN, BOOK, "gcp", NOW, timedelta(hours=1), judgement=Judgement(today=TODAY, stale_ok=True)
    )
    assert taken.total > 0
    other = Terms(region="us-central1")
    assert (
        bill_for(
            SEVEN, BOOK, "gcp", NOW, timedelta(hours=1), judgement=Judgement(today=TODAY), terms=other
        ).quote.older_than(365, TODAY)
        == ()
    )


def test_only_prices_in_use_are_judged() -> None:
    found = quote("hetzner", "cpx22")
    assert {(name, str(price.date)) for name, price in found.older_than(90, TODAY)} == {
        ("cpx22", "2026-07-24"),
        ("lb11", "2026-07-30"),
        ("volume 20 GB", "2026-07-30"),
    }
    assert found.older_than(90, date(2026, 8, 1)) == ()


def test_a_refused_cloud_is_left_out_of_the_comparison_with_its_reason() -> None:
    found = compared(SEVEN, stale_ok=False)
    assert [bill.quote.provider for bill in found.bills] == ["hetzner", "aws"]
    assert found.unpriced == (
        (
            "gcp",
            (
                "prices of GCP, europe-west3, are older than 365 days; "
                "forwarding rules: 0.03 USD a hour, read on 2023-04-06"
            ),
        ),
    )


def test_names_that_no_provider_has_are_refused() -> None:
    refuse_unknown(Terms(region="eu-central-1", machines=("cpx22", "t3.medium")), BOOK, CLOUDS)
    with pytest.raises(InputError, match="Hetzner or AWS or GCP has no machine type cpx99 in the price book"):
        refuse_unknown(Terms(machines=("cpx22", "cpx99")), BOOK, CLOUDS)
    with pytest.raises(InputError, match="AWS has no region hel1 in the price book"):
        refuse_unknown(Terms(region="hel1"), BOOK, ("aws",))


# --- What is shown


@pytest.mark.parametrize("name", pattern_names())
def test_the_bill_of_every_pattern(name: str) -> None:
    text = render_bill(compared(pattern(name)), today=TODAY)
    golden = GOLDEN / f"{name}.md"
    if os.environ.get("RENEW_GOLDEN"):
        golden.write_text(text)
    assert golden.read_text() == text, (
        f"write render_bill() of the pattern to {golden}, and look at the change"
    )


def test_the_heading_fits_into_another_document() -> None:
    text = render_bill(compared(SEVEN), today=TODAY, level=3)
    assert text.startswith("### What it costs on a cloud\n")
    assert "\n#### Hetzner, hel1\n" in text
    assert render_bill(Comparison(bills=(), unpriced=(), break_evens=()), today=TODAY) == ""


def test_the_chart_is_svg_with_its_points() -> None:
    found = compared(SEVEN, "cpx22", "t3.medium")
    text = render_chart(found)
    assert text == render_chart(compared(SEVEN, "cpx22", "t3.medium"))
    words = ["".join(node.itertext()) for node in ET.fromstring(text).iter() if node.tag.endswith("text")]
    for said in (
        "AWS 395 h",
        "GCP 419 h",
        "a whole month of Hetzner",
        "Hetzner 174.31",
        "AWS 322.75",
    ):
        assert said in words
    assert text.count("<circle") == 2 + 3 + 3  # a whole month's, then the changes of each pair
    assert "prefers-color-scheme: dark" in text
    assert render_chart(Comparison(bills=(), unpriced=(), break_evens=())) == ""


@pytest.mark.parametrize("name", pattern_names())
def test_nothing_in_a_chart_leaves_it(name: str) -> None:
    root = ET.fromstring(render_chart(compared(pattern(name))))
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for node in root.iter():
        for x, y in (("x", "y"), ("cx", "cy")):
            if x in node.attrib and y in node.attrib:
                assert 0 <= float(node.attrib[x]) <= width
                assert 0 <= float(node.attrib[y]) <= height
