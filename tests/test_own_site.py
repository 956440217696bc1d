"""A folder of the user's own as it is served: by a real nginx with an edge's configuration.

The origin answers as a gateway does that lets nobody list the bucket: 403 for what is not there.
"""

from __future__ import annotations

import gzip
import http.client
import io
import ssl
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from rookery.apps.cdn.nginx import OBJECTS, EdgePlace, Origin, Site, render_edge
from rookery.apps.nginx import tls
from rookery.apps.serving import NO_RULES, told_by_ending
from rookery.apps.table import PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.model import Design, Route
from rookery.drivers.clients.s3 import Upload
from rookery.run.verify.web import start_page
from rookery.spec.parse import parse_spec
from rookery.spec.strict import UnreadableError
from rookery.systems.content import folder_items
from tests.kit.loopback import free_port, write_certificate
from tests.kit.nginx_image import Place, running_nginx

ROUTES = (Route(path="/media/", bucket="media"), Route(path="/live/", backends=(("a", "127.0.0.1"),), port=1))
HTML = "text/html; charset=utf-8"
HOME = (
    "<!doctype html><html><title>home</title><style>h1{color:teal}</style><h1>home</h1>"
    '<script>document.title="changed"</script></html>\n'
)
STRANGE = (
    "two words.html", "50% off.html", "a+b.html", "what?.html", "number #1.html", "a&b=c.html", "café.html",
    'quote".html', "back\\slash.html", "semi;colon.html", "tilde~(1)'.html", "new\nline.html", "🐦.html",
    "-dash.html", "a:b@c.html", "%41.html", "a%2Fb.html",
)  # fmt: skip


