"""The catalogue's schema on Kubernetes: a program of our image writes it, and a role that is no superuser
installs it."""

from __future__ import annotations

import contextlib
import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest

from rookery.apps.catalogue.config import DATABASE as CATALOGUE
from rookery.apps.catalogue.installation import render_installation
from rookery.apps.catalogue.kubernetes import schema_files
from rookery.apps.database.clients import installer
from tests.kit.loopback import write_certificate
from tests.kit.postgres import DATABASE, OWNER, USER, Postgres

INDEX = json.dumps(
    {
        "titles": [
            {"id": one, "name": one.title(), "kind": "video", "seconds": 61.4, "master": f"{one}/m.m3u8",
             "poster": f"{one}/p.jpg"}
            for one in ("dawn", "dusk")
        ]
    }
)  # fmt: skip


@pytest.fixture(scope="module", name="postgres")
def _postgres(session_postgres: Postgres) -> Postgres:
    return session_postgres.renewed()


def test_the_installer_needs_no_superuser_and_may_come_again(postgres: Postgres) -> None:
    """As CloudNativePG makes it: a database of the owner's, and a role that is a member of it."""
    role = installer(CATALOGUE)
    with postgres.connect(database="postgres") as connection:
        connection.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)".encode())
        connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}".encode())
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'pass' IN ROLE {OWNER}".encode())
    script = render_installation(INDEX, owner=OWNER, user=USER, viewers=20, plays=100)
    for _ in range(2):
        postgres.run(script, user=role)
    assert postgres.rows("SELECT id, seconds FROM catalogue.titles ORDER BY id") == [
        ("dawn", 61),
        ("dusk", 61),
    ]
    assert postgres.rows("SELECT count(*) FROM catalogue.plays") == [(100,)]
    owned = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'catalogue'"
    assert postgres.rows(owned) == [(OWNER,)]


def test_the_service_gets_what_it_is_granted_and_no_more(postgres: Postgres) -> None:
    with postgres.connect(user=USER) as connection:
        assert connection.execute("SELECT count(*) FROM catalogue.titles").fetchall() == [(2,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM catalogue.plays")


class _Index(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = self.path == "/media/index.json"
        self.send_response(200 if found else 403)
        self.end_headers()
        self.wfile.write(INDEX.encode() if found else b"")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it has there
        pass


@contextlib.contextmanager
def index_server(folder: Path) -> Iterator[str]:
    write_certificate(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Index)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def render(root: Path, index: str, out: Path) -> subprocess.CompletedProcess[str]:
    """Run the program as the image has it: from its own files, with nothing of ours beside them."""
    for file in schema_files():
        path = root / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
    options = {"index": index, "ca": str(root / "ca.crt"), "owner": OWNER, "user": USER, "out": str(out)}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    program = root / "usr/lib/rookery/schema/render_schema.py"
    # -s: none of this machine's packages either.
    return subprocess.run(
        (sys.executable, "-W", "error", "-sB", str(program), *words, "--viewers", "20", "--plays", "100"),
        capture_output=True, text=True, timeout=60, check=False, env={},
    )  # fmt: skip


def test_the_images_program_writes_what_the_lab_installs(tmp_path: Path) -> None:
    out = tmp_path / "catalogue.sql"
    with index_server(tmp_path) as url:
        done = render(tmp_path, f"{url}/media/index.json", out)
    assert (done.returncode, done.stdout) == (0, "")
    assert out.read_text() == render_installation(INDEX, owner=OWNER, user=USER, viewers=20, plays=100)


def test_without_an_index_there_is_no_script(tmp_path: Path) -> None:
    out = tmp_path / "catalogue.sql"
    with index_server(tmp_path) as url:
        done = render(tmp_path, f"{url}/media/none.json", out)
    assert done.returncode == 1
    assert done.stderr == f"render_schema: {url}/media/none.json: HTTP Error 403: Forbidden\n"
    assert not out.exists()
