"""The catalogue's SQL on a real PostgreSQL; and how its tests get one."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import psycopg
import pytest

from rookery.apps.catalogue.schema import render_schema
from rookery.apps.catalogue.seed import Title, render_seed
from rookery.drivers.clients.postgres import DatabaseError, Door, connected, query
from rookery.drivers.clients.tls import issue_certificate, make_authority, make_key
from rookery.systems.native.root import image_root
from tests.kit.servers_image import MISSING, entering, user_ids

OWNER, USER, DATABASE = "catalogue_owner", "catalogue", "catalogue"
TITLES = (
    Title(id="dawn", name='Dawn\'s "first" \\ light\n\t:x', kind="video", seconds=596),
    Title(id="dusk", name="Dämmerung 薄暮 🌘", kind="video", seconds=734),
    Title(id="owls", name="$$ -- owls; /* */", kind="audio", seconds=1800),
)
START_LIMIT = 30.0


def until(holds: Callable[[], bool], *, limit: float = 20.0) -> bool:
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return holds()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)  # noqa: TID251 - a certificate is valid from now on


@functools.cache
def authority() -> tuple[str, str]:
    """The tests' own authority: its certificate and its key."""
    key = make_key()
    return make_authority("tests", key, now=now()), key


def write_certificate(folder: Path) -> None:
    """Put ca.crt, server.crt and server.key for 127.0.0.1 into a folder."""
    ca, ca_key = authority()
    key = make_key()
    certificate = issue_certificate(ca, ca_key, key, names=("localhost", "127.0.0.1"), now=now())
    for name, text in (("ca.crt", ca), ("server.crt", certificate), ("server.key", key)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)


@dataclass(kw_only=True)
class Postgres:
    """A PostgreSQL of the tests' own, over TLS on loopback, started and stopped as they like.

    `seen` is the folder as its commands see it; `root` makes a command see that, where it is the image's;
    `user` runs it as one that PostgreSQL takes, where the tests run as root, and `ids` are that user's.
    """

    folder: Path
    binaries: str
    seen: str
    root: tuple[str, ...] = ()
    user: tuple[str, ...] = ()
    ids: tuple[int, int] | None = None
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def initialise(self) -> None:
        """Make its files, with the certificate among them."""
        data, password = self.folder / "data", self.folder / "password"
        data.mkdir(0o700)
        password.write_text("pass")
        self._give(data, password)
        done = subprocess.run(
            (*self.root, *self.user, f"{self.binaries}/initdb", "-D", f"{self.seen}/data", "--no-sync", "-U",
             "postgres", "--pwfile", f"{self.seen}/password", "-A", "scram-sha-256", "-E", "UTF8",
             "--locale", "C.UTF-8"),
            cwd="/", capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, b"")
        self._give(*(Path(shutil.copy(self.folder / name, data)) for name in ("server.crt", "server.key")))
        (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")

    def start(self) -> None:
        settings = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "",
            "ssl": "on", "ssl_cert_file": "server.crt", "ssl_key_file": "server.key", "fsync": "off",
            "dynamic_shared_memory_type": "mmap", "max_connections": 60,
        }  # fmt: skip
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = (*self.root, *self.user, f"{self.binaries}/postgres", "-D", f"{self.seen}/data", *options)
        with (self.folder / "log").open("ab") as log:
            # A folder that only its owner may enter is none to work in for another user.
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/")
        assert until(self.answers, limit=START_LIMIT), (self.folder / "log").read_text()[-2000:]

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)  # its fast shutdown: whoever is connected is cut off
            self.process.wait(START_LIMIT)
            self.process = None

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
        with contextlib.suppress(psycopg.OperationalError), self.connect(database="postgres"):
            return True
        return False

    def connect(self, *, user: str = "postgres", database: str = DATABASE) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=user, password="pass", dbname=database,
            sslmode="verify-full", sslrootcert=str(self.folder / "ca.crt"), connect_timeout=3,
            autocommit=True,
        )  # fmt: skip

    def run(self, script: str, *, user: str = "postgres") -> None:
        """Run SQL as rookery does: psql, one transaction, as the superuser where nobody else is named."""
        assert self.process is not None
        environment = os.environ | {"PGPASSWORD": "pass", "PGSSLMODE": "require", "LC_ALL": "C", "HOME": "/"}
        beside = ("chroot", f"/proc/{self.process.pid}/root") if self.root else ()
        done = subprocess.run(
            (*beside, *self.user, f"{self.binaries}/psql", "-qX", "-v", "ON_ERROR_STOP=1",
             "--single-transaction", "-h", "127.0.0.1", "-p", str(self.port), "-U", user,
             "-d", DATABASE),
            input=script.encode(), env=environment, cwd="/", capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")

    def rows(self, query: str) -> list[Any]:
        with self.connect() as connection:
            return connection.execute(query.encode()).fetchall()

    def install(self, *, titles: tuple[Title, ...] = TITLES, viewers: int = 50, plays: int = 300) -> None:
        """Make the roles, an empty database, the schema and the seed."""
        with self.connect(database="postgres") as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)".encode())
            for role in (f"{OWNER} NOLOGIN", f"{USER} LOGIN PASSWORD 'pass'"):
                with contextlib.suppress(psycopg.errors.DuplicateObject):
                    connection.execute(f"CREATE ROLE {role}".encode())
            connection.execute(f"CREATE DATABASE {DATABASE}".encode())
        self.run(render_schema(owner=OWNER, user=USER))
        self.run(render_seed(titles, viewers=viewers, plays=plays, owner=OWNER))

    def _give(self, *paths: Path) -> None:
        for path in paths:
            if self.ids is not None:
                os.chown(path, *self.ids)


