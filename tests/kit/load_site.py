"""A small site for the load generator to work on: pages, a tiny HLS tree, a catalogue, and an S3 bucket.

It can be told to fail, and remembers what it was asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

PAGE = (
    '<link href="/css/a.css" rel="stylesheet"><a href="/storage.html">x</a><script src="/js/b.js"></script>'
)
SEGMENT_SECONDS = 1.0
SEGMENTS = 30
TITLES = [
    {"id": "dawn", "name": "Dawn", "kind": "video", "seconds": 30, "master": "dawn/master.m3u8"},
    {"id": "owls", "name": "Owls", "kind": "audio", "seconds": 30, "master": "owls/master.m3u8"},
]
_MASTER = """#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH=800000
low/list.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1600000
high/list.m3u8
"""


@dataclass(kw_only=True)
class Site:
    """`broken` decides which requests get 503; `hanging` which get no answer."""

    broken: Callable[[str, str], bool] = lambda _method, _path: False
    hanging: Callable[[str, str], bool] = lambda _method, _path: False
    asked: Counter[str] = field(default_factory=Counter)
    plays: list[uuid.UUID] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    most_stored: int = 0
    url: str = ""

    def application(self) -> web.Application:
        made = web.Application(middlewares=[self._gate], client_max_size=16 << 20)
        made.router.add_get("/", _page)
        made.router.add_get("/storage.html", _page)
        made.router.add_get("/{kind:css|js}/{name}", _text("body {}"))
        made.router.add_get("/media/index.json", _json({"titles": TITLES}))
        made.router.add_get("/media/{title}/master.m3u8", _text(_MASTER))
        made.router.add_get("/media/{title}/{rung}/list.m3u8", _text(_media(0, SEGMENTS)))
        made.router.add_get("/media/{title}/{rung}/{name}.ts", _segment)
        made.router.add_get("/live/live.m3u8", _live)
        made.router.add_get("/live/{name}.ts", _segment)
        made.router.add_get("/api/titles", _json({"titles": TITLES}))
        made.router.add_post("/api/titles/{title}/plays", self._play)
        made.router.add_route("*", "/load", self._bucket)
        made.router.add_route("*", "/load/{key}", self._object)
        return made

    @web.middleware
    async def _gate(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked[re.sub(r"\d+", "N", f"{request.method} {request.path}")] += 1
        if self.hanging(request.method, request.path):
            await asyncio.sleep(60)
        if self.broken(request.method, request.path):
            return web.Response(status=503, text="broken")
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _play(self, request: web.Request) -> web.Response:
        self.plays.append(uuid.UUID((await request.json())["id"]))
        return web.json_response({}, status=201)

    async def _bucket(self, request: web.Request) -> web.Response:
        if (refused := _refusal(request)) is not None:
            return refused
        if request.method == "POST":
            for key in re.findall(r"<Key>(.*?)</Key>", await request.text()):
                self.objects.pop(key, None)
            return web.Response(text="<DeleteResult/>")
        if request.method == "PUT":
            return web.Response()
        keys = "".join(f"<Contents><Key>{key}</Key></Contents>" for key in self.objects)
        name = "http://s3.amazonaws.com/doc/2006-03-01/"
        return web.Response(text=f'<ListBucketResult xmlns="{name}">{keys}</ListBucketResult>')

    async def _object(self, request: web.Request) -> web.Response:
        if (refused := _refusal(request)) is not None:
            return refused
        key = request.match_info["key"]
        if request.method == "PUT":
            self.objects[key] = await request.read()
            self.most_stored = max(self.most_stored, sum(map(len, self.objects.values())))
            return web.Response(headers={"ETag": _etag(self.objects[key])})
        if request.method == "DELETE":
            self.objects.pop(key, None)
            return web.Response(status=204)
        if key not in self.objects:
            return web.Response(status=404, text="<Error><Code>NoSuchKey</Code></Error>")
        return web.Response(body=self.objects[key], headers={"ETag": _etag(self.objects[key])})


def _refusal(request: web.Request) -> web.Response | None:
    """Refuse what gateways of Ceph 20 refuse: no signature, or a type that is sent and not signed."""
    signature = request.headers["Authorization"]
    signed = signature.startswith("AWS4-HMAC-SHA256 Credential=access/")
    if not signed or ("Content-Type" in request.headers and "content-type" not in signature):
        return web.Response(status=403, text="<Error><Code>AccessDenied</Code></Error>")
    return None


@contextlib.asynccontextmanager
async def serving(site: Site) -> AsyncIterator[Site]:
    """Serve the site on a port of its own."""
    runner = web.AppRunner(site.application(), shutdown_timeout=0.1)
    await runner.setup()
    place = web.TCPSite(runner, "127.0.0.1", 0)
    await place.start()
    host, port = runner.addresses[0][:2]
    site.url = f"http://{host}:{port}"
    try:
        yield site
    finally:
        await runner.cleanup()


def _etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


def _text(text: str) -> Any:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=text)

    return answer


def _json(value: Any) -> Any:
    async def answer(_request: web.Request) -> web.Response:
        return web.json_response(value)

    return answer


async def _page(_request: web.Request) -> web.Response:
    return web.Response(text=PAGE, content_type="text/html")


async def _segment(_request: web.Request) -> web.Response:
    return web.Response(body=bytes(10_000))


async def _live(_request: web.Request) -> web.Response:
    return web.Response(text=_media(int(time.time() / SEGMENT_SECONDS), 6))


def _media(first: int, count: int) -> str:
    segments = "".join(f"#EXTINF:{SEGMENT_SECONDS},\n{first + n}.ts\n" for n in range(count))
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{first}\n{segments}"
