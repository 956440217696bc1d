"""A server whose connections are bounded: in number, each request in the time until it is read, each answer
in the rate at which it is taken. Who is slower is cut off.

It knows nothing of what is served. Files go from the disk to the socket within the kernel, so that a layer of
any size takes no memory.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from socketserver import BaseRequestHandler, TCPServer, ThreadingMixIn
from typing import Any, Self

from rookery.errors import InputError, NotPossibleError

PORT = 5080
_TICK = 0.5  # seconds
_LISTEN = re.compile(r"(?:(?P<host>[^:\[\]]*)|\[(?P<six>[0-9a-fA-F:.%\w]+)\]):(?P<port>\d{1,5})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one client may take.

    `connections` are open at a time, further ones wait; `request` and `silence` are in seconds: until a
    request is read, or the next one on a connection, and without a byte of an answer being taken. After
    `grace` seconds an answer must have been taken at `rate` bytes a second.
    """

    connections: int = 256
    request: float = 30
    silence: float = 30
    grace: float = 60
    rate: float = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where a server listens; `host` is empty for every address of this machine."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_listen(text: str) -> Listening:
    """Return where to listen: `10.0.0.5:5080`, `[fd00::5]:5080`, `:5080` for all; raises InputError."""
    found = _LISTEN.fullmatch(text)
    if found is None or int(found["port"]) > 65535:
        raise InputError(
            f"{text} is nowhere to listen",
            hint=f"Write ADDRESS:PORT, such as 10.0.0.5:{PORT}, or :{PORT} for every address.",
        )
    return Listening(host=found["six"] or found["host"] or "", port=int(found["port"]))


class BoundedServer(ThreadingMixIn, TCPServer):
    """Answers by `handler` from a thread of its own, until `close`; `log` hears one line for each request.

    Raises NotPossibleError where it cannot listen.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(
        self,
        handler: type[BaseRequestHandler],
        at: Listening,
        *,
        log: Callable[[str], None],
        limits: Limits | None = None,
    ) -> None:
        self.log = log
        self.limits = limits or Limits()
        self._slots = threading.BoundedSemaphore(self.limits.connections)
        self._lock = threading.Lock()
        self._deadlines: dict[socket.socket, float | None] = {}
        self._ending = False
        super().__init__(("", 0), handler, bind_and_activate=False)
        self.socket.close()
        self.socket = _listen(at)
        self.server_address = self.socket.getsockname()
        self._thread = threading.Thread(target=self.serve_forever, args=(_TICK,), daemon=True)

    @property
    def port(self) -> int:
        """The port, also where any one was asked for (0)."""
        return int(self.socket.getsockname()[1])

    @property
    def is_crowded(self) -> bool:
        """Whether connections should end after an answer, so that those who wait get theirs."""
        return len(self._deadlines) > self.limits.connections // 2

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening, and end every connection, whatever is under way on it."""
        self._ending = True
        self.shutdown()
        self.server_close()
        with self._lock:
            connections = list(self._deadlines)
        for connection in connections:
            _end(connection)
        deadline = time.monotonic() + 5
        while self._deadlines and time.monotonic() < deadline:
            time.sleep(0.01)

    @contextlib.contextmanager
    def answering(self, connection: socket.socket) -> Iterator[None]:
        """Take the limit on reading a request off a connection, and put it on for the next one."""
        self._limit(connection, None)
        try:
            yield
        finally:
            self._limit(connection, time.monotonic() + self.limits.request)

    def _limit(self, connection: socket.socket, deadline: float | None) -> None:
        with self._lock:
            if connection in self._deadlines:
                self._deadlines[connection] = deadline

    def send_file(self, connection: socket.socket, file: int, offset: int, count: int) -> int:
        """Send a part of a file, and return how many bytes of it the client took.

        Raises TimeoutError for a client that is too slow, ConnectionError for one that is gone.
        """
        poll = select.poll()
        poll.register(connection, select.POLLOUT)
        began, sent = time.monotonic(), 0
        while sent < count:
            if not poll.poll(self.limits.silence * 1000):
                raise TimeoutError("took nothing")
            took = time.monotonic() - began
            if took > self.limits.grace and sent < took * self.limits.rate:
                raise TimeoutError("too slow")
            with contextlib.suppress(BlockingIOError):
                step = os.sendfile(connection.fileno(), file, offset + sent, min(count - sent, 1 << 20))
                if not step:
                    break  # the file became shorter
                sent += step
        return sent

    # --- what TCPServer calls

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a connection its thread; while there is none to give, others wait for being accepted."""
        while not self._slots.acquire(timeout=_TICK):
            self.service_actions()
            if self._ending:
                self.shutdown_request(request)
                return
        with self._lock:
            self._deadlines[request] = time.monotonic() + self.limits.request
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no more threads on this machine
            self._release(request)
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._release(request)

    def _release(self, connection: socket.socket) -> None:
        with self._lock:
            self._deadlines.pop(connection, None)
        self._slots.release()

    def service_actions(self) -> None:
        """End connections whose request takes too long to come."""
        now = time.monotonic()
        with self._lock:
            late = [one for one, deadline in self._deadlines.items() if deadline is not None]
            late = [one for one in late if (self._deadlines[one] or 0) < now]
        for connection in late:
            _end(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say that a request failed by a fault of ours; the server goes on."""
        del request
        self.log(f"{client_address[0]} the request failed here")


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _listen(at: Listening) -> socket.socket:
    try:
        if at.host:
            family = socket.AF_INET6 if ":" in at.host else socket.AF_INET
            return socket.create_server((at.host, at.port), family=family, backlog=128)
        if socket.has_dualstack_ipv6():
            with contextlib.suppress(OSError):
                return socket.create_server(
                    ("::", at.port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128
                )
        return socket.create_server(("", at.port), backlog=128)
    except OSError as error:
        raise NotPossibleError(
            f"nothing can listen at {at}: {error.strerror or error}",
            hint="Name an address of this machine and a port that is free: `--listen ADDRESS:PORT`.",
        ) from None