def archive() -> bytes:
    with io.BytesIO() as out:
        with tarfile.open(fileobj=out, mode="w:gz") as made:
            made.addfile(tarfile.TarInfo("x"), io.BytesIO())
        return out.getvalue()


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def make_site(folder: Path) -> None:
    """Make a site with everything that web servers treat in a way of their own."""
    packed = gzip.compress("".join(f"{number}\n" for number in range(2000)).encode())
    write(
        folder,
        {
            "index.html": HOME,
            "404.html": "<html>not here</html>",
            "docs/index.html": "<html>docs</html>",
            "docs/deep/er/index.html": "<html>deeper</html>",
            "v2/index.html": "<html>v2</html>",
            "my docs/index.html": "<html>spaces</html>",
            "empty-folder/page.html": "<html>no index</html>",
            ".well-known/security.txt": "Contact: mailto:security@example.com",
            ".well-known/.hidden": "no",
            ".git/config": "no",
            ".htaccess": "no",
            "media/logo.txt": "x",
            "latin.html": "<p>Grüße</p>",
            "old.html": '<meta charset="iso-8859-1"><p>Grüße</p>'.encode("latin-1"),
            "UPPER.HTML": "<p>x</p>",
            "data.csv.gz": packed,
            "download.tar.gz": archive(),
            "logo.svgz": gzip.compress(b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
            "site.css": "h1{color:teal}/*" + "x" * 4000 + "*/",
            "app.js": "//" + "x" * 4000,
            "app.js.br": b"\x0b\x02\x80",
            "page.webmanifest": "{}",
            "unknown.qqq": "?",
            "no-ending": "?",
            "nothing.txt": "",
            "big.bin": bytes(range(256)) * 4096,
            "2026.08.01/index.html": "<html>dots</html>",
            **{f"strange/{name}": f"<p>{name}</p>" for name in STRANGE},
        },
    )
    (folder / "latest").symlink_to("v2")
    (folder / "old-home.html").symlink_to("index.html")
    (folder / "dead.html").symlink_to("nowhere.html")
    (folder / "loop").symlink_to(".")


def origin(items: dict[str, Upload], seen: list[tuple[str, str]], certificate: Path) -> ThreadingHTTPServer:
    """Return a server that answers for objects of the bucket `site` as a gateway does."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            key = unquote(self.path.partition("?")[0])
            seen.append((self.command, self.path))
            item = items.get(key.removeprefix("/site/")) if key.startswith("/site/") else None
            if item is None:
                self.answer(403, b"AccessDenied", {"Content-Type": "application/xml"})
                return
            assert isinstance(item.source, Path)
            headers = {
                "Content-Type": item.media_type,
                "Cache-Control": item.cache_control,
                "ETag": f'"{item.md5()}"',
                "Last-Modified": "Sun, 06 Nov 2022 08:49:37 GMT",
                **({"Content-Encoding": item.encoding} if item.encoding else {}),
            }
            if self.headers.get("If-None-Match") == headers["ETag"]:
                self.answer(304, b"", headers)
                return
            self.answer(200, item.source.read_bytes(), headers)

        def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "server.crt", certificate / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A real edge; `seen` are the requests that reached its origin."""

    port: int
    context: ssl.SSLContext
    seen: list[tuple[str, str]]

    def ask(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        """Ask for a path as it is written: nothing is encoded, nothing followed."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=self.context)
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        body = answer.read()
        connection.close()
        return Answer(status=answer.status, headers=found, body=body)


@pytest.fixture(scope="module", name="edge")
def _edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    room = tmp_path_factory.mktemp("own")
    site, certificate, nginx = room / "site", room / "certificate", room / "nginx"
    for folder in (site, certificate, nginx):
        folder.mkdir()
    make_site(site)
    write_certificate(certificate)
    items = {item.path: item for item in folder_items(site, NO_RULES)}
    seen: list[tuple[str, str]] = []
    server = origin(items, seen, certificate)
    port = free_port()
    gateway = Origin(
        servers=(f"127.0.0.1:{server.server_port} max_fails=0",), name="localhost", host="localhost"
    )
    place = EdgePlace(
        head=("user root;", "worker_processes 1;", "pid /tmp/nginx.pid;", "error_log stderr warn;"),
        access_log="/var/log/edge.log",
        folders=(),
        cache="/var/cache/edge",
        tls=tls("/etc/made/tls.crt", "/etc/made/tls.key"),
        authority="/etc/origin.crt",
        listens=(f"127.0.0.1:{port} ssl",),
        client=(),
        name="edge",
        origins=((OBJECTS, gateway), ("route-live", gateway)),
    )
    chosen = Site(cache_bytes=10**7, headers=(("Content-Security-Policy", 'default-src "a" \\'),))
    text = render_edge(place, ROUTES, chosen).replace("listen 8081;", "listen unix:/tmp/health.sock;")
    laid = nginx / "laid"
    (laid / "etc").mkdir(parents=True)
    (laid / "etc" / "origin.crt").write_bytes((certificate / "ca.crt").read_bytes())
    for made in ("var/cache/edge", "var/log"):
        (laid / made).mkdir(parents=True)
    where = Place(path="/etc/edge.conf", tls="/etc/made", writable=[], user=0)
    with running_nginx(nginx, text, where, port=port) as authority:
        context = ssl.create_default_context(cafile=str(authority))
        yield Edge(port=port, context=context, seen=seen)
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", (200, HTML, None, None)),
        ("/index.html", (200, HTML, None, None)),
        ("/docs", (301, "text/html", None, "/docs/")),
        ("/docs/", (200, HTML, None, None)),
        ("/docs?a=1&b=%2F", (301, "text/html", None, "/docs/?a=1&b=%2F")),
        ("/docs/deep/er", (301, "text/html", None, "/docs/deep/er/")),
        ("/docs/deep", (404, HTML, None, None)),
        ("/docs/deep/", (404, HTML, None, None)),
        ("/my%20docs", (301, "text/html", None, "/my%20docs/")),
        ("//docs", (301, "text/html", None, "/docs/")),
        ("/2026.08.01", (301, "text/html", None, "/2026.08.01/")),
        ("/empty-folder", (404, HTML, None, None)),
        ("/.well-known/security.txt", (200, "text/plain; charset=utf-8", None, None)),
        ("/.well-known/.hidden", (404, HTML, None, None)),
        ("/.git/config", (404, HTML, None, None)),
        ("/.htaccess", (404, HTML, None, None)),
        ("/latest/", (200, HTML, None, None)),
        ("/latest/index.html", (200, HTML, None, None)),
        ("/latest", (301, "text/html", None, "/latest/")),
        ("/old-home.html", (200, HTML, None, None)),
        ("/dead.html", (404, HTML, None, None)),
        ("/loop/index.html", (404, HTML, None, None)),
        ("/download.tar.gz", (200, "application/gzip", None, None)),
        ("/data.csv.gz", (200, "application/gzip", None, None)),
        ("/logo.svgz", (200, "image/svg+xml", "gzip", None)),
        ("/latin.html", (200, HTML, None, None)),
        ("/old.html", (200, "text/html", None, None)),
        ("/UPPER.HTML", (200, HTML, None, None)),
        ("/site.css", (200, "text/css; charset=utf-8", None, None)),
        ("/app.js", (200, "text/javascript; charset=utf-8", None, None)),
        ("/app.js.br", (200, "application/octet-stream", None, None)),
        ("/page.webmanifest", (200, "application/manifest+json", None, None)),
        ("/unknown.qqq", (200, "application/octet-stream", None, None)),
        ("/no-ending", (200, "application/octet-stream", None, None)),
        ("/nothing.txt", (200, "text/plain; charset=utf-8", None, None)),
        ("/404.html", (200, HTML, None, None)),
        ("/nothing-here", (404, HTML, None, None)),
        ("/media/logo.txt", (404, "text/plain", None, None)),
        ("/.edge/folder", (403, "text/html", None, None)),
    ],
)
def test_a_path_is_answered_as_by_any_web_server(
    edge: Edge, path: str, expected: tuple[int, str, str | None, str | None]
) -> None:
    answer = edge.ask(path)
    told = [answer.headers.get(name) for name in ("content-type", "content-encoding", "location")]
    assert (answer.status, *told) == expected
    head = edge.ask(path, method="HEAD")
    assert (head.status, head.body) == (expected[0], b"")


@pytest.mark.parametrize("name", STRANGE)
def test_any_name_is_found_by_its_address(edge: Edge, name: str) -> None:
    encoded = "".join(f"%{byte:02X}" for byte in name.encode())
    answer = edge.ask(f"/strange/{encoded}")
    assert (answer.status, answer.body.decode()) == (200, f"<p>{name}</p>")


def test_no_policy_of_ours_and_those_of_the_spec(edge: Edge) -> None:
    ours = {
        *("strict-transport-security", "x-content-type-options", "x-frame-options", "referrer-policy"),
        *("permissions-policy", "cross-origin-opener-policy"),
    }
    for path in ("/", "/docs", "/nothing-here", "/site.css"):
        headers = edge.ask(path).headers
        assert ours & headers.keys() == set()
        assert headers["content-security-policy"] == 'default-src "a" \\'


def test_ranges_and_questions_whether_it_changed(edge: Edge) -> None:
    whole = edge.ask("/big.bin")
    assert (whole.status, len(whole.body), whole.headers["accept-ranges"]) == (200, 2**20, "bytes")
    part = edge.ask("/big.bin", Range="bytes=1000-1099")
    assert (part.status, part.body) == (206, whole.body[1000:1100])
    assert edge.ask("/big.bin", Range="bytes=-10").body == whole.body[-10:]
    assert edge.ask("/big.bin", Range="bytes=9999999-").status == 416
    etag, modified = whole.headers["etag"], whole.headers["last-modified"]
    assert edge.ask("/big.bin", If_None_Match=etag).status == 304
    assert edge.ask("/big.bin", If_None_Match='"other"').status == 200
    assert edge.ask("/big.bin", If_Modified_Since=modified).status == 304
    # Neither a range nor a known copy is in the way of being led to a folder.
    assert edge.ask("/docs", Range="bytes=0-3", If_None_Match=etag).status == 301
    assert edge.ask("/docs", method="POST").status == 405


def test_text_is_compressed_once(edge: Edge) -> None:
    for path in ("/site.css", "/app.js"):
        answer = edge.ask(path, Accept_Encoding="gzip")
        assert answer.headers["content-encoding"] == "gzip"
        assert gzip.decompress(answer.body) == edge.ask(path).body
    for path in ("/logo.svgz", "/data.csv.gz", "/download.tar.gz"):
        assert edge.ask(path, Accept_Encoding="gzip").body == edge.ask(path).body


def test_what_is_not_there_costs_the_origin_two_questions(edge: Edge) -> None:
    edge.ask("/missed")
    asked = [path for _, path in edge.seen if "missed" in path]
    assert asked == ["/site/missed", "/site/missed/index.html"]
    edge.ask("/missed")
    assert [path for _, path in edge.seen if "missed" in path] == asked


# Its settings, and what verification asks


def cdn(text: str) -> Design:
    spec = f"apiVersion: rookery/v1\napps:\n  streaming: {{channel: false}}\n  cdn: {text}\n"
    parsed = parse_spec(spec, file="demo.yaml", settings=SETTINGS, read_pattern=lambda name: (name, ""))
    return build_design(parsed, placers=PLACERS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{headers: {X-A: b}}", "headers belong to a folder of your own: name it by site, or leave them out"),
        ("{site: s, headers: {'a b': c}}", "'a b' is no header's name: letters, digits and dashes"),
        ("{site: s, headers: {ETag: x}}", "ETag is what the edges say themselves; leave it out"),
        ('{site: s, headers: {X-A: "b\\nc"}}', "X-A: 'b\\nc' is no value here: printable ASCII without $"),
        ("{site: s, headers: {X-A: $host}}", "X-A: '$host' is no value here: printable ASCII without $"),
    ],
)
def test_headers_that_cannot_be_are_refused(text: str, said: str) -> None:
    with pytest.raises(UnreadableError) as raised:
        cdn(text)
    assert [problem.message for problem in raised.value.problems] == [said]


def test_verification_asks_for_a_page_that_is_there(tmp_path: Path) -> None:
    assert start_page(cdn("{}")) == "/"
    write(tmp_path, {"media/a.html": "x", "what?.html": "x", "z.html": "x", ".hidden": "x"})
    assert start_page(cdn(f"{{site: {tmp_path}}}")) == "/what%3F.html"
    write(tmp_path, {"index.html": "x"})
    assert start_page(cdn(f"{{site: {tmp_path}}}")) == "/"
    assert start_page(cdn(f"{{site: {tmp_path}/gone}}")) == "/"


def test_by_hand_it_is_sent_with_the_same_headers() -> None:
    told = {ending: (kind, encoding) for kind, endings, encoding in told_by_ending() for ending in endings}
    assert told[".gz"] == ("application/gzip", "")
    assert told[".svgz"] == ("image/svg+xml", "gzip")
    assert told[".html"] == ("text/html; charset=utf-8", "")
    for ending, (kind, _) in told.items():
        assert NO_RULES.media_type(f"x{ending}") == kind.partition(";")[0]
