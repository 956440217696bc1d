"""Copies of objects in the store: made once, looked at, removed, and what goes wrong with them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from rookery.apps.backup.guest.backups.errors import BackupError
from rookery.apps.backup.guest.backups.objects_copy import Source, copy
from rookery.apps.backup.guest.backups.objects_manifest import Manifest, copy_key, label_of, read_manifest
from tests.kit.backup_world import World, copies, kept_world, md5
from tests.kit.buckets import refusal


@pytest.fixture
def world() -> Iterator[World]:
    with kept_world() as made:
        yield made


def test_a_second_set_copies_what_is_new(world: World) -> None:
    for number in range(40):
        world.put(f"film/{number}", b"%d" % number * 100)
    first = world.kept[world.take()]
    assert (first["objects"], first["copied"], world.asked()) == (40, 40, 40)
    world.put("film/3", b"another")
    second = world.kept[world.take()]
    assert (second["objects"], second["copied"], world.asked()) == (40, 1, 41)
    assert second["moved"] < first["moved"] / 3
    world.gateway.delete_object(Bucket="backups", Key=copies(world)[0])
    assert len(world.check()) == 1
    assert world.kept[world.take()]["copied"] == 1
    assert world.check(deep=True) == []


@pytest.mark.parametrize(
    ("code", "status", "meant"),
    [
        ("AccessDenied", 403, r"it refuses these keys \(403\)"),
        ("QuotaExceeded", 403, r"its quota is used up \(403\)"),
        ("InsufficientCapacity", 507, r"it is full \(507\)"),
    ],
)
def test_a_store_that_refuses_leaves_the_last_set_alone(
    world: World, code: str, status: int, meant: str
) -> None:
    world.put("a", b"1")
    world.take()
    for number in range(20):
        world.put(f"b{number}", b"1")

    def full(operation: str, key: str) -> None:
        if operation == "CopyObject" and key.startswith("backups/") and world.asked() > 5:
            raise refusal(code, status)

    world.gateway.refuse = full
    with pytest.raises(
        BackupError, match=rf"cannot copy media/b\d+ \(version .*\) to bucket backups.*{meant}"
    ):
        world.take()
    assert len(world.kept) == 1
    world.gateway.refuse = lambda *_: None
    assert world.check(deep=True) == []
    again = world.kept[world.take()]
    assert 0 < again["copied"] <= 20 - 4, "what was copied before is not copied again"
    assert world.check(deep=True) == []


def test_what_is_missing_or_changed_in_the_store_is_named(world: World) -> None:
    for key in ("a", "b", "c"):
        world.put(key, key.encode() * 10)
    label = world.take()
    manifest = read_manifest(world.work.store, world.kept[label])
    places = {one.key: copy_key("media", one) for one in manifest.buckets["media"]}
    store = world.gateway.buckets["backups"]
    flipped = store.keys[places["a"]][0]
    flipped.content = b"Aaaaaaaaaa"
    world.hide(places["b"], bucket="backups")
    world.gateway.put_object(Bucket="backups", Key=places["c"], Body=b"other")
    named = {
        key: f"media/{key} (version {_version(manifest, key)}): its copy {places[key]}" for key in places
    }
    other = md5(b"other")
    assert sorted(world.check()) == [
        f"{named['b']} is missing",
        f"{named['c']} is another object (ETag {other})",
    ]
    deep = world.check(deep=True)
    assert len(deep) == 3
    assert f"{named['a']} is not what was written: its MD5 differs" in deep


def _version(manifest: Manifest, key: str) -> str:
    return next(one.version for one in manifest.buckets["media"] if one.key == key)


def test_a_list_that_is_missing_or_changed_is_named(world: World) -> None:
    world.put("a", b"1")
    first = world.take()
    key = world.kept[first]["manifest"]
    store = world.gateway.buckets["backups"].keys
    good = store[key][0].content
    store[key][0].content = b"x"
    assert [one.partition(":")[0] for one in world.check()] == [f"set {first}"]
    with pytest.raises(BackupError, match="is not what was written"):
        world.kind.prune(world.work, world.kept, {})
    assert len(copies(world)) == 1
    store[key][0].content = good
    assert world.check() == []
    del store[key]
    assert "there is no such object" in world.check()[0]


def test_what_only_dropped_sets_need_goes(world: World) -> None:
    world.put("a", b"1")
    world.put("b", b"1")
    first = world.take()
    world.put("a", b"2")
    second = world.take()
    assert len(copies(world)) == 3
    dropped = {first: world.kept.pop(first)}
    world.kind.prune(world.work, world.kept, dropped)
    assert len(copies(world)) == 2
    assert [label_of(key) for key in world.gateway.current("backups") if label_of(key)] == [second]
    assert world.check(deep=True) == []
    world.restore(second)


def test_an_object_in_parts_is_read_once_and_held_against_its_sha256(world: World) -> None:
    content = b"0123456789" * 10
    gateway = world.gateway
    world.put("source", content, ContentType="video/mp4")
    client: Any = gateway
    whole = Source(bucket="media", key="source", etag=md5(content), size=len(content))
    etag = copy(client, whole, "media", "film", what="copy", most=30)
    assert etag.endswith("-4")
    assert gateway.current("media")["film"] == (content, {"ContentType": "video/mp4"})
    first = world.take()
    reads = world.asked("GetObject")
    found = {one.key: one for one in read_manifest(world.work.store, world.kept[first]).buckets["media"]}
    assert found["film"].sha256 == hashlib.sha256(content).hexdigest()
    assert found["source"].sha256 == ""
    world.take()
    assert world.asked("GetObject") == reads + 2, "lists alone are read, here and by the second set"
    gateway.buckets["backups"].keys[copy_key("media", found["film"])][0].content = content[::-1]
    assert "its SHA256 differs" in world.check(deep=True)[0]


def test_parts_that_fail_leave_no_upload(world: World) -> None:
    world.put("film", b"x" * 100)

    def gone(operation: str, _key: str) -> None:
        if operation == "UploadPartCopy" and world.asked("UploadPartCopy") == 2:
            raise refusal("InternalError", 500)

    world.gateway.refuse = gone
    client: Any = world.gateway
    source = Source(bucket="media", key="film", etag=md5(b"x" * 100), size=100)
    with pytest.raises(BackupError, match="cannot copy the film: InternalError"):
        copy(client, source, "backups", "film", what="copy the film", most=30)
    assert (world.gateway.uploads, "film" in world.gateway.current("backups")) == (0, False)


def test_a_source_that_changed_under_the_copy_is_not_taken_for_it(world: World) -> None:
    world.version("Suspended")
    world.put("a", b"1")
    world.time = math.ceil(world.time + 1.0)
    label = world.label()
    mark = world.kind.mark(world.work, label)
    world.put("a", b"2")
    with pytest.raises(BackupError, match="it is not what it was a moment ago"):
        world.kind.keep(world.work, label, mark, None)


def test_a_store_that_does_not_answer_is_no_list_of_bad_objects(world: World) -> None:
    world.put("a", b"1")
    world.take()

    def gone(operation: str, key: str) -> None:
        if operation in ("GetObject", "HeadObject") and "/media/" in key:
            raise refusal("ServiceUnavailable", 503)

    world.gateway.refuse = gone
    with pytest.raises(BackupError, match="ServiceUnavailable"):
        world.check(deep=True)


class KilledError(BaseException):
    """Stands for SIGKILL: nothing catches it and goes on."""


def killed_at(world: World, number: int, act: Callable[[], object]) -> bool:
    """Do something until a request of a number is to be sent; tell whether it came to that."""
    before = len(world.gateway.asked)

    def kill(_operation: str, _key: str) -> None:
        if len(world.gateway.asked) - before > number:
            raise KilledError

    world.gateway.refuse = kill
    try:
        act()
    except KilledError:
        return True
    finally:
        world.gateway.refuse = lambda *_: None
    return False


def test_killed_at_any_request_the_next_run_ends_well() -> None:
    number, was_killed = 0, True
    while was_killed:
        with kept_world() as world:
            for key in ("a", "b", "c"):
                world.put(key, b"1")
            first = world.take()
            state = world.gateway.current("media")
            world.put("a", b"2")
            world.put("d", b"1")
            world.hide("c")
            was_killed = killed_at(world, number, world.take)
            assert world.check(deep=True) == []
            second = world.take()
            later = world.gateway.current("media")
            was_killed |= killed_at(world, number, partial(world.restore, first))
            world.restore(first)
            assert world.gateway.current("media") == state
            was_killed |= killed_at(world, number, partial(world.restore, second, to="scratch"))
            world.restore(second, to="scratch")
            assert world.gateway.current(f"restored-media-{second}") == later
            world.kept = {second: world.kept[second]}
            prune = partial(world.kind.prune, world.work, world.kept, {})
            was_killed |= killed_at(world, number, prune)
            assert world.check(deep=True) == []
            prune()
            assert len(copies(world)) == 3
        number += 1
    assert number > 5
