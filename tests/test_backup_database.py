"""Backups of the database: what is read of them in the store, what is missing, and which moment is meant."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from rookery.apps.backup.guest.backups import fetch, in_place, wal
from rookery.apps.backup.guest.backups.database import Database
from rookery.apps.backup.guest.backups.database_archive import Archive
from rookery.apps.backup.guest.backups.database_target import Target, find_target
from rookery.apps.backup.guest.backups.errors import BackupError
from rookery.apps.backup.guest.backups.recovery import Recovery
from rookery.apps.backup.guest.backups.told import Told
from tests.kit.database_archive import DATABASE, SIZE, DatabaseStore, answered

FIRST, SECOND = "20261130T100000", "20261130T120000"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> DatabaseStore:
    """Two base backups and the log from before the first until after the second."""
    made = answered(monkeypatch, DatabaseStore())
    made.base(FIRST, segment=3)
    made.base(SECOND, segment=6)
    made.segments(range(1, 9))
    return made


def segment(number: int, timeline: int = 1) -> str:
    name = wal.segment_name(timeline, number, SIZE)
    return f"wals/{name[:16]}/{name}.gz"


def test_names_of_segments_tell_timeline_and_position() -> None:
    size = 16 << 20
    assert wal.segment_name(2, 0x1FF, size) == "0000000200000001000000FF"
    assert wal.segment_number("0000000200000001000000FF.00000028.backup", size) == 0x1FF
    assert wal.timeline_of("0000000A.history") == 10
    assert wal.position("1/FF000028") // size == 0x1FF


def test_recovery_reads_the_younger_timeline_from_where_it_left() -> None:
    line = wal.parse_history(3, "1\t0/2000100\tno reason\n\n2\t0/3000100\tno reason\n")
    found = list(wal.names_between(line, 0x1000028, 0x4000000, 16 << 20))
    assert found == [f"0000000{t}000000000000000{n}" for t, n in ((1, 1), (2, 2), (3, 3), (3, 4))]
    assert wal.holds(line, 1, 0x2000100)
    assert not wal.holds(line, 1, 0x2000101)
    assert not wal.holds(line, 4, 0)


@pytest.mark.parametrize("text", ["", "what is this\n"])
def test_what_is_no_history_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"00000002\.history is no history"):
        wal.parse_history(2, text)


def test_base_backups_that_are_complete_are_read_as_barman_wrote_them(store: DatabaseStore) -> None:
    store.base("20261130T130000", segment=7, status="FAILED")
    store.put("base/20261130T140000/data.tar.gz", b"interrupted")
    found = Archive(store.work).bases()
    assert [base.id for base in found] == [FIRST, SECOND]
    assert (found[1].begin, found[1].timeline, found[1].whole) == (6 * SIZE + 0x28, 1, 1000)
    assert found[1].ended == dt.datetime(2026, 11, 30, 12, 0, 1, tzinfo=dt.UTC)


def test_a_store_without_a_gap_has_no_problems(store: DatabaseStore) -> None:
    parts = {"one": store.part(FIRST, segment=4), "two": store.part(SECOND, segment=7)}
    assert Database().check(store.work, parts, deep=False) == []
    assert Database().check(store.work, parts, deep=True) == []


def test_a_missing_segment_is_named_with_the_sets_that_need_it(store: DatabaseStore) -> None:
    parts = {"one": store.part(FIRST, segment=5), "two": store.part(SECOND, segment=6)}
    for number in (5, 8):
        store.remove(segment(number))
    # A lost primary's last segment may be there as far as it came; it stands in for no whole one.
    store.put(segment(5).replace(".gz", ".partial.gz"), b"")
    assert Database().check(store.work, parts, deep=False) == [
        "000000010000000000000005 is missing: set one cannot be restored",
        "000000010000000000000008 is missing: no moment after it can be restored",
    ]


def test_a_missing_history_is_named(store: DatabaseStore) -> None:
    store.branch(2, [(1, 7)])
    store.segments(range(7, 10), timeline=2)
    parts = {"two": store.part(SECOND, segment=8, timeline=2)}
    assert Database().check(store.work, parts, deep=True) == []
    store.remove("wals/00000002.history.gz")
    said = "00000002.history is missing: nobody can tell where timeline 2 comes from"
    assert Database().check(store.work, parts, deep=False) == [f"set two: {said}", said]


def test_a_system_that_was_built_again_says_nothing_of_the_log_in_the_store(store: DatabaseStore) -> None:
    """Another database runs there, until that of the store is back."""
    store.remove(segment(8))
    parts = {"two": store.part(SECOND, segment=7)}
    assert len(Database().check(store.work, parts, deep=False)) == 1
    store.system = 1
    assert Database().check(store.work, parts, deep=True) == []
    assert Archive(store.work).newest_timeline() == 1
    store.branch(2, [(1, 7)])
    assert Archive(store.work).newest_timeline() == 2


def test_a_base_backup_that_is_gone_or_another_is_named(store: DatabaseStore) -> None:
    part = store.part(FIRST, segment=4)
    key = f"database/database/base/{FIRST}/data.tar.gz"
    part["objects"] = {key: [1, "another"], f"{key}.more": [2, "gone"]}
    found = Database().check(store.work, {"one": part, "old": store.part("gone", segment=4)}, deep=False)
    assert found == [
        f"base backup {FIRST}: {key} is not what was written: 1 bytes then",
        f"base backup {FIRST}: {key}.more is missing",
        "set old: base backup gone is missing, or not complete",
    ]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (segment(4), "Error -3 while decompressing data: incorrect data check"),
        (f"base/{FIRST}/data.tar.gz", "Error -3 while decompressing data: incorrect data check"),
    ],
)
def test_a_flipped_byte_is_found_by_reading(store: DatabaseStore, key: str, said: str) -> None:
    parts = {"one": store.part(FIRST, segment=4)}
    store.flip(key, -8)
    assert Database().check(store.work, parts, deep=False) == []
    found = Database().check(store.work, parts, deep=True)
    assert len(found) == 1
    assert f"{key} is damaged: {said}" in found[0]


def test_what_is_cut_or_another_segment_is_found_by_reading(store: DatabaseStore) -> None:
    parts = {"one": store.part(FIRST, segment=4)}
    there = store.s3.buckets["backups"]
    there[f"database/database/{segment(3)}"].content = there[f"database/database/{segment(2)}"].content
    cut = there[f"database/database/{segment(4)}"]
    cut.content = cut.content[:-20]
    assert Database().check(store.work, parts, deep=True) == [
        f"database/database/{segment(3)} is damaged: it is another segment",
        f"database/database/{segment(4)} is damaged: it ends too early",
    ]


def test_a_base_backup_without_what_a_database_starts_by_is_found(store: DatabaseStore) -> None:
    store.base(FIRST, segment=3, files=["PG_VERSION", "base/1/1"])
    found = Database().check(store.work, {"one": store.part(FIRST, segment=4)}, deep=True)
    assert found == [f"base backup {FIRST} lacks backup_label, global/pg_control"]


def test_pruning_keeps_what_a_kept_set_begins_with_and_all_since(store: DatabaseStore) -> None:
    store.put("base/20261130T090000/data.tar.gz", b"interrupted")
    kept, dropped = {"two": store.part(SECOND, segment=7)}, {"one": store.part(FIRST, segment=4)}
    Database().prune(store.work, kept, dropped)
    assert store.keys == [
        f"base/{SECOND}/backup.info",
        f"base/{SECOND}/data.tar.gz",
        *(segment(number) for number in (6, 7, 8)),
    ]
    assert Database().check(store.work, kept, deep=True) == []


def test_pruning_without_a_kept_set_keeps_the_last_base_backup(store: DatabaseStore) -> None:
    Database().prune(store.work, {}, {"one": store.part(FIRST, segment=4)})
    assert [base.id for base in Archive(store.work).bases()] == [SECOND]


def test_keeping_counts_what_was_sent_since_the_last_set(store: DatabaseStore) -> None:
    last = store.part(FIRST, segment=4)
    point = store.part(SECOND, segment=7)
    mark = {**point, "moment": "2026-11-30T12:30:00+00:00", "made": ""}
    part = Database().keep(store.work, "20261130t123000z", mark, last)
    sizes = {entry.key: entry.size for entry in store.work.store.list()}
    sent = [sizes[f"database/database/{segment(number)}"] for number in (5, 6, 7)]
    base = [size for key, size in sizes.items() if f"/{SECOND}/" in key]
    assert (part["moved"], part["whole"]) == (sum(sent), sum(sent[1:]) + sum(base))
    assert (part["base"], part["target"]) == (SECOND, "20261130t123000z")
    assert Database().check(store.work, {"it": part}, deep=True) == []


def target(store: DatabaseStore, path: str = "", at: str = "", label: str = "") -> Target:
    wish = {"path": path, "at": at, "label": label}
    return find_target(Archive(store.work), store.part(SECOND, segment=7), wish, store.timeline)


def test_a_set_is_restored_to_its_own_point_on_its_own_timeline(store: DatabaseStore) -> None:
    store.branch(4, [(1, 7)])
    found = target(store)
    assert found.base.id == SECOND
    assert found.settings == {"recovery_target_name": "a-set", "recovery_target_timeline": "1"}


def test_a_time_is_reached_from_the_last_base_backup_before_it(store: DatabaseStore) -> None:
    assert target(store, at="2026-11-30T11:59:00+00:00").base.id == FIRST
    found = target(store, at="2026-11-30T12:01:00+00:00")
    assert found.base.id == SECOND
    assert found.settings == {
        "recovery_target_time": "2026-11-30 12:01:00+00:00",
        "recovery_target_timeline": "1",
    }


def test_a_time_of_a_timeline_that_was_given_up_is_of_that_timeline(store: DatabaseStore) -> None:
    """At 14:00 the database was restored to what it was in segment 7; until then it had come to segment 8."""
    store.branch(2, [(1, 7)])
    store.written("wals/00000002.history.gz", "2026-11-30T14:00:00+00:00")
    moments = [target(store, at=f"2026-11-30T{hour}:30:00+00:00") for hour in (13, 14)]
    assert [one.settings["recovery_target_timeline"] for one in moments] == ["1", "2"]


def test_a_failover_gives_nothing_up(store: DatabaseStore) -> None:
    store.branch(2, [(1, 8)])
    store.written("wals/00000002.history.gz", "2026-11-30T14:00:00+00:00")
    assert target(store, at="2026-11-30T13:00:00+00:00").settings["recovery_target_timeline"] == "2"


@pytest.mark.parametrize("at", ["2026-11-30T10:00:00+00:00", "2999-01-01T00:00:00+00:00"])
def test_a_time_that_cannot_be_restored_names_the_window(store: DatabaseStore, at: str) -> None:
    with pytest.raises(BackupError, match="cannot be restored as of") as raised:
        target(store, at=at)
    assert raised.value.kind == "input"
    assert raised.value.hint == "Possible: from 2026-11-30T10:00:01 until now, in UTC."


def test_transactions_and_points_are_looked_for_from_the_oldest_base_backup_on(
    store: DatabaseStore,
) -> None:
    assert target(store, "xid=17").settings == {
        "recovery_target_xid": "17",
        "recovery_target_inclusive": "true",
        "recovery_target_timeline": "1",
    }
    assert target(store, "before=17").settings["recovery_target_inclusive"] == "false"
    assert target(store, "name=before-lunch").settings["recovery_target_name"] == "before-lunch"
    assert [target(store, "xid=17", label=label).base.id for label in ("", "a-set")] == [FIRST, SECOND]


@pytest.mark.parametrize("path", ["xid=a", "films", "name=x'; DROP TABLE films"])
def test_a_path_that_says_nothing_is_refused(store: DatabaseStore, path: str) -> None:
    with pytest.raises(BackupError, match="says nothing") as raised:
        target(store, path)
    assert raised.value.kind == "input"


def test_a_restore_without_room_is_refused_before_it_begins(store: DatabaseStore, tmp_path: Path) -> None:
    recovery = Recovery(store.work, tmp_path / "scratch", lasting=False)
    room = os.statvfs(tmp_path)
    base = Archive(store.work).bases()[0]
    assert " MiB wanted, " in recovery.require_room(base)
    store.s3.buckets["backups"][
        f"database/database/base/{FIRST}/backup.info"
    ].content += f"\ncluster_size={room.f_blocks * room.f_frsize}".encode()
    with pytest.raises(BackupError, match="there is no room to restore the database") as raised:
        recovery.require_room(Archive(store.work).bases()[0])
    assert raised.value.kind == "not-possible"
    assert not recovery.folder.exists()


def barman_with(folder: Path, monkeypatch: pytest.MonkeyPatch, options: str) -> None:
    """Let there be a Barman with these options."""
    (folder / "barman/clients").mkdir(parents=True)
    for name in ("barman/__init__.py", "barman/clients/__init__.py"):
        (folder / name).touch()
    (folder / "barman/clients/cloud_walrestore.py").write_text(options, encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == "barman"]:
        monkeypatch.delitem(sys.modules, name)


def test_an_older_barman_fetches_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    barman_with(tmp_path / "old", monkeypatch, '"--no-partial"')
    assert fetch.command("/x/spool").endswith("exec python3 -m backups.fetch %f %p")
    asked: list[Sequence[str]] = []
    keys = {"access": "a", "secret": "s"}
    here = {"endpoint": "https://s3.test", "bucket": "backups", "authority": ""}
    told = Told(config={"database": DATABASE, "store": here}, keys=keys)
    monkeypatch.setattr(fetch, "read_told", lambda: told)
    monkeypatch.setattr(os, "execvp", lambda _, argv: asked.append(argv))
    monkeypatch.setattr(os, "environ", {})
    fetch.main("0004", "pg_wal/X")
    fetch.main("0004", "pg_wal/X", "/x/spool")
    plain = ["barman-cloud-wal-restore", "--endpoint-url=https://s3.test", "--no-partial"]
    rest = ["s3://backups/database", "database", "0004", "pg_wal/X"]
    ahead = ["--parallel=8", "--spool-dir=/x/spool"]
    assert [list(argv) for argv in asked] == [[*plain, *rest], [*plain, *ahead, *rest]]


def test_what_was_fetched_early_is_moved_without_asking_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    barman_with(tmp_path / "new", monkeypatch, '"--no-partial", "--parallel", "--spool-dir"')
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "000000010000000000000004").write_text("a segment", encoding="utf-8")
    command = fetch.command(f"{tmp_path}/spool")
    target = tmp_path / "RECOVERYXLOG"
    line = command.replace("%f", "000000010000000000000004").replace("%p", str(target))
    subprocess.run(("sh", "-c", line), env={"PATH": "/usr/bin:/bin"}, timeout=10, check=True)
    assert target.read_text(encoding="utf-8") == "a segment"
    assert list((tmp_path / "spool").iterdir()) == []
    assert command.endswith(f"python3 -m backups.fetch %f %p {tmp_path}/spool")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A PGDATA, and a restored one beside it."""
    found = tmp_path / "main"
    found.mkdir()
    (found / "mark").write_text("old", encoding="utf-8")
    made = in_place.folder(found) / "data"
    (made / "pg_wal").mkdir(parents=True)
    (made / "pg_wal/00000002.history").touch()
    (made / "pg_wal/00000003.history").touch()
    (made / "mark").write_text("restored", encoding="utf-8")
    return found