def _find_postgres(folder: Path) -> Postgres:
    """Return the PostgreSQL of the servers' image, or this machine's; skip where there is neither."""
    user = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
    if root := entering(folder):
        (inside,) = image_root().glob("usr/lib/postgresql/*/bin")
        binaries, ids = f"/{inside.relative_to(image_root())}", user_ids("postgres")
        return Postgres(folder=folder, binaries=binaries, seen="/srv", root=root, user=user, ids=ids)
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip(f"there is no PostgreSQL: {MISSING}")
    if os.geteuid() != 0:
        return Postgres(folder=folder, binaries=str(found[-1].parent), seen=str(folder))
    entry = pwd.getpwnam("postgres")
    return Postgres(
        folder=folder, binaries=str(found[-1].parent), seen=str(folder), user=user,
        ids=(entry.pw_uid, entry.pw_gid),
    )  # fmt: skip


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Make a PostgreSQL with the catalogue in it, and remove it all afterwards."""
    # Not in the user's TMPDIR, which other users may have no way into.
    folder = Path(tempfile.mkdtemp(prefix="catalogue-postgres-", dir="/var/tmp"))
    try:
        folder.chmod(0o755)
        write_certificate(folder)
        postgres = _find_postgres(folder)
        postgres.initialise()
        try:
            postgres.start()
            postgres.install()
            yield postgres
        finally:
            postgres.stop()
    finally:
        shutil.rmtree(folder)


class Relay:
    """A port before the database's that can be taken away with its connections, or stop to carry anything."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._sockets: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self._carries = threading.Event()
        self.port = free_port()

    def __enter__(self) -> Self:
        self.mend()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()

    def mend(self) -> None:
        self._carries.set()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def freeze(self) -> None:
        """Be like a server that lost its power: nothing ends, nothing comes."""
        self._carries.clear()

    def cut(self) -> None:
        self._carries.set()
        sockets, self._sockets = [*self._sockets, self._listener], []
        for line in sockets:
            if line is not None:
                with contextlib.suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)
                line.close()
        self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._carries.wait()
                sink.sendall(data)
        for line in (source, sink):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module", name="postgres")
def _postgres() -> Iterator[Postgres]:
    with running_postgres() as postgres:
        yield postgres


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
