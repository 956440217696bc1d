"""Copies of backups outside: what is copied when, what is refused, and where their keys come from."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from rookery.apps.backup.guest.backups import copies, outside
from rookery.apps.backup.guest.backups.copies import Side
from rookery.apps.backup.guest.backups.errors import BackupError
from rookery.apps.backup.guest.backups.kind import Work
from rookery.apps.backup.guest.backups.store import Store
from rookery.apps.backup.guest.backups.told import Place, Told
from rookery.apps.backup.settings import BackupSettings, Copy
from rookery.errors import InputError
from rookery.run.copy_keys import read_copy_keys, variable
from rookery.systems.protocol import System
from tests.kit.memory_s3 import MemoryS3, multipart

PART = 1 << 10
HERE = Place(name="here", endpoint="https://here", bucket="backups", authority="", access="a", secret="s")
THERE = dataclasses.replace(HERE, name="vault", endpoint="https://there", bucket="copies")


class Pair:
    """A system's store and a place outside."""

    def __init__(self, *, fsid: str = "one") -> None:
        self.here, self.there = MemoryS3("backups"), MemoryS3("copies")
        self.store = Store(HERE, self.here)
        config = {"system": "demo", "lock": 1, "retention": {"seconds": 60}}
        self.work = Work(
            told=Told(config=config, keys={"fsid": fsid}), store=self.store, report=lambda _: None
        )

    def copy(self) -> dict[str, str]:
        return outside.copy_all(self.work, (THERE,), lambda place: Store(place, self.there))

    def prune(self) -> None:
        outside.prune_all(self.work, (THERE,), lambda place: Store(place, self.there))

    @property
    def copied(self) -> dict[str, bytes]:
        found = {key: one.content for key, one in self.there.buckets["copies"].items()}
        return {
            key.removeprefix("demo/"): content for key, content in found.items() if "system.json" not in key
        }


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Pair:
    monkeypatch.setattr(copies, "_PART", PART)
    made = Pair()
    made.store.put_json("sets/20261130t160000z.json", {"label": "20261130t160000z"})
    made.store.put("database/wals/1", b"a segment")
    # As barman-cloud puts a large one: in parts of its own size, without our digest.
    made.here.buckets["backups"]["database/base/data.tar"] = multipart([b"x" * 5 * PART, b"y" * PART])
    return made


def test_everything_is_copied_once_and_sets_come_last(pair: Pair) -> None:
    assert pair.copy() == {"vault": "whole"}
    assert pair.copied == {key: one.content for key, one in pair.here.buckets["backups"].items()}
    assert pair.there.puts[0] == "demo/system.json"
    assert pair.there.puts[-1] == "demo/sets/20261130t160000z.json"
    del pair.there.puts[:]
    assert pair.copy() == {"vault": "whole"}
    assert pair.there.puts == []
    pair.store.put("database/wals/1", b"another segment")
    pair.store.put("database/wals/2", b"next segment")
    assert pair.copy() == {"vault": "whole"}
    assert sorted(pair.there.puts) == ["demo/database/wals/1", "demo/database/wals/2"]


@pytest.mark.parametrize("size", [1, 3 * PART])
def test_an_object_keeps_what_it_is_given_with_there_and_back(pair: Pair, size: int) -> None:
    """A page without its type and a film that may be kept for no time are not what was backed up."""
    given = {"ContentType": "text/html", "CacheControl": "max-age=60", "Metadata": {"title": "one"}}
    pair.here.put_object(Bucket="backups", Key="objects/site/page", Body=b"x" * size, **given)
    assert pair.copy() == {"vault": "whole"}
    del pair.here.buckets["backups"]["objects/site/page"]
    copies.copy(Side(store=Store(THERE, pair.there), prefix="demo/"), Side(store=pair.store), lambda _: None)
    head = pair.here.head_object(Bucket="backups", Key="objects/site/page")
    assert (head["ContentType"], head["CacheControl"]) == ("text/html", "max-age=60")
    assert head["Metadata"]["title"] == "one"
    assert ("source-etag" in head["Metadata"]) == (size > PART)


