"""Sets: what one that lacks a kind is good for, who may work at a time, and which one a moment means."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from rookery.apps.backup.guest.backups.errors import BackupError
from rookery.apps.backup.guest.backups.kind import Work
from rookery.apps.backup.guest.backups.store import Store
from rookery.apps.backup.guest.backups.told import Place, Told
from tests.kit.ceph_bindings import Binding
from tests.kit.memory_s3 import MemoryS3

PROGRAMS = "rookery.apps.backup.guest.backups"
PLACE = Place(name="here", endpoint="https://here", bucket="backups", authority="", access="a", secret="s")
FIRST, SECOND, THIRD = "20261130t160000z", "20261130t170000z", "20261130t180000z"
KINDS = ("database", "objects", "files", "block", "system")


class FakeKind:
    """A kind whose moment and copy do nothing, or fail."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.fails = ""

    def mark(self, _: Work, label: str) -> dict[str, Any]:
        return {"moment": "2026-11-30T16:00:01+00:00", "label": label}

    def keep(self, _: Work, label: str, mark: dict[str, Any], last: Any) -> dict[str, Any]:
        if self.fails:
            raise BackupError(f"{self.name} fails", details=(self.fails,))
        return {**mark, "moved": 1, "whole": 2, "last": last and last["label"]}


@pytest.fixture
def sets(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("cephfs", "rados", "rbd"):
        monkeypatch.setitem(sys.modules, name, Binding(name))
    module = importlib.import_module(f"{PROGRAMS}.sets")
    monkeypatch.setattr(module, "KINDS", {name: FakeKind(name) for name in KINDS})
    return module


@pytest.fixture
def work() -> Work:
    config = {"system": "demo", "host": "worker-a", "kinds": list(KINDS), "copies": []}
    store = Store(PLACE, MemoryS3("backups"))
    return Work(told=Told(config=config, keys={}), store=store, report=lambda _: None)


def take(sets: Any, work: Work, monkeypatch: pytest.MonkeyPatch, label: str, kinds: Any = KINDS) -> Any:
    monkeypatch.setattr(sets, "label_at", lambda _: label)
    return sets.take(work, kinds)


def test_a_kind_that_fails_costs_the_others_nothing_and_the_next_goes_on(
    sets: Any, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(sets, work, monkeypatch, FIRST)
    sets.KINDS["files"].fails = "the store's quota is used up (403)"
    failed = take(sets, work, monkeypatch, SECOND)
    assert (failed["state"], failed["failed"]) == (
        "failed",
        {"files": "files fails; the store's quota is used up (403)"},
    )
    assert sorted(failed["parts"]) == sorted({*KINDS} - {"files"})
    sets.KINDS["files"].fails = ""
    third = take(sets, work, monkeypatch, THIRD)
    assert third["state"] == "whole"
    # What changed since the last whole one is copied, also of kinds that were in the failed one.
    assert {part["last"] for part in third["parts"].values()} == {FIRST}


def test_a_kind_that_a_set_lacks_is_said_with_the_sets_that_have_it(
    sets: Any, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(sets, work, monkeypatch, FIRST)
    take(sets, work, monkeypatch, SECOND, ("objects",))
    assert sets.find(work, "", "files")["label"] == FIRST
    assert sets.find(work, "", "objects")["label"] == SECOND
    with pytest.raises(BackupError) as error:
        sets.find(work, SECOND, "files")
    assert (error.value.what, error.value.hint, error.value.kind) == (
        f"set {SECOND} has no files",
        f"Sets that have: {FIRST}.",
        "input",
    )
    with pytest.raises(BackupError, match=f"there is no set {THIRD}"):
        sets.find(work, THIRD, "files")


@pytest.mark.parametrize("moment", ["2026-11-30T16:00:00+00:00", "2999-01-01T00:00:00+00:00"])
def test_a_moment_before_the_first_set_or_to_come_is_refused_with_what_there_is(
    sets: Any, work: Work, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    take(sets, work, monkeypatch, FIRST)
    with pytest.raises(BackupError, match=f"files cannot be brought back as of {moment[:10]}") as error:
        sets.find(work, "", "files", moment)
    assert "Possible: from 2026-11-30T16:00:01 until now" in error.value.hint
    assert error.value.kind == "input"


def test_of_two_at_once_the_second_is_told_what_the_first_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "rados", Binding("rados"))
    lease = importlib.import_module(f"{PROGRAMS}.lease")
    monkeypatch.setattr(lease, "_FILE", tmp_path / "lock")
    told = Told(config={"host": "worker-a", "cluster": None}, keys={})
    with lease.alone(told, "taking a set"):
        with pytest.raises(BackupError) as error, lease.alone(told, "restoring files"):
            pass
        assert error.value.what == "worker-a is at work on backups: taking a set"
        assert (error.value.kind, "One at a time" in error.value.hint) == ("not-possible", True)
    with lease.alone(told, "restoring files"):
        pass
