"""The program that brings folders into a bucket, against a small S3 service."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from rookery.apps import serving
from rookery.apps.serving import (
    render_rules,
)
from rookery.apps.streaming import media

APPS = Path(serving.__file__).parent


@dataclass
class Store:
    """One bucket: objects by key with their headers, and what was asked in what order."""

    url: str = ""
    objects: dict[str, tuple[bytes, dict[str, str]]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    # How many requests are answered with 503 from now on, and what every other one is refused with.
    busy: int = 0
    refusal: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def sent(self) -> list[str]:
        return [key for method, key in self.asked if method == "PUT"]


@contextlib.contextmanager
def s3_service() -> Iterator[Store]:
    store = Store()
    with _Service(store) as server:
        store.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield store
        finally:
            server.shutdown()
            thread.join()


class _Service(ThreadingHTTPServer):
    def __init__(self, store: Store) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.store = store


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5

    @property
    def store(self) -> Store:
        assert isinstance(self.server, _Service)
        return self.server.store

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass

    def _refused(self, key: str) -> bool:
        with self.store.lock:
            self.store.asked.append((self.command, key))
            code = "SlowDown" if self.store.busy else self.store.refusal
            status = 503 if self.store.busy else 403
            self.store.busy = max(0, self.store.busy - 1)
        if not code:
            return False
        self._answer(f"<Error><Code>{code}</Code><Message>No.</Message></Error>", status=status)
        return True

    def do_GET(self) -> None:
        assert urlsplit(self.path).path == "/media"
        if self._refused(""):
            return
        listed = "".join(
            f'<Contents><Key>{key}</Key><ETag>"{hashlib.md5(body).hexdigest()}"</ETag></Contents>'
            for key, (body, _) in sorted(self.store.objects.items())
        )
        name = "http://s3.amazonaws.com/doc/2006-03-01/"
        self._answer(f'<ListBucketResult xmlns="{name}">{listed}</ListBucketResult>')

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        key = unquote(urlsplit(self.path).path).removeprefix("/media/")
        if self._refused(key):
            return
        with self.store.lock:
            self.store.objects[key] = (body, dict(self.headers))
        self._answer("")

    def do_DELETE(self) -> None:
        key = unquote(urlsplit(self.path).path).removeprefix("/media/")
        if self._refused(key):
            return
        with self.store.lock:
            del self.store.objects[key]
        self._answer("", status=204)

    def _answer(self, text: str, *, status: int = 200) -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


@pytest.fixture(name="store")
def _store() -> Iterator[Store]:
    with s3_service() as store:
        yield store


@pytest.fixture(name="program")
def _program(tmp_path: Path) -> Path:
    """The program as it lies in our image: with the rules' module beside it."""
    folder = tmp_path / "program"
    folder.mkdir()
    for path in (APPS / "guest/publish.py", APPS / "serving.py"):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder / "publish.py"


def publish(program: Path, url: str, *arguments: object, keys: bool = True) -> tuple[int, str]:
    """Run the program; return its exit status and what it said."""
    environment = {"PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true"}
    if keys:
        environment |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    done = subprocess.run(
        [sys.executable, program, "--bucket", "media", "--endpoint", url, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment,
    )
    return done.returncode, done.stdout + done.stderr


def folder(path: Path, **files: str) -> Path:
    for name, text in files.items():
        target = path / name.replace("__", "/").replace("_", ".")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return path


def test_what_differs_is_sent_and_what_names_others_last(store: Store, program: Path, tmp_path: Path) -> None:
    films = folder(
        tmp_path / "films", index_json="{}", a__master_m3u8="m", a__0_m4s="s", a__poster_jpg="p", _hidden="h"
    )
    rules = tmp_path / "rules.json"
    rules.write_text(render_rules(media.RULES))
    store.objects["stray"] = (b"x", {})
    assert publish(program, store.url, "--rules", rules, films) == (
        0,
        "4 of 4 files sent to media, 0 removed\n",
    )
    assert set(store.sent()[:2]) == {"a/0.m4s", "a/poster.jpg"}
    assert store.sent()[2:] == ["a/master.m3u8", "index.json"]
    kept = {
        key: (headers["Content-Type"], headers["Cache-Control"])
        for key, (_, headers) in store.objects.items()
        if headers
    }
    year = "public, max-age=31536000, immutable"
    assert kept == {
        "a/0.m4s": ("video/iso.segment", year),
        "a/poster.jpg": ("image/jpeg", year),
        "a/master.m3u8": ("application/vnd.apple.mpegurl", "public, max-age=60"),
        "index.json": ("application/json", "public, max-age=5"),
    }
    # Once more: nothing is sent. Then one file differs, and what is not ours any more goes.
    store.asked.clear()
    assert publish(program, store.url, films) == (0, "0 of 4 files sent to media, 0 removed\n")
    folder(films, a__master_m3u8="other")
    assert publish(program, store.url, "--prune", films) == (0, "1 of 4 files sent to media, 1 removed\n")
    assert store.sent() == ["a/master.m3u8"]
    assert "stray" not in store.objects


def test_folders_are_laid_over_each_other_and_must_not_meet(
    store: Store, program: Path, tmp_path: Path
) -> None:
    pages = folder(tmp_path / "pages", index_html="<p>")
    assets = folder(tmp_path / "assets", assets__x_css="x")
    assert publish(program, store.url, pages, assets) == (0, "2 of 2 files sent to media, 0 removed\n")
    assert store.sent() == ["assets/x.css", "index.html"]
    other = folder(tmp_path / "other", index_html="<p>")
    assert publish(program, store.url, pages, other) == (
        2,
        f"{other}/index.html: {pages}/index.html would have the same place\n",
    )


def test_a_gateway_that_is_busy_is_asked_again(store: Store, program: Path, tmp_path: Path) -> None:
    store.busy = 1
    files = folder(tmp_path / "files", a_css="a")
    assert publish(program, store.url, files) == (0, "1 of 1 files sent to media, 0 removed\n")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("NoSuchBucket", "it does not exist: is its ObjectBucketClaim bound?"),
        ("AccessDenied", "these keys may not do that: are they the bucket owner's?"),
        ("Strange", "No."),
    ],
)
def test_a_refusal_says_what_to_look_at(
    store: Store, program: Path, tmp_path: Path, code: str, said: str
) -> None:
    store.refusal = code
    files = folder(tmp_path / "files", a_css="a")
    assert publish(program, store.url, files) == (
        1,
        f"media: ListObjectsV2 was refused with {code}: {said}\n",
    )


def test_what_is_wrong_with_the_input_is_said(program: Path, tmp_path: Path) -> None:
    files, empty = folder(tmp_path / "files", a_css="a"), tmp_path / "empty"
    empty.mkdir()
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps({"mediaTypes": 1}))
    url = "http://127.0.0.1:9"
    assert publish(program, url, empty / "no") == (2, f"{empty}/no: is no folder\n")
    assert publish(program, url, empty) == (2, f"there is no file in {empty}\n")
    assert publish(program, url, "--rules", rules, files) == (2, f"{rules}: mediaTypes: is no list\n")
    assert publish(program, url, "--ca", empty / "ca.crt", files) == (2, f"{empty}/ca.crt: is no file\n")
    assert publish(program, url, files, keys=False) == (
        2,
        "the environment has no AWS_ACCESS_KEY_ID and no AWS_SECRET_ACCESS_KEY\n",
    )
