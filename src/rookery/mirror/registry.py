"""Images from container registries into an OCI image layout, by the OCI distribution protocol.

A registry is asked anonymously: a token is fetched where it demands one. Of an image for several processors
one is taken. Everything is named by its digest, and what has another digest is never kept.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from rookery.errors import InputError, RookeryError
from rookery.mirror.downloads import Arrived, Web, write_content

NAME = "org.opencontainers.image.ref.name"
_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
_DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_LISTS, _SINGLES = (_INDEX, _DOCKER_LIST), (_MANIFEST, _DOCKER_MANIFEST)
# What Docker calls the same things that OCI names. In a layout, Debian's and Ubuntu's skopeo finds only what
# the index calls by OCI's names; with such a name, a list reads the same.
_OCI_NAMES = {
    _DOCKER_LIST: _INDEX,
    _DOCKER_MANIFEST: _MANIFEST,
    "application/vnd.docker.container.image.v1+json": "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.image.rootfs.diff.tar.gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.diff.tar": "application/vnd.oci.image.layer.v1.tar",
}
_HOSTS = {"docker.io": "registry-1.docker.io"}
_LARGEST_MANIFEST = 8 * 1024**2
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An image's full name, taken apart; `digest` is empty where the name has none."""

    name: str
    registry: str
    repository: str
    tag: str
    digest: str

    @property
    def url(self) -> str:
        """Where the registry has the image's repository. As everywhere, one on this machine speaks no TLS."""
        host = _HOSTS.get(self.registry, self.registry)
        local = self.registry.partition(":")[0] in ("localhost", "127.0.0.1")
        return f"{'http' if local else 'https'}://{host}/v2/{self.repository}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """Content that is named by its digest: a layer, a configuration, a manifest."""

    digest: str
    size: int
    media_type: str

    @property
    def sha256(self) -> str:
        return self.digest.removeprefix("sha256:")

    def descriptor(self) -> dict[str, Any]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image as a registry has it.

    `origin` is the digest that its name leads to there. `top` is what the layout gives that name; `texts` are
    the manifests with their content, `blobs` the configuration and the layers, still to be fetched.
    """

    reference: Reference
    origin: str
    top: Blob
    texts: tuple[tuple[Blob, bytes], ...]
    blobs: tuple[Blob, ...]


def parse_reference(name: str) -> Reference:
    """Return a full name such as `quay.io/ceph/ceph:v20.2.4@sha256:...` taken apart."""
    rest, _, digest = name.partition("@")
    registry, slash, path = rest.partition("/")
    repository, _, tag = path.partition(":")
    if not slash or not repository or not (tag or digest) or (digest and not _DIGEST.fullmatch(digest)):
        raise InputError(
            f"{name} is no full name of an image",
            hint="It has a registry, a path, and a tag or a digest: quay.io/ceph/ceph:v20.2.4.",
        )
    return Reference(name=name, registry=registry, repository=repository, tag=tag, digest=digest)


