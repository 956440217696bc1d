"""The database restored in place: who is stopped when, what is forgotten, and how it goes on after a kill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rookery.errors import NotPossibleError, RookeryError
from rookery.run.workspace import open_spec
from rookery.systems.native import database, database_restore
from rookery.systems.native.database_restore import InPlace
from rookery.systems.protocol import Member

ASKED = {"kind": "database", "path": "", "label": "20261130t100000z", "at": "", "to": "in-place"}
MADE = {"host": "worker-b", "says": "the database of a set", "timeline": 2}


class FakeLab:
    """A lab whose servers do nothing but note what was done, and can fail once at a command."""

    def __init__(self, folder: Path) -> None:
        self.design = open_spec("production-minimum", as_new=True, provider="lab").design
        self.paths = SimpleNamespace(folder=folder, ca=folder / "ca.crt")
        self.primary = "worker-b"
        self.there = ["worker-a", "worker-b", "cp-1"]
        self.done: list[str] = []
        self.fails_at = ""
        self.is_begun = True

    def pids(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.there)}

    def members(self) -> tuple[Member, ...]:
        roles = {name: "leader" if name == self.primary else "replica" for name in ("worker-a", "worker-b")}
        return tuple(Member(name=name, role=role, state="running") for name, role in roles.items())

    def execute(self, host: str, argv: Sequence[str], *, timeout: float = 60.0) -> str:
        del timeout
        if argv[0] == "etcdctl":
            if argv[1] == "get":
                root = argv[-1]
                return f"{root}config\n\n{root}leader\n\n{root}members/worker-a\n"
            self.note(f"{host}: forget {argv[2]}")
            return "1"
        if argv[-1] == "begun":
            return "yes" if self.is_begun else "no"
        self.note(f"{host}: {argv[-1]}")
        if argv[-1] == "swap":
            self.is_begun, self.primary = False, ""
        return ""

    def start(self, host: str, name: str) -> None:
        self.note(f"{host}: start {name}")
        self.primary = self.primary or host

    def note(self, what: str) -> None:
        if what == self.fails_at:
            self.fails_at = ""
            raise RookeryError(f"killed at {what}")
        self.done.append(what)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeLab:
    lab = FakeLab(tmp_path)

    def supervisor(pid: int, *, limit: float) -> Any:
        del limit
        host = lab.there[pid]
        return SimpleNamespace(
            stop=lambda name: lab.note(f"{host}: stop {name}"),
            start=lambda name: lab.start(host, name),
        )

    class Silent:
        def __init__(self, _: str) -> None: ...
        def __enter__(self) -> None: ...
        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(database_restore, "Supervisor", supervisor)
    monkeypatch.setattr(database_restore, "Browser", Silent)
    monkeypatch.setattr(database, "wait_primary", lambda *_: lab.note("a primary"))
    monkeypatch.setattr(database, "wait_replicas", lambda *_: lab.note("all follow"))
    return lab


def restore(lab: FakeLab, **asked: str) -> Mapping[str, Any]:
    def prepare(request: Mapping[str, Any], _: object) -> Mapping[str, Any]:
        assert request["to"] == "beside"
        lab.note("prepare")
        return MADE

    fake: Any = lab
    return InPlace(fake).restore({**ASKED, **asked}, prepare, lambda _: None)


FORGET = "cp-1: forget /database/production-minimum/leader"
_STOPPED = ["worker-a: stop database-postgres", "worker-b: stop database-postgres"]
_WHOLE = [
    "prepare",
    *_STOPPED,
    "worker-a: aside",
    "worker-b: swap",
    FORGET,
    "cp-1: forget /database/production-minimum/members/worker-a",
    "worker-b: start database-postgres",
    "a primary",
    "worker-a: forget",
    "worker-a: start database-postgres",
    "all follow",
    "worker-b: forget",
]


def test_the_primary_stops_last_and_patroni_forgets_all_but_its_settings(
    lab: FakeLab,
) -> None:
    done = restore(lab)
    whole = [line.replace("production-minimum", lab.design.name) for line in _WHOLE]
    assert lab.done == whole
    assert done["says"].startswith("the database of a set, in place: worker-b is the primary")
    assert list(lab.paths.folder.iterdir()) == []


@pytest.mark.parametrize(
    "at", ["worker-a: stop database-postgres", "worker-a: aside", "worker-b: swap", FORGET]
)
def test_killed_before_the_new_primary_serves_it_begins_with_stopping_again(lab: FakeLab, at: str) -> None:
    lab.fails_at = at
    with pytest.raises(RookeryError, match="killed at"):
        restore(lab)
    lab.done.clear()
    restore(lab)
    assert lab.done[:2] == _STOPPED
    assert lab.done[-1] == "worker-b: forget"
    assert "prepare" not in lab.done


def test_killed_once_the_new_primary_serves_only_the_others_are_left(lab: FakeLab) -> None:
    lab.fails_at = "worker-a: start database-postgres"
    with pytest.raises(RookeryError, match="killed at"):
        restore(lab)
    lab.done.clear()
    restore(lab)
    assert lab.done == [
        "a primary",
        "worker-a: forget",
        "worker-a: start database-postgres",
        "all follow",
        "worker-b: forget",
    ]


def test_another_wish_waits_for_what_was_begun(lab: FakeLab) -> None:
    lab.fails_at = "worker-b: swap"
    with pytest.raises(RookeryError, match="killed at"):
        restore(lab)
    with pytest.raises(NotPossibleError, match="not done yet: the database of a set") as raised:
        restore(lab, label="", at="2026-11-30T10:00:00+00:00")
    assert "`rookery restore database --at 20261130t100000z --to in-place`" in raised.value.hint


def test_nothing_is_begun_while_an_instances_server_is_away(lab: FakeLab) -> None:
    lab.there.remove("worker-a")
    with pytest.raises(NotPossibleError, match="cannot be restored in place without worker-a"):
        restore(lab)
    assert lab.done == []
