"""Backups of files: how restic is led, by a program in its place that says what restic 0.19.1 said."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from rookery.apps.backup.guest.backups.errors import BackupError
from rookery.apps.backup.guest.backups.files_paths import options_of, place
from rookery.apps.backup.guest.backups.files_restic import Repository, given_up
from rookery.apps.backup.guest.backups.kind import Work
from rookery.apps.backup.guest.backups.told import Place, Told

URL = "s3:https://s3.lab:7443/backups/files"
PACK = "4157a2a95219c57c57d7b773ce8c58147761d3db64cb22011db17ea5d3acc634"
# What stands in restic's place: what it is to do at each call is in `calls`, a line each.
PROGRAM = """\
#!/bin/sh
echo "$* | $RESTIC_REPOSITORY $RESTIC_PASSWORD $AWS_ACCESS_KEY_ID" >> "{folder}/asked"
number=$(wc -l < "{folder}/asked")
. "{folder}/call-$number"
"""
DONE = {
    "message_type": "summary",
    "data_added_packed": 379149,
    "total_bytes_processed": 24100917,
    "total_files_processed": 45,
    "snapshot_id": "51c43a0e",
}


class Nowhere:
    """Nothing of the store is asked but where it is."""

    def __init__(self) -> None:
        self.place = Place(
            name="here",
            endpoint="https://s3.lab:7443",
            bucket="backups",
            authority="",
            access="key",
            secret="hidden",
        )


Calls = Callable[..., None]


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calls:
    program = tmp_path / "restic"
    program.write_text(PROGRAM.format(folder=tmp_path))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def expect(*scripts: str) -> None:
        for number, script in enumerate(scripts, 1):
            (tmp_path / f"call-{number}").write_text(script)

    return expect


@pytest.fixture
def repository() -> Repository:
    store: Any = Nowhere()
    told = Told(config={"system": "demo"}, keys={"restic": "secret", "access": "key", "secret": "hidden"})
    return Repository(Work(told=told, store=store, report=print))


def asked(folder: Path) -> list[str]:
    """Return restic's commands, without what all of them have."""
    lines = (folder / "asked").read_text().splitlines()
    assert all(line.endswith(f" | {URL} secret key") for line in lines)
    return [line.split(" | ")[0].removeprefix("--json -o s3.connections=10 ") for line in lines]


def says(message: Mapping[str, Any]) -> str:
    return f"echo '{json.dumps(message)}'\n"


BACKUP = "backup --host demo --group-by host --tag 20261130t160000z --no-scan ."


def test_what_changed_is_stored(tmp_path: Path, calls: Calls, repository: Repository) -> None:
    calls(says({"message_type": "status", "percent_done": 1}) + says(DONE))
    assert repository.backup(tmp_path, "20261130t160000z") == DONE
    assert asked(tmp_path) == [BACKUP]


def test_a_repository_is_made_where_there_is_none(
    tmp_path: Path, calls: Calls, repository: Repository
) -> None:
    calls("exit 10", "exit 0", says(DONE))
    assert repository.backup(tmp_path, "20261130t160000z") == DONE
    assert asked(tmp_path) == [BACKUP, "init", BACKUP]


def test_no_repository_is_made_where_one_cannot_be_seen(
    tmp_path: Path, calls: Calls, repository: Repository
) -> None:
    calls("echo 'Fatal: unable to open config file: Stat: Access Denied.' >&2; exit 1")
    with pytest.raises(BackupError) as caught:
        repository.backup(tmp_path, "20261130t160000z")
    assert caught.value.what == "restic backup failed (exit 1): the store refuses these keys (403)"
    assert caught.value.details == ("Fatal: unable to open config file: Stat: Access Denied.",)
    assert asked(tmp_path) == [BACKUP]


def test_the_lock_of_a_killed_one_is_removed(tmp_path: Path, calls: Calls, repository: Repository) -> None:
    calls("exit 11", "exit 0", "exit 0", "exit 0")
    repository.forget(["51c43a0e"])
    assert asked(tmp_path) == ["forget 51c43a0e", "unlock --remove-all", "forget 51c43a0e", "prune"]


def test_a_wrong_passphrase_says_so(calls: Calls, repository: Repository, tmp_path: Path) -> None:
    calls("exit 12")
    with pytest.raises(BackupError) as caught:
        repository.restore("51c43a0e:/", tmp_path)
    assert caught.value.what == f"the repository at {URL} is encrypted with another passphrase"
    assert caught.value.kind == "not-possible"


def test_a_full_store_ends_the_run_at_once(tmp_path: Path, calls: Calls, repository: Repository) -> None:
    refused = "Save(<data/4157a2a952>) returned error, retrying after 7.3s: client.PutObject: QuotaExceeded"
    calls(f"echo '{refused}' >&2; exec sleep 600")
    with pytest.raises(BackupError) as caught:
        repository.backup(tmp_path, "20261130t160000z")
    assert caught.value.what == "restic backup failed (exit -15): the store's quota is used up (403)"
    assert caught.value.details == (refused,)


