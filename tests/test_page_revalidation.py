"""The site's page while it becomes another: an edge hands the old one out once more, then the new one."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rookery.drivers.clients.http import Browser
from rookery.run.verify import web
from rookery.run.verify.result import Outcome, Subject
from rookery.run.workspace import open_spec
from rookery.systems.protocol import Endpoint
from tests.kit.loopback import write_certificate


@contextmanager
def edge(folder: Path, pages: int) -> Iterator[str]:
    """An edge whose page is another after each answer, `pages` of them, and then stays; its URL."""
    answered = 0

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            nonlocal answered
            answered += 1
            page = f"<p>page {min(answered, pages)}</p>".ljust(200).encode()
            etag = f'"{min(answered, pages)}"'
            same = self.headers["If-None-Match"] == etag
            ranged = self.headers["Range"] == "bytes=0-99"
            body = b"" if same else page[:100] if ranged else page
            self.send_response(304 if same else 206 if ranged else 200)
            for name, value in (("ETag", etag), ("Cache-Control", "max-age=1")):
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    write_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"https://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join(5)


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        (1, (Outcome.PASS, "ETag revalidates, ranges work, text is compressed")),
        (2, (Outcome.PASS, "ETag revalidates, ranges work, text is compressed")),
        (3, (Outcome.FAIL, 'If-None-Match "2" answers 200; a range of 100 bytes answers 206 with 100')),
    ],
)
def test_a_page_may_become_another_once_while_it_is_asked_for(
    tmp_path: Path, pages: int, said: tuple[Outcome, str]
) -> None:
    with edge(tmp_path, pages) as url:
        system: Any = SimpleNamespace(
            design=open_spec("production-minimum", as_new=True).design,
            addresses={},
            ca_file=tmp_path / "ca.crt",
            endpoints=lambda: (Endpoint(name="site", url=url),),
        )
        evidence = web.http_caching(Subject(system=system, browser=Browser.__new__(Browser), mark="m"))
    assert (evidence.outcome, evidence.seen) == said
