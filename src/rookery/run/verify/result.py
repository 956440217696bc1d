"""What a check says: pass, fail, or not observed. Missing evidence is never a pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from rookery.design.model import Design
from rookery.drivers.clients.http import Browser
from rookery.spec.model import Platform
from rookery.systems.protocol import ClusterView, Endpoint, HostStatus, System

NATIVE: Platform = "native"
KUBERNETES: Platform = "kubernetes"


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


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What checks look at. `mark` is a name that no other run of them uses.

    What many of them ask is asked once, when the first does.
    """

    system: System
    browser: Browser
    mark: str

    @property
    def design(self) -> Design:
        return self.system.design

    @property
    def cluster(self) -> ClusterView:
        """The cluster that the system runs on: the table says which checks have one."""
        found = self.system.cluster
        assert found is not None, f"{self.design.name} runs on no Kubernetes"
        return found

    @cached_property
    def hosts(self) -> tuple[HostStatus, ...]:
        return self.system.hosts()

    @cached_property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return self.system.endpoints()

    def endpoint(self, frontend: str) -> Endpoint:
        return next(endpoint for endpoint in self.endpoints if endpoint.name == frontend)

    def url(self, frontend: str) -> str:
        """Return the URL of a frontend, without a stroke at its end."""
        return self.endpoint(frontend).url.rstrip("/")


Look = Callable[[Subject], Evidence]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One claim, one row of the table.

    `look` says for each platform how it is looked at: in most rows in one way, and on a platform that is not
    there not at all. `applies` tells whether a design has what is claimed.
    """

    name: str
    title: str
    look: Mapping[Platform, Look]
    applies: Callable[[Design], bool] = lambda _: True


def everywhere(look: Look) -> Mapping[Platform, Look]:
    """Return a check's looks where one is good on every platform."""
    return {NATIVE: look, KUBERNETES: look}


def passed(seen: str) -> Evidence:
    return Evidence(outcome=Outcome.PASS, seen=seen)


def failed(seen: str) -> Evidence:
    return Evidence(outcome=Outcome.FAIL, seen=seen)


def not_observed(seen: str) -> Evidence:
    return Evidence(outcome=Outcome.NOT_OBSERVED, seen=seen)


def judged(good: bool, seen: str) -> Evidence:  # noqa: FBT001 - reads as a sentence: judged(that holds, ...)
    return passed(seen) if good else failed(seen)
