"""What tests of the page for watching share: sample media, a site to serve them, a browser to look with."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from rookery.apps.cdn.nginx import HEADERS
from rookery.apps.cdn.site.content import render_site
from rookery.design.model import Design
from rookery.files import File
from rookery.releases import DEFAULT_RELEASE
from rookery.systems.native.root import image_root
from tests.kit.servers_image import MISSING

CHROMIUM = "/usr/bin/chromium"
SEGMENT = 2  # seconds
WINDOW = 6  # segments in the live playlist
_TYPES = {".m3u8": "application/vnd.apple.mpegurl", ".json": "application/json", ".jpg": "image/jpeg"}
_KIND = {"film-a": "video", "film-b": "video", "music-a": "audio"}
_NAMES = {"film-a": "Rooks at dawn", "film-b": "The long migration", "music-a": "Song of the twig"}


@cache
def ffmpeg() -> tuple[str, ...]:
    """Return a command that runs ffmpeg: this machine's, or that of the servers' image in place."""
    if found := shutil.which("ffmpeg"):
        return (found,)
    if not (image_root(DEFAULT_RELEASE) / "usr/bin/ffmpeg").exists():
        return ()
    # The image's own loader and libraries: nothing is mounted, and no root is needed.
    libraries = next((image_root(DEFAULT_RELEASE) / "usr/lib").glob("*-linux-gnu"))
    path = ":".join(str(libraries / name) for name in ("", "pulseaudio", "blas", "lapack"))
    loader = next(libraries.glob("ld-linux-*.so.*"))
    return (str(loader), "--library-path", path, str(image_root(DEFAULT_RELEASE) / "usr/bin/ffmpeg"))


def missing() -> str:
    """Return why nothing can be watched on this machine; empty when it can."""
    if not Path(CHROMIUM).exists():
        return f"there is no {CHROMIUM}: Debian's package chromium brings it (Ubuntu's snap does not)"
    return "" if ffmpeg() else f"there is no ffmpeg: {MISSING}"


def _encode(folder: Path, *arguments: str) -> None:
    folder.mkdir(parents=True)
    argv = (*ffmpeg(), "-hide_banner", "-loglevel", "error", "-nostdin", *arguments)
    subprocess.run(argv, cwd=folder, check=True, timeout=120)


_VIDEO = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-sc_threshold", "0", "-g", "20")
_HLS = ("-f", "hls", "-hls_time", str(SEGMENT), "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4")


def make_media(root: Path, seconds: int = 12, live: int = 120) -> None:
    """Make two films in three sizes and as sound alone, a piece of music, and the channel's segments."""
    for title, source in (("film-a", "testsrc2=s=640x360:r=10"), ("film-b", "mandelbrot=s=640x360:r=10")):
        sizes = [
            word
            for at, (height, rate) in enumerate(((360, "700k"), (240, "350k"), (144, "150k")))
            for word in (f"-filter:v:{at}", f"scale=-2:{height}", f"-b:v:{at}", rate)
        ]
        # fmt: off
        _encode(
            root / "media" / title, "-f", "lavfi", "-i", source, "-f", "lavfi", "-i", "sine=330",
            "-t", str(seconds), *("-map", "0:v") * 3, *("-map", "1:a") * 4, *_VIDEO, *sizes,
            "-c:a", "aac", "-b:a", "64k", "-var_stream_map",
            "v:0,a:0,name:360p v:1,a:1,name:240p v:2,a:2,name:144p a:3,name:audio", *_HLS,
            "-hls_fmp4_init_filename", "init-%v.mp4", "-hls_segment_filename", "%v/%03d.m4s",
            "-master_pl_name", "master.m3u8", "%v/index.m3u8",
        )
        # fmt: on
    _encode(
        root / "media" / "music-a", "-f", "lavfi", "-i", "sine=220", "-t", str(seconds), "-map", "0:a",
        "-c:a", "aac", "-var_stream_map", "a:0,name:audio", *_HLS, "-hls_fmp4_init_filename", "init-%v.mp4",
        "-hls_segment_filename", "%v/%03d.m4s", "-master_pl_name", "master.m3u8", "%v/index.m3u8",
    )  # fmt: skip
    for title, hue in (("film-a", "0x3b4a48"), ("film-b", "0x9a3d1f"), ("music-a", "0x2d6661")):
        source = f"gradients=s=640x360:c0={hue}:c1=0xf3d7c4:x0=0:y0=360:x1=640:y1=0"
        folder = root / "posters" / title
        _encode(folder, "-f", "lavfi", "-i", source, "-frames:v", "1", "poster.jpg")
        shutil.move(folder / "poster.jpg", root / "media" / title / "poster.jpg")
    _encode(
        root / "live", "-f", "lavfi", "-i", "testsrc=s=640x360:r=10", "-f", "lavfi", "-i", "sine=440",
        "-t", str(live), *_VIDEO, "-c:a", "aac", *_HLS, "-hls_segment_filename", "%03d.m4s", "all.m3u8",
    )  # fmt: skip
    (root / "media" / "index.json").write_text(json.dumps({"titles": [*map(_entry, _NAMES)]}))


def _entry(title: str) -> dict[str, Any]:
    return {
        "id": title,
        "name": _NAMES[title],
        "kind": _KIND[title],
        "seconds": 12,
        "master": f"{title}/master.m3u8",
        "poster": f"{title}/poster.jpg",
        "renditions": [],
        "note": "Twelve seconds, made for looking at.",
    }


