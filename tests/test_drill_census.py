"""What a drill counts of a system's own data: whatever changes shows, and nothing else does."""

from __future__ import annotations

from typing import Any

import pytest

from rookery.apps.backup.guest.backups import drill_census
from rookery.apps.backup.guest.backups.errors import BackupError
from rookery.apps.backup.guest.backups.kind import Work
from rookery.apps.backup.guest.backups.store import Store
from rookery.apps.backup.guest.backups.told import Place, Told
from tests.kit.memory_s3 import MemoryS3
from tests.kit.postgres import DATABASE, OWNER, Postgres

PLACE = Place(name="here", endpoint="https://here", bucket="backups", authority="", access="a", secret="s")


@pytest.fixture(scope="module", name="postgres")
def _postgres(session_postgres: Postgres) -> Postgres:
    return session_postgres.renewed()


def work(*buckets: str, client: Any = None) -> Work:
    config = {"database": {}, "objects": {"buckets": [*buckets, "drill"]}}
    return Work(
        told=Told(config=config, keys={}), store=Store(PLACE, client or object()), report=lambda _: None
    )


def counted(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return what is counted of the databases, by the statements that are run inside a system."""

    def sql(_: object, database: str, statements: str) -> str:
        lines = []
        with postgres.connect(database=database) as connection:
            for statement in filter(str.strip, statements.split(";\n")):
                rows = connection.execute(statement.encode()).fetchall()
                lines += ["\t".join(map(str, row)) for row in rows]
        return "\n".join(lines)

    monkeypatch.setattr(drill_census, "_sql", sql)
    found = drill_census.count(work(), ["database"])["database"]
    assert found.keys() == {"things"}
    return dict(found["things"])


def test_every_row_of_every_table_counts_in_whatever_order_it_lies(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table may have a column of any name, and no rows."""
    postgres.run('CREATE TABLE public.odd (t text, "a b" int); CREATE TABLE public."Empty one" (n int)')
    postgres.run("INSERT INTO public.odd VALUES ('x', 1), ('y', 2), (NULL, 3)")
    first = counted(postgres, monkeypatch)
    titles = f"{DATABASE}.catalogue.titles"
    assert first[titles].startswith("3 rows, ")
    assert first[f"{DATABASE}.public.odd"].startswith("3 rows, ")
    assert first[f"{DATABASE}.public.Empty one"].startswith("0 rows, ")
    postgres.run("DELETE FROM public.odd WHERE t = 'x'; INSERT INTO public.odd VALUES ('x', 1)")
    assert counted(postgres, monkeypatch) == first
    postgres.run("UPDATE public.odd SET t = 'z' WHERE t = 'y'")
    changed = counted(postgres, monkeypatch)
    assert {name for name in first if changed[name] != first[name]} == {f"{DATABASE}.public.odd"}
    postgres.run(f"SET ROLE {OWNER}; DELETE FROM catalogue.titles WHERE id = 'owls' AND NOT listed")
    assert counted(postgres, monkeypatch) == changed


def test_every_object_of_every_bucket_counts_but_the_drills_own() -> None:
    service = MemoryS3("media", "site", "drill")
    for bucket, key in (("media", "a"), ("site", "a"), ("site", "b/c"), ("drill", "entries/1")):
        service.put_object(Bucket=bucket, Key=key, Body=f"{bucket} {key}".encode())
    first = drill_census.count(work("media", "site", client=service), ["objects"])["objects"]["things"]
    assert sorted(first) == ["media/a", "site/a", "site/b/c"]
    assert len(set(first.values())) == 3
    service.put_object(Bucket="site", Key="a", Body=b"other")
    then = drill_census.count(work("media", "site", client=service), ["objects"])["objects"]["things"]
    assert {name for name in first if then[name] != first[name]} == {"site/a"}
    service.put_object(Bucket="site", Key="b/c", Body=b"site b/c", CacheControl="max-age=60")
    given = drill_census.count(work("media", "site", client=service), ["objects"])["objects"]["things"]
    assert given["site/b/c"] == f"{first['site/b/c']}, CacheControl: max-age=60"


def test_a_kind_that_cannot_be_seen_keeps_no_other_from_being_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*_: object) -> str:
        raise BackupError("SQL failed (exit 2)", details=("no primary",))

    monkeypatch.setattr(drill_census, "_sql", refused)
    service = MemoryS3("media")
    found = drill_census.count(work("media", client=service), ["database", "objects"])
    assert found == {"database": {"unseen": "SQL failed (exit 2); no primary"}, "objects": {"things": {}}}
