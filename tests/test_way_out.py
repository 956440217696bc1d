"""The way out of a lab: to the places of copies, through TLS and in the clear, and nowhere else."""

from __future__ import annotations

import http.client
import http.server
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pytest

from rookery.apps.backup.guest.backups.store import connect
from rookery.apps.backup.guest.backups.told import Place
from rookery.plan.native import plan_native
from rookery.systems.native.way_out import reached
from tests.kit.designs import design
from tests.kit.loopback import free_port, write_certificate
from tests.kit.waiting import until

PROGRAM = files("rookery.systems.native") / "guest" / "way-out"
COPIES = [
    {"name": "a", "endpoint": "https://s3.example.org", "bucket": "copies"},
    {"name": "b", "endpoint": "http://192.0.2.7:7480", "bucket": "copies"},
    {"name": "c", "endpoint": "https://s3.example.org", "bucket": "others"},
]


class Service(http.server.BaseHTTPRequestHandler):
    """Tells what it was asked for, and takes what it is sent."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        said = f"{self.path} {self.headers['Host']} {self.headers['Connection']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append((self.path, body))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("ETag", '"x"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@dataclass(frozen=True, kw_only=True)
class World:
    """A way out, a service in the clear and one behind TLS that it leads to, and one that it does not."""

    way: str
    clear: int
    secure: int
    other: int
    bodies: list[tuple[str, bytes]]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    write_certificate(tmp_path)
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service) for _ in range(3)]
    bodies: list[tuple[str, bytes]] = []
    for server in servers:
        server.bodies = bodies  # type: ignore[attr-defined]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    servers[1].socket = context.wrap_socket(servers[1].socket, server_side=True)
    threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    clear, secure, other = (server.server_address[1] for server in servers)
    listen = f"127.0.0.1:{free_port()}"
    argv = (sys.executable, str(PROGRAM), listen, f"127.0.0.1:{clear}", f"127.0.0.1:{secure}", "127.0.0.1:9")
    with subprocess.Popen(argv) as process:
        try:
            assert until(lambda: answers(listen))
            yield World(way=listen, clear=clear, secure=secure, other=other, bodies=bodies)
        finally:
            process.kill()
            for server in servers:
                server.shutdown()
                server.server_close()


def answers(listen: str) -> bool:
    try:
        with closing(http.client.HTTPConnection(listen, timeout=5)) as way:
            way.connect()
    except OSError:
        return False
    return True


def asked(world: World, url: str) -> tuple[int, str, str]:
    with closing(http.client.HTTPConnection(world.way, timeout=10)) as way:
        way.request("GET", url, headers={"Connection": "keep-alive"})
        answer = way.getresponse()
        return answer.status, answer.reason, answer.read().decode()


def test_what_is_asked_for_in_the_clear_is_handed_on_as_the_service_wants_it(world: World) -> None:
    target = f"127.0.0.1:{world.clear}"
    assert asked(world, f"http://{target}/a/b?c=d") == (200, "OK", f"/a/b?c=d {target} close")


def test_it_leads_nowhere_else(world: World) -> None:
    other = f"127.0.0.1:{world.other}"
    assert asked(world, f"http://{other}/")[:2] == (403, f"{other} is no copy's")
    assert asked(world, "/only/a/path")[0] == 400
    gone = asked(world, "http://127.0.0.1:9/")
    assert gone[:2] == (502, "127.0.0.1:9 cannot be reached: Connection refused")
    tunnel = http.client.HTTPConnection(world.way, timeout=10)
    tunnel.set_tunnel("127.0.0.1", world.other)
    with pytest.raises(OSError, match="403"):
        tunnel.connect()


@pytest.mark.parametrize("is_secure", [False, True])
def test_backups_reach_a_service_through_it(world: World, tmp_path: Path, *, is_secure: bool) -> None:
    port, scheme = (world.secure, "https") if is_secure else (world.clear, "http")
    place = Place(
        name="vault",
        endpoint=f"{scheme}://127.0.0.1:{port}",
        bucket="copies",
        authority=str(tmp_path / "ca.crt"),
        access="a",
        secret="s",
        way=f"http://{world.way}",
    )
    content = bytes(range(256)) * 40_000
    with closing(connect(place)) as client:
        for number in range(3):
            client.put_object(Bucket="copies", Key=f"one{number}", Body=content)
    assert world.bodies == [(f"/copies/one{number}", content) for number in range(3)]


def test_a_lab_with_copies_has_a_step_for_it_and_others_have_none() -> None:
    plain = {"pattern": "production-minimum", "name": "demo"}
    with_copies = design({**plain, "backup": {"copies": COPIES}})
    assert reached(with_copies) == ("s3.example.org:443", "192.0.2.7:7480")
    assert "way-out" in [step.id for step in plan_native(with_copies)]
    without = design({**plain, "backup": {}})
    assert reached(without) == ()
    assert "way-out" not in [step.id for step in plan_native(without)]
