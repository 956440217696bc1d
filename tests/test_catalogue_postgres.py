"""The catalogue's SQL on a real PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from rookery.apps.catalogue.schema import render_schema
from rookery.apps.catalogue.seed import Title, render_seed
from rookery.drivers.clients.postgres import DatabaseError, Door, connected, query
from tests.kit.loopback import free_port
from tests.kit.postgres import DATABASE, OWNER, TITLES, USER, Postgres


@pytest.fixture(scope="module", name="postgres")
def _postgres(session_postgres: Postgres) -> Postgres:
    return session_postgres.renewed()


COUNTED = "SELECT title, sum(plays)::int FROM catalogue.play_counts GROUP BY title \
HAVING sum(plays) <> 0 ORDER BY title"
ACTUAL = "SELECT title, count(*)::int FROM catalogue.plays GROUP BY title ORDER BY title"


def test_titles_arrive_as_they_are(postgres: Postgres) -> None:
    rows = postgres.rows("SELECT id, name, kind, seconds, listed FROM catalogue.titles ORDER BY id")
    assert rows == [(title.id, title.name, title.kind, title.seconds, True) for title in TITLES]


def test_plays_are_spread_over_ninety_days_and_the_hours_of_a_day(postgres: Postgres) -> None:
    postgres.install(viewers=100, plays=5000)
    [(plays, viewers, unknown, oldest, newest, night, evening)] = postgres.rows(
        """SELECT count(*), count(DISTINCT viewer), count(*) FILTER (WHERE viewer IS NULL),
        now() - min(at) <= interval '91 days', max(at) <= now(),
        count(*) FILTER (WHERE extract(hour FROM at AT TIME ZONE 'UTC') BETWEEN 2 AND 5),
        count(*) FILTER (WHERE extract(hour FROM at AT TIME ZONE 'UTC') BETWEEN 19 AND 22)
        FROM catalogue.plays"""
    )
    assert (plays, unknown, oldest, newest) == (5000, 5000 // 12, True, True)
    assert viewers > 90
    assert evening > 8 * night > 0
    assert postgres.rows(COUNTED) == postgres.rows(ACTUAL)


def test_a_refusal_has_its_sqlstate_whatever_the_servers_words(postgres: Postgres) -> None:
    """That is what tells a replica from a server that fails otherwise: its text may be of any language."""
    door = Door(
        host="127.0.0.1", port=postgres.port, database=DATABASE, user="postgres", password="pass",
        ca_file=str(postgres.folder / "ca.crt"),
    )  # fmt: skip
    with pytest.raises(DatabaseError) as refused, connected(door) as connection:  # noqa: PT012 - two statements of one session
        connection.execute(b"SET default_transaction_read_only = on")
        connection.execute(b"CREATE TABLE not_here (n int)")
    assert refused.value.state == "25006"
    assert refused.value.what == "cannot execute CREATE TABLE in a read-only transaction"
    with pytest.raises(DatabaseError) as closed:
        query(replace(door, port=free_port()), "SELECT 1")
    assert closed.value.state == ""


def test_seeding_again_changes_titles_and_nothing_else(postgres: Postgres) -> None:
    postgres.install()
    first = postgres.rows("SELECT * FROM catalogue.plays ORDER BY id")
    viewers = postgres.rows("SELECT * FROM catalogue.viewers ORDER BY id")
    renamed = Title(id="dusk", name="Dusk", kind="video", seconds=700)
    postgres.run(render_seed((TITLES[0], renamed), viewers=70, plays=900, owner=OWNER))
    assert postgres.rows("SELECT * FROM catalogue.plays ORDER BY id") == first
    assert postgres.rows("SELECT * FROM catalogue.viewers ORDER BY id") == viewers
    listed = postgres.rows("SELECT id, name, seconds FROM catalogue.titles WHERE listed ORDER BY id")
    assert listed == [("dawn", TITLES[0].name, 596), ("dusk", "Dusk", 700)]
    postgres.run(render_seed(TITLES, viewers=70, plays=900, owner=OWNER))
    test_titles_arrive_as_they_are(postgres)


def test_the_same_seed_invents_the_same(postgres: Postgres) -> None:
    invented = "SELECT p.id, title, viewer, p.seconds, v.name FROM catalogue.plays p \
        LEFT JOIN catalogue.viewers v ON v.id = viewer ORDER BY p.id"
    postgres.install()
    first = postgres.rows(invented)
    postgres.install()
    assert postgres.rows(invented) == first
    assert len(first) == 300


@pytest.mark.parametrize(
    ("titles", "viewers", "plays", "made"), [((), 5, 9, 0), (TITLES, 0, 9, 9), (TITLES, 5, 0, 0)]
)
def test_any_of_them_may_be_none(
    postgres: Postgres, titles: tuple[Title, ...], viewers: int, plays: int, made: int
) -> None:
    postgres.install(titles=titles, viewers=viewers, plays=plays)
    assert postgres.rows("SELECT count(*) FROM catalogue.viewers") == [(viewers,)]
    assert postgres.rows("SELECT count(*) FROM catalogue.plays") == [(made,)]


def test_counts_follow_whatever_the_owner_does(postgres: Postgres) -> None:
    postgres.install()
    for change in (
        "DELETE FROM catalogue.plays WHERE title = 'dawn' AND seconds % 2 = 0",
        "UPDATE catalogue.plays SET title = 'owls' WHERE title = 'dawn'",
        "DELETE FROM catalogue.viewers WHERE id = 51",
        "TRUNCATE catalogue.plays",
        "INSERT INTO catalogue.plays (id, title) SELECT gen_random_uuid(), id FROM catalogue.titles",
    ):
        with postgres.connect() as connection:
            connection.execute(change.encode())
        assert postgres.rows(COUNTED) == postgres.rows(ACTUAL)
    with postgres.connect() as connection:
        connection.execute("DELETE FROM catalogue.viewers WHERE id > 20")
    assert postgres.rows("SELECT sum(viewers)::int FROM catalogue.viewer_counts") == [(20,)]


def test_the_schema_may_run_again_and_takes_back_what_was_granted_beside_it(postgres: Postgres) -> None:
    postgres.install()
    before = postgres.rows("SELECT * FROM catalogue.plays ORDER BY id")
    with postgres.connect() as connection:
        connection.execute("GRANT ALL ON ALL TABLES IN SCHEMA catalogue TO catalogue")
    postgres.run(render_schema(owner=OWNER, user=USER))
    assert postgres.rows("SELECT * FROM catalogue.plays ORDER BY id") == before
    test_the_service_can_do_what_it_needs_and_no_more(postgres)


FORBIDDEN = (
    "DELETE FROM catalogue.plays",
    "UPDATE catalogue.plays SET seconds = 1",
    "TRUNCATE catalogue.plays",
    "INSERT INTO catalogue.plays (id, title, at) VALUES (gen_random_uuid(), 'dawn', now())",
    "UPDATE catalogue.play_counts SET plays = 7",
    "INSERT INTO catalogue.play_counts VALUES ('dawn', 1, 1)",
    "SELECT * FROM catalogue.viewers",
    "INSERT INTO catalogue.titles (id, name, kind, seconds) VALUES ('x', 'x', 'audio', 1)",
    "CREATE TABLE catalogue.mine ()",
    "CREATE TABLE public.mine ()",
    "CREATE TEMP TABLE mine ()",
    "CREATE SCHEMA mine",
    "SET ROLE catalogue_owner",
)


def test_the_service_can_do_what_it_needs_and_no_more(postgres: Postgres) -> None:
    with postgres.connect(user=USER) as connection:
        for statement in FORBIDDEN:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
        connection.execute("INSERT INTO catalogue.plays (id, title) VALUES (gen_random_uuid(), 'dawn')")
        for table in ("titles", "plays", "play_counts", "viewer_counts"):
            connection.execute(f"SELECT count(*) FROM catalogue.{table}".encode())
