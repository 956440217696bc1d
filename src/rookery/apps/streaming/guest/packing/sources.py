"""What is to be packed: the generated titles of films.json, or the films and music of a folder.

A title's identifier ends in a hash of what it is made from, so what is served under a path never changes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rookery.apps.streaming.guest.packing.colour import light, to_bt709
    from rookery.apps.streaming.guest.packing.folders import Found, shown, walk
    from rookery.apps.streaming.guest.packing.music import graph as music_graph
    from rookery.apps.streaming.guest.packing.probe import Media, MediaError, length_told, measure, probe
    from rookery.apps.streaming.guest.packing.silhouettes import HEIGHT, WIDTH
else:  # on a server, these files lie side by side in a folder that is no package
    from colour import light, to_bt709
    from folders import Found, shown, walk
    from music import graph as music_graph
    from probe import Media, MediaError, length_told, measure, probe
    from silhouettes import HEIGHT, WIDTH

HERE = Path(__file__).parent
_FASTEST = Fraction(60)  # pictures a second
_FADES = re.compile(r",fade=[^,\[]*")
_AT_ONCE = 4  # looks at files
_UNEQUAL = 2.0  # seconds: a segment
_LEAST_FIELD = 16  # lines: what is less is not taken for fields
MOST_LINES = 1080  # of the shorter side of what is published
# What has no place in a line of text: control characters, halves of others, private ones.
_UNSEEN = {"Cc", "Cs", "Co"}


class SourceError(Exception):
    """A folder or file of the user's cannot be published; the text names it and says why."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """How a film is shown: its size in square pixels, upright, and pictures a second."""

    width: int
    height: int
    rate: Fraction


@dataclass(frozen=True, kw_only=True)
class Source:
    """One title before it is packed.

    `inputs` are ffmpeg's arguments; `graph` makes `[picture]` and `[sound]` of them, as far as the title has
    them. `draws` is the command whose output ffmpeg reads as its first input, where there is one. `cover`
    takes the poster of a title without a picture: arguments, graph and drawing command in the same way; where
    that fails, its own `cover` does. `file` is the user's file, empty where there is none.
    """

    id: str
    name: str
    note: str
    seconds: float
    inputs: tuple[str, ...] = ()
    graph: str = ""
    draws: tuple[str, ...] = ()
    picture: Picture | None = None
    has_sound: bool = True
    poster: float = 0
    cover: Source | None = field(default=None)
    file: str = ""


def code_digest() -> bytes:
    """Return a hash over the programs and data here: another recipe gives other files."""
    total = hashlib.sha256()
    for path in sorted(HERE.iterdir()):
        if path.suffix in {".py", ".json"}:
            total.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.digest()


def identify(slug: str, *parts: bytes) -> str:
    return f"{slug}-{hashlib.sha256(b''.join(parts)).hexdigest()[:8]}"


def generated() -> list[Source]:
    """Return the titles that films.json describes."""
    described = json.loads((HERE / "films.json").read_text(encoding="utf-8"))
    films = {entry["slug"]: entry for entry in described["films"]}
    code = code_digest()
    made = [_generated_film(entry, identify(slug, code)) for slug, entry in films.items()]
    for entry in described["music"]:
        cover = _generated_film(films[entry["cover"]["film"]], "", at=entry["cover"]["at"])
        made.append(
            Source(
                id=identify(entry["slug"], code),
                name=entry["name"],
                note=entry["note"],
                seconds=entry["seconds"],
                graph=music_graph(entry["music"], entry["seconds"]),
                cover=cover,
            )
        )
    return made


def _generated_film(entry: dict[str, Any], ident: str, *, at: float | None = None) -> Source:
    """Return a film, or with `at` only its picture at that second, as a cover."""
    graph = ";".join(entry["graph"])
    # Sources of ffmpeg never end, and blending goes on with the last picture of what does.
    graph = graph.replace("[picture]", f",trim=end={entry['seconds']}[picture]")
    rate = entry["rate"]
    draws: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    if "scene" in entry:
        # A cover is drawn as it stands at its second; its sky is that of the beginning.
        frames = str(int(entry["seconds"] * rate) if at is None else 2)
        scene = json.dumps(entry["scene"])
        draw = str(HERE / "silhouettes.py")
        words = {"--scene": scene, "--rate": str(rate), "--frames": frames, "--at": str(at or 0)}
        draws = (sys.executable, draw, *(word for pair in words.items() for word in pair))
        size = f"{WIDTH}x{HEIGHT}"
        inputs = ("-f", "rawvideo", "-pix_fmt", "gray", "-s", size, "-r", str(rate), "-i", "pipe:0")
        graph = graph.replace("[trees]", "[0:v]")
    if at is not None:
        graph = _FADES.sub("", graph)  # a cover is the beginning, and would be black
    else:
        graph += ";" + music_graph(entry["music"], entry["seconds"])
    return Source(
        id=ident,
        name=entry["name"],
        note=entry["note"],
        seconds=entry["seconds"],
        inputs=inputs,
        graph=graph,
        draws=draws,
        picture=Picture(width=1280, height=720, rate=Fraction(rate)),
        poster=entry["poster"] if at is None else 0,
    )


