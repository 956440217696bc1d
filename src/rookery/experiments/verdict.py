"""Held, violated, or not observed: what a run says to each claim, and to the question.

Missing data is never a pass. A fault that did not take, a load that never reached its rate, a cluster that
did not answer: each makes it an answer that was not observed, unless something was violated beyond doubt.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from rookery.errors import ExitCode
from rookery.experiments.measures import find_measure, written
from rookery.experiments.measuring import Value, gaps_of, measure_run
from rookery.experiments.model import Claim, Experiment
from rookery.experiments.record import Record, within

_PAUSE = 45.0  # seconds; a silent server is given up after some 25, and what waited for it goes on then
_REACHED = 0.9  # of the rate that was asked for; below, it was another experiment


class Outcome(StrEnum):
    """What is said to a claim."""

    HELD = "held"
    VIOLATED = "violated"
    NOT_OBSERVED = "not observed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a run says to one claim, with the value that was seen, and why where there is none."""

    claim: Claim
    outcome: Outcome
    value: Value

    @property
    def seen(self) -> str:
        """The value as people write it, or why there is none."""
        if self.value.amount is None:
            return self.value.why
        text = written(self.claim.found.unit, self.value.amount)
        return f"at least {text}" if self.value.open else text

    @property
    def bound(self) -> str:
        """The bound as people write it: `at most 15.0 s`."""
        words = "at most" if self.claim.at_most is not None else "at least"
        return f"{words} {written(self.claim.found.unit, self.claim.amount)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a run says to an experiment: to each claim, and to the whole.

    `unkept` are promises of the design that were not kept; `doubts` say why it is not believed where every
    claim held.
    """

    findings: tuple[Finding, ...]
    unkept: tuple[str, ...]
    doubts: tuple[str, ...]

    @property
    def outcome(self) -> Outcome:
        outcomes = {one.outcome for one in self.findings}
        if Outcome.VIOLATED in outcomes or self.unkept:
            return Outcome.VIOLATED
        if self.doubts or Outcome.NOT_OBSERVED in outcomes or not self.findings:
            return Outcome.NOT_OBSERVED
        return Outcome.HELD

    @property
    def exit_code(self) -> ExitCode:
        return {
            Outcome.HELD: ExitCode.DONE,
            Outcome.VIOLATED: ExitCode.VIOLATED,
            Outcome.NOT_OBSERVED: ExitCode.NOT_OBSERVED,
        }[self.outcome]


def judge(experiment: Experiment, record: Record) -> Verdict:
    """Return what a run says to its experiment."""
    findings = tuple(_finding(claim, record) for claim in experiment.expect)
    return Verdict(findings=findings, unkept=tuple(_unkept(record)), doubts=tuple(_doubts(record)))


def _finding(claim: Claim, record: Record) -> Finding:
    value = measure_run(record, claim.found, claim.window)
    return Finding(claim=claim, outcome=_outcome(claim, value), value=value)


def _outcome(claim: Claim, value: Value) -> Outcome:
    if value.amount is None:
        return Outcome.NOT_OBSERVED
    holds = claim.holds(value.amount)
    if value.open and holds == (claim.at_most is not None):
        # What had not ended may still have passed its bound, or reached it.
        return Outcome.NOT_OBSERVED
    return Outcome.HELD if holds else Outcome.VIOLATED


def _unkept(record: Record) -> Iterator[str]:
    """Yield what the design promised of losing all that was broken, and what came otherwise.

    Service goes on where every kind of operation succeeded again while something was still broken; a pause
    is no end of it.
    """
    promised = record.promised
    if promised is None:
        return
    lost = measure_run(record, find_measure("lost"), "whole").amount
    if promised.data and lost:
        yield f"the design keeps all data without {promised.subject}; {lost:,.0f} transactions are lost"
    healed = [one.healed for one in record.broken if one.healed is not None]
    if not promised.service or not healed:
        return
    for kind in record.kinds():
        for begin, end in gaps_of(record, kind):
            if end > min(healed) >= begin and min(healed) - begin > _PAUSE:
                since = f"{begin - record.window('during')[0]:.0f} s after the first fault"
                yield f"the design goes on without {promised.subject}; there were no {kind} from {since} on"


def _doubts(record: Record) -> Iterator[str]:
    """Yield what makes a run no answer, whatever it measured."""
    if record.stopped:
        yield f"it ended before its end: {record.stopped}"
    if not record.broken:
        yield "nothing was broken"
    for one in record.broken:
        if one.trouble:
            yield f"{one.what}: {one.trouble}"
        elif one.proved is None:
            yield f"{one.what}: that it took was not seen"
    yield from _too_slow(record)


def _too_slow(record: Record) -> Iterator[str]:
    """Yield the loads that never reached their rate: what breaks under less is another question."""
    begin, end = record.window("before")
    for kind, rate in record.asked.items():
        if end <= begin or not rate:
            continue
        reached = sum(1 for one in within(record.operations, kind, begin, end) if not one.error) / (
            end - begin
        )
        if reached < _REACHED * rate:
            yield f"{kind} never reached their rate: {reached:.1f} of {rate:g} in a second before"
