"""A mirror over HTTP, read-only: a container registry of its images, and its other files as they are.

Nodes pull from it through `registries.conf`, apt through its sources.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote

from rookery.mirror.serving.bounded import BoundedServer, Limits, Listening
from rookery.mirror.serving.shelf import API, NotOfferedError, Offer, Shelf

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class MirrorServer(BoundedServer):
    """Serves what is on a shelf, until `close`; raises NotPossibleError where it cannot listen."""

    def __init__(
        self, shelf: Shelf, at: Listening, *, log: Callable[[str], None], limits: Limits | None = None
    ) -> None:
        self.shelf = shelf
        super().__init__(Handler, at, log=log, limits=limits)


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD; every other method is refused, and ends the connection."""

    server: MirrorServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "rookery", ""

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(self.server.limits.silence)

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, TimeoutError) as error:
            self._log(f"broken off: {error}")

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        if self.server.is_crowded or "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # a body that nobody reads would be taken for the next request
        with self.server.answering(self.connection):
            path = unquote(self.path.partition("?")[0], errors="replace")
            if path == API:
                self._text(HTTPStatus.OK, b"{}", with_body=with_body)
                return
            try:
                offer = self.server.shelf.find(path)
                file = self.server.shelf.open(offer)
            except NotOfferedError as problem:
                self._refuse(HTTPStatus.NOT_FOUND, problem.message, problem.code, with_body=with_body)
                return
            with file:
                self._send(offer, file.fileno(), with_body=with_body)

    def _send(self, offer: Offer, file: int, *, with_body: bool) -> None:
        seen = os.fstat(file)
        modified = formatdate(seen.st_mtime, usegmt=True)
        part = self._part(seen.st_size, (f'"{offer.digest}"', modified))
        if part is None:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self._end_headers(("Content-Range", f"bytes */{seen.st_size}"), ("Content-Length", "0"))
            self._log("416")
            return
        first, count = part
        whole = count == seen.st_size
        status = HTTPStatus.OK if whole else HTTPStatus.PARTIAL_CONTENT
        headers = [
            ("Content-Type", offer.media_type),
            ("Content-Length", str(count)),
            ("Accept-Ranges", "bytes"),
            ("Last-Modified", modified),
        ]
        if offer.digest:
            headers += [("Docker-Content-Digest", offer.digest), ("ETag", f'"{offer.digest}"')]
        if not whole:
            headers.append(("Content-Range", f"bytes {first}-{first + count - 1}/{seen.st_size}"))
        self.send_response(status)
        self._end_headers(*headers)
        self._body(file, first, count if with_body else 0, status)

    def _body(self, file: int, first: int, count: int, status: HTTPStatus) -> None:
        began = time.monotonic()
        try:
            sent = self.server.send_file(self.connection, file, first, count)
        except (ConnectionError, TimeoutError) as error:
            self.close_connection = True
            self._log(f"{status.value} broken off: {error}")
            return
        if sent < count:
            self.close_connection = True
        self._log(f"{status.value} {sent} bytes {time.monotonic() - began:.2f} s")

    def _part(self, size: int, validators: tuple[str, str]) -> tuple[int, int] | None:
        """Return where to begin and how many bytes to send; None for a part that is not there.

        A part of what was another file then is not sent, and of several parts none: the whole is.
        """
        found = _RANGE.fullmatch(self.headers.get("Range", "").strip())
        condition = self.headers.get("If-Range")
        if found is None or found.groups() == ("", "") or (condition and condition not in validators):
            return 0, size
        begin, end = found.groups()
        if not begin:
            first, last = max(0, size - int(end)), size - 1
        else:
            first, last = int(begin), min(int(end), size - 1) if end else size - 1
        if first >= size or (not begin and not int(end)):
            return None
        if last < first:
            return 0, size
        return first, last - first + 1

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse a request that could not be read, and every method that is not known here."""
        del explain
        self.close_connection = True
        if code == HTTPStatus.NOT_IMPLEMENTED:
            text = "this is read-only: GET and HEAD"
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, text, "UNSUPPORTED", with_body=True)
        else:
            self._refuse(HTTPStatus(code), message or "", "UNSUPPORTED", with_body=True)

    def _refuse(self, status: HTTPStatus, message: str, code: str, *, with_body: bool) -> None:
        """Answer with an error: in the registry's form below its path, else in words."""
        path = getattr(self, "path", "")  # none where the request's first line could not be read
        if path.startswith(API):
            said = {"errors": [{"code": code or "UNKNOWN", "message": message, "detail": {}}]}
            self._text(status, json.dumps(said).encode(), with_body=with_body)
        else:
            self._text(status, f"{message}\n".encode(), "text/plain; charset=utf-8", with_body=with_body)

    def _text(
        self, status: HTTPStatus, content: bytes, kind: str = "application/json", *, with_body: bool
    ) -> None:
        self.send_response(status)
        allowed = (("Allow", "GET, HEAD"),) if status == HTTPStatus.METHOD_NOT_ALLOWED else ()
        self._end_headers(("Content-Type", kind), ("Content-Length", str(len(content))), *allowed)
        if with_body:
            self.wfile.write(content)
        self._log(str(status.value))

    def _end_headers(self, *headers: tuple[str, str]) -> None:
        for name, value in headers:
            self.send_header(name, value)
        if getattr(self, "path", "").startswith(API):
            self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _log(self, outcome: str) -> None:
        if getattr(self, "command", None):
            line = "".join(one if one.isprintable() else "?" for one in self.requestline)
            what = line.removesuffix(" HTTP/1.1")[:300]
        else:
            what = "(no HTTP; runtimes try TLS first)"
        client = self.client_address[0].removeprefix("::ffff:")
        self.server.log(f"{time.strftime('%H:%M:%S')} {client} {what} {outcome}")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        """Say nothing: each request is logged once, with what became of it."""