def from_folder(folder: Path) -> list[Source]:
    """Return the titles of a folder, sorted by path; raises SourceError with all its problems at once."""
    found, problems = look(folder)
    made = []
    if not problems:
        for path, media in found:
            try:
                made.append(_source(path, media))
            except MediaError as why:
                problems.append(f"{shown(str(path))}: {why}")
    if problems:
        raise SourceError("\n".join(problems))
    # The same file twice, under names that read alike, would share a path.
    taken: dict[str, int] = {}
    unique = []
    for source in made:
        taken[source.id] = number = taken.get(source.id, 0) + 1
        unique.append(source if number == 1 else replace(source, id=f"{source.id}-{number}"))
    return unique


def look(folder: Path) -> tuple[list[tuple[Path, Media]], list[str]]:
    """Return what of a folder can be published, and a line for each thing that cannot be."""
    if not folder.is_dir():
        return [], [f"{shown(str(folder))}: is no folder"]
    things = [found for found in walk(folder) if not found.hidden]
    if not things:
        return [], [f"{shown(str(folder))}: has no film and no piece of music"]

    def judge(found: Found) -> tuple[Path, Media | str]:
        try:
            return found.path, found.why or probe(found.path)
        except (MediaError, OSError) as why:
            return found.path, str(why)

    # Each look is a process of its own, which mostly waits for the disk.
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        judged = list(pool.map(judge, things))
    good = [(path, result) for path, result in judged if isinstance(result, Media)]
    return good, [f"{shown(str(path))}: {why}" for path, why in judged if isinstance(why, str)]


def remarks(path: Path, media: Media) -> list[str]:
    """Return how a title will be shown otherwise than it came, as far as its head tells."""
    said = []
    if media.video is not None and (bright := light(media.video)):
        said.append(f"is HDR ({bright}), and is shown in the light of BT.709: tone-mapped")
    elif media.video is not None and to_bt709(media.video):
        said.append("has more colours than BT.709, and is shown in those")
    lengths = [length_told(stream) for stream in (media.video, media.audio) if stream is not None]
    if len(lengths) == 2 and all(lengths) and abs(lengths[0] - lengths[1]) > _UNEQUAL:
        longer = "its last picture stands to the end" if lengths[0] < lengths[1] else "it ends in silence"
        said.append(f"has {lengths[0]:.1f} s of picture and {lengths[1]:.1f} s of sound: {longer}")
    return [f"{shown(str(path))}: {text}" for text in said]


def _source(path: Path, media: Media) -> Source:
    """Return the title that a file becomes; raises MediaError."""
    spans = measure(media)
    video = media.video if media.video is not None and media.video["index"] in spans else None
    audio = media.audio if media.audio is not None and media.audio["index"] in spans else None
    seconds = max(span.end for span in spans.values())
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").digest()
    name = decoded(path.stem)
    ident = identify(slug(name), content, code_digest())
    graphs = []
    picture = None
    poster = 0.0
    if video is not None:
        picture, own = _picture(video), spans[video["index"]]
        graphs.append(f"[0:{video['index']}]{_shown_as(video, picture, seconds)}[picture]")
        # From within what is shown: after it, the last picture only stands.
        poster = own.start + (own.end - own.start) / 3
    if audio is not None:
        graphs.append(f"[0:{audio['index']}]{_heard_as(audio, seconds)}[sound]")
    return Source(
        id=ident,
        name=readable(name),
        note="A film of your own." if picture else "A piece of music of your own.",
        seconds=seconds,
        inputs=media.inputs,
        graph=";".join(graphs),
        picture=picture,
        has_sound=audio is not None,
        poster=poster,
        cover=None if picture else _cover(ident, media.inputs, media.attached),
        file=shown(str(path)),
    )


def _shown_as(stream: dict[str, Any], picture: Picture, seconds: float) -> str:
    """Return the filters that make a stream a film's picture: upright, square, BT.709 where it was more.

    It begins at the first moment and lasts as long as the title: the first picture stands before, the last
    one after. So nothing that was given is cut away, and no player runs out of pictures, where it would stop
    and the sound with it.
    """
    width, height = _largest(picture)
    interlaced = stream.get("field_order") in {"tt", "bb", "tb", "bt"} and stream["height"] >= _LEAST_FIELD
    parts = (
        *(("bwdif=mode=send_frame:deint=interlaced",) if interlaced else ()),
        f"fps={picture.rate}:start_time=0",
        f"scale={width}:{height}:flags=bicubic,setsar=1",
        f"{to_bt709(stream)}format=yuv420p",
        f"tpad=stop_mode=clone:stop=-1,trim=end={seconds:.6f}",
    )
    return ",".join(parts)


