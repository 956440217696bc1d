"""A small API server: one Lease over HTTPS, with the rules of a real one that leader election rests on."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from rookery.drivers.clients import tls

PATH = "/apis/coordination.k8s.io/v1/namespaces/media/leases/streaming-channel"
TOKEN = "a-token"


@dataclass
class Fake:
    """What the server holds and saw. `failing` is how many requests get no proper answer from now on."""

    port: int = 0
    account: Path = Path()
    lease: dict[str, Any] | None = None
    version: int = 0
    failing: int = 0
    # A request that is carried out, but whose answer is lost.
    mute: bool = False
    asked: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, lease: dict[str, Any]) -> None:
        self.version += 1
        self.lease = {**lease, "metadata": {**lease["metadata"], "resourceVersion": str(self.version)}}

    def decide(self, method: str, path: str, who: str, sent: dict[str, Any] | None) -> tuple[int, object]:
        """Return the status and the object that answer a request."""
        with self.lock:
            self.asked.append(method)
            if self.failing:
                self.failing -= 1
                return 503, "no JSON"
            if who != f"Bearer {TOKEN}":
                return 401, {"message": "Unauthorized"}
            if path != PATH or self.lease is None:
                return 404, {"message": f"leases {path.rpartition('/')[2]!r} not found"}
            if sent is not None:
                if sent["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
                    return 409, {"message": "the object has been modified"}
                self.put(sent)
            return 200, self.lease


@contextlib.contextmanager
def api_server(folder: Path) -> Iterator[Fake]:
    """Run the server for the length of a `with`; its `account` is a pod's folder of credentials."""
    fake = Fake(account=folder)
    now = dt.datetime.fromtimestamp(time.time(), dt.UTC)
    ca_key, key = tls.make_key(), tls.make_key()
    ca = tls.make_authority("test", ca_key, now=now)
    certificate = tls.issue_certificate(ca, ca_key, key, names=("127.0.0.1",), now=now)
    (folder / "ca.crt").write_text(ca)
    (folder / "token").write_text(f"{TOKEN}\n")
    (folder / "server.pem").write_text(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake)) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        fake.port = server.server_address[1]
        fake.put({"metadata": {"name": "streaming-channel"}})
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()


def _handler(fake: Fake) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

        def do_GET(self) -> None:
            self._answer(*self._decide("GET", None))

        def do_PUT(self) -> None:
            length = int(self.headers["Content-Length"])
            self._answer(*self._decide("PUT", json.loads(self.rfile.read(length))))

        def _decide(self, method: str, sent: dict[str, Any] | None) -> tuple[int, object]:
            return fake.decide(method, self.path, self.headers["Authorization"], sent)

        def _answer(self, status: int, told: object) -> None:
            if fake.mute:
                fake.mute = False
                self.close_connection = True
                return
            text = json.dumps(told).encode() if isinstance(told, dict) else str(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    return Handler
