"""Backups of objects: any history of a bucket, taken and brought back, on buckets in memory."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rookery.apps.backup.guest.backups import objects_restore
from rookery.apps.backup.guest.backups.errors import BackupError
from rookery.apps.backup.guest.backups.objects import SLACK
from rookery.apps.backup.guest.backups.objects_history import Version, current_at, current_between
from rookery.apps.backup.guest.backups.objects_manifest import read_manifest
from tests.kit.backup_world import BEGAN, World, copies, kept_world, md5


@pytest.fixture
def world() -> Iterator[World]:
    with kept_world() as made:
        yield made


KEY = st.sampled_from(["a", "a/b", "ä ö%41", "z\n"])
DOING = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEY, st.binary(max_size=3)),
        st.tuples(st.just("hide"), KEY, st.just(b"")),
        st.tuples(st.just("wait"), st.sampled_from(["0.2", "1.0", "2.7"]), st.just(b"")),
        st.tuples(st.just("take"), st.just(""), st.just(b"")),
        st.tuples(st.just("restore"), st.just(""), st.binary(min_size=1, max_size=1)),
        st.tuples(st.just("versions"), st.sampled_from(["Enabled", "Suspended"]), st.just(b"")),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=300)
@given(DOING)
def test_whatever_happened_a_set_gives_back_what_was_there(doing: list[tuple[str, str, bytes]]) -> None:
    with kept_world() as world:
        was: dict[str, Any] = {}
        for what, name, content in doing:
            if what == "put":
                world.put(name, content, ContentType=f"x/{len(content)}", Metadata={"n": str(world.time)})
            elif what == "hide":
                world.hide(name)
            elif what == "wait":
                world.pass_time(float(name))
            elif what == "versions":
                world.version(name)
            elif what == "take":
                label = world.take()
                was[label] = world.gateway.current("media")
            elif was:
                label = sorted(was)[content[0] % len(was)]
                world.restore(label)
                assert world.gateway.current("media") == was[label]
        for label, state in was.items():
            world.restore(label)
            assert world.gateway.current("media") == state
            assert world.restore(label)["buckets"][0]["written"] == 0
        assert world.check(deep=True) == []


@settings(deadline=None, max_examples=200)
@given(DOING)
def test_a_bucket_is_seen_as_of_any_second_since_the_first_set(doing: list[tuple[str, str, bytes]]) -> None:
    with kept_world() as world:
        world.take()
        seconds = {}
        for what, name, content in doing:
            if what == "put":
                world.put(name, content)
            elif what == "hide":
                world.hide(name)
            elif what == "wait":
                world.time = math.ceil(world.time + float(name))
                seconds[objects_restore.iso(int(world.time))] = world.gateway.current("media")
        world.pass_time(1.0)
        for at, state in seconds.items():
            world.restore(at=at)
            assert world.gateway.current("media") == state


def test_what_was_hidden_while_the_set_was_taken_comes_back_too(world: World) -> None:
    world.put("film/1.m4s", b"one")
    world.put("list", b"old")

    def meanwhile() -> None:
        world.pass_time(0.3)
        world.hide("film/1.m4s")
        world.put("list", b"new")

    label = world.take(meanwhile)
    manifest = read_manifest(world.work.store, world.kept[label])
    assert [(one.key, one.until is None) for one in manifest.buckets["media"]] == [
        ("film/1.m4s", False),
        ("list", True),
        ("list", False),
    ]
    world.restore(label)
    assert {key: found[0] for key, found in world.gateway.current("media").items()} == {
        "film/1.m4s": b"one",
        "list": b"new",
    }


def test_what_is_written_while_the_list_is_made_is_of_a_later_moment(world: World) -> None:
    world.put("page", b"old")
    listed = world.gateway.get_paginator

    def late(operation: str) -> Any:
        world.gateway.get_paginator = listed  # type: ignore[method-assign]
        world.put("page", b"new, names a part that the list has passed")
        return listed(operation)

    world.time = math.ceil(world.time + 1.0)
    label = world.label()
    world.gateway.get_paginator = late  # type: ignore[method-assign]
    mark = world.kind.mark(world.work, label)
    assert [(one.etag, one.until) for one in mark["manifest"].buckets["media"]] == [
        (hashlib.md5(b"old", usedforsecurity=False).hexdigest(), None)
    ]


def test_the_moment_is_the_beginning_of_a_second_that_every_clock_has_passed(world: World) -> None:
    world.time = BEGAN + 0.9
    mark = world.kind.mark(world.work, world.label())
    assert (mark["manifest"].since, mark["manifest"].moment) == (BEGAN - 1, BEGAN + 2)
    assert world.time == pytest.approx(BEGAN + 2 + SLACK)


def test_headers_come_back_and_so_do_those_that_changed_alone(world: World) -> None:
    head = {"ContentType": "video/mp4", "CacheControl": "max-age=9", "ContentEncoding": "gzip"}
    world.put("film", b"film", Metadata={"by": "us"}, **head)
    world.take()
    world.put("film", b"film", ContentType="text/plain")
    assert world.restore()["buckets"] == [{"bucket": "media", "written": 1, "hidden": 0, "same": 0}]
    assert world.gateway.current("media")["film"] == (b"film", {**head, "Metadata": {"by": "us"}})


def test_a_prefix_comes_back_and_nothing_else_changes(world: World) -> None:
    world.put("a/1", b"1")
    world.put("b/1", b"1")
    world.take()
    world.hide("a/1")
    world.put("a/2", b"2")
    world.put("b/1", b"2")
    assert world.restore(path="media/a/")["says"].endswith("1 objects written, 1 hidden, 0 as they were")
    assert {key: found[0] for key, found in world.gateway.current("media").items()} == {
        "a/1": b"1",
        "b/1": b"2",
    }
    with pytest.raises(BackupError, match="bucket media has nothing below c/ as of set"):
        world.restore(path="media/c/")
    with pytest.raises(BackupError, match="bucket other is not backed up") as found:
        world.restore(path="other")
    assert (found.value.kind, found.value.hint) == ("input", "These are: media, site.")


def test_all_buckets_come_back_where_none_is_named(world: World) -> None:
    world.put("a", b"1")
    world.put("index.html", b"1", bucket="site")
    world.take()
    world.hide("a")
    world.hide("index.html", bucket="site")
    assert [one["written"] for one in world.restore(path="")["buckets"]] == [1, 1]


def test_a_set_from_before_a_bucket_was_there_brings_back_the_others(world: World) -> None:
    world.put("a", b"1")
    world.take()
    world.work.told.config["objects"]["buckets"].append("later")
    world.gateway.create_bucket(Bucket="later")
    assert [one["bucket"] for one in world.restore(path="")["buckets"]] == ["media", "site"]
    with pytest.raises(BackupError, match="has no bucket later") as found:
        world.restore(path="later")
    assert found.value.kind == "input"


def test_moments_outside_of_what_there_is_are_refused_with_the_window(world: World) -> None:
    world.put("a", b"1")
    world.gateway.buckets["media"].lifecycle = [
        {"NoncurrentVersionExpiration": {"NoncurrentDays": 8}},
        {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}},
    ]
    label = world.take()
    with pytest.raises(BackupError, match="lies in the future") as future:
        world.restore(label, at="2026-12-30T17:00:00+00:00")
    with pytest.raises(BackupError, match=r"its versions go back to 2026-11-30T17:00:02\+00:00") as before:
        world.restore(label, at="2026-11-30T16:59:59+00:00")
    world.pass_time(20 * 86400)
    with pytest.raises(BackupError, match=r"its versions go back to 2026-12-12T17:00") as over:
        world.restore(label, at="2026-12-11T17:00:00+00:00")
    assert [one.value.kind for one in (future, before, over)] == ["input"] * 3


def test_scratch_is_a_bucket_beside_that_must_be_empty(world: World) -> None:
    world.put("a", b"1")
    world.put("b", b"2")
    label = world.take()
    world.hide("a")
    target = f"restored-media-{label}"
    assert world.restore(to="scratch")["buckets"][0] == {
        "bucket": target,
        "written": 2,
        "hidden": 0,
        "same": 0,
    }
    assert sorted(world.gateway.current(target)) == ["a", "b"]
    assert list(world.gateway.current("media")) == ["b"]
    # An interrupted one goes on.
    del world.gateway.buckets[target].keys["b"]
    assert world.restore(to="scratch")["buckets"][0]["written"] == 1
    world.put("c", b"mine", bucket=target)
    with pytest.raises(BackupError, match=f"bucket {target} is not empty: it has c") as found:
        world.restore(to="scratch")
    assert found.value.kind == "not-possible"
    assert world.gateway.current(target)["c"][0] == b"mine"


def test_an_object_that_came_back_in_parts_from_a_copy_outside_is_the_same_object(world: World) -> None:
    """It has another ETag since, and a note of the one before, which nobody gets with it."""
    world.put("a", b"film", ContentType="video/mp4", Metadata={"title": "one"})
    label = world.take()
    world.hide("a")
    (key,) = copies(world)
    note = {"source-etag": md5(b"film"), "title": "one"}
    headers = {"ContentType": "video/mp4", "Metadata": note}
    world.gateway._put("backups", key, b"film", f"{md5(b'parts')}-2", headers)
    assert world.check(deep=True) == []
    done = world.restore(label)
    assert done["buckets"][0]["written"] == 1
    head = world.gateway.head_object(Bucket="media", Key="a")
    assert (head["ContentType"], head["Metadata"]) == ("video/mp4", {"title": "one"})
    assert world.restore(label)["buckets"][0]["written"] == 0


def test_without_room_nothing_is_brought_back_and_that_is_said_first(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy shares with its source what lies behind the first 4 MiB of an object."""
    mib = 1 << 20
    world.put("a", b"a" * (6 * mib))
    world.put("b", b"b" * (2 * mib))
    label = world.take()
    world.hide("b")
    world.work.told.config.update(cluster={"user": "backup"}, objects={"buckets": ["media"], "pool": "data"})
    asked: list[tuple[str, str]] = []
    room = 0

    def pool_room(user: str, pool: str) -> int:
        asked.append((user, pool))
        return room

    monkeypatch.setattr(objects_restore, "pool_room", pool_room)
    room = 256 * mib + 6 * mib - 1
    before = world.asked("CopyObject")
    with pytest.raises(BackupError, match="no room: 6 MiB are to be written, pool data has 5 MiB") as error:
        world.restore(to="scratch")
    assert error.value.kind == "not-possible"
    assert world.asked("CopyObject") == before
    assert f"restored-media-{label}" not in world.gateway.buckets
    assert world.restore()["buckets"][0]["written"] == 1  # in place, 2 MiB only
    room += 1
    assert world.restore(to="scratch")["buckets"][0]["written"] == 2
    assert set(asked) == {("backup", "data")}


