"""Transactions: a small bank, whose books show whether an acknowledged transfer was ever lost.

Each transfer reads, moves money between two accounts and writes a line, in one transaction at the primary's
port; each is followed by a look at an account at the replicas' port. No statement has a time limit at the
server: a limit that ends the wait for the second copy lets the COMMIT succeed without it, and what was
acknowledged would not be safe. The client gives up instead, and counts the transfer as uncertain.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import psycopg

from .ending import EndedError, Ending
from .meters import Meter
from .schedule import Arrivals
from .web import describe

KINDS = ("transactions", "reads")
ACCOUNTS = 1000
_BALANCE = "SELECT balance FROM load.accounts WHERE id ="
_MOVE = "UPDATE load.accounts SET balance = balance + {amount} WHERE id ="
_LINE = "INSERT INTO load.transfers (source, target, amount) VALUES"
_LIMIT = 15.0  # seconds until a transfer is given up
_TRIM_EVERY = 10.0
_FAILURES = (psycopg.Error, OSError, TimeoutError)
_SCHEMA = """
DROP SCHEMA IF EXISTS load CASCADE;
CREATE SCHEMA load;
CREATE TABLE load.accounts (id int PRIMARY KEY, balance bigint NOT NULL) WITH (fillfactor = 50);
CREATE TABLE load.transfers (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, source int NOT NULL,
    target int NOT NULL, amount int NOT NULL, at timestamptz NOT NULL DEFAULT now());
INSERT INTO load.accounts SELECT id, 0 FROM generate_series(1, 1000) AS id;
"""


class Link:
    """A connection that is made when it is needed, and again after it broke."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = parameters
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def run(self, *statements: str) -> Any:
        """Run statements one after the other; return the first row of the last one's first result."""
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(
                **self._parameters, autocommit=True, prepare_threshold=None
            )
        row: Any = None
        for statement in statements:
            # Every value in a statement is a number of ours; without parameters, several go in one message.
            cursor = await self._connection.execute(statement.encode())
            row = await cursor.fetchone() if cursor.description else None
        return row

    async def drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(*_FAILURES):
                await connection.close()


class Links:
    """A few links that many transactions share, the most recently used first."""

    def __init__(self, parameters: Mapping[str, Any], count: int) -> None:
        self._all = [Link(parameters) for _ in range(count)]
        self._idle: asyncio.LifoQueue[Link] = asyncio.LifoQueue()
        for link in self._all:
            self._idle.put_nowait(link)

    @contextlib.asynccontextmanager
    async def borrow(self) -> AsyncIterator[Link]:
        link = await self._idle.get()
        try:
            yield link
        finally:
            self._idle.put_nowait(link)

    async def close(self) -> None:
        for link in self._all:
            await link.drop()


