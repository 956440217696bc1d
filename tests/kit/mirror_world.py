"""The internet in small, for tests of mirrors: one server of this machine that answers as many hosts do.

It is asked for HOST/PATH, as a cache would be. It plays registries with tokens and redirects, repositories of
charts and of Debian packages, and places of releases; and what goes wrong there.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

OCI = "application/vnd.oci.image."
DOCKER = "application/vnd.docker."
TOKEN = "t0k3n-of-nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request: the host that was meant, the path with its query, and headers in lower case."""

    host: str
    path: str
    headers: dict[str, str]

    @property
    def url(self) -> str:
        return f"https://{self.host}{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """What is answered. `cut` ends the connection after so many bytes, `stalls` is silent after them."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    cut: int | None = None
    stalls: int | None = None


Trouble = Callable[[Asked], Says | None]


@dataclass(slots=True)
class World:
    """Everything that can be asked for, by URL, and everything that was."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    with_tokens: set[str] = field(default_factory=set)
    trouble: list[Trouble] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def urls(self, part: str = "") -> list[str]:
        """Return the URLs that were asked for, those with `part` in them."""
        return [asked.url for asked in self.asked if part in asked.url]

    def once(self, part: str, says: Says) -> None:
        """Answer the next request for a URL with `part` in it with this, and then no more."""
        left = [says]
        self.trouble.append(lambda asked: left.pop() if left and part in asked.url else None)

    def always(self, part: str, says: Says) -> None:
        self.trouble.append(lambda asked: says if part in asked.url else None)

    def answer(self, asked: Asked) -> Says:
        for trouble in self.trouble:
            if (says := trouble(asked)) is not None:
                return says
        parts = urlsplit(asked.path)
        if parts.path == "/token":
            return Says(
                body=json.dumps({"token": TOKEN, "scope": parse_qs(parts.query)["scope"][0]}).encode()
            )
        if asked.host in self.with_tokens and asked.headers.get("authorization") != f"Bearer {TOKEN}":
            repository = parts.path.removeprefix("/v2/").split("/manifests/")[0].split("/blobs/")[0]
            demand = (
                f'Bearer realm="https://auth.{asked.host}/token",service="{asked.host}"'
                f',scope="repository:{repository}:pull"'
            )
            return Says(status=401, headers=(("WWW-Authenticate", demand),))
        if asked.url in self.redirects:
            return Says(status=307, headers=(("Location", self.redirects[asked.url]),))
        if asked.url not in self.files:
            return Says(status=404, body=b"no such thing")
        return self._file(asked)

    def _file(self, asked: Asked) -> Says:
        body, kind = self.files[asked.url], self.types.get(asked.url, "application/octet-stream")
        wanted = asked.headers.get("range", "").removeprefix("bytes=").removesuffix("-")
        if not wanted:
            return Says(body=body, headers=(("Content-Type", kind),))
        begin = int(wanted)
        if begin >= len(body):
            return Says(status=416)
        where = f"bytes {begin}-{len(body) - 1}/{len(body)}"
        return Says(status=206, body=body[begin:], headers=(("Content-Range", where),))

    # --- what there is

    def chart(self, repository: str, name: str, version: str, content: bytes, *, digest: str = "") -> None:
        """Add a chart to a repository; its archive's content is what the helm of this world renders."""
        index = f"{repository}/index.yaml"
        known = json.loads(self.files.get(index, b'{"entries": {}}'))
        entry = {
            "version": version,
            "urls": [f"archives/{name}-{version}.tgz"],
            "digest": digest or hashlib.sha256(content).hexdigest(),
        }
        known["entries"].setdefault(name, []).append(entry)
        self.files[index] = json.dumps(known).encode()
        self.files[f"{repository}/archives/{name}-{version}.tgz"] = content

    def packages(self, url: str, packages: Mapping[str, tuple[str, str, bytes]]) -> None:
        """Make a flat repository: name -> version, what it depends on, content."""
        paragraphs = []
        for name, (version, depends, content) in packages.items():
            path = f"amd64/{name}_{version}_amd64.deb"
            self.files[f"{url}{path}"] = content
            paragraphs.append(
                f"Package: {name}\nVersion: {version}\nArchitecture: amd64\n"
                f"Depends: {depends}\nFilename: {path}\nSize: {len(content)}\n"
                f"SHA256: {hashlib.sha256(content).hexdigest()}\nDescription: a package\n of tests\n"
            )
        text = "\n".join(paragraphs).encode()
        lists = {"Packages": text, "Packages.gz": gzip.compress(text, mtime=0)}
        lines = [f" {hashlib.sha256(one).hexdigest()} {len(one):>8} {name}" for name, one in lists.items()]
        signed = ["-----BEGIN PGP SIGNED MESSAGE-----", "Hash: SHA512", "", "Origin: tests", "MD5Sum:"]
        signed += [f" {'0' * 32} 12 Packages", "SHA256:", *lines, "-----BEGIN PGP SIGNATURE-----", "", "x"]
        for name, content in (*lists.items(), ("InRelease", "\n".join(signed).encode())):
            self.files[f"{url}{name}"] = content
        self.files[f"{url}Release.key"] = b"a public key"

    def checksummed(self, url: str, content: bytes, suffix: str) -> None:
        self.files[url] = content
        line = f"{hashlib.sha256(content).hexdigest()}  {url.rpartition('/')[2]}\n"
        self.files[f"{url}{suffix}"] = line.encode()

    def image(self, name: str, *layers: bytes, docker: bool = False, single: bool = False) -> str:
        """Add an image to its registry, and return the digest that its tag leads to."""
        registry, _, rest = name.partition("/")
        repository, _, tag = rest.partition(":")
        base = f"https://{'registry-1.docker.io' if registry == 'docker.io' else registry}/v2/{repository}"
        config_type = f"{DOCKER}container.image.v1+json" if docker else f"{OCI}config.v1+json"
        layer_type = f"{DOCKER}image.rootfs.diff.tar.gzip" if docker else f"{OCI}layer.v1.tar+gzip"
        contents = [gzip.compress(_tar({"content": layer}), mtime=0) for layer in layers]
        plain = [hashlib.sha256(gzip.decompress(one)).hexdigest() for one in contents]
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{one}" for one in plain]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{DOCKER}distribution.manifest.v2+json" if docker else f"{OCI}manifest.v1+json",
            "config": self._blob(base, json.dumps(config).encode(), config_type),
            "layers": [self._blob(base, one, layer_type) for one in contents],
        }
        top = self._manifest(base, manifest)
        if not single:
            others = [("arm64", "1"), ("unknown", "2")]
            listed = [
                {**top, "digest": f"sha256:{digit * 64}", "platform": _platform(a)} for a, digit in others
            ]
            kind = f"{DOCKER}distribution.manifest.list.v2+json" if docker else f"{OCI}index.v1+json"
            manifests = [*listed, {**top, "platform": _platform("amd64")}]
            top = self._manifest(base, {"schemaVersion": 2, "mediaType": kind, "manifests": manifests})
        digest = str(top["digest"])
        self.files[f"{base}/manifests/{tag}"] = self.files[f"{base}/manifests/{digest}"]
        return digest

    def _blob(self, base: str, content: bytes, kind: str) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.files[f"{base}/blobs/{digest}"] = content
        return {"mediaType": kind, "digest": digest, "size": len(content)}

    def _manifest(self, base: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        content = json.dumps(manifest).encode()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.files[f"{base}/manifests/{digest}"] = content
        return {"mediaType": manifest["mediaType"], "digest": digest, "size": len(content)}


def _platform(architecture: str) -> dict[str, str]:
    return {"os": "unknown" if architecture == "unknown" else "linux", "architecture": architecture}


def _tar(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def archive_of(files: Mapping[str, bytes]) -> bytes:
    """Return a compressed tar archive."""
    return gzip.compress(_tar(files), mtime=0)


@contextmanager
def served(world: World) -> Iterator[World]:
    """Serve a world on this machine, and say in it where."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host, _, path = self.path.removeprefix("/").partition("/")
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(host=host, path=f"/{path}", headers=headers)
            world.asked.append(asked)
            says = world.answer(asked)
            self.send_response(says.status)
            for name, value in (*says.headers, ("Content-Length", str(len(says.body)))):
                self.send_header(name, value)
            self.end_headers()
            short = says.cut if says.cut is not None else says.stalls
            self.wfile.write(says.body[:short])
            if says.stalls is not None:
                self.wfile.flush()
                world.ended.wait(60)
            if short is not None:
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            """Say nothing on standard error."""

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    world.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield world
    finally:
        world.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
