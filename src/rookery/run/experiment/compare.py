"""Two runs beside each other: what differs by more than the noise within each, and what does not.

Operations that follow one another are alike (a slow second slows all of them), so seconds are drawn, not
operations: a moving part of a run is one second, and a run's noise is what other seconds of it would have
shown (block bootstrap; Efron and Tibshirani, An Introduction to the Bootstrap, chapter 8.6). The draws come
from a fixed seed: the same runs compare the same every time.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from rookery.experiments.record import Record

_DRAWS = 400
_CONFIDENCE = 0.95
_FEWEST = 8  # seconds of a part, below which nothing is said
_STEP = math.log(1.02)  # of the logarithm of a time: percentiles are right to 1 %
_SMALLEST = 1e-5  # seconds
_NAMES = ("rate", "p50", "p99")

Second = Sequence[int]
"""How long each operation took that succeeded in a second, by step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A figure of a kind of operation in both runs, and by how much the second is larger: with 95 % between
    `low` and `high`, as shares of the first. It is `shown` where 0 is not between them."""

    kind: str
    figure: str
    first: float
    second: float
    low: float
    high: float

    @property
    def shown(self) -> bool:
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What differs between two runs during a part of them; `left_out` are kinds that say nothing, and why."""

    first: str
    second: str
    window: str
    differences: tuple[Difference, ...]
    left_out: tuple[tuple[str, str], ...]
    unlike: tuple[str, ...]


def compare(first: Record, second: Record, window: str) -> Comparison:
    """Compare two runs in a part of them (`before`, `during`, `after`, `whole`)."""
    chance = random.Random(20261130)  # noqa: S311 - draws, no secret
    found: list[Difference] = []
    left_out: list[tuple[str, str]] = []
    for kind in dict.fromkeys((*first.kinds(), *second.kinds())):
        seconds = _seconds(first, kind, window), _seconds(second, kind, window)
        short = [len(one) for one in seconds if len(one) < _FEWEST or not any(one)]
        if short:
            left_out.append((kind, f"there is too little of it {window}"))
            continue
        found += _differences(kind, *seconds, chance)
    return Comparison(
        first=first.id,
        second=second.id,
        window=window,
        differences=tuple(found),
        left_out=tuple(left_out),
        unlike=_unlike(first, second),
    )


def _unlike(first: Record, second: Record) -> tuple[str, ...]:
    """Return what else differs between the runs, so that a difference may come from that."""
    here, there = dict(first.environment), dict(second.environment)
    pairs = ((name, here.get(name, "-"), there.get(name, "-")) for name in dict.fromkeys((*here, *there)))
    own = [f"{name}: {one} and {other}" for name, one, other in pairs if one != other]
    if [one.what for one in first.broken] != [one.what for one in second.broken]:
        own.append("what was broken")
    return tuple(own)


def _seconds(record: Record, kind: str, window: str) -> list[Second]:
    """Return what a kind of operation did in each whole second of a part."""
    begin, end = record.window(window)
    seconds: list[list[int]] = [[] for _ in range(int(end - begin))]
    for one in record.operations:
        if one.kind == kind and not one.error and begin <= one.ended < begin + len(seconds):
            seconds[int(one.ended - begin)].append(_step(one.took))
    return list(seconds)


def _step(seconds: float) -> int:
    return int(math.log(max(seconds, _SMALLEST) / _SMALLEST) / _STEP)


def _figures(seconds: Sequence[Second]) -> tuple[float, ...]:
    """Return rate, p50 and p99 of some seconds."""
    steps = Counter(chain.from_iterable(seconds))
    return (steps.total() / len(seconds), *(_percentile(steps, percent) for percent in (50, 99)))


def _percentile(steps: Counter[int], percent: float) -> float:
    wanted = math.ceil(steps.total() * percent / 100)
    seen = 0
    for step in sorted(steps):
        seen += steps[step]
        if seen >= wanted:
            return float(_SMALLEST * math.exp(_STEP * (step + 0.5)))
    return 0.0


def _differences(
    kind: str, first: Sequence[Second], second: Sequence[Second], chance: random.Random
) -> list[Difference]:
    draws = [(_figures(_draw(first, chance)), _figures(_draw(second, chance))) for _ in range(_DRAWS)]
    edge = (1 - _CONFIDENCE) / 2
    found = []
    for number, name in enumerate(_NAMES):
        changes = sorted(_change(one[number], other[number]) for one, other in draws)
        found.append(
            Difference(
                kind=kind,
                figure=name,
                first=_figures(first)[number],
                second=_figures(second)[number],
                low=changes[int(edge * _DRAWS)],
                high=changes[int((1 - edge) * _DRAWS) - 1],
            )
        )
    return found


def _draw(seconds: Sequence[Second], chance: random.Random) -> list[Second]:
    return chance.choices(seconds, k=len(seconds))


def _change(first: float, second: float) -> float:
    """Return by which share the second is larger; 0 where both are nothing."""
    if first == second:
        return 0.0
    return math.inf if first == 0 else second / first - 1
