"""The stand-in over HTTP on this machine, and without a network for tests of very many requests."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

from tests.kit.google_cloud.calls import Cut, answer
from tests.kit.google_cloud.special import control
from tests.kit.google_cloud.state import Project


@contextlib.contextmanager
def served(project: Project) -> Iterator[str]:
    """Serve a project on a free port of the loopback; yield where."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            token = self.headers.get("Authorization", "")
            try:
                status, found = answer(project, self.command, self.path, body, token)
                control(project)
            except Cut:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            data = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = do_PATCH = _answer  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Direct(requests.adapters.BaseAdapter):
    """Carries requests to a project without a network."""

    def __init__(self, project: Project) -> None:
        super().__init__()
        self._project = project

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        body = request.body
        sent = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else b""
        token = str(request.headers.get("Authorization", ""))
        try:
            with self._project.lock:
                status, found = answer(self._project, str(request.method), str(request.url), sent, token)
                control(self._project)
        except Cut:
            raise requests.exceptions.ConnectionError("the connection was cut") from None
        response = requests.Response()
        response.status_code = status
        response.headers["Content-Type"] = "application/json; charset=UTF-8"
        response._content = json.dumps(found).encode()
        response.request, response.url = request, str(request.url)
        response.encoding = "utf-8"
        return response

    def close(self) -> None:
        """Nothing is open."""
