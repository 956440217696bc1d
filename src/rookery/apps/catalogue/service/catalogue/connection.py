"""A connection that cannot hang: it has limits everywhere, and can be cut off from outside."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow

from .config import Config

_STATEMENT_LIMIT = 2.5  # seconds; the server ends a statement that waits longer, for a lock for instance
_ANSWER_LIMIT = 3.5  # seconds; a server that has not said anything by then is not there
_CHECK_LIMIT = 1.0  # seconds
_TRUSTED = 1.0  # seconds after its last answer for which a connection needs no check


class Connection(psycopg.AsyncConnection[TupleRow]):
    """One connection of a pool.

    `busy` while something is asked on it; `answered_at` is the loop's time at which the server last answered.
    """

    busy = False
    answered_at = 0.0

    @classmethod
    async def connect(cls, conninfo: str = "", **options: Any) -> Self:
        """Connect with the password that `password_file` holds now, and add the connection to `known`."""
        file, known = options.pop("password_file"), options.pop("known")
        password = (await asyncio.to_thread(Path(file).read_text)).strip()
        connection = await super().connect(conninfo, password=password, **options)
        connection.answered_at = asyncio.get_running_loop().time()
        known.add(connection)
        return connection

    @asynccontextmanager
    async def limited(self, limit: float = _ANSWER_LIMIT) -> AsyncIterator[None]:
        """Sever the connection when what is done within takes longer than `limit` seconds.

        Cancelling the task would not do: psycopg then asks the server to stop, and waits for its answer. And
        a commit that is cancelled while it waits for the synchronous replica is reported as done.
        """
        loop = asyncio.get_running_loop()
        timer = loop.call_later(limit, self.sever)
        self.busy = True
        try:
            yield
        finally:
            self.busy = False
            timer.cancel()
        self.answered_at = loop.time()

    def sever(self) -> None:
        """Cut the socket: whoever waits for the server gets OperationalError at once."""
        self.answered_at = float("-inf")
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)

    async def check(self) -> None:
        """Raise psycopg.Error where the server is gone; a connection that just answered is believed."""
        if asyncio.get_running_loop().time() - self.answered_at > _TRUSTED:
            async with self.limited(_CHECK_LIMIT):
                await self.execute("")


def connection_string(config: Config, *, writable: bool) -> str:
    """Return libpq's parameters for the primary or for replicas, without the password."""
    database = config.database
    return make_conninfo(
        host=database.host if writable else database.read_host or database.host,
        port=database.write_port if writable else database.read_port,
        dbname=database.name,
        user=database.user,
        sslmode="verify-full",
        sslrootcert=str(config.ca),
        application_name=f"catalogue {config.name}",
        connect_timeout=3,
        # A primary that was demoted a moment ago may still be behind the port for writing.
        target_session_attrs="read-write" if writable else "any",
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
        tcp_user_timeout=4000,
        # The server may end a statement, never a commit: this limit does not reach into it.
        options=f"-c statement_timeout={round(_STATEMENT_LIMIT * 1000)} -c TimeZone=UTC",
    )
