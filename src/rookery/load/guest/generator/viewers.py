"""Viewers: each opens pages, chooses something to play, plays it at its own pace, and chooses again.

A segment is due when the player needs it, by the clock: one that comes late delays no other. A segment that
comes after the picture needed it is a stall, and the player goes on from there, as players do.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import ssl
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urljoin

from .ending import EndedError, Ending
from .meters import Meter
from .playlists import Playlist, Rendition, Segment, parse_master, parse_media
from .web import Browser, settle

KINDS = ("pages", "video", "audio", "live", "catalogue", "plays")
_BUFFER = 8.0  # seconds that a player has ahead of its picture
_SWITCH = 0.05  # chance, after each segment, that the player changes the rendition
_AFTER_FAILURE = 1.0  # seconds
_LIVE_SHARE, _AUDIO_SHARE = 0.2, 0.15
_MOST_ASSETS = 8
_LINK = re.compile(r'(?:href|src)="(/[^"#?]*)"')
_ASSET = re.compile(r"\.(css|js|svg|png|webp|jpg|woff2)$")
T = TypeVar("T")


class Viewers:
    """All viewers. `settings` are the job's `viewers`."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        meters: Mapping[str, Meter],
        ending: Ending,
        *,
        context: ssl.SSLContext | None,
    ) -> None:
        self._settings = settings
        self._meters = meters
        self._ending = ending
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        return sum(not task.done() for task in self._tasks)

    async def run(self) -> None:
        """Let the viewers come one after the other over a few seconds, and stay until the end."""
        count = int(self._settings["count"])
        between = min(20.0, count * 0.05) / max(1, count)
        began = time.monotonic()
        with contextlib.suppress(EndedError):
            for number in range(count):
                await self._ending.until(began + number * between)
                viewer = Viewer(
                    self._settings,
                    self._meters,
                    self._ending,
                    browser=Browser(self._context, self._ending),
                    chance=random.Random(number),  # noqa: S311 - chance, no secret
                )
                self._tasks.add(asyncio.ensure_future(viewer.stay()))
        await self._ending.event.wait()

    async def drain(self, limit: float) -> None:
        await settle(self._tasks, limit)


