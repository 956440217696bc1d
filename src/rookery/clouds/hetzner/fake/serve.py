"""The stand-in as a server on an address of this machine, by uvicorn: in a thread, or until it is stopped."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from rookery.clouds.hetzner.fake.connections import CuttableProtocol
from rookery.clouds.hetzner.fake.http import PREFIX, build_app
from rookery.clouds.hetzner.fake.service import FakeHetzner
from rookery.errors import NotPossibleError

_STOP_LIMIT = 1  # seconds that requests under way are given when it stops


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A stand-in that answers. `endpoint` is what clients of Hetzner's API are told."""

    fake: FakeHetzner
    url: str

    @property
    def endpoint(self) -> str:
        return self.url + PREFIX


@contextmanager
def serving(fake: FakeHetzner, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[Served]:
    """Serve in a thread of this process while the context lasts; port 0 takes one that is free."""
    with _listening(host, port) as listener:
        server = _server(fake)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="fake-hetzner")
        thread.start()
        try:
            yield Served(fake=fake, url=_url(listener))
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Without its protocol asyncio takes it for none of TCP, and answers wait 40 ms for more to send.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise NotPossibleError(
                f"nothing can be served at {host}:{port}: {error.strerror}",
                hint="Is the port taken? --port names another, 0 takes one that is free.",
            ) from None
        listener.listen(128)
        yield listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _server(fake: FakeHetzner) -> uvicorn.Server:
    config = uvicorn.Config(
        build_app(fake),
        http=CuttableProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_STOP_LIMIT,
    )
    return uvicorn.Server(config)
