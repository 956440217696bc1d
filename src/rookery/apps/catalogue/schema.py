# ruff: noqa: S608 - all that is put into this SQL is a constant, or quoted by quoting.py
"""The catalogue's database: tables, counters and rights, as SQL that may run again at any time.

Run it with `psql -v ON_ERROR_STOP=1 --single-transaction` as a superuser in the catalogue's own database;
both roles exist already. The owner has everything and logs in nowhere; the service's role gets what its
statements need and no more: it adds plays, and can neither change nor remove one, nor set when it was, nor
touch a count.

Counting 300,000 rows takes 20 ms and more, on every request. So counts are kept, by triggers and thus in the
transaction of the row itself: they are exact in every snapshot. One row per title would make all plays of a
favourite wait for each other's commit, which includes the synchronous replica's answer. So each title's count
is spread over _SHARDS rows, chosen by the server process, and read as their sum.
"""

from __future__ import annotations

from rookery.apps.catalogue.quoting import quote_name, quote_text
from rookery.errors import InputError

SCHEMA = "catalogue"
_SHARDS = 16  # twice the connections for writing that one instance of the service holds

PREAMBLE = """\
SET client_encoding = 'UTF8';
SET client_min_messages = warning;
-- A table that someone else holds ends this in an error, instead of a queue that stops the service behind it.
SET lock_timeout = '20s';
"""

_TABLES = f"""\
CREATE TABLE IF NOT EXISTS {SCHEMA}.titles (
    id text NOT NULL CONSTRAINT titles_pk PRIMARY KEY,
    name text NOT NULL CONSTRAINT titles_name_given CHECK (name <> ''),
    kind text NOT NULL CONSTRAINT titles_kind_known CHECK (kind IN ('video', 'audio')),
    seconds integer NOT NULL CONSTRAINT titles_seconds_positive CHECK (seconds >= 0),
    added timestamptz NOT NULL DEFAULT now(),
    -- A title that is gone keeps its plays; it is only shown no more.
    listed boolean NOT NULL DEFAULT true
);

CREATE TABLE IF NOT EXISTS {SCHEMA}.viewers (
    id integer NOT NULL CONSTRAINT viewers_pk PRIMARY KEY,
    name text NOT NULL CONSTRAINT viewers_name_given CHECK (name <> ''),
    joined timestamptz NOT NULL DEFAULT now()
);

-- The key is all that is searched. Titles and viewers are never deleted by the service, so the references
-- need no index of their own, which every play would have to maintain.
CREATE TABLE IF NOT EXISTS {SCHEMA}.plays (
    id uuid NOT NULL CONSTRAINT plays_pk PRIMARY KEY,
    title text NOT NULL CONSTRAINT plays_title_known REFERENCES {SCHEMA}.titles,
    viewer integer CONSTRAINT plays_viewer_known REFERENCES {SCHEMA}.viewers,
    seconds integer CONSTRAINT plays_seconds_believable CHECK (seconds BETWEEN 0 AND 86400),
    at timestamptz NOT NULL DEFAULT now()
);

-- Rows that change this often want room on their page: an update then stays there and touches no index.
CREATE TABLE IF NOT EXISTS {SCHEMA}.play_counts (
    title text NOT NULL,
    shard smallint NOT NULL,
    plays bigint NOT NULL,
    CONSTRAINT play_counts_pk PRIMARY KEY (title, shard)
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE TABLE IF NOT EXISTS {SCHEMA}.viewer_counts (
    shard smallint NOT NULL CONSTRAINT viewer_counts_pk PRIMARY KEY,
    viewers bigint NOT NULL
);
"""

_COUNT_PLAYS = f"""\
-- It runs with its owner's rights, whoever adds the play. One shard may fall below nought: the sum counts.
CREATE OR REPLACE FUNCTION {SCHEMA}.count_plays() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $count$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM {SCHEMA}.play_counts;
        RETURN NULL;
    END IF;
    IF TG_OP IN ('INSERT', 'UPDATE') THEN
        INSERT INTO {SCHEMA}.play_counts AS c (title, shard, plays)
        SELECT title, pg_backend_pid() % {_SHARDS}, count(*) FROM added GROUP BY title ORDER BY title
        ON CONFLICT (title, shard) DO UPDATE SET plays = c.plays + excluded.plays;
    END IF;
    IF TG_OP IN ('DELETE', 'UPDATE') THEN
        INSERT INTO {SCHEMA}.play_counts AS c (title, shard, plays)
        SELECT title, pg_backend_pid() % {_SHARDS}, -count(*) FROM removed GROUP BY title ORDER BY title
        ON CONFLICT (title, shard) DO UPDATE SET plays = c.plays + excluded.plays;
    END IF;
    RETURN NULL;
END
$count$;
"""

