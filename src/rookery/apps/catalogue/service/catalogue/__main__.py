"""Runs the service: `python3 -m catalogue CONFIG`, until SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from pathlib import Path

import uvicorn
from pydantic import ValidationError

from .api import create_app
from .config import Config, load_config
from .tls import ClearedObject

_GRACE = 10  # seconds for requests that are under way when the service is told to end
_CLOSING = 0.5  # seconds for the other side to agree that a connection ends
_BACKLOG = 512  # connections
_KEEP_ALIVE = 30  # seconds
# TLS 1.3 has only good ones; of TLS 1.2's, those with forward secrecy that authenticate what they encrypt.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"

_log = logging.getLogger("catalogue")


class _Server(uvicorn.Server):
    """A server whose end does not wait for clients that have nothing to do.

    Closing a TLS connection waits for the other side's word, and who keeps a connection for later does not
    listen: every idle client would use up all of the grace.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        cutting = asyncio.create_task(self._cut_closed())
        try:
            await super().shutdown(sockets)
        finally:
            cutting.cancel()

    async def _cut_closed(self) -> None:
        while True:
            await asyncio.sleep(_CLOSING)
            for connection in tuple(self.server_state.connections):
                line = connection.transport
                if line.is_closing() and line.get_write_buffer_size() == 0:
                    line.abort()


class _OneLine(logging.Formatter):
    """Whatever is logged is one line: with the error's kind and text, without its trace."""

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text = f"{text}: {type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        return f"{record.levelname} {record.name}: {' '.join(text.split())}"


def main() -> int:
    """Serve until told to end; return the exit status."""
    _log_to_stderr()
    if len(sys.argv) != 2:
        _log.error("usage: python3 -m catalogue CONFIG")
        return 2
    try:
        config = load_config(Path(sys.argv[1]))
    except (OSError, ValidationError) as error:
        _log.error("%s: %s", sys.argv[1], error)
        return 2
    # uvicorn ends its work on a signal, then raises the signal again: this makes of it an orderly end.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    settings = _settings(config)
    settings.load()
    assert settings.ssl is not None, "it has a certificate"
    settings.ssl.sslobject_class = ClearedObject
    server = _Server(settings)
    server.run()
    return 0 if server.started else 1


def _settings(config: Config) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(config),
        host=config.address,
        port=config.port,
        ssl_certfile=str(config.certificate),
        ssl_keyfile=str(config.key),
        ssl_ciphers=_CIPHERS,
        log_config=None,
        access_log=False,
        server_header=False,
        # Nothing depends on the client's address, so nobody's word for it is taken.
        proxy_headers=False,
        # Debian's httptools is from 2019 and takes methods that it does not know for broken requests.
        http="h11",
        ws="none",
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_GRACE,
    )


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # The pools tell of every attempt to connect; what matters of it, `database` tells once.
    for name in ("psycopg", "psycopg.pool"):
        logging.getLogger(name).setLevel(logging.ERROR)


if __name__ == "__main__":
    sys.exit(main())