class Registries:
    """The registries of the world, with the tokens that they gave."""

    def __init__(self, web: Web, *, architecture: str = "amd64") -> None:
        self._web = web
        self._architecture = architecture
        self._auth = _Anonymous()

    def resolve(self, name: str, *, origin: str = "") -> Image:
        """Return what an image consists of; `origin` is the digest to take, whatever its tag means today."""
        reference = parse_reference(name)
        wanted = reference.digest or origin or reference.tag
        top, content = self._manifest(reference, wanted)
        if top.media_type in _SINGLES:
            return _image(reference, top.digest, ((top, content),))
        chosen = _for_architecture(reference, _parsed(reference, content), self._architecture)
        single, single_content = self._manifest(reference, chosen)
        if single.media_type not in _SINGLES:
            raise RookeryError(
                f"{name} is a list of lists of images", hint="Nothing here reads such a thing."
            )
        return _image(reference, top.digest, ((top, content), (single, single_content)))

    def fetch(self, image: Image, blob: Blob, path: Path, arrived: Arrived) -> None:
        """Bring a blob of an image to `path`."""
        url = f"{image.reference.url}/blobs/{blob.digest}"
        self._web.save(url, path, sha256=blob.sha256, auth=self._auth, arrived=arrived)

    def _manifest(self, reference: Reference, wanted: str) -> tuple[Blob, bytes]:
        url = f"{reference.url}/manifests/{wanted}"
        accept = ", ".join((*_LISTS, *_SINGLES))
        got = self._web.read(url, most=_LARGEST_MANIFEST, accept=accept, auth=self._auth)
        digest = f"sha256:{hashlib.sha256(got.content).hexdigest()}"
        if wanted.startswith("sha256:") and digest != wanted:
            raise RookeryError(
                f"{url} is not what was announced",
                details=(f"expected {wanted}", f"received {digest}"),
                hint="What arrived was thrown away. Does a proxy change files on the way?",
            )
        parsed = _parsed(reference, got.content)
        media_type = str(parsed.get("mediaType") or got.media_type.partition(";")[0])
        if media_type not in (*_LISTS, *_SINGLES):
            raise RookeryError(
                f"{reference.name} is of a kind that nothing here reads: {media_type or 'unnamed'}",
                hint="Images are OCI's, or Docker's of version 2.",
            )
        return Blob(digest=digest, size=len(got.content), media_type=media_type), got.content


def _parsed(reference: Reference, content: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(content)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise RookeryError(
            f"{reference.registry} answered something else than a manifest for {reference.name}",
            hint="Does a proxy with a login page stand between?",
        )
    return parsed


def _for_architecture(reference: Reference, index: Mapping[str, Any], architecture: str) -> str:
    platforms = [
        (str(one.get("digest")), f"{platform.get('os')}/{platform.get('architecture')}")
        for one in index.get("manifests", ())
        if (platform := one.get("platform") or {})
    ]
    for digest, platform in platforms:
        if platform == f"linux/{architecture}":
            return digest
    offered = ", ".join(sorted({name for _, name in platforms if not name.startswith("unknown/")}))
    raise RookeryError(
        f"{reference.name} is not made for linux/{architecture}",
        details=(f"it is there for: {offered or 'nothing'}",),
    )


def _image(reference: Reference, origin: str, texts: tuple[tuple[Blob, bytes], ...]) -> Image:
    """Return an image of its manifests, the last of which is that of one processor.

    A name with a digest leads to exactly that, list or not: who runs the image asks for this digest. A name
    with a tag leads to the manifest, in OCI's words.
    """
    single, content = texts[-1]
    manifest = _parsed(reference, content)
    try:
        blobs = tuple(_blob(one) for one in (manifest["config"], *manifest["layers"]))
    except (KeyError, TypeError, ValueError):
        raise RookeryError(f"the manifest of {reference.name} names its parts in no known way") from None
    if not reference.digest:
        if single.media_type == _DOCKER_MANIFEST:
            single, content = _in_oci_words(reference, manifest)
        texts = ((single, content),)
    elif texts[0][0].media_type == _DOCKER_MANIFEST:
        raise RookeryError(
            f"{reference.name} names a manifest of Docker's by its digest, which no layout can hold",
            hint="Name it by its tag alone in the chart's values: it is kept with OCI's names then.",
        )
    return Image(reference=reference, origin=origin, top=texts[0][0], texts=texts, blobs=blobs)


def _blob(described: Mapping[str, Any]) -> Blob:
    digest = str(described["digest"])
    # It becomes a file's name here.
    if not _DIGEST.fullmatch(digest):
        raise ValueError(digest)
    return Blob(digest=digest, size=int(described["size"]), media_type=str(described["mediaType"]))


def _in_oci_words(reference: Reference, manifest: Mapping[str, Any]) -> tuple[Blob, bytes]:
    """Return a manifest of Docker's as OCI's, over the same configuration and layers."""

    def renamed(one: Mapping[str, Any]) -> dict[str, Any]:
        kind = _OCI_NAMES.get(one["mediaType"])
        if kind is None or one.get("urls"):
            raise RookeryError(f"{reference.name} has a layer that cannot be kept: {one['mediaType']}")
        return {"mediaType": kind, "digest": one["digest"], "size": one["size"]}

    content = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": renamed(manifest["config"]),
            "layers": [renamed(layer) for layer in manifest["layers"]],
        },
        separators=(",", ":"),
    ).encode()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return Blob(digest=digest, size=len(content), media_type=_MANIFEST), content


