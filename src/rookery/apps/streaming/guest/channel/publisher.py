"""Brings segments from the encoder's folder to CephFS, where every origin serves them.

A segment is on disk before the playlist names it: whatever a lost leader had listed, its successor can read.
Before it opens the folder, it signs with its client's address and looks whether this host may write still:
whoever sleeps in between wakes up fenced, and whoever never comes back is fenced, too.
"""

from __future__ import annotations

import contextlib
import logging
import re
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rookery.apps.streaming.guest.channel.live_playlist import (
        Playlist,
        Segment,
        parse_playlist,
        render_playlist,
    )
    from rookery.apps.streaming.guest.parts import Lease, Session, Share
else:  # on a server, these files lie side by side in a folder that is no package
    from live_playlist import Playlist, Segment, parse_playlist, render_playlist

PLAYLIST = "live.m3u8"
WINDOW = 10  # segments
_KEPT = 60  # seconds that a segment stays after it left the playlist: players may be behind
_POLL = 0.1  # seconds between looks for a finished segment
_NAME = re.compile(r"^\.?(\d{8}T\d{6}\.\d{3}Z)-.*\.ts(\.(.+\.)?new)?$")

log = logging.getLogger("channel")


class NotLeadingError(Exception):
    """This host may not write any more."""


class Publisher(threading.Thread):
    """One term of leading: it fences, takes the playlist over, then follows the encoder until told to stop.

    `error` says why it ended by itself.
    """

    def __init__(self, *, host: str, source: Path, share: Share, lease: Lease) -> None:
        super().__init__(name="publisher", daemon=True)
        self._host = host
        self._source = source
        self._share = share
        self._lease = lease
        self._ending = threading.Event()
        self._playlist = Playlist(first=0)
        self._progressed = self._published = time.monotonic()
        self._taken = 0  # how many of the encoder's segments were looked at, by its own numbers
        self.error = ""

    @property
    def silent_for(self) -> float:
        """Seconds since it last had nothing to do, or finished what it did."""
        return time.monotonic() - self._progressed

    @property
    def barren_for(self) -> float:
        """Seconds since it last published a segment, or began."""
        return time.monotonic() - self._published

    def end(self, limit: float) -> bool:
        """Ask it to stop; False where it hangs in CephFS beyond `limit` seconds."""
        self._ending.set()
        self.join(limit)
        return not self.is_alive()

    def run(self) -> None:
        try:
            self._fence_until_done()
            with self._writing() as session:
                self._playlist = take_over(session.read(PLAYLIST), clock=time.time())
            while not self._ending.wait(_POLL):
                self._publish_finished()
                self._progressed = time.monotonic()
        except NotLeadingError:
            pass
        except (OSError, self._lease.error, self._share.error) as error:
            self.error = f"{type(error).__name__}: {error}"

    def _fence_until_done(self) -> None:
        """Block the client that a leader was writing by when it was lost, this host's own included."""
        while True:
            self._may_write()
            try:
                last = self._lease.last_writer()
                if last is not None and not last.done:
                    self._lease.fence(last.address)
                    log.info("fenced: %s was writing as %s when it went silent", last.host, last.address)
            except self._lease.error as error:
                log.warning("fencing failed, trying again: %s", error)
                self._ending.wait(0.5)
            else:
                return

    def _may_write(self) -> None:
        if self._ending.is_set() or not self._lease.held:
            raise NotLeadingError

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Session]:
        self._may_write()
        with self._share.client() as client:
            self._lease.sign(client.address, done=False)
            self._may_write()
            yield client.open()
        self._lease.sign(client.address, done=True)

    def _publish_finished(self) -> None:
        try:
            encoded = parse_playlist((self._source / "local.m3u8").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return  # the first segment is not finished yet
        fresh = encoded.segments[max(0, self._taken - encoded.first) :]
        if not fresh:
            return
        # What begins an encoder, or follows a segment that ffmpeg removed before it was published.
        breaks = self._taken == 0 or self._taken < encoded.first
        self._taken = encoded.following
        with self._writing() as session:
            for segment in fresh:
                self._publish(session, segment, breaks=breaks and segment is fresh[0])
        self._published = time.monotonic()

    def _publish(self, session: Session, segment: Segment, *, breaks: bool) -> None:
        data = (self._source / Path(segment.name).name).read_bytes()
        published = replace(segment, name=f"{stamp(segment.at)}-{self._host}.ts", breaks=breaks)
        session.write(published.name, data)
        self._may_write()
        self._playlist = self._playlist.extended(published, window=WINDOW)
        session.write(PLAYLIST, render_playlist(self._playlist).encode())
        for name in outdated(session.names(), self._playlist):
            session.remove(name)


def outdated(names: Iterable[str], playlist: Playlist) -> list[str]:
    """Return the segments, of whichever leader, that left the window long ago, finished or not."""
    oldest = stamp(playlist.segments[0].at, earlier=_KEPT)
    return sorted(name for name in names if (named := _NAME.match(name)) and named[1] < oldest)


def take_over(playlist: bytes | None, *, clock: float) -> Playlist:
    """Return the playlist to go on with: the last leader's, or an empty one where none can be read.

    An empty one begins with the clock (seconds since 1970) in segments. Every segment took real time, so no
    earlier number is larger, unless the clock was set back meanwhile.
    """
    try:
        return parse_playlist((playlist or b"").decode())
    except ValueError:
        return Playlist(first=int(clock) // 2)


def stamp(at: str, *, earlier: float = 0) -> str:
    """Return when a segment was encoded as the beginning of a file name that sorts by time."""
    moment = datetime.fromisoformat(at).astimezone(UTC) - timedelta(seconds=earlier)
    return f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03d}Z"