def test_files_that_cannot_be_read_fail_the_set(tmp_path: Path, calls: Calls, repository: Repository) -> None:
    unread = {"message_type": "error", "error": {"message": "open a: input/output error"}, "item": "/a"}
    calls(f"echo '{json.dumps(unread)}' >&2\n{says(DONE)}exit 3")
    with pytest.raises(BackupError) as caught:
        repository.backup(tmp_path, "20261130t160000z")
    assert (caught.value.what, caught.value.details) == (
        "restic backup failed (exit 3)",
        ("open a: input/output error",),
    )


def test_a_check_names_the_damaged_pack_and_leaves_advice_out(
    tmp_path: Path, calls: Calls, repository: Repository
) -> None:
    messages = (
        f"pack {PACK}: does not exist\n",
        "\nThe repository is damaged and must be repaired.\n",
        "Fatal: repository contains errors",
    )
    lines = [json.dumps({"message_type": "error", "message": one}) for one in messages]
    calls("cat >&2 <<'END'\n" + "\n".join(lines) + "\nEND\nexit 1")
    assert repository.check(deep=True) == [f"pack {PACK}: does not exist"]
    assert asked(tmp_path) == ["check --no-lock --read-data"]


def test_a_check_that_finds_nothing(tmp_path: Path, calls: Calls, repository: Repository) -> None:
    calls("exit 0", "exit 10")
    assert repository.check(deep=False) == []
    assert repository.check(deep=False) == [f"there is no repository at {URL}"]
    assert asked(tmp_path) == ["check --no-lock"] * 2


def test_snapshots_are_known_by_their_identity(calls: Calls, repository: Repository) -> None:
    calls('echo \'[{"id": "51c43a0e", "tags": ["20261130t160000z"]}]\'', "exit 10", "echo '[]'")
    assert repository.snapshots() == {"51c43a0e": {"id": "51c43a0e", "tags": ["20261130t160000z"]}}
    assert repository.snapshots() == {}
    assert repository.snapshots() == {}


def test_dropped_snapshots_go_and_what_interrupted_runs_left() -> None:
    there = {
        "dropped": {"tags": ["20261101t000000z"]},
        "left": {"tags": ["20261102t000000z"]},
        "kept": {"tags": ["20261103t000000z"]},
        "younger": {"tags": ["20261104t000000z"]},  # its set may be being taken
        "foreign": {},
    }
    kept = {"20261103t000000z": {"snapshot": "kept"}}
    dropped = {"20261101t000000z": {"snapshot": "dropped"}, "20261031t000000z": {"snapshot": "gone"}}
    assert given_up(there, kept, dropped) == ["dropped", "left"]


def test_a_snapshot_that_a_kept_set_names_stays() -> None:
    kept = {"b": {"snapshot": "one"}}
    assert given_up({"one": {"tags": ["a"]}}, kept, {"a": {"snapshot": "one"}}) == []


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/", ()),
        ("/live", ("--include", "/live")),
        ("/a/o[d]d *?\\", ("--include", "/o\\[d\\]d \\*\\?\\\\")),
    ],
)
def test_a_path_is_meant_literally(path: str, options: tuple[str, ...]) -> None:
    assert options_of(path, is_in_place=False) == options
    assert options_of(path, is_in_place=True) == (*options, "--delete")


def test_a_path_is_brought_back_below_the_root_only(tmp_path: Path) -> None:
    root = tmp_path.resolve()
    (root / "out").symlink_to("/etc")
    assert place(root, "/") == root
    assert place(root, "/new/file") == root / "new/file"
    assert place(root, "/out") == root / "out"
    with pytest.raises(BackupError) as caught:
        place(root, "/out/passwd")
    assert caught.value.what == (
        "/out/passwd cannot be brought back in place: a folder on its way is a link now"
    )


VANISHED = """\
echo '{"message_type":"error","error":{"message":"lchown /live/1.ts: no such file or directory"}}' >&2
echo 'Fatal: There were 1 errors' >&2
exit 1
"""
RESTORED = {"message_type": "summary", "files_restored": 2, "files_skipped": 5}


def test_a_writer_that_removes_what_comes_back_is_met_by_running_again(
    tmp_path: Path, calls: Calls, repository: Repository
) -> None:
    calls(VANISHED, says(RESTORED))
    assert repository.restore("51c43a0e:/", tmp_path / "there", "--delete") == RESTORED
    assert asked(tmp_path) == [f"restore --no-lock --target {tmp_path}/there --delete 51c43a0e:/"] * 2


def test_a_writer_that_never_ends_is_named(tmp_path: Path, calls: Calls, repository: Repository) -> None:
    calls(*[VANISHED] * 4)
    with pytest.raises(BackupError, match=f"{tmp_path}/there is written to meanwhile") as error:
        repository.restore("51c43a0e:/", tmp_path / "there")
    assert error.value.hint.startswith("Stop who writes there")
    assert error.value.details[0] == "lchown /live/1.ts: no such file or directory"


def test_another_error_of_a_restore_is_said_at_once(
    tmp_path: Path, calls: Calls, repository: Repository
) -> None:
    calls("echo 'Fatal: no space left on device' >&2; exit 1")
    with pytest.raises(BackupError, match=r"restic restore failed \(exit 1\)"):
        repository.restore("51c43a0e:/", tmp_path / "there")
    assert len(asked(tmp_path)) == 1
