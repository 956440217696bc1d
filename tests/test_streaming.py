"""Streaming: what is packed and how it is served, the live channel's playlist, its origins."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rookery.apps.streaming import media
from rookery.apps.streaming.origin import ORIGIN_PORT, pod_place, render_origin, server_place
from rookery.apps.streaming.settings import StreamingSettings
from rookery.design.build import build_design
from rookery.design.model import Instance
from rookery.errors import InputError
from rookery.spec.parse import parse_spec
from tests.kit.servers_image import MISSING, entering
from tests.kit.streaming_programs import GUEST, guest


def test_settings_are_as_a_spec_writes_them() -> None:
    assert StreamingSettings() == StreamingSettings(media=None, channel=True, origins=None)
    assert StreamingSettings.model_validate({"media": "films", "channel": False, "origins": 3}).origins == 3
    for wrong in ({"origins": 0}, {"origins": 1000}, {"origins": True}, {"film": "x"}):
        with pytest.raises(ValidationError):
            StreamingSettings.model_validate(wrong)


# The index and how files are served


def entry(**changes: object) -> dict[str, object]:
    usual = {
        "id": "dawn-1",
        "name": "Dawn",
        "kind": "video",
        "seconds": 19.96,
        "master": "dawn-1/master.m3u8",
        "poster": "dawn-1/poster.jpg",
        "renditions": [],
        "note": "The sun comes up.",
    }
    return usual | changes


def index(*entries: object) -> str:
    return json.dumps({"titles": list(entries)})


def test_an_index_is_read_into_titles() -> None:
    dawn = media.Title(
        id="dawn-1",
        name="Dawn",
        kind="video",
        seconds=20,
        master="dawn-1/master.m3u8",
        poster="dawn-1/poster.jpg",
        note="The sun comes up.",
    )
    assert media.parse_index(index(entry())) == (dawn,)
    assert media.parse_index(index()) == ()
    assert media.parse_index(index(entry(seconds=0.2)))[0].seconds == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<html>", "index.json: is no JSON: Expecting value: line 1 column 1 (char 0)"),
        ("[]", "index.json: has no list of titles"),
        ('{"titles": {}}', "index.json: has no list of titles"),
        (index(3), "index.json: titles[0]: is no title"),
        (index(entry(name="")), "index.json: titles[0].name: must be a text"),
        (index(entry(kind="game")), "index.json: titles[0].kind: must be video or audio"),
        (index(entry(kind=["video"])), "index.json: titles[0].kind: must be video or audio"),
        (index(entry(seconds=True)), "index.json: titles[0].seconds: must be a number above 0"),
        (index(entry(seconds=float("inf"))), "index.json: titles[0].seconds: must be a number above 0"),
        (index(entry(note=1)), "index.json: titles[0].note: must be a text"),
        (
            index(entry(master="../x/master.m3u8")),
            "index.json: titles[0].master: ../x/master.m3u8 leaves the folder of the index",
        ),
        (index(entry(), entry()), "index.json: titles: dawn-1 is there twice"),
        (
            index(entry(id=1), entry(seconds=0)),
            """\
