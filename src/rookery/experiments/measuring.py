"""From a run's record to values: each measure of `measures.py` over a part of the run.

What was not seen has no value, and says why: no operation is no operation without an error.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rookery.experiments.measures import Measure
from rookery.experiments.record import Mark, Operation, Record, within

_CALM = 2.0  # seconds without a success that no user calls a gap
_RARE = 7.0  # -ln of how often chance alone may look like a gap


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """What a measure has, in its own unit; None where nobody knows, with `why`. One that is `open` had not
    ended with the run: it is at least that."""

    amount: float | None
    why: str = ""
    open: bool = False


def measure_run(record: Record, measure: Measure, window: str) -> Value:
    """Return the value of a measure over a part of a run."""
    if record.phases.broken is None:
        return Value(amount=None, why="nothing was broken")
    if not measure.operation:
        return _WHOLE[measure.name](record)
    if measure.name in _OVER_TIME:
        return _OVER_TIME[measure.name](record, measure.operation, window)
    found = within(record.operations, measure.operation, *record.window(window))
    if not found:
        return Value(amount=None, why=f"there were no {measure.operation} {window}")
    return _OPERATIONS[measure.name](found)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that `percent` of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def longest_gap(ends: Sequence[float], begin: float, end: float) -> float:
    """Return the longest time within a part in which nothing of `ends`, in order, lies."""
    edges = [begin, *(one for one in ends if begin < one < end), end]
    return max(after - before for before, after in itertools.pairwise(edges))


def _successes(operations: Sequence[Operation], kind: str) -> list[float]:
    return sorted(one.ended for one in operations if one.kind == kind and not one.error)


def _gap(record: Record, kind: str, window: str) -> Value:
    """The longest time of a part without a success; open where the run ended in it."""
    begin, end = record.window(window)
    ends = _successes(record.operations, kind)
    if not ends:
        return Value(amount=None, why=f"no {kind} ever succeeded")
    if end <= begin:
        return Value(amount=None, why=f"there was nothing {window}")
    amount = longest_gap(ends, begin, end)
    return Value(amount=amount, open=end == record.phases.ended and end - max(ends) >= amount)


def _errors(found: Sequence[Operation]) -> Value:
    return Value(amount=float(sum(1 for one in found if one.error)))


def _took(percent: float) -> Callable[[Sequence[Operation]], Value]:
    def value(found: Sequence[Operation]) -> Value:
        times = [one.took for one in found if not one.error]
        if not times:
            return Value(amount=None, why="none succeeded")
        return Value(amount=percentile(times, percent))

    return value


def _throughput(record: Record, kind: str, window: str) -> Value:
    before, now = _rate(record, kind, "before"), _rate(record, kind, window)
    if now is None:
        return Value(amount=None, why=f"there was nothing {window}")
    if not before:
        return Value(amount=None, why=f"there were no {kind} before, to compare with")
    return Value(amount=now / before)


def _rate(record: Record, kind: str, window: str) -> float | None:
    """Return how many operations of a kind succeeded in a second; None for a part that never came."""
    begin, end = record.window(window)
    if end <= begin:
        return None
    found = within(record.operations, kind, begin, end)
    return sum(1 for one in found if not one.error) / (end - begin)


def usual_gap(record: Record, kind: str) -> float | None:
    """Return the longest time without a success that is no disturbance; None where there was none before.

    Twice what there was before anything broke, 2 s at least, and no less than what comes by chance: where
    `n` operations arrive independently at a rate, one of their gaps is longer than (ln n + 7) / rate in one
    run of a thousand.
    """
    begin, end = record.window("before")
    ends = _successes(record.operations, kind)
    calm = [one for one in ends if begin <= one <= end]
    if not calm or end <= begin:
        return None
    rate = len(calm) / (end - begin)
    whole = max(1.0, rate * (record.phases.ended - begin))
    return max(_CALM, 2 * longest_gap(calm, begin, end), (math.log(whole) + _RARE) / rate)


def gaps_of(record: Record, kind: str) -> list[tuple[float, float]]:
    """Return when a kind of operation stood still after the first fault, from the success before to the one
    after; up to the run's end where there was none. Nothing where it cannot be told from the usual."""
    usual, broken = usual_gap(record, kind), record.phases.broken
    if usual is None or broken is None:
        return []
    ends = _successes(record.operations, kind)
    edges = [max((one for one in ends if one <= broken), default=broken)]
    edges += [one for one in ends if one > broken]
    edges += [record.phases.ended]
    return [(before, after) for before, after in itertools.pairwise(edges) if after - before > usual]


def _back(record: Record, kind: str, _window: str) -> Value:
    """From the first fault until the last error or gap was over."""
    broken = record.window("during")[0]
    if usual_gap(record, kind) is None:
        return Value(amount=None, why=f"there were no {kind} before, to compare with")
    gaps = [end for _, end in gaps_of(record, kind)]
    errors = [
        one.ended for one in record.operations if one.kind == kind and one.error and one.ended >= broken
    ]
    over = max([broken, *gaps, *errors])
    return Value(amount=over - broken, open=record.phases.ended in gaps)


def _lost(record: Record) -> Value:
    books = record.books
    if books is None:
        return Value(amount=None, why="there were no transactions, or nobody counted them")
    if books.found is None:
        return Value(amount=None, why=books.why or "they could not be counted")
    missing = max(0, books.acknowledged - books.found)
    # Accounts that do not add up lack a half of some transaction, whatever the count of lines says.
    return Value(amount=float(missing)) if books.even else Value(amount=float(max(1, missing)), open=True)


def _noticed(record: Record) -> Value:
    return _first(record, Mark.NOTICED, "the system never said that anything is wrong")


def _first(record: Record, mark: Mark, why: str) -> Value:
    broken = record.window("during")[0]
    found = [one.at for one in record.events if one.mark is mark and one.at >= broken]
    if not found:
        return Value(amount=None, why=why)
    return Value(amount=min(found) - broken)


def _redundant(record: Record) -> Value:
    """Nothing where all data had all of its copies throughout; open where some has not at the end."""
    broken = record.window("during")[0]
    marks = [
        (one.at, one.mark)
        for one in record.events
        if one.mark in (Mark.DEGRADED, Mark.REDUNDANT, Mark.BLIND) and one.at >= broken
    ]
    if not marks:
        return Value(amount=0.0)
    at, last = max(marks)
    if last is Mark.BLIND:
        return Value(amount=None, why="the cluster did not answer at the end")
    if last is Mark.DEGRADED:
        return Value(amount=record.phases.ended - broken, open=True)
    return Value(amount=at - broken)


def _steady(record: Record) -> Value:
    broken = record.window("during")[0]
    if record.phases.steady is None:
        return Value(amount=record.phases.ended - broken, open=True)
    return Value(amount=record.phases.steady - broken)


_OPERATIONS: Mapping[str, Callable[[Sequence[Operation]], Value]] = {
    "errors": _errors,
    "p50": _took(50),
    "p95": _took(95),
    "p99": _took(99),
    "max": _took(100),
}
_OVER_TIME: Mapping[str, Callable[[Record, str, str], Value]] = {
    "gap": _gap,
    "throughput": _throughput,
    "back": _back,
}
_WHOLE: Mapping[str, Callable[[Record], Value]] = {
    "lost": _lost,
    "noticed": _noticed,
    "redundant": _redundant,
    "steady": _steady,
}
