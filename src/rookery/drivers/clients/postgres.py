"""PostgreSQL as a client of the system reaches it: over TLS, verified by the system's own authority."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rookery.errors import RookeryError

if TYPE_CHECKING:
    import psycopg

_LIMIT = 5  # seconds to connect, and for a silent network to be noticed


class DatabaseError(RookeryError):
    """The database refused or did not answer; says what it said.

    `state` is its SQLSTATE, whatever language it speaks; empty where no server answered a statement.
    https://www.postgresql.org/docs/17/errcodes-appendix.html
    """

    def __init__(self, what: str, *, state: str = "") -> None:
        super().__init__(what)
        self.state = state


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One way into a database. `ca_file` vouches for the server; an empty one asks for no TLS at all.

    With an `address`, that is connected to, and `host` is the name that its certificate must have.
    """

    host: str
    port: int
    database: str
    user: str
    password: str
    ca_file: str
    address: str = ""

    def with_password(self, password: str) -> Door:
        return replace(self, password=password)

    def in_clear(self) -> Door:
        return replace(self, ca_file="")


@contextmanager
def connected(door: Door) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A connection where each statement is its own transaction; raises DatabaseError."""
    import psycopg

    try:
        connection = psycopg.connect(
            host=door.host,
            hostaddr=door.address or None,
            port=door.port,
            dbname=door.database,
            user=door.user,
            password=door.password,
            connect_timeout=_LIMIT,
            tcp_user_timeout=_LIMIT * 1000,
            application_name="rookery",
            autocommit=True,
            sslmode="verify-full" if door.ca_file else "disable",
            sslrootcert=door.ca_file or None,
        )
        with connection:
            yield connection
    except psycopg.Error as error:
        raise DatabaseError(" ".join(str(error).split()), state=error.sqlstate or "") from None


def query(door: Door, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Run one statement over a connection of its own; return its rows."""
    with connected(door) as connection:
        cursor = connection.execute(sql.encode(), values)
        return cursor.fetchall() if cursor.description else []