@dataclass
class Channel:
    """A live channel: a window over the segments that slides with the clock while the encoder runs."""

    began: float = field(default_factory=time.monotonic)
    stopped: float | None = None  # where its clock stands still
    gone: bool = False  # whether nobody answers for it

    def stop(self, *, gone: bool = False) -> None:
        self.stopped, self.gone = time.monotonic() - self.began, gone

    def go_on(self, *, anew: bool = False) -> None:
        """Go on where it stopped, or anew: with the first segment, under the first number."""
        assert self.stopped is not None
        self.began = time.monotonic() - (0 if anew else self.stopped)
        self.stopped, self.gone = None, False

    def playlist(self) -> str:
        clock = time.monotonic() - self.began if self.stopped is None else self.stopped
        first = int(clock / SEGMENT)
        lines = ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{SEGMENT}"]
        lines += [f"#EXT-X-MEDIA-SEQUENCE:{first}", '#EXT-X-MAP:URI="init.mp4"']
        for number in range(first, first + WINDOW):
            lines += [f"#EXTINF:{SEGMENT:.3f},", f"{number:03d}.m4s"]
        return "\n".join(lines) + "\n"


@dataclass
class Site:
    """What the server serves, and what it was asked; tests change it while it runs."""

    root: Path
    files: Mapping[str, File]
    channel: Channel = field(default_factory=Channel)
    plays: dict[str, str] = field(default_factory=dict)  # a play's identifier to its title
    asked: list[str] = field(default_factory=list)
    posts: list[str] = field(default_factory=list)
    catalogue_status: int = 200
    absent: tuple[str, ...] = ()  # beginnings of paths that are not there
    url: str = ""

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Return status, media type and body of what lies at `path`."""
        if path.startswith("/api/"):
            return self.catalogue_status, "application/json", json.dumps(self._catalogue(path)).encode()
        if path.startswith(self.absent) if self.absent else False:
            return 404, "text/plain", b"There is no such page.\n"
        if path == "/live/live.m3u8":
            return (502 if self.channel.gone else 200), _TYPES[".m3u8"], self.channel.playlist().encode()
        if file := self.files.get(path.lstrip("/") or "index.html"):
            return 200, file.media_type, file.content
        there = self.root / path.lstrip("/")
        if not there.is_file():
            return 404, "text/plain", b"There is no such page.\n"
        return 200, _TYPES.get(there.suffix, "video/mp4"), there.read_bytes()

    def _catalogue(self, path: str) -> Any:
        if path == "/api/counts":
            return {"titles": len(_NAMES), "viewers": 5, "plays": len(self.plays)}
        counted = list(self.plays.values())
        return [
            {"id": title, "name": name, "kind": _KIND[title], "seconds": 12, "plays": counted.count(title)}
            for title, name in _NAMES.items()
        ]


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            known = "HIT" if path in site.asked else "MISS"
            site.asked.append(path)
            self.reply(*site.answer(path), known)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert set(body) == {"id", "seconds"}
            site.posts.append(self.path)
            if site.catalogue_status == 200:
                site.plays[body["id"]] = self.path.split("/")[3]
            self.reply(201 if site.catalogue_status == 200 else site.catalogue_status, "", b"", "MISS")

        def reply(self, status: int, media_type: str, body: bytes, known: str) -> None:
            headers = (
                *HEADERS,
                ("X-Cache", known),
                ("X-Served-By", "worker-a"),
                ("Cache-Control", "no-cache"),
            )
            self.send_response(status)
            for name, value in (*headers, ("Content-Type", media_type), ("Content-Length", str(len(body)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                return  # the browser changed its mind

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's own name
            return

    return Handler


@contextmanager
def serve(root: Path, design: Design) -> Iterator[Site]:
    """Serve the design's site, the media under `root` and a catalogue, with the edges' headers."""
    site = Site(root=root, files={file.path: file for file in render_site(design)})
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(site)) as server:
        site.url = f"http://127.0.0.1:{server.server_port}/"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--mute-audio"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        try:
            yield browser
        finally:
            browser.close()


def until(page: Page, look: Callable[[], bool], *, limit: float = 20.0) -> bool:
    """Look again and again until something true is seen, up to `limit` seconds; return what was seen last."""
    deadline = time.monotonic() + limit
    while not (seen := look()) and time.monotonic() < deadline:
        page.wait_for_timeout(100)
    return seen


@dataclass
class Watcher:
    """One visitor's tab on the page, and everything that went wrong in it."""

    page: Page
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)

    def video(self, what: str) -> float:
        return float(self.page.evaluate(f"document.querySelector('video').{what}"))

    def read(self, name: str) -> str:
        return self.page.locator(f"[data-read={name}]").inner_text()

    def plays_on(self, *, by: float = 1.5, limit: float = 20.0) -> bool:
        """Tell whether the picture moves on by so many seconds; a jump to another place is no moving on."""
        moved, last = 0.0, self.video("currentTime")

        def look() -> bool:
            nonlocal moved, last
            now = self.video("currentTime")
            moved += now - last if 0 < now - last < 1 else 0
            last = now
            return moved >= by and self.video("readyState") >= 2

        return until(self.page, look, limit=limit)