_COUNT_VIEWERS = f"""\
CREATE OR REPLACE FUNCTION {SCHEMA}.count_viewers() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $count$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM {SCHEMA}.viewer_counts;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO {SCHEMA}.viewer_counts AS c (shard, viewers)
        SELECT pg_backend_pid() % {_SHARDS}, count(*) FROM added HAVING count(*) > 0
        ON CONFLICT (shard) DO UPDATE SET viewers = c.viewers + excluded.viewers;
    ELSE
        INSERT INTO {SCHEMA}.viewer_counts AS c (shard, viewers)
        SELECT pg_backend_pid() % {_SHARDS}, -count(*) FROM removed HAVING count(*) > 0
        ON CONFLICT (shard) DO UPDATE SET viewers = c.viewers + excluded.viewers;
    END IF;
    RETURN NULL;
END
$count$;
"""

_NEW = "REFERENCING NEW TABLE AS added"
_OLD = "REFERENCING OLD TABLE AS removed"
_TRIGGERS = (
    ("plays", "INSERT", _NEW),
    ("plays", "UPDATE", f"{_OLD} NEW TABLE AS added"),
    ("plays", "DELETE", _OLD),
    ("plays", "TRUNCATE", ""),
    ("viewers", "INSERT", _NEW),
    ("viewers", "DELETE", _OLD),
    ("viewers", "TRUNCATE", ""),
)


def render_schema(*, owner: str, user: str) -> str:
    """Return the SQL that makes the schema `catalogue`, owned by `owner` and used by the service as `user`.

    Raise InputError where one of them cannot be a role's name, or both are the same role.
    """
    if owner == user:
        raise InputError(
            f"the catalogue's owner and its user are both {owner!r}",
            hint="A table's owner may do anything to it: give the service a role of its own.",
        )
    return "\n".join(
        (
            PREAMBLE,
            _doors(owner, user),
            _TABLES,
            _COUNT_PLAYS,
            _COUNT_VIEWERS,
            _triggers(),
            _rights(quote_name(user)),
            "RESET ROLE;\n",
        )
    )


def _doors(owner: str, user: str) -> str:
    """Return what only a superuser can do: who may enter the database, and who makes things in it."""
    role = quote_text(user)
    return f"""\
SELECT format(change, current_database(), {role}) FROM (VALUES
    ('REVOKE ALL ON DATABASE %I FROM PUBLIC, %I'),
    ('GRANT CONNECT ON DATABASE %I TO %I')
) AS changes (change) \\gexec
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA IF NOT EXISTS {SCHEMA} AUTHORIZATION {quote_name(owner)};
SET ROLE {quote_name(owner)};
"""


def _triggers() -> str:
    """Return one trigger for each way in which rows come and go, all after the statement, once."""
    return "".join(
        f"""\
CREATE OR REPLACE TRIGGER {table}_counted_{event.lower()} AFTER {event} ON {SCHEMA}.{table}
    {f"{tables} " if tables else ""}FOR EACH STATEMENT EXECUTE FUNCTION {SCHEMA}.count_{table}();
"""
        for table, event, tables in _TRIGGERS
    )


def _rights(user: str) -> str:
    """Return the service's rights, from none: what an earlier version granted is gone, too."""
    return f"""\
REVOKE ALL ON SCHEMA {SCHEMA} FROM PUBLIC, {user};
REVOKE ALL ON ALL TABLES IN SCHEMA {SCHEMA} FROM PUBLIC, {user};
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {SCHEMA} FROM PUBLIC, {user};
GRANT USAGE ON SCHEMA {SCHEMA} TO {user};
GRANT SELECT ON {SCHEMA}.titles, {SCHEMA}.plays, {SCHEMA}.play_counts, {SCHEMA}.viewer_counts TO {user};
GRANT INSERT (id, title, viewer, seconds) ON {SCHEMA}.plays TO {user};
"""
