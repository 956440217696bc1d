"""The agent of backups: when it takes a set, and how long it waits after one that failed."""

from __future__ import annotations

import importlib
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import pytest

from rookery.apps.backup.guest.backups.told import Told
from tests.kit.ceph_bindings import Binding

PROGRAMS = "rookery.apps.backup.guest.backups"

SIX_HOURS, DAY = 6 * 3600, 86400


def _ago(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() - seconds))


class Agent:
    """What the agent asks, and what it runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("cephfs", "rados", "rbd"):
            monkeypatch.setitem(sys.modules, name, Binding(name))
        self.schedule: Any = importlib.import_module(f"{PROGRAMS}.schedule")
        self.known: list[dict[str, Any]] = []
        self.last: dict[str, Any] | None = {"at": _ago(60)}
        self.ran: list[str] = []
        self.fails: set[str] = set()
        monkeypatch.setattr(self.schedule.outside, "require_fetched", lambda _: None)
        monkeypatch.setattr(self.schedule, "Store", lambda place: place)
        monkeypatch.setattr(self.schedule.sets, "read_sets", lambda _: self.known)
        monkeypatch.setattr(self.schedule.checked, "read", lambda _: self.last)
        monkeypatch.setattr(subprocess, "run", self._run)

    def took(self, *, ago: float, state: str = "whole") -> None:
        self.known.append({"state": state, "began": _ago(ago)})

    def work(self) -> float:
        keys = {"access": "", "secret": ""}
        store = {"endpoint": "https://s3", "bucket": "backups", "authority": ""}
        told = Told(config={"store": store, "schedules": {"sets": SIX_HOURS, "check": DAY}}, keys=keys)
        return float(self.schedule.work(told))

    def _run(self, argv: Sequence[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        self.ran.append(argv[-1])
        return subprocess.CompletedProcess(argv, int(argv[-1] in self.fails))


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Agent:
    return Agent(monkeypatch)


def test_a_set_is_taken_where_there_is_none_and_what_is_over_removed(agent: Agent) -> None:
    assert agent.work() >= 600
    assert agent.ran == ["now", "prune"]


def test_nothing_is_taken_before_it_is_due(agent: Agent) -> None:
    agent.took(ago=SIX_HOURS - 60)
    assert agent.work() <= 120
    assert agent.ran == []
    agent.known.clear()
    agent.took(ago=SIX_HOURS + 60)
    agent.work()
    assert agent.ran == ["now", "prune"]


@pytest.mark.parametrize("state", ["failed", "partial", "begun"])
def test_a_set_that_is_not_whole_does_not_count(agent: Agent, state: str) -> None:
    agent.took(ago=60, state=state)
    agent.work()
    assert agent.ran == ["now", "prune"]


def test_what_failed_is_tried_again_but_not_at_once(agent: Agent) -> None:
    """A set that fails, taken every few seconds, would leave nobody else a moment with the lock."""
    agent.fails = {"now"}
    assert agent.work() >= 600
    assert agent.ran == ["now"]


@pytest.mark.parametrize("last", [None, DAY + 60])
def test_what_is_stored_is_looked_at_when_that_is_due_and_no_set_is(agent: Agent, last: int | None) -> None:
    agent.last = None if last is None else {"at": _ago(last)}
    agent.took(ago=60)
    assert agent.work() <= 120
    assert agent.ran == ["check"]
    agent.known.clear()
    agent.work()
    assert agent.ran == ["check", "now", "prune"]


def test_a_look_that_failed_is_tried_again_but_not_at_once(agent: Agent) -> None:
    agent.last, agent.fails = None, {"check"}
    agent.took(ago=60)
    assert agent.work() >= 600


def test_without_a_database_the_first_host_works(agent: Agent) -> None:
    told = Told(config={"database": None, "host": "a", "hosts": ["a", "b"]}, keys={})
    assert agent.schedule.is_mine(told)
    assert not agent.schedule.is_mine(Told(config={**told.config, "host": "b"}, keys={}))
