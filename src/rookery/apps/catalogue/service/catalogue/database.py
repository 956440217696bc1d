"""The way to PostgreSQL: the primary, the replicas, and what is asked of whom.

Reads go to the primary, and to a replica where the primary cannot be reached. A play must show right after it
was acknowledged, on every instance of the service; a replica, even the synchronous one, has by then received
it, not necessarily applied it. `synchronous_commit = remote_apply` would cover the synchronous replica alone,
and make every play wait for it. The sums that are read cost the primary well under a millisecond. Who can do
with figures a moment old says so (`stale=true`), and is served by a replica while there is one.

Nothing here tries a write twice: whether a write whose connection broke took place is known to nobody. The
client sends it again, with the same id.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar
from weakref import WeakSet

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from .config import Config
from .connection import Connection, connection_string

_SIZE = 8  # connections to each side; one process has no use for more
_QUEUE = 200  # requests; beyond it an answer would come too late for the one who asks
_WAIT = 3.0  # seconds for a connection
_SHORT_WAIT = 1.0  # seconds, where there is somewhere else to ask
_SHORTEST_WAIT = 0.3  # seconds, where it is known to fail
_PROBE_WAIT = 0.8  # seconds; a balancer's check gives up after one or two
_RETRY = 0.5  # seconds between tries of a side that failed
_BELIEVED = 1.0  # seconds for which an answer tells that a side is there

_log = logging.getLogger("catalogue.database")

T = TypeVar("T")
Action = Callable[[Connection], Awaitable[T]]


class UnavailableError(Exception):
    """The database cannot be asked now; trying again later may help."""


class BusyError(UnavailableError):
    """It answers, but others are before us for longer than we can wait."""


class LostError(UnavailableError):
    """The connection broke while it was in use."""


# A table that is not there yet, or not ours to read yet: the schema is being installed.
_UNREADY = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.InsufficientPrivilege,
)
# The last one: a primary that was demoted still talks, and will not write again on this connection.
_BROKEN = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.ReadOnlySqlTransaction)


class Side:
    """One side of the database, `primary` or `replica`: its pool, and whether it was there last."""

    def __init__(self, name: str, conninfo: str, password_file: str) -> None:
        self.name = name
        self._failing = False
        self._answered_at = float("-inf")
        self._watching: asyncio.Task[None] | None = None
        self._clearing: asyncio.Task[None] | None = None
        self._connections: WeakSet[Connection] = WeakSet()
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            conninfo,
            connection_class=Connection,
            kwargs={"autocommit": True, "password_file": password_file, "known": self._connections},
            min_size=1,
            max_size=_SIZE,
            max_waiting=_QUEUE,
            timeout=_WAIT,
            # After this long the next request begins a new attempt: pauses do not grow with an outage.
            reconnect_timeout=_WAIT,
            check=self._check,
            name=name,
            open=False,
        )

    async def open(self) -> None:
        """Start to connect; that nobody answers yet is no error."""
        await self._pool.open()

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
        await self._pool.close(timeout=1.0)

    @property
    def failing(self) -> bool:
        """Whether it could not be asked when it was last tried; while so, it is tried by itself."""
        return self._failing

    async def ask(self, action: Action[T], *, wait: float = _WAIT) -> T:
        """Do `action` on a connection that is got within `wait` seconds; raise UnavailableError otherwise."""
        try:
            async with self._pool.connection(timeout=wait) as connection:
                answer = await self._ask(connection, action)
        except (PoolTimeout, TooManyRequests) as error:
            if self._answers():
                raise BusyError(f"the {self.name} has too much to do: {error}") from error
            raise self._failed(UnavailableError(f"the {self.name} cannot be reached: {error}")) from error
        except _UNREADY as error:
            raise self._failed(UnavailableError(f"the {self.name} is not ready: {_brief(error)}")) from error
        self._answered()
        return answer

    async def probe(self) -> bool:
        """Tell whether it answers; an answer to someone else within the last second counts."""
        if not self._answers():
            try:
                await self.ask(_ping, wait=_PROBE_WAIT)
            except UnavailableError:
                return False
        return True

    async def _ask(self, connection: Connection, action: Action[T]) -> T:
        try:
            async with connection.limited():
                return await action(connection)
        except psycopg.errors.QueryCanceled as error:
            raise UnavailableError(f"the {self.name} took too long: {_brief(error)}") from error
        except _BROKEN as error:
            await connection.close()
            await self._clear()
            raise self._failed(LostError(f"the {self.name} was lost: {_brief(error)}")) from error

    async def _check(self, connection: Connection) -> None:
        try:
            await connection.check()
        except psycopg.Error:
            await self._clear()
            raise

    async def _clear(self) -> None:
        """Cut and drop all idle connections: where one is dead the others mostly are, and to find that out of
        a server that vanished takes seconds for each."""
        for connection in tuple(self._connections):
            if not connection.busy:
                connection.sever()
        if self._clearing is None or self._clearing.done():
            self._clearing = asyncio.create_task(self._pool.check())
        await asyncio.shield(self._clearing)

    def _answers(self) -> bool:
        return not self._failing and asyncio.get_running_loop().time() - self._answered_at < _BELIEVED

    def _failed(self, error: UnavailableError) -> UnavailableError:
        if not self._failing:
            _log.warning("%s", error)
            # So that no request has to find out when it is back, and that it is noticed without requests.
            self._watching = asyncio.create_task(self._watch())
        self._failing = True
        return error

    async def _watch(self) -> None:
        while self._failing:
            await asyncio.sleep(_RETRY)
            with suppress(UnavailableError, psycopg.Error):
                await self.ask(_ping, wait=_PROBE_WAIT)

    def _answered(self) -> None:
        if self._failing:
            _log.warning("the %s answers again", self.name)
        self._failing = False
        self._answered_at = asyncio.get_running_loop().time()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What of the database can be used now; `reads` names the side that would serve one, or is empty."""

    reads: str
    writes: bool


