"""A provider's API for prices, played by a server on this machine."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

TODAY = date(2026, 11, 23)
SECRET = "s3cr3t-t0k3n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as the server saw it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """What the server answers; `late` is how many seconds it waits before it does."""

    status: int = 200
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()
    late: float = 0.0


@dataclass(slots=True)
class Provider:
    """A server whose answers the test decides."""

    url: str
    answer: Callable[[Asked], Says]
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def price_server() -> Iterator[Provider]:
    """Serve answers that the test decides; no proxy of this machine is asked meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            parts = urlsplit(self.path)
            asked = Asked(
                method=self.command,
                path=parts.path,
                query={name: values[0] for name, values in parse_qs(parts.query).items()},
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(int(self.headers.get("Content-Length", "0"))),
            )
            served.asked.append(asked)
            says = served.answer(asked)
            time.sleep(says.late)
            content = says.body if isinstance(says.body, bytes) else json.dumps(says.body).encode()
            self.send_response(says.status)
            for name, value in (*says.headers, ("Content-Length", str(len(content)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = _serve  # noqa: N815 - the names that http.server looks for
        do_POST = _serve  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            """Say nothing on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Provider(url=f"http://127.0.0.1:{server.server_port}", answer=lambda _: Says(status=404))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        with pytest.MonkeyPatch.context() as environment:
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
                environment.delenv(name, raising=False)
            yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
