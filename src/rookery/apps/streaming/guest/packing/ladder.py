"""Renditions of one title: which there are, how ffmpeg makes all at once, and their master playlist.

Key frames come at the same times in every rendition, so that a player may change at any segment. What the
master playlist says of bit rates and codecs is measured in what ffmpeg wrote.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rookery.apps.streaming.guest.packing.sources import Picture, Source, even
else:  # on a server, these files lie side by side in a folder that is no package
    from sources import Picture, Source, even

SEGMENT = 2  # seconds
_LINES = (1080, 720, 480, 360, 240, 144)  # of the shorter side
_RUNGS = 3  # fewer where the picture is tiny
_SMALLEST = 32  # lines: what is smaller gets no rung
_AT_720 = 1_800_000  # bits a second for 1280x720
_AUDIO_CODEC = "mp4a.40.2"
_FILM_SOUND = ("sound",)
_MUSIC_SOUND = ("128k", "64k")


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One size of a film and its bits a second."""

    name: str
    width: int
    height: int
    rate: int


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What ffmpeg wrote for one rendition; rates in bits a second."""

    name: str
    codec: str
    peak: int
    average: int
    seconds: float


def rungs(picture: Picture) -> list[Rung]:
    """Return the sizes of a film, largest first; none is larger than it came."""
    shorter = min(picture.width, picture.height)
    lines = [shorter] if shorter < _LINES[0] else []
    lines += [one for one in _LINES if one <= shorter and one not in lines]
    while len(lines) < _RUNGS and lines[-1] * 2 / 3 >= _SMALLEST:
        lines.append(even(lines[-1] * 2 / 3))
    made = []
    for one in lines[:_RUNGS]:
        width, height = even(picture.width * one / shorter + 1), even(picture.height * one / shorter + 1)
        width, height = min(width, even(picture.width)), min(height, even(picture.height))
        rate = _AT_720 * (width * height / (1280 * 720)) ** 0.9
        made.append(Rung(name=f"{one}p", width=width, height=height, rate=max(80_000, round(rate, -4))))
    return made


def sounds(source: Source) -> tuple[str, ...]:
    """Return the names of the title's audio renditions."""
    if not source.has_sound:
        return ()
    return _FILM_SOUND if source.picture else _MUSIC_SOUND


def arguments(source: Source, folder: Path) -> list[str]:
    """Return ffmpeg's arguments that make every rendition, and a film's poster, in one run."""
    sizes = rungs(source.picture) if source.picture else []
    heard = sounds(source)
    parts, made = [source.graph] if source.graph else [], []
    if source.picture:
        split = "".join(f"[p{number}]" for number in range(len(sizes) + 1))
        parts.append(f"[picture]split={len(sizes) + 1}{split}")
        for number, rung in enumerate(sizes):
            parts.append(f"[p{number}]scale={rung.width}:{rung.height}:flags=bilinear,setsar=1[v{number}]")
            made += [
                "-map",
                f"[v{number}]",
                *_picture_codec(rung, source.picture.rate),
                *_hls(folder / rung.name),
            ]
        after = f"trim=start={max(0.0, min(source.poster, source.seconds - 1))},setpts=PTS-STARTPTS"
        # JPEG is in the colours' matrix of BT.601, whatever the film is in.
        size = f"scale={sizes[0].width}:{sizes[0].height}:out_color_matrix=bt601:out_range=full"
        parts.append(f"[p{len(sizes)}]{after},{size},format=yuvj420p[poster]")
        made += ["-map", "[poster]", "-frames:v", "1", "-q:v", "4", str(folder / "poster.jpg")]
    if heard:
        split = "".join(f"[s{number}]" for number in range(len(heard)))
        parts.append(f"[sound]asplit={len(heard)}{split}")
        for number, name in enumerate(heard):
            rate = name if name in _MUSIC_SOUND else "128k"
            codec = ("-c:a", "aac", "-aac_coder", "fast", "-b:a", rate, "-ac", "2")
            made += ["-map", f"[s{number}]", *codec, *_hls(folder / name)]
    quiet = ("ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y")
    return [*quiet, *source.inputs, "-filter_complex", ";".join(parts), *made]


def poster_arguments(cover: Source, folder: Path) -> list[str]:
    """Return ffmpeg's arguments that make the poster of a title without a picture."""
    quiet = ("ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y")
    at = f"[picture]trim=start={cover.poster},setpts=PTS-STARTPTS[poster]"
    out = ("-map", "[poster]", "-frames:v", "1", "-q:v", "4", str(folder / "poster.jpg"))
    return [*quiet, *cover.inputs, "-filter_complex", f"{cover.graph};{at}", *out]