class Bank:
    """The workload. `settings` are the job's `database`."""

    def __init__(
        self, settings: Mapping[str, Any], password: str, meters: Mapping[str, Meter], ending: Ending
    ) -> None:
        common = {
            "dbname": settings["name"],
            "user": settings["user"],
            "password": password,
            "application_name": "load",
            "connect_timeout": 5,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
            **settings.get("tls", {}),
        }
        self._rate = float(settings["rate"])
        count = min(24, max(4, round(self._rate / 4)))
        writes = {"host": settings["host"], "port": settings["port"]}
        reads = {"host": settings["read_host"], "port": settings["read_port"]}
        self._writes = Links({**common, **writes}, count)
        self._reads = Links({**common, **reads}, max(2, count // 2))
        self._meters = meters
        self._ending = ending
        self._chance = random.Random()  # noqa: S311 - chance, no secret
        self.acknowledged = self.uncertain = self.trimmed = 0
        self._trims_known = True
        self.ready = False

    async def run(self) -> None:
        """Make the tables as soon as that can be done, then transfer at the rate until the end."""
        self._arrivals = self._stream(self._transfer, "transactions")
        self._looks = self._stream(self._look, "reads")
        with contextlib.suppress(EndedError):
            await self._prepare()
            async with asyncio.TaskGroup() as group:
                for job in (self._arrivals.run(), self._looks.run(), self._trim()):
                    group.create_task(job)

    def _stream(self, work: Any, kind: str) -> Arrivals:
        return Arrivals(
            rate=self._rate,
            work=work,
            missed=self._meters[kind].failed,
            ending=self._ending.event,
            at_once=max(50, int(self._rate * 30)),
        )

    async def drain(self, limit: float) -> None:
        if self.ready:
            await asyncio.gather(self._arrivals.drain(limit), self._looks.drain(limit))

    async def finish(self) -> dict[str, Any] | None:
        """Read the books and remove the tables unless they are kept; return what the books say."""
        if not self.ready:
            return None
        try:
            return await self._books()
        finally:
            await self._writes.close()
            await self._reads.close()

    async def _prepare(self) -> None:
        while not self.ready:
            async with self._writes.borrow() as link:
                try:
                    async with asyncio.timeout(_LIMIT):
                        await link.run(_SCHEMA)
                    await self._wait_replicated()
                    self.ready = True
                except _FAILURES as error:
                    self._meters["transactions"].failed(describe(error))
                    await link.drop()
                    await self._ending.pause(1)

    async def _wait_replicated(self) -> None:
        """A replica shows the tables a moment after the primary has them."""
        async with self._reads.borrow() as link:
            for _ in range(50):
                with contextlib.suppress(*_FAILURES):
                    async with asyncio.timeout(_LIMIT):
                        row = await link.run("SELECT count(*) FROM load.accounts")
                    if row and row[0] == ACCOUNTS:
                        return
                await self._ending.pause(0.2)

    async def _transfer(self, due: float) -> None:
        source, target = self._chance.sample(range(1, ACCOUNTS + 1), 2)
        amount = self._chance.randint(1, 100)
        # In the order of their numbers: two transfers between the same accounts wait instead of deadlocking.
        moves = sorted(((source, -amount), (target, amount)))
        statements = (
            f"BEGIN; {_BALANCE} {source}",
            "; ".join(f"{_MOVE.format(amount=moved)} {account}" for account, moved in moves),
            f"{_LINE} ({source}, {target}, {amount})",
        )
        async with self._writes.borrow() as link:
            began, committing = time.monotonic(), False
            try:
                async with asyncio.timeout(_LIMIT):
                    await link.run(*statements)
                    committing = True
                    await link.run("COMMIT")
            except (*_FAILURES, asyncio.CancelledError) as error:
                self.uncertain += committing
                self._meters["transactions"].failed(
                    "given up at the end of the run"
                    if isinstance(error, asyncio.CancelledError)
                    else describe(error)
                )
                await link.drop()
                if isinstance(error, asyncio.CancelledError):
                    raise
            else:
                self.acknowledged += 1
                self._meters["transactions"].done(due=due, began=began)

    async def _look(self, due: float) -> None:
        account = self._chance.randint(1, ACCOUNTS)
        async with self._reads.borrow() as link:
            began = time.monotonic()
            try:
                async with asyncio.timeout(_LIMIT):
                    await link.run(f"{_BALANCE} {account}")
            except _FAILURES as error:
                self._meters["reads"].failed(describe(error))
                await link.drop()
            else:
                self._meters["reads"].done(due=due, began=began)

    async def _trim(self) -> None:
        """Delete lines beyond those that are kept: a run of days must not fill the volume."""
        while True:
            await self._ending.pause(_TRIM_EVERY)
            async with self._writes.borrow() as link:
                try:
                    async with asyncio.timeout(_LIMIT):
                        self.trimmed += (await link.run(_TRIM))[0]
                except _FAILURES:
                    self._trims_known = False  # it may have been done
                    await link.drop()

    async def _books(self) -> dict[str, Any]:
        books: dict[str, Any] = {"acknowledged": self.acknowledged, "uncertain": self.uncertain}
        async with self._writes.borrow() as link:
            try:
                async with asyncio.timeout(_LIMIT):
                    lines = "SELECT count(*) FROM load.transfers"
                    found = (await link.run(lines))[0] + self.trimmed
                    balance = (await link.run("SELECT sum(balance) FROM load.accounts"))[0]
                    if not self._ending.keep:
                        await link.run("DROP SCHEMA load CASCADE")
            except _FAILURES as error:
                return {**books, "outcome": "not observed", "error": describe(error)}
        books |= {"found": found, "balance": int(balance)}
        # None can have gone while there never were more than those that are kept.
        if not self._trims_known and self.acknowledged + self.uncertain > _KEPT:
            return {**books, "outcome": "not observed", "error": "it is not known how many old lines went"}
        held = self.acknowledged <= found <= self.acknowledged + self.uncertain and balance == 0
        return {**books, "outcome": "held" if held else "violated"}


_KEPT = 200_000  # lines; with their index they are about 30 MB; older ones are counted and deleted
_TRIM = f"""
WITH gone AS (
    DELETE FROM load.transfers
    WHERE number <= (SELECT max(number) - {_KEPT} FROM load.transfers) RETURNING 1
)
SELECT count(*) FROM gone
"""  # noqa: S608 - the number is ours