class _Anonymous(httpx.Auth):
    """Answers a registry's demand for a token by asking for one as nobody, once for each repository.

    A registry may lead to another host, which then demands a token of its own: what was asked last counts.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}
        self._lock = threading.Lock()

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        known = self._token(request.url)
        if known:
            request.headers["Authorization"] = f"Bearer {known}"
        answer = yield request
        if answer.status_code != HTTPStatus.UNAUTHORIZED:
            return
        demand = _demand(answer)
        if demand is None:
            return
        asked = answer.request.url
        told = yield demand
        if told.status_code != HTTPStatus.OK:
            return
        told.read()
        token = _told_token(told)
        with self._lock:
            self._tokens[_scope(asked)] = token
        again = httpx.Request("GET", asked, headers=request.headers, extensions=request.extensions)
        again.headers["Host"] = asked.netloc.decode()
        again.headers["Authorization"] = f"Bearer {token}"
        yield again

    def _token(self, url: httpx.URL) -> str:
        with self._lock:
            return self._tokens.get(_scope(url), "")


def _scope(url: httpx.URL) -> str:
    """Return the host and the repository that a URL of the protocol is about: a token is for one of them."""
    repository = re.split(r"/(?:manifests|blobs)/", url.path)[0]
    return f"{url.netloc.decode()}{repository}"


def _demand(answer: httpx.Response) -> httpx.Request | None:
    """Return the request for a token that a refusal asks for; None where it asks for something else."""
    scheme, _, rest = answer.headers.get("WWW-Authenticate", "").partition(" ")
    fields = dict(_CHALLENGE.findall(rest))
    realm = fields.pop("realm", "")
    if scheme.lower() != "bearer" or urlsplit(realm).scheme not in ("http", "https"):
        return None
    query = {name: fields[name] for name in ("service", "scope") if name in fields}
    return httpx.Request("GET", realm, params=query, headers={"User-Agent": "rookery"})


def _told_token(answer: httpx.Response) -> str:
    try:
        told = json.loads(answer.content)
        return str(told.get("token") or told["access_token"])
    except (ValueError, KeyError, AttributeError):
        raise RookeryError(
            f"{answer.request.url.host} answered something else than a token",
            hint="Does a proxy with a login page stand between?",
        ) from None


class Layout:
    """An OCI image layout: a folder of blobs by digest, and an index that gives names to some of them.

    `skopeo copy oci:FOLDER:NAME ...` reads it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def blob_path(self, digest: str) -> Path:
        return self.folder / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def write_text(self, blob: Blob, content: bytes) -> None:
        """Keep a manifest."""
        write_content(self.blob_path(blob.digest), content)

    def names(self) -> dict[str, str]:
        """Return the digest of each name."""
        return {one["annotations"][NAME]: str(one["digest"]) for one in self._listed()}

    def add(self, images: Iterable[Image]) -> None:
        """Give images, all of whose blobs are there, their names; one that had a name loses it."""
        descriptors = {one["annotations"][NAME]: one for one in self._listed()}
        for image in images:
            name = image.reference.name
            # containerd reads the second of the names; the first is OCI's own.
            names = {NAME: name, "io.containerd.image.name": name}
            kind = _OCI_NAMES.get(image.top.media_type, image.top.media_type)
            descriptors[name] = {**image.top.descriptor(), "mediaType": kind, "annotations": names}
        index = {
            "schemaVersion": 2,
            "mediaType": _INDEX,
            "manifests": [descriptors[name] for name in sorted(descriptors)],
        }
        write_content(self.folder / "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        write_content(self.folder / "index.json", (json.dumps(index, indent=1) + "\n").encode())

    def _listed(self) -> list[dict[str, Any]]:
        """Return what the index names; a layout that cannot be read names nothing, and is written anew."""
        try:
            listed = json.loads((self.folder / "index.json").read_bytes())["manifests"]
            return [one for one in listed if one.get("annotations", {}).get(NAME)]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return []
