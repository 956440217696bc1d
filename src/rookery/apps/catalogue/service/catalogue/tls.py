"""TLS towards clients, beside libpq's TLS towards the database, in one thread.

OpenSSL keeps the errors of a thread in one queue, and tells by it whether a call failed. Debian's libpq
shares OpenSSL with Python's ssl and leaves errors behind when a connection to the database breaks; ssl does
not clear the queue before it reads. So a client that sent its request just then had its connection closed
without an answer. Here the queue is cleared before every call. libpq does that by itself.
"""

from __future__ import annotations

import _ssl
import ctypes
import ssl
from typing import Any

# The library that ssl itself is linked to; without giving up the interpreter's lock, which would take longer.
_clear_errors = ctypes.PyDLL(_ssl.__file__).ERR_clear_error


class ClearedObject(ssl.SSLObject):
    """One side of a TLS connection, whose calls start without the errors of others."""

    def do_handshake(self) -> None:
        _clear_errors()
        super().do_handshake()

    def read(self, *args: Any) -> Any:
        _clear_errors()
        return super().read(*args)

    def write(self, data: Any) -> int:
        _clear_errors()
        return super().write(data)

    def unwrap(self) -> None:
        _clear_errors()
        super().unwrap()