def _picture_codec(rung: Rung, rate: Fraction) -> list[str]:
    group = str(math.ceil(rate * SEGMENT))
    profile = "high" if min(rung.width, rung.height) > 360 else "main"
    limits = ("-maxrate", str(rung.rate * 5 // 4), "-bufsize", str(rung.rate * 2))
    # Fewer bits where fewer do; the limits hold where they would not. Of what the fastest preset leaves out,
    # only the smoothing of block edges is missed.
    saved = ("-x264-params", "deblock=0,0")
    quality = ("-preset", "ultrafast", "-profile:v", profile, "-crf", "28", *saved, *limits)
    keys = ("-g", group, "-keyint_min", group, "-sc_threshold", "0", "-flags", "+cgop")
    return ["-c:v", "libx264", "-pix_fmt", "yuv420p", *quality, *keys]


def _hls(folder: Path) -> list[str]:
    kind = ("-f", "hls", "-hls_time", str(SEGMENT), "-hls_playlist_type", "vod")
    names = ("-hls_fmp4_init_filename", "init.mp4", "-hls_segment_filename", str(folder / "%04d.m4s"))
    flags = ("-hls_segment_type", "fmp4", "-hls_flags", "independent_segments")
    return [*kind, *flags, *names, str(folder / "index.m3u8")]


def measure(folder: Path) -> Measured:
    """Read one rendition: its codec, the largest and the mean rate of its segments, its length."""
    lengths, sizes = [], []
    seconds = 0.0
    for line in (folder / "index.m3u8").read_text(encoding="utf-8").splitlines():
        if line.startswith("#EXTINF:"):
            seconds = float(line.removeprefix("#EXTINF:").rstrip(","))
        elif line and not line.startswith("#"):
            lengths.append(seconds)
            sizes.append((folder / line).stat().st_size)
    # A last segment may be a few frames: as a rate it would say nothing.
    whole = [(size, length) for size, length in zip(sizes, lengths, strict=True) if length >= SEGMENT / 2]
    peaks = [math.ceil(size * 8 / length) for size, length in whole or zip(sizes, lengths, strict=True)]
    return Measured(
        name=folder.name,
        codec=_codec((folder / "init.mp4").read_bytes()),
        peak=max(peaks),
        average=math.ceil(sum(sizes) * 8 / sum(lengths)),
        seconds=sum(lengths),
    )


def _codec(init: bytes) -> str:
    """Return the codec as RFC 6381 writes it, from the initialisation segment."""
    box = init.find(b"avcC")
    if box < 0:
        return _AUDIO_CODEC
    return f"avc1.{init[box + 5 : box + 8].hex()}"


def master(source: Source, folder: Path) -> tuple[str, list[dict[str, Any]], float]:
    """Return the master playlist, the index's entries of the renditions, and the length in seconds."""
    heard = [measure(folder / name) for name in sounds(source)]
    sizes = rungs(source.picture) if source.picture else []
    shown = [(rung, measure(folder / rung.name)) for rung in sizes]
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    group = ""
    if heard and shown:
        group = ',AUDIO="sound"'
        lines.append(
            '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="Sound",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",'
            f'URI="{heard[0].name}/index.m3u8"'
        )
    renditions: list[dict[str, Any]] = []
    for rung, found in shown:
        assert source.picture is not None
        size = f",RESOLUTION={rung.width}x{rung.height},FRAME-RATE={float(source.picture.rate):.3f}{group}"
        lines += _variant((found, *heard[:1]), size)
        renditions.append(_entry((found, *heard[:1]), width=rung.width, height=rung.height))
    for one in heard:
        lines += _variant((one,), group)
        renditions.append(_entry((one,), width=0, height=0))
    lengths = [found.seconds for _, found in shown] + [one.seconds for one in heard]
    return "\n".join(lines) + "\n", renditions, round(max(lengths), 3)


def _variant(parts: tuple[Measured, ...], more: str) -> list[str]:
    """Return a variant's lines: its own rendition first, then the sound that is played with it."""
    rates = (
        f"BANDWIDTH={sum(one.peak for one in parts)},AVERAGE-BANDWIDTH={sum(one.average for one in parts)}"
    )
    codecs = ",".join(one.codec for one in parts)
    return [f'#EXT-X-STREAM-INF:{rates},CODECS="{codecs}"{more}', f"{parts[0].name}/index.m3u8"]


def _entry(parts: tuple[Measured, ...], *, width: int, height: int) -> dict[str, Any]:
    return {
        "name": parts[0].name,
        "width": width,
        "height": height,
        "bandwidth": sum(one.peak for one in parts),
        "codecs": ",".join(one.codec for one in parts),
    }