def test_who_writes_while_it_is_restored_is_told_of(world: World) -> None:
    world.put("a", b"1")
    world.take()
    world.put("a", b"2")

    def writer(operation: str, key: str) -> None:
        if operation == "CopyObject" and key == "media/a":
            world.gateway.refuse = lambda *_: None
            world.put("b", b"meanwhile")

    world.gateway.refuse = writer
    with pytest.raises(BackupError, match=r"media was written to meanwhile: 1 objects .* the first is b"):
        world.restore()


def test_which_version_was_current_when() -> None:
    def version(name: str, modified: int, until: int | None, *, gone: bool = False) -> Version:
        return Version(key="k", version=name, etag="", size=0, modified=modified, until=until, gone=gone)

    versions = (
        version("d", 30, None),
        version("c", 20, 30, gone=True),
        version("b", 10, 20),
        version("a", 10, 10),
    )
    names = {
        moment: getattr(current_at(versions, moment), "version", "") for moment in (10, 11, 20, 21, 30, 31)
    }
    assert names == {10: "", 11: "b", 20: "b", 21: "", 30: "", 31: "d"}
    assert [(one.version, one.until) for one in current_between(versions, 20, 31)] == [("d", None), ("b", 20)]
    assert [(one.version, one.until) for one in current_between(versions, 10, 20)] == [("b", None), ("a", 10)]
    assert not list(current_between(versions, 21, 30))
