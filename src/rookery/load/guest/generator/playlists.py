"""HLS playlists, as far as a viewer needs them (RFC 8216)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urljoin

_BANDWIDTH = re.compile(r"(?:^|[:,])BANDWIDTH=(\d+)")
_URI = re.compile(r'URI="([^"]+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """One rung of the ladder: its playlist's URL, and bits per second."""

    url: str
    bandwidth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A segment: its number in the playlist's count, its URL, and how many seconds it plays."""

    number: int
    url: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Playlist:
    """A media playlist. `target` is the longest a segment may play, in seconds; `head` the URL of what
    precedes every segment (empty where nothing does)."""

    segments: tuple[Segment, ...]
    target: float
    head: str


def parse_master(text: str, url: str) -> tuple[Rendition, ...]:
    """Return the renditions of a master playlist at `url`; a media playlist is a ladder of one rung."""
    found, bandwidth = [], None
    for line in _lines(text):
        if line.startswith("#EXT-X-STREAM-INF:"):
            match = _BANDWIDTH.search(line)
            bandwidth = int(match[1]) if match else 1
        elif bandwidth is not None and not line.startswith("#"):
            found.append(Rendition(url=urljoin(url, line), bandwidth=bandwidth))
            bandwidth = None
    if not found and "#EXTINF:" in text:
        return (Rendition(url=url, bandwidth=1),)
    return tuple(found)


def parse_media(text: str, url: str) -> Playlist:
    """Return the segments of a media playlist at `url`; raises ValueError for what is none."""
    if not text.startswith("#EXTM3U"):
        raise ValueError("no playlist")
    number, target, head, seconds = 0, 0.0, "", 0.0
    segments: list[Segment] = []
    for line in _lines(text):
        name, _, value = line.partition(":")
        if name == "#EXT-X-MEDIA-SEQUENCE":
            number = int(value)
        elif name == "#EXT-X-TARGETDURATION":
            target = float(value)
        elif name == "#EXT-X-MAP":
            match = _URI.search(value)
            head = urljoin(url, match[1]) if match else ""
        elif name == "#EXTINF":
            seconds = float(value.partition(",")[0])
        elif not line.startswith("#"):
            segments.append(
                Segment(number=number + len(segments), url=urljoin(url, line), seconds=seconds or target)
            )
    return Playlist(segments=tuple(segments), target=target or 4.0, head=head)


def _lines(text: str) -> list[str]:
    return [line for line in map(str.strip, text.splitlines()) if line]