def test_a_restored_database_takes_the_place_of_what_was_there(data: Path) -> None:
    sent: list[Path] = []
    in_place.swap(data, sent.append)
    assert [path.name for path in sent] == ["00000003.history"]
    assert (data / "mark").read_text(encoding="utf-8") == "restored"
    assert (data.with_name("main.before") / "mark").read_text(encoding="utf-8") == "old"
    assert not in_place.is_begun(data)
    in_place.swap(data, sent.append)  # again, as after a kill
    assert (data / "mark").read_text(encoding="utf-8") == "restored"
    in_place.forget(data)
    assert [path.name for path in data.parent.iterdir()] == ["main"]


def test_a_swap_that_was_killed_between_its_moves_goes_on(data: Path) -> None:
    data.rename(data.with_name("main.before"))
    in_place.swap(data, lambda _: None)
    assert (data / "mark").read_text(encoding="utf-8") == "restored"
    assert (data.with_name("main.before") / "mark").read_text(encoding="utf-8") == "old"


def test_what_was_copied_by_a_start_in_between_is_not_what_was_there_before(data: Path) -> None:
    in_place.aside(data)
    data.mkdir()
    (data / "mark").write_text("copied in between", encoding="utf-8")
    in_place.swap(data, lambda _: None)
    assert (data / "mark").read_text(encoding="utf-8") == "restored"
    assert (data.with_name("main.before") / "mark").read_text(encoding="utf-8") == "old"


def test_without_its_history_in_the_store_nothing_takes_the_place(data: Path) -> None:
    def send(path: Path) -> None:
        raise BackupError(f"{path.name} does not go to the store")

    with pytest.raises(BackupError, match="does not go to the store"):
        in_place.swap(data, send)
    assert (data / "mark").read_text(encoding="utf-8") == "old"
    assert in_place.is_begun(data)