index.json: titles[0].id: must be a text
    index.json: titles[1].seconds: must be a number above 0""",
        ),
    ],
)
def test_nonsense_in_an_index_is_named(text: str, said: str) -> None:
    with pytest.raises(InputError) as raised:
        media.parse_index(text)
    assert str(raised.value) == said


def test_each_file_has_its_type_and_its_lifetime() -> None:
    year, minute = "public, max-age=31536000, immutable", "public, max-age=60"
    assert {path: (media.RULES.media_type(path), media.RULES.cache_control(path)) for path in FILES} == {
        "index.json": ("application/json", "public, max-age=5"),
        "dawn-1/master.m3u8": ("application/vnd.apple.mpegurl", minute),
        "dawn-1/720p/index.m3u8": ("application/vnd.apple.mpegurl", minute),
        "dawn-1/720p/0001.m4s": ("video/iso.segment", year),
        "dawn-1/720p/init.mp4": ("video/mp4", year),
        "dawn-1/poster.jpg": ("image/jpeg", year),
        "dawn-1/other": ("application/octet-stream", year),
    }


FILES = (
    "index.json",
    "dawn-1/master.m3u8",
    "dawn-1/720p/index.m3u8",
    "dawn-1/720p/0001.m4s",
    "dawn-1/720p/init.mp4",
    "dawn-1/poster.jpg",
    "dawn-1/other",
)


# Sources and their renditions


def test_generated_titles_have_paths_and_graphs_of_their_own() -> None:
    titles = guest("sources").generated()
    assert [bool(title.picture) for title in titles] == [True] * 3 + [False] * 2
    assert len({title.id for title in titles}) == 5
    for title in titles:
        assert re.fullmatch(r"[a-z-]+-[0-9a-f]{8}", title.id)
        assert title.graph.count("[sound]") == 1
        assert title.graph.count("[picture]") == (1 if title.picture else 0)
        assert title.note.endswith(".")


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (1280, 720, ["720p 1280x720", "480p 854x480", "360p 640x360"]),
        (1920, 1080, ["1080p 1920x1080", "720p 1280x720", "480p 854x480"]),
        (854, 480, ["480p 854x480", "360p 640x360", "240p 428x240"]),
        (720, 1280, ["720p 720x1280", "480p 480x854", "360p 360x640"]),
        (200, 150, ["150p 200x150", "144p 192x144", "96p 128x96"]),
        (40, 20, ["20p 40x20"]),
    ],
)
def test_rungs_follow_the_source_and_never_enlarge_it(width: int, height: int, expected: list[str]) -> None:
    picture = guest("sources").Picture(width=width, height=height, rate=Fraction(25))
    made = guest("ladder").rungs(picture)
    assert [f"{rung.name} {rung.width}x{rung.height}" for rung in made] == expected
    assert [rung.rate for rung in made] == sorted((rung.rate for rung in made), reverse=True)


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        ({"width": 641, "height": 359}, (640, 358, Fraction(25))),
        (
            {"width": 720, "height": 576, "sample_aspect_ratio": "64:45", "avg_frame_rate": "30000/1001"},
            (720, 404, Fraction(30000, 1001)),
        ),
        (
            {"width": 640, "height": 360, "side_data_list": [{"rotation": -90}], "avg_frame_rate": "0/0"},
            (360, 640, Fraction(25)),
        ),
        ({"width": 640, "height": 360, "avg_frame_rate": "240/1"}, (640, 360, Fraction(60))),
    ],
)
def test_a_picture_is_upright_and_square(stream: dict[str, Any], expected: tuple[object, ...]) -> None:
    picture = guest("sources")._picture(stream)
    assert (picture.width, picture.height, picture.rate) == expected


def test_names_become_titles_and_paths() -> None:
    sources = guest("sources")
    assert sources.readable("the_old-nest.final") == "The old nest final"
    assert sources.slug("Krähe & Ästchen (2).v3") == "krahe-astchen-2-v3"
    assert sources.slug("鳥") == "title"


# Packing, with ffmpeg


@pytest.fixture(scope="module", name="room")
def _room(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], str]:
    """A folder with the programs, what runs a command beside it, and the folder's name for that command."""
    room = tmp_path_factory.mktemp("pack")
    shutil.copytree(GUEST, room / "guest", ignore=shutil.ignore_patterns("__pycache__"))
    (room / "media").mkdir()
    # The ffmpeg that packs in earnest comes first; this machine's own may be another version.
    if inside := entering(room):
        return room, [*inside], "/srv"
    if shutil.which("ffmpeg") and shutil.which("ffprobe"):
        return room, [], str(room)
    pytest.skip(f"there is no ffmpeg: {MISSING}")


def call(room: tuple[Path, list[str], str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*room[1], *command], capture_output=True, text=True, check=False, timeout=300)


def pack(room: tuple[Path, list[str], str], folder: str) -> subprocess.CompletedProcess[str]:
    base = room[2]
    arguments = ("--out", f"{base}/out", "--media", f"{base}/{folder}")
    return call(room, "python3", f"{base}/guest/pack_media.py", *arguments)