def test_a_copy_that_was_cut_short_has_no_set_and_goes_on(pair: Pair) -> None:
    pair.there.refused["UploadPart"] = "QuotaExceeded"
    words = pair.copy()["vault"]
    assert words.startswith("cannot write demo/database/base/data.tar to bucket copies at https://there: ")
    assert "its quota is used up (403)" in words
    assert pair.there.unfinished == 0
    assert not any(key.startswith("sets/") for key in pair.copied)
    pair.there.refused.clear()
    assert pair.copy() == {"vault": "whole"}
    assert "sets/20261130t160000z.json" in pair.copied


def test_a_flipped_byte_here_is_named_and_not_copied(pair: Pair) -> None:
    for key, content, differs in (
        ("database/wals/1", b"a segment", "SHA-256"),
        ("restic/data/1", b"a pack", "ETag"),
    ):
        if key not in pair.here.buckets["backups"]:
            pair.here.put_object(Bucket="backups", Key=key, Body=content)
        stored = pair.here.buckets["backups"][key]
        stored.content = bytes([content[0] ^ 1]) + content[1:]
        words = f"{key} in bucket backups at https://here is not what was written: its {differs} differs"
        assert pair.copy() == {"vault": words}
        assert key not in pair.copied
        stored.content = content
    assert pair.copy() == {"vault": "whole"}


def test_a_bucket_with_something_else_in_it_is_left_alone(pair: Pair) -> None:
    pair.there.put_object(Bucket="copies", Key="letters/1", Body=b"dear")
    pair.there.put_object(Bucket="copies", Key="demo2/system.json", Body=b"{}")
    assert pair.copy() == {"vault": "whole"}
    pair.here.buckets["backups"].pop("database/wals/1")
    pair.prune()
    assert pair.there.buckets["copies"]["letters/1"].content == b"dear"


def test_another_system_of_the_same_name_is_refused(pair: Pair) -> None:
    assert pair.copy() == {"vault": "whole"}
    other = Pair(fsid="two")
    other.there = pair.there
    assert other.copy() == {
        "vault": "demo/ in bucket copies at https://there is of another system of that name, with fsid one"
    }
    mark = {"format": 2, "system": "demo", "fsid": "one"}
    Store(THERE, pair.there).put_json("demo/system.json", mark)
    assert pair.copy() == {
        "vault": "bucket copies at https://there was written by a newer version: format 2, not 1"
    }


