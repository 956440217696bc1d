"""The server before a mirror: who is slow or one too many, and how the command begins and ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

import rookery
from rookery.errors import InputError, NotPossibleError
from rookery.mirror.serving.bounded import Limits, Listening, parse_listen
from rookery.mirror.serving.server import MirrorServer
from rookery.mirror.serving.shelf import Shelf
from tests.kit.mirror_serving import plain_mirror, running

# --- who is slow, and who are many


def test_who_does_not_finish_a_request_is_cut_off(tmp_path: Path) -> None:
    folder = plain_mirror(tmp_path, {"charts/one.tgz": 3})
    with (
        running(folder, limits=Limits(request=0.3)) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection,
    ):
        began, answer = time.monotonic(), b"?"
        connection.settimeout(0.1)
        # A byte now and then is not enough.
        while answer == b"?" and time.monotonic() - began < 20:
            try:
                connection.sendall(b"G")
                answer = connection.recv(1)
            except TimeoutError:
                continue
            except ConnectionError:
                break
        assert time.monotonic() - began < 15


@pytest.mark.parametrize("limits", [Limits(silence=0.3), Limits(grace=0.2, rate=1e12)])
def test_who_does_not_take_what_it_asked_for_is_cut_off(tmp_path: Path, limits: Limits) -> None:
    folder = plain_mirror(tmp_path, {"charts/big.tgz": 256 * 1024**2})
    lines: list[str] = []
    with (
        running(folder, limits=limits, lines=lines) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection,
    ):
        connection.sendall(b"GET /charts/big.tgz HTTP/1.1\r\nHost: x\r\n\r\n")
        deadline = time.monotonic() + 20
        while not lines and time.monotonic() < deadline:
            # One takes nothing at all, the other a little and often.
            if limits.rate > 1e9:
                connection.recv(1024)
            time.sleep(0.01)
    assert lines
    assert "GET /charts/big.tgz 200 broken off: t" in lines[0]


def test_who_is_one_too_many_waits(tmp_path: Path) -> None:
    folder = plain_mirror(tmp_path, {"charts/one.tgz": 3})
    with running(folder, limits=Limits(connections=1)) as server:
        url = f"http://127.0.0.1:{server.port}/charts/one.tgz"
        with socket.create_connection(("127.0.0.1", server.port)), pytest.raises(httpx.ReadTimeout):
            httpx.get(url, trust_env=False, timeout=1)
        assert httpx.get(url, trust_env=False, timeout=20).status_code == 200


# --- the command


@contextmanager
def command(folder: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "rookery", "mirror", "serve", str(folder), "--listen", "127.0.0.1:0"],
        env=os.environ | {"PYTHONPATH": str(Path(rookery.__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_it_is_told_to(tmp_path: Path, number: signal.Signals) -> None:
    folder = plain_mirror(tmp_path, {"charts/big.tgz": 256 * 1024**2})
    with command(folder) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        port = int(said.partition("port ")[2].partition(";")[0])
        assert said == f"{folder} is served at 127.0.0.1, port {port}; Ctrl-C ends it\n"
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(b"GET /no\x1b[31m HTTP/1.1\r\n\r\nGET /charts/big.tgz HTTP/1.1\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 404"
            while b"200 OK" not in connection.recv(4096):
                pass
            process.send_signal(number)
            _, heard = process.communicate(timeout=30)
        assert process.returncode == 0
    first, second = heard.splitlines()
    assert first[8:] == " 127.0.0.1 GET /no?[31m 404"
    assert second[8:].startswith(" 127.0.0.1 GET /charts/big.tgz 200 broken off: ")


def test_where_to_listen() -> None:
    assert parse_listen(":5080") == Listening(host="", port=5080)
    assert parse_listen("10.0.0.5:80") == Listening(host="10.0.0.5", port=80)
    assert parse_listen("[fd00::5]:80") == Listening(host="fd00::5", port=80)
    for text in ("5080", "10.0.0.5", "fd00::5:80", "x:99999", "[x", ""):
        with pytest.raises(InputError, match="is nowhere to listen"):
            parse_listen(text)


def test_what_is_no_request_is_logged_as_that(tmp_path: Path) -> None:
    folder = plain_mirror(tmp_path, {"charts/one.tgz": 3})
    lines: list[str] = []
    with running(folder, lines=lines) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(b"\x16\x03\x01 \xff hello\n")
            assert connection.recv(12)  # words without a head: it named no version of HTTP
        deadline = time.monotonic() + 10
        while not lines and time.monotonic() < deadline:
            time.sleep(0.01)
    assert lines[0][8:] == " 127.0.0.1 (no HTTP; runtimes try TLS first) 400"


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    folder = plain_mirror(tmp_path, {"charts/one.tgz": 3})
    with running(folder) as server:
        at = Listening(host="127.0.0.1", port=server.port)
        with pytest.raises(NotPossibleError, match=f"^nothing can listen at 127.0.0.1:{server.port}: "):
            MirrorServer(Shelf(folder), at, log=lambda _: None)
