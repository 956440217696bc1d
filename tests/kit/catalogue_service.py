"""The catalogue's service as a program of a test's own."""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.kit.loopback import free_port, write_certificate
from tests.kit.postgres import DATABASE, USER, Postgres
from tests.kit.waiting import until

SERVICE = Path(__file__).parents[2] / "src/rookery/apps/catalogue/service"


@dataclass(kw_only=True)
class Service:
    """One instance of the service; `read_port` of the database may be another than its `write_port`."""

    folder: Path
    postgres: Postgres
    read_port: int
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        database = {
            "host": "127.0.0.1", "writePort": self.postgres.port, "readPort": self.read_port,
            "name": DATABASE, "user": USER, "passwordFile": str(self.folder / "password"),
        }  # fmt: skip
        (self.folder / "password").write_text("pass\n")
        config = {
            "name": "worker-t", "address": "127.0.0.1", "port": self.port, "database": database,
            "certificate": str(self.folder / "server.crt"), "key": str(self.folder / "server.key"),
            "ca": str(self.folder / "ca.crt"),
        }  # fmt: skip
        (self.folder / "catalogue.json").write_text(json.dumps(config))
        # Warnings are errors here, too: what the libraries deprecate is noticed before they remove it.
        self.process = subprocess.Popen(
            (sys.executable, "-W", "error", "-m", "catalogue", str(self.folder / "catalogue.json")),
            env=os.environ | {"PYTHONPATH": str(SERVICE), "PYTHONDONTWRITEBYTECODE": "1"},
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert until(self.lives), self.end()

    def end(self) -> tuple[int, str]:
        """Have it end; return its exit status and what it wrote."""
        assert self.process is not None
        self.process.terminate()
        _, errors = self.process.communicate(timeout=20)
        return self.process.returncode, errors

    def lives(self) -> bool:
        with contextlib.suppress(httpx.TransportError), self.client() as client:
            return client.get("/api/health/live").status_code == 200
        return False

    def client(self) -> httpx.Client:
        trust = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        return httpx.Client(base_url=f"https://127.0.0.1:{self.port}", verify=trust, timeout=15)


@contextlib.contextmanager
def running_service(folder: Path, postgres: Postgres, *, read_port: int | None = None) -> Iterator[Service]:
    folder.mkdir()
    write_certificate(folder)
    service = Service(folder=folder, postgres=postgres, read_port=read_port or postgres.port)
    service.start()
    try:
        yield service
    finally:
        if service.process is not None and service.process.poll() is None:
            service.end()
