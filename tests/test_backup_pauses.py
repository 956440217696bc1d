"""Backups that are switched off and on again: what they hold goes, and the gap in the log is no damage."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rookery.apps.backup.guest.backups import database, database_pauses, leaving, wal
from rookery.apps.backup.guest.backups.database import Database
from rookery.apps.backup.guest.backups.database_archive import Archive
from rookery.apps.backup.guest.backups.database_target import find_target
from rookery.apps.backup.guest.backups.errors import BackupError
from rookery.apps.backup.guest.backups.primary import Primary
from rookery.apps.backup.places import COPY_KEYS, SECRETS, copy_authority
from rookery.apps.backup.settings import BackupSettings
from rookery.errors import NotPossibleError, RookeryError
from rookery.run import backup_end
from rookery.run.workspace import open_spec
from rookery.systems.native import refresh
from tests.kit.database_archive import SIZE, DatabaseStore, answered

FIRST, SECOND = "20261130T100000", "20261130T120000"
LAST = wal.segment_name(1, 4, SIZE)  # before backups were switched off
KINDS = ["database", "objects", "files", "block", "system"]
PAUSED = dt.datetime(2026, 11, 30, 11, tzinfo=dt.UTC)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> DatabaseStore:
    """A log that is there until its segment 4, and again from 6 on, where the second base backup begins."""
    made = answered(monkeypatch, DatabaseStore())
    made.base(FIRST, segment=3)
    made.base(SECOND, segment=6)
    made.segments((1, 2, 3, 4, 6, 7, 8))
    return made


def pause(store: DatabaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_pauses, "now", PAUSED.isoformat)
    database_pauses.note(store.work, LAST)


def check(store: DatabaseStore) -> list[str]:
    parts = {"one": store.part(FIRST, segment=4), "two": store.part(SECOND, segment=7)}
    return Database().check(store.work, parts, deep=False)


def test_what_was_written_while_they_were_off_is_not_missing(
    store: DatabaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = wal.segment_name(1, 5, SIZE)
    assert check(store) == [f"{missing} is missing: no moment after it can be restored"]
    pause(store, monkeypatch)
    assert check(store) == []
    lost = wal.segment_name(1, 7, SIZE)
    store.remove(f"wals/{lost[:16]}/{lost}.gz")
    assert check(store) == [f"{lost} is missing: set two cannot be restored"]


def test_a_base_backup_from_before_does_for_no_set(store: DatabaseStore) -> None:
    primary, archive = Primary(store.work), Archive(store.work)
    fit = {base.id: database._leads_here(primary, archive, base) for base in archive.bases()}
    assert fit == {FIRST: False, SECOND: True}
    store.last = "\n"  # a primary that has archived nothing yet
    assert database._leads_here(primary, archive, archive.bases()[0])


def test_a_time_in_which_they_were_off_is_refused(
    store: DatabaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause(store, monkeypatch)
    part = store.part(SECOND, segment=7)
    with pytest.raises(BackupError) as found:
        find_target(Archive(store.work), part, {"at": "2026-11-30T11:30:00+00:00"}, 1)
    assert found.value.what == (
        "the database cannot be restored as of 2026-11-30T11:30:00: backups were off from"
        " 2026-11-30T11:00:00 on, until 2026-11-30T12:00:01"
    )
    for at, base in (("10:30", FIRST), ("12:30", SECOND)):
        target = find_target(Archive(store.work), part, {"at": f"2026-11-30T{at}:00+00:00"}, 1)
        assert target.base.id == base


# --- Letting go


@pytest.fixture
def ended(store: DatabaseStore) -> list[str]:
    """The kinds beside the database that let go."""
    told = replace(store.work.told, config={**store.work.told.config, "kinds": KINDS})
    store.work = replace(store.work, told=told)
    return []


def leave(store: DatabaseStore, ended: list[str]) -> list[str]:
    files, block = (lambda _: ended.append("files")), (lambda _: ended.append("block"))
    return leaving.leave(store.work, {"database": database.end, "files": files, "block": block})


def test_the_end_of_the_log_is_noted_and_each_kind_lets_go(store: DatabaseStore, ended: list[str]) -> None:
    assert leave(store, ended) == []
    assert leave(store, ended) == []
    assert [one.segment for one in database_pauses.read(store.work)] == [store.last, store.last]
    assert ended == ["files", "block", "files", "block"]


def test_a_store_that_takes_no_log_keeps_nobody_from_letting_go(
    store: DatabaseStore, ended: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Primary) -> str:
        raise BackupError("segment 9 is not in the store after 120 s")

    monkeypatch.setattr(Primary, "flush", full)
    assert leave(store, ended) == ["database: segment 9 is not in the store after 120 s"]
    assert [one.segment for one in database_pauses.read(store.work)] == [store.last]
    assert ended == ["files", "block"]


def test_a_database_that_was_never_archived_leaves_no_note(store: DatabaseStore, ended: list[str]) -> None:
    store.work = replace(store.work, told=replace(store.work.told, keys={"held": "4711"}))
    assert leave(store, ended) == []
    assert (database_pauses.read(store.work), ended) == ([], ["files", "block"])


# --- Who asks for it


class Asked:
    """A system that runs, and its backups."""

    def __init__(self, *, reachable: bool = True, error: RookeryError | None = None) -> None:
        self.backups, self.reachable, self.error = self, reachable, error
        self.commands: list[str] = []
        self.closed = False

    def is_reachable(self) -> bool:
        return self.reachable

    def ask(self, command: str, _request: object, report: Any) -> list[str]:
        self.commands.append(command)
        report("database: the end")
        if self.error is not None:
            raise self.error
        return ["database: it is full"]

    def close(self) -> None:
        self.closed = True


def design(backup: object, platform: str = "native") -> Any:
    return SimpleNamespace(design=SimpleNamespace(name="x", backup=backup, platform=platform))


def running(monkeypatch: pytest.MonkeyPatch, before: Any, system: Asked) -> None:
    monkeypatch.setattr(backup_end, "running_names", lambda: ("x",))
    monkeypatch.setattr(backup_end, "saved_spec", lambda _: "x.json")
    monkeypatch.setattr(backup_end, "open_running", lambda _: before)
    monkeypatch.setattr(backup_end, "find_system", lambda _: system)


def test_they_end_where_the_running_system_has_them_and_the_spec_not(monkeypatch: pytest.MonkeyPatch) -> None:
    running(monkeypatch, design("some"), Asked())
    assert backup_end.ends_backups(design(None))
    assert not backup_end.ends_backups(design("some"))
    assert not backup_end.ends_backups(design(None, "kubernetes"))
    monkeypatch.setattr(backup_end, "running_names", tuple)
    assert not backup_end.ends_backups(design(None))


def test_what_does_not_let_go_is_said_and_a_set_that_is_taken_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    system = Asked()
    running(monkeypatch, design("some"), system)
    backup_end.end_backups("x", said.append)
    assert (system.commands, said, system.closed) == (
        ["leave"],
        ["database: the end", "database: it is full"],
        True,
    )
    for error, words in (
        (NotPossibleError("another host is at work on backups"), "^another host is at work"),
        (RookeryError("no server takes backups now"), "^the backups of x cannot be ended: no server takes"),
    ):
        running(monkeypatch, design("some"), Asked(error=error))
        with pytest.raises(NotPossibleError, match=words):
            backup_end.end_backups("x", said.append)


def test_a_system_that_does_not_answer_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    system = Asked(reachable=False)
    running(monkeypatch, design("some"), system)
    backup_end.end_backups("x", print)
    assert (system.commands, system.closed) == ([], True)


# --- Its keys, and files beside a spec


@pytest.mark.parametrize(("apps", "there"), [((), False), (("database", "backup"), True)])
def test_a_server_that_takes_no_backups_has_no_keys_of_theirs(
    tmp_path: Path, apps: tuple[str, ...], *, there: bool
) -> None:
    late = [tmp_path / path for path in (SECRETS, COPY_KEYS, copy_authority("away"))]
    for path in late:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("hush")
    host: Any = SimpleNamespace(instances=[SimpleNamespace(app=app) for app in apps])
    refresh._remove_late_files(host, tmp_path)
    refresh._remove_late_files(host, tmp_path)
    assert [path.exists() for path in late] == [there] * 3


def test_files_of_copies_are_those_beside_the_spec(tmp_path: Path) -> None:
    spec = tmp_path / "demo.yaml"
    copy = "{name: away, endpoint: 'https://s3.example.org', bucket: copies, authority: ca.crt}"
    spec.write_text(
        f"apiVersion: rookery/v1\npattern: production-minimum\nname: x\nbackup: {{copies: [{copy}]}}\n"
    )
    settings = open_spec(str(spec), as_new=True).spec.backup
    assert isinstance(settings, BackupSettings)
    assert settings.copies[0].authority == str(tmp_path / "ca.crt")
