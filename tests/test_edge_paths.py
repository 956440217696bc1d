"""What an edge asks the gateways for: the site's own files, whatever they are called, with their headers."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import pytest

from rookery.apps.cdn.kubernetes.items import edge_place
from rookery.apps.cdn.nginx import HEALTH_PORT, Origin, Site, render_edge
from rookery.apps.nginx import tls
from tests.kit.hostile_texts import on_kubernetes, read
from tests.kit.loopback import free_port, write_certificate
from tests.kit.servers_image import MISSING, entering
from tests.kit.waiting import until

PATHS = (
    ("a b.html", "/site/a b.html"),
    ("100%25.html", "/site/100%25.html"),
    ("what?#.html", "/site/what?#.html"),
    ("$uri;{x}.html", "/site/$uri;{x}.html"),
    ("ends\nhere.html", "/site/ends\nhere.html"),
    ("end\n", "/site/end\n"),
    ("folder/", "/site/folder/index.html"),
    ("line\n/", "/site/line\n/index.html"),
    ("private/of\nothers", "/site/private/of\nothers"),
    ("media/x\n.m3u8", "/media/x\n.m3u8"),
    ("käse.html", "/site/käse.html"),
)
# Of a folder of one's own: a spec may give them anything that can be printed, but for `$`.
HEADERS = (
    ("X-Marks", """; } add_header X-Evil 1; # \\ \\" " ' {{ x }} %s \\n"""),
    ("X-Plain", "default-src 'self'; img-src *"),
)


def test_a_design_with_headers_can_be_hashed_and_compared() -> None:
    spec = "apiVersion: rookery/v1\napps: {cdn: {site: a, headers: {X-A: 'b', X-C: 'd'}}}\n"
    again = spec.replace("X-A: 'b', X-C: 'd'", "X-C: 'd', X-A: 'b'")
    one, other, another = (
        read(text).apps.chosen()[0][1] for text in (spec, again, spec.replace("'d'", "'e'"))
    )
    assert (one == other, hash(one) == hash(other), one == another) == (True, True, False)


def test_nginx_asks_for_the_site_s_own_files_whatever_their_names(tmp_path: Path) -> None:
    """A path with the end of a line once went to the gateways as it came: it named any bucket."""
    if not entering(tmp_path):
        pytest.skip(f"there is no nginx: {MISSING}")
    write_certificate(tmp_path)
    with gateway(tmp_path) as (port, asked), nginx(tmp_path, port) as edge:
        said = [get(edge, "/" + quote(path, safe="/")) for path, _ in PATHS]
    assert [unquote_to_bytes(path).decode() for path in asked] == [wanted for _, wanted in PATHS]
    assert [[headers[name] for name, _ in HEADERS] for headers in said] == [
        [value for _, value in HEADERS] for _ in PATHS
    ]


@contextlib.contextmanager
def gateway(folder: Path) -> Iterator[tuple[int, list[str]]]:
    """Serve nothing at all over TLS, and note what was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, asked
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def nginx(folder: Path, port: int) -> Iterator[int]:
    """Run the image's nginx as an edge in front of the gateway; yield its port."""
    edge = free_port()
    design = on_kubernetes()
    origin = Origin(servers=(f"127.0.0.1:{port}",), name="localhost", host="localhost")
    place = replace(
        edge_place(design),
        head=("user root;", "worker_processes 1;", "pid /tmp/nginx.pid;", "error_log stderr warn;"),
        cache="/tmp/cache",
        tls=tls("/srv/server.crt", "/srv/server.key"),
        authority="/srv/ca.crt",
        listens=(f"127.0.0.1:{edge} ssl",),
        origins=tuple((name, origin) for name, _ in edge_place(design).origins),
    )
    text = render_edge(place, design.routes, Site(cache_bytes=10**6, headers=HEADERS))
    (folder / "nginx.conf").write_text(
        text.replace(f"listen {HEALTH_PORT};", f"listen 127.0.0.1:{free_port()};")
    )
    argv = (
        *entering(folder),
        "/usr/sbin/nginx",
        "-e",
        "stderr",
        "-c",
        "/srv/nginx.conf",
        "-g",
        "daemon off;",
    )
    with (folder / "said").open("w") as said, subprocess.Popen(argv, stdout=said, stderr=said) as process:
        try:
            assert until(lambda: answers(edge)), (folder / "said").read_text()
            yield edge
        finally:
            process.terminate()
            process.wait(20)


def answers(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    return False


def get(port: int, path: str) -> Message:
    """Return the headers of an answer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == 200, path
        return answer.headers
    finally:
        connection.close()
