"""Packing: whatever ffmpeg plays becomes a title, with renditions in the light of ordinary screens."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rookery.apps.streaming import media
from tests.kit.servers_image import MISSING, entering
from tests.kit.streaming_programs import PACKING, guest

# Packing, with ffmpeg


@pytest.fixture(scope="module", name="room")
def _room(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], str]:
    """A folder with the programs, what runs a command beside it, and the folder's name for that command."""
    room = tmp_path_factory.mktemp("pack")
    shutil.copytree(PACKING, room / "guest", ignore=shutil.ignore_patterns("__pycache__"))
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
    seen = [one.get("codec_type") for one in streams]
    assert seen in (["video", None], ["video", "data", None])  # ffmpeg 9 shows the program map, too
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
