"""What a document is made of, and the small words that all its parts use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rookery.apps.cdn.site.pages.facts import decimal_size
from rookery.design.capacity import gigabytes
from rookery.design.checks import Finding
from rookery.design.model import Design
from rookery.units import TB

_MOST_NAMES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A design with what other projections say of it.

    `spec_digest` is that of its spec, `version` the program's, `prices` says when prices were read (empty
    where none were used). `drawing` is the SVG that lies beside the Markdown, `inline_drawing` the same
    without draw.io's source. `bill` and `simulation` are Markdown with one heading, `chart` is an SVG; each
    is empty where there is none.
    """

    design: Design
    findings: tuple[Finding, ...]
    spec_digest: str
    version: str
    drawing: str
    inline_drawing: str
    prices: str = ""
    bill: str = ""
    chart: str = ""
    simulation: str = ""


def amount(size: int) -> str:
    """Write an amount of data as the checks do, to a tenth of a gigabyte; from 10 TB on to three digits."""
    return gigabytes(size) if size < 10 * TB else decimal_size(size)


def count(number: int, noun: str) -> str:
    """Write `1 server`, `7 servers`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def names(found: Sequence[str]) -> str:
    """Write a few names one by one, many as `storage-k to storage-aev (800)`."""
    if len(found) <= _MOST_NAMES:
        return ", ".join(found)
    return f"{found[0]} to {found[-1]} ({len(found):,})"