class Viewer:
    """One viewer."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        meters: Mapping[str, Meter],
        ending: Ending,
        *,
        browser: Browser,
        chance: random.Random,
    ) -> None:
        self._settings = settings
        self._meters = meters
        self._ending = ending
        self._browser = browser
        self._chance = chance
        self._seen: set[str] = set()
        self._site = str(settings["site"])

    async def stay(self) -> None:
        """Open pages and play until the run ends."""
        try:
            while True:
                await self._look_around()
                if not await self._play_something():
                    await self._ending.pause(self._chance.uniform(1, 4))
        except EndedError:
            pass
        finally:
            await self._browser.close()

    async def _look_around(self) -> None:
        """Open the first page, and sometimes another it links to, each with what it needs to be shown."""
        if not self._settings["pages"]:
            return
        links = await self._open(self._site + "/")
        pages = [link for link in links if link.endswith(("/", ".html"))]
        if pages and self._chance.random() < 0.5:
            await self._ending.pause(self._chance.uniform(0.5, 2))
            await self._open(self._site + self._chance.choice(pages))
        await self._ending.pause(self._chance.uniform(0.2, 1))

    async def _open(self, url: str) -> list[str]:
        meter = self._meters["pages"]
        page = await self._browser.get(meter, url)
        if page is None:
            await self._ending.pause(_AFTER_FAILURE)
            return []
        links = list(dict.fromkeys(_LINK.findall(page.decode(errors="replace"))))
        for asset in [link for link in links if _ASSET.search(link)][:_MOST_ASSETS]:
            # A browser has seen the assets of a page once.
            if asset not in self._seen and await self._browser.skim(meter, self._site + asset):
                self._seen.add(asset)
        return links

    async def _play_something(self) -> bool:
        """Play one thing for a while; tell whether there was anything to play or to record."""
        if self._settings["live"] and self._chance.random() < _LIVE_SHARE:
            await self._watch_live(self._chance.uniform(20, 90))
            return True
        titles = await self._titles()
        if not titles:
            return False
        wants_audio = self._chance.random() < _AUDIO_SHARE
        chosen = [title for title in titles if (title.get("kind") == "audio") is wants_audio] or titles
        # The n-th title is n times less popular than the first.
        title = self._weighted(chosen, [1 / (n + 1) for n in range(len(chosen))])
        await self._record_play(str(title["id"]))
        if not title.get("master"):
            return False
        kind = "audio" if title.get("kind") == "audio" else "video"
        master = urljoin(f"{self._site}/media/", str(title["master"]))
        await self._play(self._meters[kind], master, self._chance.uniform(20, 90))
        return True

    async def _titles(self) -> list[dict[str, Any]]:
        """Return what can be played; of the catalogue alone where there is no media."""
        found: list[dict[str, Any]] = []
        if self._settings["catalogue"]:
            found = _listed(await self._browser.get(self._meters["catalogue"], f"{self._site}/api/titles"))
        if self._settings["media"]:
            url = f"{self._site}/media/index.json"
            found = _listed(await self._browser.get(self._meters["pages"], url))
        return found

    async def _record_play(self, title: str) -> None:
        if self._settings["catalogue"]:
            name = str(uuid.UUID(int=self._chance.getrandbits(128), version=4))
            url = f"{self._site}/api/titles/{title}/plays"
            await self._browser.post(self._meters["plays"], url, {"id": self._fresh(name)})

    def _fresh(self, name: str) -> str:
        """Return an identifier that no other run makes, too; the chances of viewers repeat by design."""
        return str(uuid.uuid5(uuid.UUID(str(self._settings["run"])), name))

    async def _play(self, meter: Meter, master: str, seconds: float) -> None:
        """Play a film or a piece of music for so many seconds, or to its end."""
        ladder = await self._ladder(meter, master)
        playlist = await self._playlist(meter, self._rung(ladder)) if ladder else None
        if playlist is None:
            await self._ending.pause(_AFTER_FAILURE)
            return
        if playlist.head:
            await self._browser.skim(meter, playlist.head)
        pace = Pace(time.monotonic())
        number = 0
        while number < len(playlist.segments) and pace.position <= seconds:
            await self._segment(meter, playlist.segments[number], pace)
            number += 1
            if self._chance.random() < _SWITCH:
                playlist = await self._playlist(meter, self._rung(ladder)) or playlist

    async def _segment(self, meter: Meter, segment: Segment, pace: Pace) -> None:
        due = pace.due()
        await self._ending.until(due)
        came = await self._browser.skim(meter, segment.url, due=due)
        if not came:
            await self._ending.pause(_AFTER_FAILURE)
        elif pace.stalled(time.monotonic()):
            meter.stalls += 1
        pace.position += segment.seconds

    async def _watch_live(self, seconds: float) -> None:
        meter = self._meters["live"]
        ladder = await self._ladder(meter, f"{self._site}/live/live.m3u8")
        if not ladder:
            await self._ending.pause(_AFTER_FAILURE)
            return
        rendition, last = self._rung(ladder), -1
        due = time.monotonic()
        leaves = due + seconds
        while due < leaves:
            await self._ending.until(due)
            playlist = await self._playlist(meter, rendition, due=due)
            if playlist is None:
                due = time.monotonic() + _AFTER_FAILURE
                continue
            # A player begins three segments before the end (RFC 8216, 6.3.3); it has those it had before.
            fresh = [segment for segment in playlist.segments[-3:] if segment.number > last]
            for segment in fresh:
                await self._browser.skim(meter, segment.url)
                last = segment.number
            due = max(due + (playlist.target if fresh else playlist.target / 2), time.monotonic() - 1)

    async def _ladder(self, meter: Meter, master: str) -> tuple[Rendition, ...]:
        text = await self._browser.get(meter, master)
        if text is None:
            return ()
        ladder = parse_master(text.decode(errors="replace"), master)
        if not ladder:
            meter.failed("no playlist")
        return ladder

    async def _playlist(
        self, meter: Meter, rendition: Rendition, *, due: float | None = None
    ) -> Playlist | None:
        text = await self._browser.get(meter, rendition.url, due=due)
        if text is None:
            return None
        try:
            return parse_media(text.decode(errors="replace"), rendition.url)
        except ValueError:
            meter.failed("no playlist")
            return None

    def _rung(self, ladder: Sequence[Rendition]) -> Rendition:
        # Most viewers have less bandwidth than the top rung asks for.
        return self._weighted(ladder, [1 / max(1, rendition.bandwidth) for rendition in ladder])

    def _weighted(self, things: Sequence[T], weights: Sequence[float]) -> T:
        return self._chance.choices(things, weights)[0]


class Pace:
    """Where a player is. `position` is how many seconds of the title were fetched."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._filled = began
        self.position = 0.0

    def due(self) -> float:
        """Return when the next segment is due: at once until the buffer is full, then by the clock."""
        return max(self._filled, self._began + self.position - _BUFFER)

    def stalled(self, came: float) -> bool:
        """Note when a segment came; tell whether the picture stood still for it."""
        needed = self._began + self.position
        if self.position < _BUFFER:
            self._filled = came
        if came <= needed:
            return False
        self._began += came - needed
        self._filled = came
        # Nothing was to be seen before the first segment: that wait is a start, not a stall.
        return self.position > 0


def _listed(text: bytes | None) -> list[dict[str, Any]]:
    """Return the titles of an index; none of one that is missing or broken."""
    try:
        titles = json.loads(text or b"{}").get("titles", [])
        return [title for title in titles if "id" in title]
    except (ValueError, AttributeError, TypeError):
        return []
