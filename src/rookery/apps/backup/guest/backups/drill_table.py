"""The drill's rows: a database and a table of its own, in the instance that all share."""

from __future__ import annotations

import shutil
import struct
import tempfile
from collections.abc import Iterable
from typing import Any

from .database_restore import SCRATCH
from .drill_entries import DRILL, Entry
from .recovery import PORT
from .tools import run

_LIMIT = 300.0  # seconds
_TABLE = "entries"
# PostgreSQL's binary form of COPY: https://www.postgresql.org/docs/17/sql-copy.html
_HEAD, _END = b"PGCOPY\n\xff\r\n\x00" + bytes(8), struct.pack("!h", -1)


class Table:
    """Rows of number and content; what they are asked by is the instance of this host, the primary."""

    def __init__(self, database: dict[str, Any]) -> None:
        self._database = database

    def prepare(self) -> None:
        self.clear()
        self._psql("postgres", f"CREATE DATABASE {DRILL}")
        # EXTERNAL: nobody spends time on compressing what does not compress.
        table = f"CREATE TABLE {_TABLE} (number integer PRIMARY KEY, content bytea STORAGE EXTERNAL NOT NULL)"
        self._psql(DRILL, table)

    def put(self, entries: list[Entry]) -> None:
        self._psql(DRILL, f"COPY {_TABLE} FROM STDIN (FORMAT binary)", _binary(entries))

    def read(self) -> dict[int, str]:
        if not self._is_there():
            return {}
        said = self._psql(DRILL, f"SELECT number, encode(sha256(content), 'hex') FROM {_TABLE}")  # noqa: S608 - our own name
        return {int(number): digest for number, digest in map(str.split, said.splitlines())}

    def lose(self) -> str:
        self._psql(DRILL, f"DROP TABLE {_TABLE}")
        return f"the table {_TABLE} of the database {DRILL} was dropped"

    def settle(self) -> None:
        """Take the table out of the instance that was restored beside the running one, as anybody would who
        dropped it: by pg_dump."""
        database = self._database
        owner = database["owner"]
        with tempfile.TemporaryDirectory() as folder:
            shutil.chown(folder, owner)
            file = f"{folder}/{_TABLE}.sql"
            way = (f"--host={SCRATCH}", f"--port={PORT}", f"--username={owner}")
            program = f"{database['programs']}/pg_dump"
            dump = (program, *way, f"--table={_TABLE}", f"--file={file}", DRILL)
            run(dump, what="pg_dump of the restored instance", limit=_LIMIT, user=owner)
            self._psql(DRILL, f"DROP TABLE IF EXISTS {_TABLE}")
            self._run(DRILL, f"--file={file}")

    def clear(self) -> None:
        self._psql("postgres", f"DROP DATABASE IF EXISTS {DRILL} WITH (FORCE)")

    def _is_there(self) -> bool:
        found = self._psql("postgres", f"SELECT 1 FROM pg_database WHERE datname = '{DRILL}'")  # noqa: S608 - our own name
        return bool(found.strip()) and bool(self._psql(DRILL, f"SELECT to_regclass('{_TABLE}')").strip())

    def _psql(self, database: str, statement: str, stdin: bytes = b"") -> str:
        return self._run(database, f"--command={statement}", stdin)

    def _run(self, database: str, what: str, stdin: bytes = b"") -> str:
        argv = (
            *("psql", "--no-psqlrc", "--tuples-only", "--no-align", "--quiet", "--set=ON_ERROR_STOP=1"),
            *(f"--host={self._database['sockets']}", f"--dbname={database}", "--field-separator= ", what),
        )
        return run(
            argv,
            what="the drill's SQL on the primary",
            limit=_LIMIT,
            user=self._database["owner"],
            environment={"HOME": "/"},
            stdin=stdin,
        )


def _binary(entries: Iterable[Entry]) -> bytes:
    parts = [_HEAD]
    for entry in entries:
        parts += [struct.pack("!hiii", 2, 4, entry.number, len(entry.content)), entry.content]
    return b"".join((*parts, _END))
