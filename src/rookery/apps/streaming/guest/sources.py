"""What is to be packed: the generated titles of films.json, or the films and music of a folder.

A title's identifier ends in a hash of what it is made from, so what is served under a path never changes.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import subprocess
import sys
import unicodedata
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rookery.apps.streaming.guest.music import graph as music_graph
    from rookery.apps.streaming.guest.silhouettes import HEIGHT, WIDTH
else:  # on a server, these files lie side by side in a folder that is no package
    from music import graph as music_graph
    from silhouettes import HEIGHT, WIDTH

HERE = Path(__file__).parent
_STILL = {"image2", "png_pipe", "jpeg_pipe", "webp_pipe", "gif", "svg_pipe", "bmp_pipe", "tiff_pipe", "tty"}
_FASTEST = Fraction(60)  # pictures a second
_FADES = re.compile(r",fade=[^,\[]*")
_PROBE = ("ffprobe", "-v", "error", "-of", "json", "-show_format", "-show_streams")


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
    takes the poster of a title without a picture: arguments, graph and drawing command in the same way.
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
    if not folder.is_dir():
        raise SourceError(f"{folder}: is no folder")
    found, problems = [], []
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or not path.is_file():
            continue
        try:
            found.append(_from_file(path))
        except SourceError as problem:
            problems.append(str(problem))
    if not found and not problems:
        problems.append(f"{folder}: has no film and no piece of music")
    if problems:
        raise SourceError("\n".join(problems))
    # The same file twice, under names that read alike, would share a path.
    taken: dict[str, int] = {}
    unique = []
    for source in found:
        taken[source.id] = number = taken.get(source.id, 0) + 1
        unique.append(source if number == 1 else _renamed(source, f"{source.id}-{number}"))
    return unique


def _renamed(source: Source, ident: str) -> Source:
    return Source(**{**{key: getattr(source, key) for key in source.__dataclass_fields__}, "id": ident})


def _from_file(path: Path) -> Source:
    probed = subprocess.run(
        [*_PROBE, f"file:{path}"], capture_output=True, text=True, check=False, encoding="utf-8"
    )
    if probed.returncode:
        why = (probed.stderr.strip().splitlines() or ["no reason given"])[-1].removeprefix(f"file:{path}: ")
        raise SourceError(f"{path}: ffprobe cannot read it: {why}")
    told = json.loads(probed.stdout)
    formats = set(told["format"].get("format_name", "").split(","))
    if formats & _STILL:
        raise SourceError(f"{path}: is no film and no piece of music, but {'/'.join(sorted(formats))}")
    streams = told["streams"]
    video = next((one for one in streams if one["codec_type"] == "video" and not _attached(one)), None)
    audio = next((one for one in streams if one["codec_type"] == "audio"), None)
    attached = next((one for one in streams if one["codec_type"] == "video" and _attached(one)), None)
    if video is None and audio is None:
        raise SourceError(f"{path}: has neither picture nor sound")
    seconds = _seconds(told)
    picture = _picture(video) if video else None
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").digest()
    ident = identify(slug(path.stem), content, code_digest())
    inputs = ("-i", f"file:{path}")
    graphs = []
    if video and picture:
        square = f"scale={picture.width}:{picture.height}:flags=bicubic,setsar=1"
        graphs.append(f"[0:{video['index']}]fps={picture.rate},{square},format=yuv420p[picture]")
    if audio:
        stereo = "aresample=48000:async=1:first_pts=0,aformat=channel_layouts=stereo"
        graphs.append(f"[0:{audio['index']}]{stereo}[sound]")
    return Source(
        id=ident,
        name=readable(path.stem),
        note="A film of your own." if video else "A piece of music of your own.",
        seconds=seconds,
        inputs=inputs,
        graph=";".join(graphs),
        picture=picture,
        has_sound=audio is not None,
        poster=seconds / 3,
        cover=None if video else _cover(ident, inputs, attached),
    )


def _cover(ident: str, inputs: tuple[str, ...], attached: dict[str, Any] | None) -> Source:
    """The picture that a piece of music brings along, or one of the dusk, of its own colours."""
    if attached is not None:
        graph = f"[0:{attached['index']}]scale=960:540:force_original_aspect_ratio=decrease[picture]"
        return Source(id="", name="", note="", seconds=0, inputs=inputs, graph=graph)
    seed = int(hashlib.sha256(ident.encode()).hexdigest()[:6], 16)
    colours = ("0x1c1840", "0x6b2f6e", "0xe2795a", "0xf6c67d")
    chosen = ":".join(f"c{number}={colour}" for number, colour in enumerate(colours))
    graph = f"gradients=s=960x540:n=4:{chosen}:seed={seed}:d=1:type=radial,vignette[picture]"
    return Source(id="", name="", note="", seconds=0, graph=graph)


def _attached(stream: dict[str, Any]) -> bool:
    return bool(stream.get("disposition", {}).get("attached_pic"))


def _seconds(told: dict[str, Any]) -> float:
    lengths = [told["format"].get("duration"), *(stream.get("duration") for stream in told["streams"])]
    return max((float(length) for length in lengths if length not in {None, "N/A"}), default=0.0)


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


def readable(stem: str) -> str:
    """Return a file's name as a title: `the_old-nest` becomes `The old nest`."""
    words = re.sub(r"[\s_.-]+", " ", stem).strip() or "Untitled"
    return words[0].upper() + words[1:]


def slug(stem: str) -> str:
    """Return a file's name as a part of a path."""
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:48].rstrip("-") or "title"
