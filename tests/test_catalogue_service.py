"""The catalogue's service as its clients meet it: the real program, TLS, a real PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import httpx
import pytest

from tests.kit.catalogue_service import Service, running_service
from tests.kit.postgres import TITLES, Postgres
from tests.kit.relay import Relay
from tests.kit.waiting import until

NOWHERE = UUID("00000000-0000-8000-9000-000000000000")
PLAYS = 300


@pytest.fixture(scope="module", name="postgres")
def _postgres(session_postgres: Postgres) -> Postgres:
    return session_postgres.renewed()


@pytest.fixture(scope="module", name="shared")
def _shared(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("service") / "shared", postgres) as service:
        yield service


@pytest.fixture(name="api")
def _api(shared: Service) -> Iterator[httpx.Client]:
    with shared.client() as client:
        assert until(lambda: client.get("/api/health/ready").status_code == 200)
        yield client


def key(name: str) -> str:
    return str(uuid5(NOWHERE, name))


def plays_of(api: httpx.Client, title: str) -> tuple[int, int]:
    """The plays of a title, as the list and as its own page have it."""
    listed = {each["id"]: each["plays"] for each in api.get("/api/titles").json()["titles"]}
    return listed[title], api.get(f"/api/titles/{title}").json()["plays"]


def test_titles_are_listed_by_name_with_their_plays(api: httpx.Client, postgres: Postgres) -> None:
    answer = api.get("/api/titles")
    counted = dict(postgres.rows("SELECT title, count(*)::int FROM catalogue.plays GROUP BY title"))
    titles = answer.json()["titles"]
    assert [{name: each[name] for name in ("id", "name", "kind", "seconds", "plays")} for each in titles] == [
        {"id": t.id, "name": t.name, "kind": t.kind, "seconds": t.seconds, "plays": counted[t.id]}
        for t in sorted(TITLES, key=lambda title: title.name)
    ]
    assert answer.headers["Cache-Control"] == "public, max-age=1"
    assert answer.headers["X-Served-By"] == "worker-t"
    assert answer.headers["X-Read-From"] == "primary"
    assert api.get("/api/titles/owls").json() == next(each for each in titles if each["id"] == "owls")


def test_an_unchanged_list_is_not_sent_again(api: httpx.Client) -> None:
    tag = api.get("/api/titles").headers["ETag"]
    for wanted in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = api.get("/api/titles", headers={"If-None-Match": wanted})
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag)
    api.post("/api/titles/dawn/plays", json={"id": key("a change")})
    answer = api.get("/api/titles", headers={"If-None-Match": tag})
    assert answer.status_code == 200
    assert answer.headers["ETag"] != tag


def test_a_play_counts_at_once_and_once(api: httpx.Client) -> None:
    before, counts = plays_of(api, "dusk"), api.get("/api/counts").json()
    body = {"id": key("once"), "viewer": 7, "seconds": 86400}
    first = api.post("/api/titles/dusk/plays", json=body)
    assert plays_of(api, "dusk") == (before[0] + 1, before[1] + 1)
    assert api.get("/api/counts").json() == counts | {"plays": counts["plays"] + 1}
    again = api.post("/api/titles/dusk/plays", json=body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json() == body | {"title": "dusk", "at": first.json()["at"]}
    assert api.get("/api/counts").json()["plays"] == counts["plays"] + 1


def test_a_play_needs_no_id_and_no_viewer(api: httpx.Client) -> None:
    made = [api.post("/api/titles/dawn/plays", json={}) for _ in range(2)]
    assert [each.status_code for each in made] == [201, 201]
    assert made[0].json()["id"] != made[1].json()["id"]


PROBLEMS: tuple[tuple[str, str, Any, int, str], ...] = (
    ("GET", "/api/titles/none", None, 404, "There is no such title"),
    ("GET", "/api/titles/%00", None, 404, "There is no such title"),
    ("GET", "/api/titles/%F0%9F%8C%98", None, 404, "There is no such title"),
    ("GET", "/api/nothing", None, 404, "Not Found"),
    ("GET", "/docs", None, 404, "Not Found"),
    ("DELETE", "/api/titles/dawn", None, 405, "Method Not Allowed"),
    ("POST", "/api/titles/none/plays", {"viewer": 1}, 404, "There is no such title"),
    ("POST", "/api/titles/dawn/plays", {"viewer": 51}, 404, "There is no such viewer"),
    (
        "POST",
        "/api/titles/dawn/plays",
        {"id": key("conflict"), "seconds": 2},
        409,
        "Another play has this id",
    ),
    (
        "POST",
        "/api/titles/dawn/plays",
        {"seconds": -1},
        422,
        "The request is not as /api/openapi.json has it",
    ),
    (
        "POST",
        "/api/titles/dawn/plays",
        {"seconds": 86401},
        422,
        "The request is not as /api/openapi.json has it",
    ),
    (
        "POST",
        "/api/titles/dawn/plays",
        {"viewer": "7"},
        422,
        "The request is not as /api/openapi.json has it",
    ),
    (
        "POST",
        "/api/titles/dawn/plays",
        {"viewer": 2**31},
        422,
        "The request is not as /api/openapi.json has it",
    ),
    ("POST", "/api/titles/dawn/plays", {"more": 1}, 422, "The request is not as /api/openapi.json has it"),
    ("POST", "/api/titles/dawn/plays", [], 422, "The request is not as /api/openapi.json has it"),
    ("POST", "/api/titles/dawn/plays", {"more": "x" * 65536}, 413, "The body is too large"),
)


@pytest.mark.parametrize("case", PROBLEMS)
def test_what_cannot_be_done_is_a_problem(api: httpx.Client, case: tuple[str, str, Any, int, str]) -> None:
    method, path, body, status, title = case
    api.post("/api/titles/dawn/plays", json={"id": key("conflict"), "seconds": 1})
    counts = api.get("/api/counts").json()
    answer = api.request(method, path, json=body) if body is not None else api.request(method, path)
    assert (answer.status_code, answer.json()["status"], answer.json()["title"]) == (status, status, title)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Served-By"] == "worker-t"
    assert api.get("/api/counts").json() == counts


def test_a_body_without_a_length_is_limited_too(api: httpx.Client) -> None:
    answer = api.post("/api/titles/dawn/plays", content=(b" " * 4096 for _ in range(17)))
    assert answer.status_code == 413


def test_counts_stay_exact_under_many_at_once(api: httpx.Client) -> None:
    before, counts = plays_of(api, "owls"), api.get("/api/counts").json()

    def play(number: int) -> int:
        # Every play twice, and both at about the same time.
        body = {"id": key(f"many {number // 2}"), "viewer": 3}
        return api.post("/api/titles/owls/plays", json=body).status_code

    with ThreadPoolExecutor(20) as pool:
        statuses = sorted(pool.map(play, range(400)))
    assert statuses == [200] * 200 + [201] * 200
    assert plays_of(api, "owls") == (before[0] + 200, before[1] + 200)
    assert api.get("/api/counts").json()["plays"] == counts["plays"] + 200


def test_a_title_that_is_gone_is_shown_no_more(api: httpx.Client, postgres: Postgres) -> None:
    with postgres.connect() as connection:
        connection.execute("INSERT INTO catalogue.titles VALUES ('gone', 'Gone', 'audio', 1, now(), false)")
    assert api.get("/api/titles/gone").status_code == 404
    assert api.post("/api/titles/gone/plays", json={}).status_code == 404
    assert len(api.get("/api/titles").json()["titles"]) == api.get("/api/counts").json()["titles"] == 3


def test_the_document_keeps_its_word(shared: Service, api: httpx.Client) -> None:
    """Schemathesis makes requests from the document, right and wrong, and holds the answers against it."""
    command = (
        str(Path(sys.executable).with_name("schemathesis")), "run",
        f"https://127.0.0.1:{shared.port}/api/openapi.json", "--tls-verify", str(shared.folder / "ca.crt"),
        "--checks", "all", "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "8",
        "--generation-deterministic", "--no-color",
    )  # fmt: skip
    done = subprocess.run(
        command, cwd=shared.folder, capture_output=True, text=True, timeout=120, check=False,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert api.get("/api/health/ready").json() == {"name": "worker-t", "reads": "primary", "writes": True}


def test_without_the_database_it_says_so_and_recovers_by_itself(
    postgres: Postgres, api: httpx.Client
) -> None:
    postgres.stop()
    for method, path in (("GET", "/api/titles"), ("GET", "/api/counts"), ("POST", "/api/titles/dawn/plays"),
                         ("GET", "/api/health/ready")):  # fmt: skip
        begun = time.monotonic()
        answer = api.request(method, path, json={} if method == "POST" else None)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        detail = (
            "Try again in a moment." if "health" not in path else "Neither reads nor writes are possible."
        )
        problem = {"type": "about:blank", "title": "The database cannot be reached", "status": 503}
        assert answer.json() == problem | {"detail": detail}
        assert time.monotonic() - begun < 5
    assert api.get("/api/health/live").json() == {"name": "worker-t", "status": "live"}
    postgres.start()
    assert until(lambda: api.post("/api/titles/dawn/plays", json={}).status_code == 201, limit=6)
    assert api.get("/api/health/ready").json()["writes"] is True


def test_a_restarted_database_costs_reads_nothing(postgres: Postgres, api: httpx.Client) -> None:
    with ThreadPoolExecutor(8) as pool:  # several connections that break all at once
        answers = list(pool.map(lambda _: api.get("/api/counts"), range(80)))
    assert {answer.status_code for answer in answers} == {200}
    postgres.stop()
    postgres.start()
    assert [api.get("/api/titles").status_code for _ in range(20)] == [200] * 20
    assert api.post("/api/titles/dawn/plays", json={}).status_code == 201


def test_replicas_serve_whom_they_suffice_and_all_while_the_primary_is_gone(
    postgres: Postgres, tmp_path: Path
) -> None:
    """The two ports are told apart by taking them away: one database stands behind both."""
    with Relay(postgres.port) as primary, Relay(postgres.port) as replica:
        behind = Postgres(folder=postgres.folder, binaries="", seen="", port=primary.port)
        with (
            running_service(tmp_path / "own", behind, read_port=replica.port) as service,
            service.client() as api,
        ):

            def reads_from(path: str) -> str:
                answer = api.get(path)
                return str(answer.headers.get("X-Read-From", answer.status_code))

            assert until(lambda: reads_from("/api/counts?stale=true") == "replica")
            assert reads_from("/api/counts") == "primary"
            primary.cut()
            assert [reads_from("/api/counts") for _ in range(10)] == ["replica"] * 10
            assert api.get("/api/health/ready").json() == {
                "name": "worker-t",
                "reads": "replica",
                "writes": False,
            }
            assert api.post("/api/titles/dawn/plays", json={}).status_code == 503
            replica.cut()
            assert reads_from("/api/counts") == "503"
            primary.mend()
            assert until(lambda: reads_from("/api/counts?stale=true") == "primary", limit=6)
            assert until(lambda: api.post("/api/titles/dawn/plays", json={}).status_code == 201, limit=6)


def test_a_primary_that_vanished_without_a_word_is_given_up(postgres: Postgres, tmp_path: Path) -> None:
    with Relay(postgres.port) as primary:
        behind = Postgres(folder=postgres.folder, binaries="", seen="", port=primary.port)
        with (
            running_service(tmp_path / "own", behind, read_port=postgres.port) as service,
            service.client() as api,
        ):
            assert until(lambda: api.post("/api/titles/dawn/plays", json={}).status_code == 201)
            assert until(lambda: api.get("/api/counts?stale=true").headers["X-Read-From"] == "replica")
            primary.freeze()
            begun = time.monotonic()
            assert [api.get("/api/counts").headers["X-Read-From"] for _ in range(10)] == ["replica"] * 10
            assert time.monotonic() - begun < 9
            assert api.get("/api/health/ready").json()["writes"] is False
            primary.cut()
            primary.mend()
            assert until(lambda: api.post("/api/titles/dawn/plays", json={}).status_code == 201, limit=9)


def test_a_request_under_way_is_finished_before_the_service_ends(postgres: Postgres, tmp_path: Path) -> None:
    with (
        running_service(tmp_path / "own", postgres) as service,
        service.client() as api,
        service.client() as idle,
    ):
        assert until(
            lambda: api.get("/api/health/ready").status_code == idle.get("/api/health/live").status_code
        )
        with postgres.connect() as connection, ThreadPoolExecutor(1) as pool:
            with connection.transaction():
                connection.execute("LOCK TABLE catalogue.plays")
                answer = pool.submit(api.post, "/api/titles/dawn/plays", json={})
                waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                assert until(lambda: postgres.rows(waits) == [(1,)])
                assert service.process is not None
                service.process.send_signal(signal.SIGTERM)
                assert until(lambda: not service.lives())
            assert answer.result(10).status_code == 201
        _, errors = service.process.communicate(timeout=5)  # the idle client does not hold it up
        assert (service.process.returncode, "Traceback" in errors) == (0, False)
