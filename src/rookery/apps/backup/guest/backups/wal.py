"""Segments of PostgreSQL's write-ahead log by their names: which of them lead from one position to another.

A position (LSN) is a number of bytes. A segment's name is its timeline and its number, in hexadecimal digits.
A timeline begins where it left another; its history file says where, for each of its ancestors. The segment
in which it left is there on both, so the younger one's is what recovery reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

SEGMENT = re.compile(r"^[0-9A-F]{24}$")
_HISTORY_LINE = re.compile(r"^\s*([0-9]+)\s+([0-9A-Fa-f]+/[0-9A-Fa-f]+)")


@dataclass(frozen=True, kw_only=True)
class Span:
    """A timeline of a line of descent, and the position at which the next one left it; None for the last."""

    timeline: int
    left: int | None


Line = tuple[Span, ...]
"""A timeline with its ancestors, the oldest first."""


def position(text: str) -> int:
    """Return the position that `0/3000090` means."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def segment_name(timeline: int, number: int, size: int) -> str:
    """Return a segment's name; `size` is the bytes of each."""
    log, within = divmod(number, (1 << 32) // size)
    return f"{timeline:08X}{log:08X}{within:08X}"


def segment_number(name: str, size: int) -> int:
    """Return a segment's number, of its name or of any that begins with it (`.backup`, `.partial`)."""
    return int(name[8:16], 16) * ((1 << 32) // size) + int(name[16:24], 16)


def timeline_of(name: str) -> int:
    """Return the timeline of a segment, or of a history file."""
    return int(name[:8], 16)


def history_name(timeline: int) -> str:
    return f"{timeline:08X}.history"


def parse_history(timeline: int, text: str) -> Line:
    """Return a timeline with its ancestors, of what its history file says; raises ValueError for one that
    says nothing."""
    found = [_HISTORY_LINE.match(line) for line in text.splitlines() if line.strip()]
    if not found or None in found:
        raise ValueError(f"{history_name(timeline)} is no history of a timeline")
    spans = [Span(timeline=int(one[1]), left=position(one[2])) for one in found if one is not None]
    return (*spans, Span(timeline=timeline, left=None))


def holds(line: Line, timeline: int, end: int) -> bool:
    """Tell whether what a timeline had at a position is part of a line of descent."""
    return any(span.timeline == timeline and (span.left is None or end <= span.left) for span in line)


def names_between(line: Line, begin: int, end: int, size: int) -> Iterator[str]:
    """Yield the segments that recovery along a line reads, from the one that holds `begin` to that of
    `end`."""
    starts = [0, *(span.left for span in line if span.left is not None)]
    for number in range(begin // size, end // size + 1):
        timeline = next(
            span.timeline
            for span, start in zip(reversed(line), reversed(starts), strict=True)
            if start // size <= number
        )
        yield segment_name(timeline, number, size)
