"""One file of a user's: which of its streams are played, whether ffmpeg plays them, and how long each is.

ffprobe says what a file claims to have, so what it says is believed only as far as ffmpeg can play it: a bit
of each stream is decoded, and lengths are those of the packets, not of headers.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rookery.apps.streaming.guest.packing.colour import unshowable
    from rookery.apps.streaming.guest.packing.folders import shown
else:  # on a server, these files lie side by side in a folder that is no package
    from colour import unshowable
    from folders import shown

_PROBE = ("ffprobe", "-v", "error", "-of", "json", "-show_format", "-show_streams")
_QUIET = ("ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin")
_STILL = {"image2", "png_pipe", "jpeg_pipe", "webp_pipe", "gif", "svg_pipe", "bmp_pipe", "tiff_pipe", "tty"}
_STILL |= {"jpegxl_pipe", "psd_pipe", "ico", "pam_pipe", "ppm_pipe", "apng", "avif"}
_WORDS = {"subrip", "webvtt", "ass", "srt", "microdvd", "lrc", "mpl2", "sami", "subviewer", "vobsub", "sup"}
_LIMIT = 120.0  # seconds for a look at one file: it may lie on a slow share
_UNKNOWN = {"", "none", "unknown"}


class MediaError(Exception):
    """A file cannot be published; the text says why, without its name."""


@dataclass(frozen=True, kw_only=True)
class Media:
    """A file that can be played: ffprobe's words on its picture, its sound, and the picture of its cover."""

    path: Path
    video: dict[str, Any] | None
    audio: dict[str, Any] | None
    attached: dict[str, Any] | None

    @property
    def played(self) -> tuple[dict[str, Any], ...]:
        return tuple(one for one in (self.video, self.audio) if one is not None)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return ffmpeg's arguments that read it, whatever characters its name has."""
        return ("-i", f"file:{self.path}")


@dataclass(frozen=True, kw_only=True)
class Span:
    """When a stream begins and ends, in seconds from the file's first moment."""

    start: float
    end: float


def probe(path: Path) -> Media:
    """Return what of a file is played, after playing a bit of it; raises MediaError."""
    if path.stat().st_size == 0:
        raise MediaError("is empty")
    told = _told(path)
    formats = set(str(told.get("format", {}).get("format_name", "")).split(","))
    if formats & (_STILL | _WORDS):
        raise MediaError(f"is no film and no piece of music, but {'/'.join(sorted(formats))}")
    streams = [one for one in told.get("streams", ()) if isinstance(one, dict)]
    pictures = [one for one in streams if one.get("codec_type") == "video" and _has_size(one)]
    media = Media(
        path=path,
        video=_first([one for one in pictures if _is_known(one) and not _is_cover(one)]),
        audio=_first([one for one in streams if one.get("codec_type") == "audio" and _is_heard(one)]),
        attached=_first([one for one in pictures if _is_known(one) and _is_cover(one)]),
    )
    if not media.played:
        raise MediaError(f"has neither picture nor sound that ffmpeg knows{_named(streams)}")
    if media.video is not None and (why := unshowable(media.video)):
        raise MediaError(why)
    return _tried(media)


def _told(path: Path) -> dict[str, Any]:
    # What it says may have tags of any bytes.
    done = _run((*_PROBE, f"file:{path}"))
    if done.returncode:
        why = _last(done.stderr, path)
        raise MediaError(f"ffprobe cannot read it: {why}")
    told = json.loads(done.stdout.decode("utf-8", "replace"))
    return told if isinstance(told, dict) else {}


def _tried(media: Media) -> Media:
    """Return the media without streams that have nothing in them; raises MediaError for one that fails."""
    if len(_decoded(media, media.played)[0]) == len(media.played):
        return media
    kept = [one for one in media.played if _plays(media, one)]
    if not kept:
        raise MediaError("has neither picture nor sound: nothing is in its streams")
    return replace(
        media,
        video=media.video if media.video in kept else None,
        audio=media.audio if media.audio in kept else None,
    )


def _plays(media: Media, stream: dict[str, Any]) -> bool:
    """Tell a stream that plays from one that is empty; raises MediaError for one that cannot be played."""
    seen, said = _decoded(media, (stream,))
    if seen:
        return True
    if not _decoded(media, (stream,), "-c", "copy")[0]:
        return False
    kind = "picture" if stream is media.video else "sound"
    raise MediaError(f"its {kind} ({stream['codec_name']}) cannot be played: {_last(said, media.path)}")


