"""The live channel: its folder, what is published to it, and who leads."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rookery.apps.streaming.guest.channel.pods.cluster_lease import ApiError
from rookery.apps.streaming.guest.channel.pods.folder import FolderShare, LateError
from tests.kit.streaming_programs import guest

# The folder


def share(folder: Path, *, may_write: Callable[[], bool] = lambda: True) -> FolderShare:
    return FolderShare(folder, writer="pod-1", may_write=may_write)


def test_a_file_appears_whole_and_can_be_replaced_and_removed(tmp_path: Path) -> None:
    with share(tmp_path).client() as client:
        session = client.open()
        assert session.read("live.m3u8") is None
        session.write("live.m3u8", b"one")
        session.write("live.m3u8", b"two")
        assert (session.read("live.m3u8"), session.names(), client.address) == (b"two", ["live.m3u8"], "")
        session.remove("live.m3u8")
        session.remove("live.m3u8")
        assert session.names() == []


def test_what_was_written_too_late_is_not_put_in_place(tmp_path: Path) -> None:
    (tmp_path / "live.m3u8").write_text("a successor's")
    late = pytest.raises(LateError, match=r"live\.m3u8 was written too late to be put in place")
    with late, share(tmp_path, may_write=lambda: False).client() as client:
        client.open().write("live.m3u8", b"old")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("live.m3u8", "a successor's")]


def test_what_a_lost_writer_left_unfinished_is_removed_in_time(tmp_path: Path) -> None:
    for name, age in ((".live.m3u8.pod-0.new", 700), (".live.m3u8.pod-2.new", 5)):
        (tmp_path / name).write_text("half")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    with share(tmp_path).client() as client:
        assert client.open().names() == [".live.m3u8.pod-2.new"]


# Publishing to a folder


@dataclass
class AlwaysHeld:
    """A lease that nobody else wants."""

    error: type[Exception] = ApiError
    held: bool = True

    def last_writer(self) -> None:
        return None

    def sign(self, address: str, *, done: bool) -> None:
        pass


ENCODED = """\
#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:0
#EXTINF:2.000000,
#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:05.000+0000
0.ts
#EXTINF:2.000000,
#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:07.000+0000
1.ts
"""


@contextlib.contextmanager
def publishing(tmp_path: Path, lease: AlwaysHeld) -> Iterator[tuple[Any, Path, Path]]:
    source, folder = tmp_path / "encoded", tmp_path / "live"
    source.mkdir()
    folder.mkdir()
    publisher = guest("publisher").Publisher(
        host="worker-a", source=source, share=share(folder, may_write=lambda: lease.held), lease=lease
    )
    publisher.start()
    try:
        yield publisher, source, folder
    finally:
        assert publisher.end(5)


def until(what: Callable[[], object]) -> None:
    limit = time.monotonic() + 10
    while not what():
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_segments_reach_the_folder_before_the_playlist_that_names_them(tmp_path: Path) -> None:
    lease = AlwaysHeld()
    with publishing(tmp_path, lease) as (publisher, source, folder):
        old = folder / ".20250102T030405.000Z-worker-z.ts.pod-0.new"
        old.write_text("half of a lost leader's")
        for number in range(2):
            (source / f"{number}.ts").write_bytes(b"segment %d" % number)
        (source / "local.m3u8").write_text(ENCODED)
        until(lambda: (folder / "live.m3u8").exists() and "07.000Z" in (folder / "live.m3u8").read_text())
        until(lambda: not old.exists())
        names = ["20260102T030405.000Z-worker-a.ts", "20260102T030407.000Z-worker-a.ts"]
        assert sorted(path.name for path in folder.iterdir()) == [*names, "live.m3u8"]
        assert (folder / names[1]).read_bytes() == b"segment 1"
        text = (folder / "live.m3u8").read_text()
        assert [line for line in text.splitlines() if line.endswith(".ts")] == names
        assert publisher.error == ""


def test_who_may_not_write_any_more_writes_nothing(tmp_path: Path) -> None:
    lease = AlwaysHeld()
    with publishing(tmp_path, lease) as (publisher, source, folder):
        lease.held = False
        (source / "0.ts").write_bytes(b"segment")
        (source / "local.m3u8").write_text(ENCODED)
        publisher.join(5)
        assert (publisher.is_alive(), list(folder.iterdir()), publisher.error) == (False, [], "")


# Who leads


class _Term:
    """What the channel sees of a publisher."""

    def __init__(
        self, *, error: str = "", alive: bool = True, silent_for: float = 0.0, barren_for: float = 0.0
    ) -> None:
        self.error, self.silent_for, self._alive = error, silent_for, alive
        self.barren_for = barren_for

    def is_alive(self) -> bool:
        return self._alive

    def end(self, _limit: float) -> bool:
        return True


class _Lead:
    """A lease that is held, and an encoder that runs: both note what they are told."""

    renew_every = try_every = 1.0
    held = running = True

    def __init__(self) -> None:
        self.told: list[str] = []

    def take(self) -> bool:
        self.told.append("renewed")
        return True

    def release(self) -> None:
        self.told.append("released")

    def kill(self) -> None:
        self.told.append("killed")


@pytest.mark.parametrize(
    ("term", "told"),
    [
        (_Term(), ["renewed"]),
        (_Term(error="Error: full"), ["killed", "released"]),
        # The publisher saw the lease run out; a late renewal then came through.
        (_Term(alive=False), ["killed", "released"]),
        (_Term(silent_for=14.0), ["renewed"]),
        (_Term(silent_for=16.0), ["killed", "released"]),
        # ffmpeg runs, and nothing comes of it.
        (_Term(barren_for=29.0), ["renewed"]),
        (_Term(barren_for=31.0), ["killed", "released"]),
    ],
)
def test_a_leader_that_publishes_nothing_leaves_the_lead_to_others(term: Any, told: list[str]) -> None:
    lead: Any = _Lead()
    channel = guest("channel").Channel(host="worker-a", lease=lead, share=lead, encoder=lead)
    channel._publisher = term
    channel._go_on(term)
    assert lead.told == told


class _Asks(_Lead):
    """A lease that somebody else holds, or nobody tells of."""

    def __init__(self, *answers: str) -> None:
        super().__init__()
        self._answers = list(answers)
        self.unknown = ""

    def take(self) -> bool:
        self.unknown = self._answers.pop(0)
        return False


def test_who_does_not_lead_says_what_is_known_and_once(caplog: pytest.LogCaptureFixture) -> None:
    """An object whose OSD hangs does not tell who holds the lock: "another host encodes" was said then."""
    lease: Any = _Asks("", "", "RADOS: timed out", "RADOS: timed out", "")
    channel = guest("channel").Channel(host="worker-a", lease=lease, share=lease, encoder=lease)
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            channel._follow()
    assert caplog.messages == [
        "following: another host holds the lease",
        "waiting: who holds the lease is not known: RADOS: timed out",
        "following: another host holds the lease",
    ]
