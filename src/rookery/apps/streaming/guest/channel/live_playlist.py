"""The live channel's playlist as a value: read, extended by a segment, written.

Sequence numbers only grow, whoever writes: a player orders by them. A new encoder begins with a
discontinuity, because its timestamps begin anew, and discontinuities that left the window stay counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment: its file's name, its length, and when it was encoded (ISO 8601, UTC).

    `breaks` says that an encoder began with it, so that its timestamps do not go on from the one before.
    """

    name: str
    seconds: float
    at: str
    breaks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Playlist:
    """The segments in the window; `first` numbers the first one, `broken` counts the breaks before it."""

    first: int
    broken: int = 0
    segments: tuple[Segment, ...] = ()

    @property
    def following(self) -> int:
        """The number that the next segment gets."""
        return self.first + len(self.segments)

    def extended(self, segment: Segment, *, window: int) -> Playlist:
        """Return the playlist with one segment more, of which at most the last `window` stay."""
        segments = (*self.segments, segment)
        gone = segments[: max(0, len(segments) - window)]
        return replace(
            self,
            first=self.first + len(gone),
            broken=self.broken + sum(one.breaks for one in gone),
            segments=segments[len(gone) :],
        )


def parse_playlist(text: str) -> Playlist:
    """Read a media playlist of ours or of ffmpeg's; raises ValueError on anything else, as a torn file."""
    lines = text.splitlines()
    if not lines or lines[0] != "#EXTM3U" or not text.endswith("\n"):
        raise ValueError("is no complete playlist")
    first, broken = None, 0
    segments: list[Segment] = []
    seconds, at, breaks = 0.0, "", False
    for line in lines[1:]:
        tag, _, value = line.partition(":")
        if tag == "#EXT-X-MEDIA-SEQUENCE":
            first = int(value)
        elif tag == "#EXT-X-DISCONTINUITY-SEQUENCE":
            broken = int(value)
        elif tag == "#EXT-X-DISCONTINUITY":
            breaks = True
        elif tag == "#EXTINF":
            seconds = float(value.partition(",")[0])
        elif tag == "#EXT-X-PROGRAM-DATE-TIME":
            at = value
        elif line and not line.startswith("#"):
            segments.append(Segment(name=line, seconds=seconds, at=at, breaks=breaks))
            breaks = False
    if first is None:
        raise ValueError("numbers no segment")
    return Playlist(first=first, broken=broken, segments=tuple(segments))


def render_playlist(playlist: Playlist) -> str:
    """Return the playlist's text."""
    longest = max((segment.seconds for segment in playlist.segments), default=2.0)
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:6",
        f"#EXT-X-TARGETDURATION:{math.floor(longest + 0.5)}",
        f"#EXT-X-MEDIA-SEQUENCE:{playlist.first}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{playlist.broken}",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]
    for segment in playlist.segments:
        if segment.breaks:
            lines.append("#EXT-X-DISCONTINUITY")
        lines += [
            f"#EXTINF:{segment.seconds:.6f},",
            f"#EXT-X-PROGRAM-DATE-TIME:{segment.at}",
            segment.name,
        ]
    return "\n".join(lines) + "\n"