def _decoded(media: Media, streams: Sequence[dict[str, Any]], *how: str) -> tuple[set[int], bytes]:
    """Play the first picture and the first bit of sound; return which of the streams gave something, and what
    ffmpeg said."""
    maps = [word for one in streams for word in ("-map", f"0:{one['index']}")]
    limits = ("-frames:v", "1", "-frames:a", "1")
    done = _run((*_QUIET, *media.inputs, *maps, *how, *limits, "-f", "framecrc", "pipe:1"))
    return {number for number, _, _ in _packets(done.stdout.splitlines())}, done.stderr


def measure(media: Media) -> dict[int, Span]:
    """Return when each stream that is played begins and ends, by its index; raises MediaError.

    Its packets are read to the end and not decoded. ffmpeg reads them, not ffprobe: it mends clocks that
    jump, as recordings have them, in the same way when it packs.
    """
    maps = [word for one in media.played for word in ("-map", f"0:{one['index']}")]
    argv = (*_QUIET, *media.inputs, *maps, "-c", "copy", "-f", "framecrc", "pipe:1")
    found: dict[int, Span] = {}
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as reading:
        assert reading.stdout is not None
        for number, start, end in _packets(reading.stdout):
            before = found.get(number, Span(start=start, end=end))
            found[number] = Span(start=min(before.start, start), end=max(before.end, end))
    spans = {media.played[number]["index"]: span for number, span in found.items() if span.end > 0}
    if not spans:
        raise MediaError("has no length: no picture and no sound comes out of it")
    return spans


def length_told(stream: dict[str, Any]) -> float:
    """Return the seconds that a file says a stream has, 0 where it says nothing."""
    try:
        return max(0.0, float(stream.get("duration", 0)))
    except ValueError:
        return 0.0


def _packets(lines: Sequence[bytes] | IO[bytes]) -> Iterator[tuple[int, float, float]]:
    """Yield stream, start and end of each packet that `framecrc` tells: stream, dts, pts, duration, size."""
    bases: dict[int, Fraction] = {}
    for line in lines:
        if line.startswith(b"#tb "):
            of, _, ratio = line.removeprefix(b"#tb ").decode().partition(":")
            bases[int(of)] = Fraction(ratio.strip())
        elif not line.startswith(b"#"):
            words = line.split(b",")
            if len(words) < 5 or not words[0].strip().isdigit():
                continue
            number, length = int(words[0]), int(words[3])
            stamps = [int(word) for word in words[1:3] if word.strip().lstrip(b"-").isdigit()]
            stamp = max((one for one in stamps if one > -(2**62)), default=0)
            base = bases.get(number, Fraction(1))
            yield number, float(stamp * base), float((stamp + length) * base)


def _run(argv: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_LIMIT
        )
    except subprocess.TimeoutExpired:
        raise MediaError(f"{argv[0]} has read of it for {_LIMIT:.0f} s, and nothing came") from None


def _last(said: bytes, path: Path) -> str:
    """Return the last line of what ffmpeg said, without the file's own name."""
    text = said.decode("utf-8", "surrogateescape").replace(f"file:{path}: ", "")
    return shown((text.strip().splitlines() or ["no reason given"])[-1])


def _first(streams: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the stream that a player begins with: the file's own default, else the first."""
    chosen = [one for one in streams if _disposed(one, "default")]
    return next(iter(chosen or streams), None)


def _is_known(stream: dict[str, Any]) -> bool:
    return str(stream.get("codec_name", "")) not in _UNKNOWN


def _has_size(stream: dict[str, Any]) -> bool:
    return _number(stream.get("width")) > 0 and _number(stream.get("height")) > 0


def _is_heard(stream: dict[str, Any]) -> bool:
    return _is_known(stream) and _number(stream.get("channels")) > 0


def _is_cover(stream: dict[str, Any]) -> bool:
    return _disposed(stream, "attached_pic") or _disposed(stream, "timed_thumbnails")


def _disposed(stream: dict[str, Any], how: str) -> bool:
    return bool(stream.get("disposition", {}).get(how))


def _number(value: object) -> int:
    return int(value) if isinstance(value, int | str) and str(value).isdigit() else 0


def _named(streams: Sequence[dict[str, Any]]) -> str:
    """Return what a file has instead, as far as ffprobe names it: ` (subtitle mov_text, data)`."""
    told = [
        " ".join(str(one[key]) for key in ("codec_type", "codec_name") if one.get(key)) for one in streams
    ]
    kinds = ", ".join(dict.fromkeys(text for text in told if text))
    return f" ({kinds})" if kinds else ""