class Database:
    """Both sides of the database, for as long as the service runs."""

    def __init__(self, config: Config) -> None:
        password_file = str(config.database.password_file)
        self._primary, self._replica = (
            Side(name, connection_string(config, writable=name == "primary"), password_file)
            for name in ("primary", "replica")
        )

    async def open(self) -> None:
        """Start to connect; that the database is not there yet is no error."""
        await self._primary.open()
        await self._replica.open()

    async def close(self) -> None:
        await asyncio.gather(self._primary.close(), self._replica.close())

    async def write(self, action: Action[T]) -> T:
        """Do `action` on the primary, once; raise UnavailableError where its outcome is not known."""
        return await self._primary.ask(action)

    async def read(self, action: Action[T], *, stale: bool) -> tuple[T, str]:
        """Do `action` where it can be done, and return its result with the side's name.

        `stale` says that a replica will do. A connection that breaks is replaced once, on the same side.
        """
        sides = [self._replica, self._primary] if stale else [self._primary, self._replica]
        if sides[0].failing:
            sides.reverse()
        failure = UnavailableError("the database was not asked")
        for side in sides:
            try:
                return await _twice(side, action), side.name
            except UnavailableError as error:
                failure = error
                # A primary that is merely busy knows of plays that a replica may not know of yet.
                if isinstance(error, BusyError) and not stale:
                    break
        raise failure

    async def state(self) -> Reading:
        """Find out what can be used."""
        writes, replica = await asyncio.gather(self._primary.probe(), self._replica.probe())
        return Reading(reads="primary" if writes else "replica" if replica else "", writes=writes)


async def _twice(side: Side, action: Action[T]) -> T:
    try:
        return await side.ask(action, wait=_SHORTEST_WAIT if side.failing else _SHORT_WAIT)
    except LostError:
        return await side.ask(action, wait=_SHORT_WAIT)


async def _ping(connection: Connection) -> None:
    await connection.execute("SELECT FROM catalogue.titles LIMIT 1")


def _brief(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
