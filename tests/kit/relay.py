"""A port in front of another one, which a test cuts off or freezes."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self

from tests.kit.loopback import free_port


class Relay:
    """A port before the database's that can be taken away with its connections, or stop to carry anything."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._sockets: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self._carries = threading.Event()
        self.port = free_port()

    def __enter__(self) -> Self:
        self.mend()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()

    def mend(self) -> None:
        self._carries.set()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def freeze(self) -> None:
        """Be like a server that lost its power: nothing ends, nothing comes."""
        self._carries.clear()

    def cut(self) -> None:
        self._carries.set()
        sockets, self._sockets = [*self._sockets, self._listener], []
        for line in sockets:
            if line is not None:
                with contextlib.suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)
                line.close()
        self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._carries.wait()
                sink.sendall(data)
        for line in (source, sink):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
