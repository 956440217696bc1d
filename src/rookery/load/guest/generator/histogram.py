"""Times of any number of events in a fixed amount of memory.

Buckets grow by 4 %, and a bucket stands for its geometric middle: a percentile is wrong by at most 2 %.
"""

from __future__ import annotations

import math

_GROWTH = 1.04
_SMALLEST = 1e-6  # seconds; what is shorter counts as this
_LARGEST = 3600.0  # seconds; what is longer counts as this, but for the largest, which is kept as it is
_LOG = math.log(_GROWTH)
_BUCKETS = math.ceil(math.log(_LARGEST / _SMALLEST) / _LOG) + 1


class Histogram:
    """How many events took how long; all times are seconds."""

    __slots__ = ("_buckets", "count", "largest")

    def __init__(self) -> None:
        self._buckets = [0] * _BUCKETS
        self.count = 0
        self.largest = 0.0

    def add(self, seconds: float) -> None:
        bounded = min(max(seconds, _SMALLEST), _LARGEST)
        self._buckets[int(math.log(bounded / _SMALLEST) / _LOG)] += 1
        self.count += 1
        self.largest = max(self.largest, seconds)

    def merge(self, other: Histogram) -> None:
        """Add all events of another."""
        self._buckets = [mine + theirs for mine, theirs in zip(self._buckets, other._buckets, strict=True)]
        self.count += other.count
        self.largest = max(self.largest, other.largest)

    def percentile(self, percent: float) -> float:
        """Return the time that `percent` of the events took at most; 0 where there was none."""
        wanted = max(1, math.ceil(self.count * percent / 100))
        seen = 0
        for number, count in enumerate(self._buckets):
            seen += count
            if seen >= wanted:
                middle = float(_SMALLEST * _GROWTH ** (number + 0.5))
                return min(middle, self.largest)
        return 0.0