def _heard_as(stream: dict[str, Any], seconds: float) -> str:
    """Return the filters that make a stream a title's sound: stereo, silent where it has nothing to say."""
    channels = int(stream["channels"])
    mixed = ""
    if channels > 2 and not stream.get("channel_layout"):
        # Nobody knows where its channels belong: the odd ones go to the left, the even ones to the right.
        sides = ("+".join(f"c{one}" for one in range(first, channels, 2)) for first in (0, 1))
        mixed = "pan=stereo|" + "|".join(f"c{side}<{sums}" for side, sums in enumerate(sides)) + ","
    stereo = "aresample=48000:async=1:first_pts=0,aformat=channel_layouts=stereo"
    return f"{mixed}{stereo},apad,atrim=end={seconds:.6f}"


def _largest(picture: Picture) -> tuple[int, int]:
    """Return the size that a film is worked on at: nothing larger is published, and mapping its light takes
    most of the time."""
    shorter = min(picture.width, picture.height)
    if shorter <= MOST_LINES:
        return picture.width, picture.height
    width, height = (even(one * MOST_LINES / shorter + 1) for one in (picture.width, picture.height))
    return width, height


def _cover(ident: str, inputs: tuple[str, ...], attached: dict[str, Any] | None) -> Source:
    """The picture that a piece of music brings along, or one of the dusk, of its own colours."""
    if attached is not None:
        graph = f"[0:{attached['index']}]scale=960:540:force_original_aspect_ratio=decrease[picture]"
        other = _cover(ident, inputs, None)
        return Source(id="", name="", note="", seconds=0, inputs=inputs, graph=graph, cover=other)
    seed = int(hashlib.sha256(ident.encode()).hexdigest()[:6], 16)
    colours = ("0x1c1840", "0x6b2f6e", "0xe2795a", "0xf6c67d")
    chosen = ":".join(f"c{number}={colour}" for number, colour in enumerate(colours))
    graph = f"gradients=s=960x540:n=4:{chosen}:seed={seed}:d=1:type=radial,vignette[picture]"
    return Source(id="", name="", note="", seconds=0, graph=graph)


def _picture(stream: dict[str, Any]) -> Picture:
    """Return how a stream is shown: upright, in square pixels, in even numbers of them."""
    width, height = float(stream["width"]), float(stream["height"])
    across, _, down = stream.get("sample_aspect_ratio", "1:1").partition(":")
    if across.isdigit() and down.isdigit() and int(across) and int(down):
        # The longer side stays: no picture is made larger than it came.
        ratio = int(across) / int(down)
        width, height = (width, height / ratio) if ratio > 1 else (width * ratio, height)
    turns = [float(data["rotation"]) for data in stream.get("side_data_list", ()) if "rotation" in data]
    if any(round(turn / 90) % 2 for turn in turns):
        width, height = height, width
    rate = Fraction(0)
    for name in ("avg_frame_rate", "r_frame_rate"):
        over, _, under = str(stream.get(name, "0/0")).partition("/")
        if rate == 0 and int(over) and int(under or 1):
            rate = Fraction(int(over), int(under or 1))
    rate = min(rate or Fraction(25), _FASTEST)
    return Picture(width=even(width), height=even(height), rate=max(rate, Fraction(1)))


def even(length: float) -> int:
    """Return the even whole number just below, two at least: chroma has half the pixels."""
    return max(2, math.floor(length / 2 + 1e-6) * 2)


def decoded(stem: str) -> str:
    """Return a file's name as text: bytes that are no UTF-8 are those of Windows and of Latin-1."""
    raw = os.fsencode(stem)
    for encoding in ("utf-8", "cp1252"):
        with contextlib.suppress(UnicodeDecodeError):
            return raw.decode(encoding)
    return raw.decode("latin-1")


def readable(stem: str) -> str:
    """Return a file's name as a title: `the_old-nest` becomes `The old nest`."""
    printable = "".join(one if unicodedata.category(one) not in _UNSEEN else " " for one in stem)
    words = re.sub(r"[\s_.-]+", " ", unicodedata.normalize("NFC", printable)).strip() or "Untitled"
    return words[0].upper() + words[1:]


def slug(stem: str) -> str:
    """Return a file's name as a part of a path."""
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:48].rstrip("-") or "title"
