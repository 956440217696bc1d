# ruff: noqa: S608 - all that is put into this SQL is constants of this module
"""What is asked of PostgreSQL: each of these is one statement, and a transaction of its own."""

from __future__ import annotations

from uuid import UUID, uuid4  # noqa: TID251 - this runs on a server, and is no part of the core

import psycopg

from .connection import Connection
from .models import NewPlay, Play
from .problems import ProblemError

# PostgreSQL writes the answers' JSON itself. Debian's psycopg is Python throughout: to make forty rows into
# values, objects and JSON again costs the service many times what the query costs the database.
_TITLE_JSON = """json_build_object('id', t.id, 'name', t.name, 'kind', t.kind, 'seconds', t.seconds,
    'added', t.added, 'plays', coalesce(c.plays, 0)::bigint)"""

_TITLES = f"""\
SELECT json_build_object('titles', coalesce(json_agg({_TITLE_JSON} ORDER BY t.name, t.id), '[]'))::text
FROM catalogue.titles AS t
LEFT JOIN (SELECT title, sum(plays) AS plays FROM catalogue.play_counts GROUP BY title) AS c ON c.title = t.id
WHERE t.listed"""

_TITLE = f"""\
SELECT {_TITLE_JSON}::text
FROM catalogue.titles AS t,
    LATERAL (SELECT sum(plays) AS plays FROM catalogue.play_counts WHERE title = t.id) AS c
WHERE t.id = %s AND t.listed"""

_COUNTS = """\
SELECT json_build_object('titles', (SELECT count(*) FROM catalogue.titles WHERE listed),
    'viewers', (SELECT coalesce(sum(viewers), 0) FROM catalogue.viewer_counts)::bigint,
    'plays', (SELECT coalesce(sum(plays), 0) FROM catalogue.play_counts)::bigint)::text"""

_ADD_PLAY = """\
INSERT INTO catalogue.plays (id, title, viewer, seconds)
SELECT %s, t.id, %s::integer, %s::integer FROM catalogue.titles AS t WHERE t.id = %s AND t.listed
ON CONFLICT (id) DO NOTHING RETURNING at"""

# A play that is here already may not be on the synchronous replica yet: its commit was interrupted while it
# waited for that, or its primary restarted before. It may be acknowledged only once it is there. So this
# writes, too: a record in the log, after the play's own; its commit waits for all before it.
_FIND_PLAY = """\
SELECT title, viewer, seconds, at, pg_logical_emit_message(true, 'catalogue', 'again') FROM catalogue.plays
WHERE id = %s"""


async def list_titles(connection: Connection) -> str:
    """Return all listed titles, by name, as models.Titles has them."""
    row = await (await connection.execute(_TITLES)).fetchone()
    assert row is not None, "an aggregate is always a row"
    return str(row[0])


async def get_title(connection: Connection, name: str) -> str:
    """Return one listed title, as models.Title has it; raise ProblemError where there is none."""
    row = await (await connection.execute(_TITLE, (name,))).fetchone()
    if row is None:
        raise _no_title(name)
    return str(row[0])


async def count(connection: Connection) -> str:
    """Return all counts, as of one moment, as models.Counts has them."""
    row = await (await connection.execute(_COUNTS)).fetchone()
    assert row is not None, "sums are always a row"
    return str(row[0])


async def add_play(connection: Connection, title: str, new: NewPlay) -> tuple[Play, bool]:
    """Record a play, and return it and whether it is new; raise ProblemError where it cannot be."""
    key = new.id or uuid4()
    try:
        cursor = await connection.execute(_ADD_PLAY, (key, new.viewer, new.seconds, title))
    except psycopg.errors.ForeignKeyViolation as error:
        raise ProblemError(404, "There is no such viewer", f"No viewer has the id {new.viewer}.") from error
    added = await cursor.fetchone()
    if added is not None:
        return Play(id=key, title=title, viewer=new.viewer, seconds=new.seconds, at=added[0]), True
    return await _find_play(connection, key, title, new), False


async def _find_play(connection: Connection, key: UUID, title: str, new: NewPlay) -> Play:
    row = await (await connection.execute(_FIND_PLAY, (key,))).fetchone()
    if row is None:
        raise _no_title(title)
    if row[:3] != (title, new.viewer, new.seconds):
        raise ProblemError(409, "Another play has this id", "A new play needs an id of its own.")
    return Play(id=key, title=title, viewer=new.viewer, seconds=new.seconds, at=row[3])


def _no_title(name: str) -> ProblemError:
    return ProblemError(404, "There is no such title", f"No title has the id {name}.")