def make(room: tuple[Path, list[str], str], path: str, *arguments: str) -> None:
    (room[0] / path).parent.mkdir(parents=True, exist_ok=True)
    made = call(room, "ffmpeg", "-v", "error", "-nostdin", *arguments, f"{room[2]}/{path}")
    assert made.returncode == 0, made.stderr


@pytest.fixture(scope="module", name="packed")
def _packed(room: tuple[Path, list[str], str]) -> tuple[Path, subprocess.CompletedProcess[str]]:
    clouds = ("-f", "lavfi", "-i", "mandelbrot=s=322x180:r=12")
    tone = ("-f", "lavfi", "-i", "sine=r=22050:d=5")
    make(room, "media/a/The_old nest.mp4", *clouds, *tone, "-t", "5", "-pix_fmt", "yuv420p")
    make(room, "media/silent.mkv", *clouds, "-t", "3", "-pix_fmt", "yuv420p")
    make(room, "media/song.flac", *tone)
    (room[0] / "media/.hidden").write_text("not looked at")
    (room[0] / "out/old").mkdir(parents=True)
    (room[0] / "out/index.json").write_text("of an earlier run")
    return room[0] / "out", pack(room, "media")


def test_a_folder_is_packed(packed: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    out, done = packed
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "1 of 3: The old nest\n2 of 3: Silent\n3 of 3: Song\n"
    titles = media.parse_index((out / "index.json").read_text())
    assert [(title.name, title.kind, title.seconds) for title in titles] == [
        ("The old nest", "video", 5),
        ("Silent", "video", 3),
        ("Song", "audio", 5),
    ]
    assert sorted(path.name for path in out.iterdir()) == sorted([*(t.id for t in titles), "index.json"])
    for title in titles:
        assert (out / title.poster).read_bytes()[:2] == b"\xff\xd8"


def test_the_master_playlist_says_what_there_is(
    packed: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    out = packed[0]
    told = json.loads((out / "index.json").read_text())["titles"]
    shapes = [[(r["name"], r["width"], r["height"]) for r in title["renditions"]] for title in told]
    sizes = [("180p", 322, 180), ("144p", 258, 144), ("96p", 172, 96)]
    assert shapes == [[*sizes, ("sound", 0, 0)], sizes, [("128k", 0, 0), ("64k", 0, 0)]]
    first, silent, _ = ((out / title["master"]).read_text() for title in told)
    # The fastest preset uses nothing that the baseline profile lacks, and the encoder says so.
    assert re.findall(r'CODECS="([^"]+)"', first)[0].startswith("avc1.42")
    assert first.count('mp4a.40.2"') == 4
    assert first.count('AUDIO="sound"') == 4
    assert "mp4a" not in silent
    assert re.findall(r"RESOLUTION=(\d+x\d+),FRAME-RATE=([\d.]+)", first) == [
        ("322x180", "12.000"),
        ("258x144", "12.000"),
        ("172x96", "12.000"),
    ]
    for peak, average in re.findall(r"[:]BANDWIDTH=(\d+),AVERAGE-BANDWIDTH=(\d+)", first):
        assert int(peak) >= int(average) > 0


def test_segments_are_aligned_and_there(packed: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    out = packed[0]
    for title in json.loads((out / "index.json").read_text())["titles"]:
        cuts = set()
        for rendition in title["renditions"]:
            folder = out / title["id"] / rendition["name"]
            text = (folder / "index.m3u8").read_text()
            named = [line for line in text.splitlines() if line and not line.startswith("#")]
            assert {"init.mp4", "index.m3u8", *named} == {path.name for path in folder.iterdir()}
            assert '#EXT-X-MAP:URI="init.mp4"' in text
            assert text.endswith("#EXT-X-ENDLIST\n")
            if rendition["width"]:
                cuts.add(tuple(re.findall(r"#EXTINF:([\d.]+)", text)))
        assert len(cuts) <= 1, "every rendition is cut at the same times"


def test_what_cannot_be_read_is_named_all_at_once(
    room: tuple[Path, list[str], str], packed: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    assert packed[1].returncode == 0
    broken = room[0] / "broken"
    broken.mkdir()
    (broken / "a.mp4").write_bytes(b"this is no film" * 50)
    (broken / "notes.txt").write_text("neither is this\n")
    done = pack(room, "broken")
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        f"{room[2]}/broken/a.mp4",
        f"{room[2]}/broken/notes.txt",
    ]
    assert "ffprobe cannot read it: Invalid data found when processing input" in lines[0]
    empty = room[0] / "empty"
    empty.mkdir()
    assert pack(room, "empty").stderr == f"{room[2]}/empty: has no film and no piece of music\n"


# Films of every kind

FILM = ("-f", "lavfi", "-i", "testsrc2=s=192x108:r=10")
PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=192x108:r=10:d=0.1")
TONE = ("-f", "lavfi", "-i", "sine=r=22050")
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
COVER = ("-disposition:v", "attached_pic")
_LENGTH = ("-t", "3")
# Name, ffmpeg's arguments, and what is published: kind, seconds, size of the largest rendition.
KINDS: list[tuple[str, tuple[str, ...], tuple[str, float, str]]] = [
    ("half.mp4", (*FILM, *TONE, *_LENGTH, *H264), ("video", 3, "192x108")),
    ("alpha.webm", (*FILM, *_LENGTH, "-vf", "format=yuva420p", "-c:v", "vp9"), ("video", 3, "192x108")),
    ("odd.mkv", (*FILM, *_LENGTH, "-vf", "crop=101:57", "-c:v", "ffv1"), ("video", 3, "100x56")),
    ("dot.mkv", (*FILM, *_LENGTH, "-vf", "crop=1:1:exact=1", "-c:v", "ffv1"), ("video", 3, "2x2")),
    ("ten.mkv", (*FILM, *_LENGTH, "-c:v", "ffv1", "-pix_fmt", "yuv444p10le"), ("video", 3, "192x108")),
    ("flat.mp4", (*FILM, *_LENGTH, "-vf", "setsar=4/3", *H264), ("video", 3, "192x80")),
    (
        "fields.mpg",
        (*FILM, *_LENGTH, "-vf", "interlace", "-r", "25", "-c:v", "mpeg2video", "-flags", "+ilme+ildct"),
        ("video", 3, "192x108"),
    ),
    ("late.ts", (*FILM, *TONE, *_LENGTH, *H264, "-output_ts_offset", "3600"), ("video", 3, "192x108")),
    ("sound-late.mp4", (*FILM, "-itsoffset", "2", *TONE, "-t", "5", *H264), ("video", 5, "192x108")),
    (
        "picture-late.mkv",
        ("-itsoffset", "2", *FILM, *TONE, "-map", "0", "-map", "1", "-t", "5", *H264),
        ("video", 5, "192x108"),
    ),
    ("single.mp4", (*PICTURE, *H264), ("video", 0.1, "192x108")),
    (
        "sixteen.wav",
        ("-f", "lavfi", "-i", "aevalsrc=" + "|".join("sin(900*t)" for _ in range(16)), *_LENGTH),
        ("audio", 3, "0x0"),
    ),
    ("raw.aac", (*TONE, *_LENGTH), ("audio", 3, "0x0")),
    ("low.wav", ("-f", "lavfi", "-i", "sine=r=8000", *_LENGTH), ("audio", 3, "0x0")),
    (
        "cover.mp3",
        (*TONE, *PICTURE, "-map", "0", "-map", "1", "-c:v", "mjpeg", *_LENGTH, *COVER),
        ("audio", 3, "0x0"),
    ),
]  # fmt: skip


def private_stream(recording: Path) -> None:
    """Make of a transport stream's sound a stream that nobody names: of type 5, with nothing known in it."""
    content = bytearray(recording.read_bytes())
    for start in range(0, len(content), 188):
        packet = content[start : start + 188]
        begins, pid = packet[1] & 0x40, (packet[1] & 31) << 8 | packet[2]
        if begins and packet[4:6] == b"\x00\x02":  # a table of what a programme has
            end = 8 + ((packet[6] & 15) << 8 | packet[7]) - 4
            at = 17 + ((packet[15] & 15) << 8 | packet[16])
            while at < end:
                packet[at] = 5 if packet[at] == 15 else packet[at]
                at += 5 + ((packet[at + 3] & 15) << 8 | packet[at + 4])
            packet[end : end + 4] = _mpeg_crc(bytes(packet[5:end])).to_bytes(4, "big")
        elif pid == 257:  # the second stream of ffmpeg's recordings
            at = 4 + (packet[4] + 1 if packet[3] & 0x20 else 0)
            at += 9 + packet[at + 8] if begins else 0
            packet[at:] = bytes(188 - at)
        content[start : start + 188] = packet
    recording.write_bytes(bytes(content))


def _mpeg_crc(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


@pytest.fixture(scope="module", name="kinds")
def _kinds(room: tuple[Path, list[str], str]) -> tuple[Path, dict[str, dict[str, Any]]]:
    """The index of all kinds of films, packed, by the names of their files' stems."""
    for name, arguments, _ in KINDS:
        make(room, f"kinds/{name}", *arguments)
    folder = room[0] / "kinds"
    make(room, "kinds/short.mp4", *FILM, *TONE, "-t", "9", *H264, "-filter:v", "trim=end=2")
    make(room, "kinds/one.mp4", *PICTURE, *TONE, "-t", "9", *H264)
    make(room, "kinds/private.ts", *FILM, *TONE, *_LENGTH, *H264, "-c:a", "aac")
    private_stream(folder / "private.ts")
    (folder / os.fsdecode(b"B\xfcro.mp4")).write_bytes((folder / "half.mp4").read_bytes())
    (folder / "-dash % # ? 'quote\".mp4").write_bytes((folder / "half.mp4").read_bytes())
    done = pack(room, "kinds")
    assert (done.returncode, done.stderr) == (0, "")
    titles = json.loads((room[0] / "out/index.json").read_text())["titles"]
    return room[0] / "out", {title["id"].rpartition("-")[0]: title for title in titles}


def lengths(out: Path, title: dict[str, Any]) -> list[float]:
    texts = [(out / title["id"] / one["name"] / "index.m3u8").read_text() for one in title["renditions"]]
    return [sum(float(one) for one in re.findall(r"#EXTINF:([\d.]+)", text)) for text in texts]


@pytest.mark.parametrize(("name", "expected"), [(name, expected) for name, _, expected in KINDS])
def test_whatever_ffmpeg_plays_is_published(
    kinds: tuple[Path, dict[str, dict[str, Any]]], name: str, expected: tuple[str, float, str]
) -> None:
    out, titles = kinds
    title = titles[name.rpartition(".")[0]]
    kind, seconds, size = expected
    largest = title["renditions"][0]
    assert (title["kind"], f"{largest['width']}x{largest['height']}") == (kind, size)
    found = lengths(out, title)
    assert max(found) - min(found) < 0.25, "all renditions are equally long"
    assert abs(max(found) - seconds) < 0.25
    assert (out / title["poster"]).read_bytes()[:2] == b"\xff\xd8"


@pytest.mark.parametrize("name", ["short", "one"])
def test_the_last_picture_stands_while_there_is_sound(
    kinds: tuple[Path, dict[str, dict[str, Any]]], name: str
) -> None:
    out, titles = kinds
    found = lengths(out, titles[name])
    assert all(abs(length - 9) < 1.1 for length in found), found
    assert max(found) - min(found) < 1.1


def test_a_recording_with_a_stream_that_nobody_names_is_published(
    room: tuple[Path, list[str], str], kinds: tuple[Path, dict[str, dict[str, Any]]]
) -> None:
    probe = ("ffprobe", "-v", "error", "-of", "json", "-show_streams", f"{room[2]}/kinds/private.ts")
    streams = json.loads(call(room, *probe).stdout)["streams"]
    assert [one.get("codec_type") for one in streams] == ["video", None]
    out, titles = kinds
    assert [one["name"] for one in titles["private"]["renditions"]] == ["108p", "72p", "48p"]
    assert lengths(out, titles["private"]) == [3, 3, 3]


def test_names_of_any_bytes_become_titles(kinds: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    assert kinds[1]["buro"]["name"] == "Büro"
    assert kinds[1]["dash-quote"]["name"] == "Dash % # ? 'quote\""


# Films in more light than screens have


def grey(room: tuple[Path, list[str], str], path: str, transfer: str) -> None:
    """Make a film of middle grey, whose white is the 203 cd/m2 that BT.2408 has for HDR."""
    source = "color=c=0x808080:s=192x108:r=10:d=2,scale=out_color_matrix=bt709:out_range=tv,format=yuv444p"
    linear = "zscale=rin=limited:pin=bt709:tin=bt709:min=bt709:p=bt709:t=linear:npl=203,format=gbrpf32le"
    bright = f"zscale=p=bt2020:npl=203,zscale=t={transfer}:m=bt2020nc:r=limited:npl=203,format=yuv420p10le"
    tags = ("-color_primaries", "bt2020", "-colorspace", "bt2020nc", "-color_trc", transfer)
    codec = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "4")
    make(room, path, "-f", "lavfi", "-i", f"{source},{linear},{bright}", *codec, *tags)


def mean(room: tuple[Path, list[str], str], file: str) -> list[int]:
    """Return the mean colour of a picture, red, green and blue."""
    scaled = ("-frames:v", "1", "-vf", "scale=1:1:flags=area,format=rgb24", "-f", "rawvideo")
    made = call(room, "ffmpeg", "-v", "error", "-nostdin", "-i", file, *scaled, "-y", f"{room[2]}/mean.rgb")
    assert made.returncode == 0, made.stderr
    return list((room[0] / "mean.rgb").read_bytes())


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_is_shown_in_the_light_of_bt709(room: tuple[Path, list[str], str], transfer: str) -> None:
    folder = f"hdr-{transfer}"
    grey(room, f"{folder}/film.mp4", transfer)
    done = pack(room, folder)
    assert (done.returncode, done.stderr) == (0, "")
    title = json.loads((room[0] / "out/index.json").read_text())["titles"][0]
    for one in title["renditions"]:
        place = room[0] / "out" / title["id"] / one["name"]
        parts = ("init.mp4", "0000.m4s")
        (place / "whole.mp4").write_bytes(b"".join((place / part).read_bytes() for part in parts))
        inside = f"{room[2]}/out/{title['id']}/{one['name']}/whole.mp4"
        probe = ("ffprobe", "-v", "error", "-of", "json", "-show_streams", inside)
        stream = json.loads(call(room, *probe).stdout)["streams"][0]
        tags = ("pix_fmt", "color_range", "color_space", "color_transfer", "color_primaries")
        assert [stream[tag] for tag in tags] == ["yuv420p", "tv", "bt709", "bt709", "bt709"]
        assert all(abs(value - 128) < 6 for value in mean(room, inside))
    assert all(abs(value - 128) < 6 for value in mean(room, f"{room[2]}/out/{title['poster']}"))


_FROM_2020 = "zscale=pin=bt2020:min=bt2020nc"


@pytest.mark.parametrize(
    ("stream", "starts"),
    [
        ({}, ""),
        ({"color_transfer": "bt709", "color_primaries": "bt709", "color_space": "bt709"}, ""),
        ({"color_transfer": "smpte170m", "color_primaries": "bt470bg"}, ""),
        ({"color_transfer": "smpte2084"}, f"{_FROM_2020}:tin=smpte2084:rin=limited:p=bt2020:t=linear:"),
        (
            {"color_transfer": "smpte2084", "pix_fmt": "gbrp10le", "color_space": "gbr"},
            "zscale=pin=bt2020:min=gbr:tin=smpte2084:rin=full:p=bt2020:t=linear:",
        ),
        ({"color_primaries": "bt2020"}, f"{_FROM_2020}:tin=bt709:rin=limited:p=bt709:"),
        (
            {"color_primaries": "smpte432", "color_space": "bt709", "color_range": "pc"},
            "zscale=pin=smpte432:min=bt709:tin=bt709:rin=full:p=bt709:",
        ),
    ],
)
def test_what_has_more_light_or_colours_is_converted(stream: dict[str, str], starts: str) -> None:
    made = guest("colour").to_bt709(stream)
    assert made.startswith(starts)
    assert bool(made) == bool(starts)


def test_dolby_vision_without_another_picture_is_refused() -> None:
    five = {"side_data_list": [{"dv_profile": 5, "dv_bl_signal_compatibility_id": 0}]}
    eight = {"side_data_list": [{"dv_profile": 8, "dv_bl_signal_compatibility_id": 1}]}
    assert guest("colour").unshowable(five) == (
        "is Dolby Vision of profile 5, whose colours ffmpeg cannot show; export it as HDR10, HLG or SDR"
    )
    assert guest("colour").unshowable(eight) == ""


# The live channel


def segments(playlist: Any) -> list[str]:
    return [segment.name for segment in playlist.segments]


def extended(playlist: Any, *names: str, breaks: bool = False) -> Any:
    live = guest("live_playlist")
    for number, name in enumerate(names):
        at = f"2026-01-02T03:04:{number:02d}.000+0000"
        one = live.Segment(name=name, seconds=2.0, at=at, breaks=breaks and number == 0)
        playlist = playlist.extended(one, window=3)
    return playlist


def test_the_window_moves_and_numbers_only_grow() -> None:
    live = guest("live_playlist")
    one = extended(live.Playlist(first=100), "a", "b", "c", "d", breaks=True)
    assert (one.first, one.following, one.broken, segments(one)) == (101, 104, 1, ["b", "c", "d"])
    # Another leader goes on where the last one stopped.
    other = extended(live.parse_playlist(live.render_playlist(one)), "e", breaks=True)
    assert (other.first, other.broken, segments(other)) == (102, 1, ["c", "d", "e"])
    assert live.render_playlist(other) == LIVE


LIVE = """\
#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:102
#EXT-X-DISCONTINUITY-SEQUENCE:1
#EXT-X-INDEPENDENT-SEGMENTS
#EXTINF:2.000000,
#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:02.000+0000
c
#EXTINF:2.000000,
#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:03.000+0000
d
#EXT-X-DISCONTINUITY
#EXTINF:2.000000,
#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:00.000+0000
e
"""


@pytest.mark.parametrize(
    "text", ["", "#EXTM3U\n", "<html>\n", LIVE.removesuffix("\n"), "#EXTM3U\n#EXTINF:x\n"]
)
def test_a_torn_playlist_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        guest("live_playlist").parse_playlist(text)


# Origins


def test_an_origin_serves_the_folder_and_says_whether_it_can() -> None:
    spec = parse_spec("apiVersion: rookery/v1\n", file="x", read_pattern=lambda _: ("", ""), settings={})
    design = build_design(spec, placers={})
    host = design.hosts[0]
    instance = Instance(app="streaming", component="origin", memory=1, resident=1, ports=(ORIGIN_PORT,))
    text = render_origin(server_place(design, host, instance))
    assert f"listen {ORIGIN_PORT} ssl;" in text
    assert f"pid /run/{instance.name}.pid;" in text
    assert f"/var/log/nginx/{instance.name}.error.log" in text
    assert "aio threads=cephfs;" in text
    assert "application/vnd.apple.mpegurl m3u8;" in text
    assert 'Cache-Control "public, max-age=1" always;' in text
    assert 'Cache-Control "public, max-age=3600, immutable";' in text
    assert text.count('Access-Control-Allow-Origin "*" always;') == 3
    assert text.count("{") == text.count("}")


def test_an_origin_in_a_pod_differs_in_its_place_alone() -> None:
    text = render_origin(pod_place(("streaming-origin.media.svc", "streaming-origin")))
    assert text.startswith("worker_processes 1;\npid /tmp/nginx.pid;\nerror_log stderr warn;\n")
    assert "server_name streaming-origin.media.svc streaming-origin;" in text
    assert "ssl_certificate /etc/rookery/tls/tls.crt;" in text
    assert "access_log /dev/stdout origin;" in text
    assert text.count("X-Served-By $hostname always;") == 3
    # Nothing outside its own volumes is written, and nobody is another user.
    assert re.findall(r"(?m)^user ", text) == []
    assert set(re.findall(r"temp_path (\S+)-", text)) == {"/tmp/nginx"}
    assert "location ~ /\\. { return 404; }" in text
