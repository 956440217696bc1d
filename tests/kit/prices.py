"""The shipped prices, and designs to price, for tests."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from hypothesis import strategies as st

from rookery.apps.table import PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.model import Design
from rookery.prices.book import (
    Price,
    Unit,
)
from rookery.prices.period import (
    DAY,
)
from rookery.run.prices import shipped_book
from rookery.spec.load import read_pattern
from rookery.spec.parse import parse_spec

BOOK = shipped_book()


def design(body: str = "") -> Design:
    spec = parse_spec(
        f"apiVersion: rookery/v1\npattern: production-minimum\n{body}\n",
        file="demo.yaml",
        settings=SETTINGS,
        read_pattern=lambda name: read_pattern(name, relative_to=Path()),
    )
    return build_design(spec, placers=PLACERS)


INSTANTS = st.integers(0, 3000 * DAY).map(
    lambda seconds: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


def price(amount: str, unit: Unit = Unit.HOUR) -> Price:
    return Price(
        amount=Decimal(amount),
        currency="EUR",
        net=True,
        unit=unit,
        date=date(2026, 9, 1),
        source="test",
    )
