"""What a server of a test's own needs on this machine: a port that is free, a certificate for 127.0.0.1."""

from __future__ import annotations

import datetime as dt
import functools
import socket
from pathlib import Path

from rookery.drivers.clients.tls import issue_certificate, make_authority, make_key


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)  # noqa: TID251 - a certificate is valid from now on


@functools.cache
def authority() -> tuple[str, str]:
    """The tests' own authority: its certificate and its key."""
    key = make_key()
    return make_authority("tests", key, now=now()), key


def write_certificate(folder: Path) -> None:
    """Put ca.crt, server.crt and server.key for 127.0.0.1 into a folder."""
    ca, ca_key = authority()
    key = make_key()
    certificate = issue_certificate(ca, ca_key, key, names=("localhost", "127.0.0.1"), now=now())
    for name, text in (("ca.crt", ca), ("server.crt", certificate), ("server.key", key)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
