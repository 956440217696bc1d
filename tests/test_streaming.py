"""Streaming: titles and how they are served, the live channel's playlist, its origins."""

from __future__ import annotations

import json
import re
from fractions import Fraction
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
from tests.kit.streaming_programs import guest


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
