"""What a check says: pass, fail, or not observed. Missing evidence is never a pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from rookery.design.model import Design
from rookery.drivers.clients.http import Browser
from rookery.spec.model import Platform
from rookery.systems.protocol import System

NATIVE: frozenset[Platform] = frozenset({"native"})
ON_KUBERNETES: frozenset[Platform] = frozenset({"kubernetes"})
EVERYWHERE = NATIVE | ON_KUBERNETES


class Outcome(StrEnum):
    PASS = "pass"  # noqa: S105 - a verdict, no password
    FAIL = "fail"
    NOT_OBSERVED = "not observed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """An outcome with what was seen."""

    outcome: Outcome
    seen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A check's evidence with its name; `seconds` is how long looking took."""

    name: str
    title: str
    outcome: Outcome
    seen: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What checks look at. `mark` is a name that no other run of them uses."""

    system: System
    browser: Browser
    mark: str

    @property
    def design(self) -> Design:
        return self.system.design

    def url(self, frontend: str) -> str:
        """Return the URL of a frontend, without a stroke at its end."""
        endpoint = next(e for e in self.system.endpoints() if e.name == frontend)
        return endpoint.url.rstrip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One row of the table. `applies` tells whether a design has what the check looks at, `platforms` on
    which of them it can be looked at in this way."""

    name: str
    title: str
    look: Callable[[Subject], Evidence]
    applies: Callable[[Design], bool] = lambda _: True
    platforms: frozenset[Platform] = EVERYWHERE


def passed(seen: str) -> Evidence:
    return Evidence(outcome=Outcome.PASS, seen=seen)


def failed(seen: str) -> Evidence:
    return Evidence(outcome=Outcome.FAIL, seen=seen)


def not_observed(seen: str) -> Evidence:
    return Evidence(outcome=Outcome.NOT_OBSERVED, seen=seen)


def judged(good: bool, seen: str) -> Evidence:  # noqa: FBT001 - reads as a sentence: judged(that holds, ...)
    return passed(seen) if good else failed(seen)
