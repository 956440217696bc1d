"""What is counted of each kind of load: how many, how fast, how long each took, and what went wrong.

A time counts from when the event was due, not from when it began: a system that stands still makes every
event late that should have happened meanwhile, and each of them shows in the percentiles.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from .histogram import Histogram

LATE = 0.1  # seconds after its time from which on an event began late
WINDOW = 5  # seconds that "now" is the mean of
_MOST_TEXTS = 40
_MOST_POINTS = 720
PERCENTILES = (50, 95, 99)


def _unheard(_took: float | None, _error: str) -> None:
    """Hear of operations that nobody keeps."""


class Meter:
    """One kind of load. `hear` is told of each operation: how long it took, or by which words it failed."""

    def __init__(self, hear: Callable[[float | None, str], None] = _unheard) -> None:
        self._hear = hear
        self.count = self.errors = self.late = self.bytes = self.stalls = 0
        self.texts: Counter[str] = Counter()
        self._times = Histogram()
        self._part = Histogram()
        self._part_began = (0, 0, 0)
        self._seconds: deque[tuple[int, int, int]] = deque([(0, 0, 0)], maxlen=WINDOW + 1)

    def done(self, *, due: float, began: float | None = None, size: int = 0) -> None:
        """Count an event that was due at `due` by the monotonic clock and ended well just now."""
        taken = max(0.0, time.monotonic() - due)
        self.count += 1
        self.bytes += size
        self._part.add(taken)
        self._hear(taken, "")
        if began is not None and began - due > LATE:
            self.late += 1

    def failed(self, text: str) -> None:
        """Count an event that failed, by the words that say how."""
        self.errors += 1
        self._hear(None, text)
        known = text in self.texts or len(self.texts) < _MOST_TEXTS
        self.texts[text if known else "others"] += 1

    def second(self) -> None:
        """Close a second: `rate_now` is the mean of the last few."""
        self._seconds.append((self.count, self.errors, self.bytes))

    def part(self) -> list[float]:
        """Close a part of the time series: events, errors, bytes, the percentiles and the most, in ms."""
        now = (self.count, self.errors, self.bytes)
        values = [after - before for after, before in zip(now, self._part_began, strict=True)]
        times = [_ms(self._part.percentile(p)) for p in PERCENTILES]
        point = [*values, *times, _ms(self._part.largest)]
        self._part_began = now
        self._times.merge(self._part)
        self._part = Histogram()
        return point

    def figures(self, elapsed: float) -> dict[str, Any]:
        """Return all that is known; `elapsed` seconds is how long the load runs."""
        span = max(1, len(self._seconds) - 1)
        first, last = self._seconds[0], self._seconds[-1]
        now = [(b - a) / span for a, b in zip(first, last, strict=True)]
        times = Histogram()
        times.merge(self._times)
        times.merge(self._part)
        return {
            "count": self.count,
            "errors": self.errors,
            "late": self.late,
            "stalls": self.stalls,
            "bytes": self.bytes,
            "rate": round(self.count / elapsed, 3) if elapsed > 0 else 0.0,
            "rate_now": round(now[0], 3),
            "errors_now": round(now[1], 3),
            "bytes_now": round(now[2]),
            **{f"p{p}": _ms(times.percentile(p)) for p in PERCENTILES},
            "max": _ms(times.largest),
            "error_texts": [list(pair) for pair in self.texts.most_common(5)],
        }


class Series:
    """Figures over time, a point every few seconds.

    After an hour's worth of points, neighbours are joined and the interval doubles: a run of days has a
    record of the same size. Of two joined points the counts are added, and the larger times are kept.
    """

    COLUMNS = ("count", "errors", "bytes", *(f"p{p}" for p in PERCENTILES), "max")

    def __init__(self, kinds: tuple[str, ...], *, interval: int = 5) -> None:
        self.interval = interval
        self._points: dict[str, list[list[float]]] = {kind: [] for kind in kinds}

    def add(self, points: dict[str, list[float]]) -> None:
        """Add a point of every kind."""
        for kind, point in points.items():
            self._points[kind].append(point)
        if any(len(points) >= _MOST_POINTS for points in self._points.values()):
            self._points = {kind: _joined(points) for kind, points in self._points.items()}
            self.interval *= 2

    def data(self) -> dict[str, Any]:
        return {"interval": self.interval, "columns": list(self.COLUMNS), "kinds": self._points}


def _joined(points: list[list[float]]) -> list[list[float]]:
    pairs = zip(points[::2], points[1::2], strict=False)
    counts = 3
    return [
        [x + y if n < counts else max(x, y) for n, (x, y) in enumerate(zip(a, b, strict=True))]
        for a, b in pairs
    ]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