@pytest.mark.parametrize(
    ("lock", "locked"),
    [
        (None, False),  # the bucket cannot lock
        ({"ObjectLockEnabled": "Enabled"}, True),  # it can, and does not by itself
        ({"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {}}}, False),  # it does by itself
    ],
)
def test_what_is_copied_is_locked_where_the_bucket_does_not_do_so(
    pair: Pair, lock: Mapping[str, Any] | None, *, locked: bool
) -> None:
    pair.there.lock = lock
    assert pair.copy() == {"vault": "whole"}
    more = pair.there.buckets["copies"]["demo/database/wals/1"].more
    assert more.get("ObjectLockMode") == ("COMPLIANCE" if locked else None)
    assert more["ContentMD5"]


def test_what_is_kept_no_more_goes_once_it_is_old(pair: Pair) -> None:
    assert pair.copy() == {"vault": "whole"}
    pair.there.buckets["copies"]["demo/database/wals/1"].written -= dt.timedelta(seconds=61)
    for key in ("database/wals/1", "database/base/data.tar"):
        pair.here.buckets["backups"].pop(key)
    pair.prune()
    assert sorted(pair.copied) == ["database/base/data.tar", "sets/20261130t160000z.json"]


def test_an_empty_store_takes_nothing_from_the_copy(pair: Pair) -> None:
    assert pair.copy() == {"vault": "whole"}
    before = pair.copied
    pair.here.buckets["backups"].clear()
    assert copies.prune(Side(store=pair.store), Side(store=Store(THERE, pair.there), prefix="demo/"), -1) == 0
    assert pair.copied == before


def test_a_copy_back_is_the_same_and_is_not_copied_again(pair: Pair) -> None:
    assert pair.copy() == {"vault": "whole"}
    again = Pair()
    side = Side(store=Store(THERE, pair.there), prefix="demo/")
    copies.copy(side, Side(store=again.store), lambda _: None)
    assert {key: one.content for key, one in again.here.buckets["backups"].items()} == pair.copied
    again.there = pair.there
    del again.there.puts[:]
    assert again.copy() == {"vault": "whole"}
    assert again.there.puts == []


class _Backups:
    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = secrets

    def own(self) -> Mapping[str, bytes]:
        return {"secrets.json": json.dumps(self._secrets).encode()}


class _App:
    name = "backup"

    def __init__(self, *copies: Copy) -> None:
        self.settings = BackupSettings(copies=copies)


class _System:
    """As much of a system as its copies' keys are read for."""

    def __init__(self, *copies: Copy, known: Mapping[str, str] | None = None) -> None:
        self.design = self
        self.kubernetes = None
        self.apps = (_App(*copies),)
        self.backups = _Backups(known or {})


def _keys(
    *copies: Copy, given: Mapping[str, str] | None = None, known: Mapping[str, str] | None = None
) -> Mapping[str, str]:
    return read_copy_keys(cast("System", _System(*copies, known=known)), given or {})


def _copy(**more: Any) -> Copy:
    return Copy(name="off-site", endpoint="https://s3.example.org", bucket="copies", **more)


def test_keys_come_from_the_environment_a_file_or_what_is_kept(tmp_path: Path) -> None:
    assert variable("off-site", "access") == "ROOKERY_COPY_OFF_SITE_ACCESS_KEY"
    given = {"ROOKERY_COPY_OFF_SITE_ACCESS_KEY": "me", "ROOKERY_COPY_OFF_SITE_SECRET_KEY": "hush"}
    wanted = {"copy.off-site.access": "me", "copy.off-site.secret": "hush"}
    assert _keys(_copy(), given=given) == wanted
    assert _keys(_copy(), known=wanted) == {}
    file = tmp_path / "credentials"
    file.write_text(
        "[other]\naws_access_key_id = no\n[off-site]\naws_access_key_id = me\naws_secret_access_key=hu%sh\n",
        encoding="utf-8",
    )
    assert _keys(_copy(credentials=str(file))) == {**wanted, "copy.off-site.secret": "hu%sh"}
    assert _keys(_copy(credentials=str(file)), given=given) == wanted
    authority = tmp_path / "ca.crt"
    authority.write_text("a certificate", encoding="utf-8")
    assert _keys(_copy(authority=str(authority)), given=given) == {
        **wanted,
        "copy.off-site.authority": "a certificate",
    }


def test_copies_without_keys_are_all_named_before_anything_is_made(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text("[off-site]\naws_access_key_id = me\n", encoding="utf-8")
    second = _copy(credentials=str(file)).model_copy(update={"name": "second"})
    missing = str(tmp_path / "missing.crt")
    third = _copy(authority=missing).model_copy(update={"name": "third"})
    with pytest.raises(InputError) as told:
        _keys(_copy(), second, third)
    access, secret = (variable("off-site", part) for part in ("access", "secret"))
    assert told.value.what == "copies outside have no keys"
    assert told.value.details == (
        f"off-site: neither {access} and {secret} nor a file `credentials`",
        f"second: {file} has no section second or default",
        f"third: {missing} cannot be read: [Errno 2] No such file or directory: '{missing}'",
    )


def test_a_place_without_its_keys_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(outside, "KEYS", tmp_path / "keys.json")
    named = {"name": "vault", "endpoint": "https://there", "bucket": "copies", "authority": "", "region": "x"}
    told = Told(config={"copies": [named]}, keys={})
    with pytest.raises(BackupError, match=r"^there are no keys for the copies outside in "):
        outside.read_places(told)
    (tmp_path / "keys.json").write_text('{"vault": {"access": "a", "secret": "s"}}', encoding="utf-8")
    assert outside.read_places(told) == (dataclasses.replace(THERE, region="x"),)
    assert outside.read_places(Told(config={"copies": []}, keys={})) == ()
