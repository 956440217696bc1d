"""An experiment as its author writes it: a question, a load, what breaks when, and what would be an answer.

It forgives omission and never an unknown key, as a spec does. Which server of one system is `a storage node`
follows in `targets.py`, what happens when in `outline.py`, and what is measured in `measures.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ByteSize, Field, StringConstraints, model_validator

from rookery.design.faults import KINDS, FaultKind
from rookery.experiments.measures import Measure, amount_of, find_measure
from rookery.experiments.spans import Span
from rookery.experiments.targets import TARGETS, is_named, is_of_program, is_word
from rookery.spec.model import API_VERSION, Model, Size
from rookery.units import GB

Name = Annotated[str, StringConstraints(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=48)]
Until = Literal["redundant", "back"]
Window = Literal["before", "during", "after", "whole"]


class Load(Model):
    """What users do meanwhile: what is left out is as `rookery load start` has it, 0 is none of it."""

    viewers: int | None = Field(None, ge=0, le=5000, description="Viewers of the site at a time.")
    transactions: float | None = Field(None, ge=0, le=5000, description="Transactions in a second.")
    churn: float | None = Field(None, ge=0, le=5000, description="Operations on objects in a second.")
    space: Size = Field(ByteSize(GB), ge=10**6, description="Bytes that objects may take.")


class Steady(Model):
    """The state from which it starts and to which it must come back: healthy, every PG active+clean, every
    instance of the database in step, no operation failing."""

    lasting: Span = Field(
        15.0, alias="for", description="For how long it is observed before anything breaks."
    )
    within: Span = Field(300.0, description="For how long it is waited for, before and after.")


class Break(Model):
    """One fault: what breaks, from when, and until when."""

    fault: FaultKind = Field(
        description="What happens: " + "; ".join(f"`{k}`: it {t.says}" for k, t in KINDS.items())
    )
    target: str = Field(description="To whom: a word for it, a host, or a program as HOST/PROGRAM.")
    at: Span = Field(0.0, description="When, counted from the first fault.")
    lasting: Span | None = Field(None, alias="for", description="For how long; then it is healed.")
    until: Until | None = Field(
        None,
        description="Instead of a time: healed once all data is redundant again, or users are served again.",
    )
    most: Span = Field(900.0, description="With `until`: healed after this time all the same.")
    parameters: dict[str, str] = Field({}, alias="with", description="What else is said of the fault.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        problem = self._of_target() or self._of_end() or self._of_parameters()
        if problem:
            raise ValueError(problem)
        return self

    def _of_target(self) -> str:
        if not is_word(self.target) and not is_named(self.target):
            return f"`target` is {self.target!r}; write a host, HOST/PROGRAM, or one of: {', '.join(TARGETS)}"
        if KINDS[self.fault].of_program and is_of_program(self.target) is False:
            return f"`{self.fault}` is of a program, and `{self.target}` is a server"
        if not KINDS[self.fault].of_program and is_of_program(self.target):
            return f"`{self.fault}` is of a server, and `{self.target}` is a program"
        return ""

    def _of_end(self) -> str:
        said = self.lasting is not None, self.until is not None
        if all(said):
            return "has both `for` and `until`; keep one"
        if KINDS[self.fault].lasts and not any(said):
            return f"`{self.fault}` lasts until it is healed: say `for` or `until`"
        if not KINDS[self.fault].lasts and any(said):
            return f"`{self.fault}` ends by itself; leave `for` and `until` out"
        return ""

    def _of_parameters(self) -> str:
        known = {one.name for one in KINDS[self.fault].parameters}
        strange = sorted(set(self.parameters) - known)
        if not strange:
            return ""
        may = ", ".join(sorted(known)) or "nothing"
        return f"`with` says {', '.join(strange)} of `{self.fault}`, of which {may} can be said"


class Claim(Model):
    """What would be an answer: a measure with its bound. One that is passed is a violation."""

    measure: str = Field(description="What is measured, such as `transactions.gap` or `lost`.")
    window: Window = Field("during", description="Of which part of the run.")
    at_most: float | str | None = Field(None, description="At most this much, with its unit.")
    at_least: float | str | None = Field(None, description="At least this much, with its unit.")
    why: str = Field("", description="Why this bound, in a sentence.")

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError("needs one bound: `atMost` or `atLeast`")
        amount_of(find_measure(self.measure), self.bound)
        return self

    @property
    def found(self) -> Measure:
        """The measure."""
        return find_measure(self.measure)

    @property
    def bound(self) -> float | str:
        """The bound as it was written."""
        bound = self.at_most if self.at_most is not None else self.at_least
        assert bound is not None
        return bound

    @property
    def amount(self) -> float:
        """The bound in the measure's own unit."""
        return amount_of(self.found, self.bound)

    def holds(self, value: float) -> bool:
        return value <= self.amount if self.at_most is not None else value >= self.amount


class Experiment(Model):
    """A question about a system, and the way to its answer."""

    api_version: Literal["rookery/v1"] = Field(description=f"The format: `{API_VERSION}`.")
    kind: Literal["Experiment"] = Field(description="What this file is: `Experiment`.")
    name: Name = Field(description="What it is called.")
    question: str = Field(min_length=8, description="What is to be found out, as a customer asks it.")
    description: str = Field("", description="What one should know before, and what was found.")
    load: Load = Field(Load(), description="What users do meanwhile.")
    steady: Steady = Field(Steady(), description="From what it starts, and to what it must come back.")
    method: tuple[Break, ...] = Field(min_length=1, description="What breaks, and when.")
    observe: Span = Field(20.0, description="For how long it is observed after it is steady again.")
    expect: tuple[Claim, ...] = Field(min_length=1, description="What must hold for the answer to be good.")
