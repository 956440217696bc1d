"""The comparison that a document shows: what a working day costs on each cloud, at the prices of a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rookery.design.model import Design
from rookery.prices.book import PriceBook
from rookery.prices.comparison import Comparison, Judgement, compare_clouds

_DURATION = timedelta(hours=8)


def compare_for_document(design: Design, book: PriceBook, judgement: Judgement) -> Comparison:
    """Return the bills for eight hours on the first of the month of `judgement.today`.

    A document is of a month rather than of a moment: the same prices give the same document.
    """
    first = judgement.today.replace(day=1)
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    return compare_clouds(design, book, start, _DURATION, judgement=judgement)
