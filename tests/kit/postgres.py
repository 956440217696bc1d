"""A real PostgreSQL with the catalogue in it, for tests: that of the servers' image, or this machine's."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from rookery.apps.catalogue.schema import render_schema
from rookery.apps.catalogue.seed import Title, render_seed
from rookery.releases import DEFAULT_RELEASE
from rookery.systems.native.root import image_root
from tests.kit.loopback import free_port, write_certificate
from tests.kit.servers_image import MISSING, entering, user_ids
from tests.kit.waiting import until

OWNER, USER, DATABASE = "catalogue_owner", "catalogue", "catalogue"
TITLES = (
    Title(id="dawn", name='Dawn\'s "first" \\ light\n\t:x', kind="video", seconds=596),
    Title(id="dusk", name="Dämmerung 薄暮 🌘", kind="video", seconds=734),
    Title(id="owls", name="$$ -- owls; /* */", kind="audio", seconds=1800),
)
START_LIMIT = 30.0


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

    def renewed(self) -> Postgres:
        """Return it running, with the catalogue as it is at first, whatever a test left of it."""
        if self.process is None:
            self.start()
        self.install()
        return self

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
        (inside,) = image_root(DEFAULT_RELEASE).glob("usr/lib/postgresql/*/bin")
        binaries, ids = f"/{inside.relative_to(image_root(DEFAULT_RELEASE))}", user_ids("postgres")
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
