"""What a mirror offers over HTTP: which path is which file. All else is not there.

A path is looked up among those that the mirror's index names; none is ever put together from what a client
sent, so none leads anywhere else. Images are offered as a registry has them, below the name of the registry
that they came from: `/v2/quay.io/ceph/ceph/manifests/v20.2.4`.
"""

from __future__ import annotations

import json
import os
import re
import stat
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from rookery.errors import InputError
from rookery.mirror.folder import INDEX, KeptFile, Mirror, Thing
from rookery.mirror.registry import parse_reference

API = "/v2/"
_IN_REGISTRY = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs)/(?P<which>[^/]+)")
_BYTES = "application/octet-stream"
_LIST = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A file that may be had. `digest` is `sha256:...`, empty for the index, which has none."""

    path: Path
    media_type: str
    digest: str = ""


class NotOfferedError(Exception):
    """There is no such thing here. `code` is the registry's word for it, empty outside the registry."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


@dataclass(slots=True)
class _Repository:
    """What a registry has of one name: digests of tags, manifests and blobs by digest."""

    tags: dict[str, str] = field(default_factory=dict)
    manifests: dict[str, Offer] = field(default_factory=dict)
    blobs: dict[str, Offer] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    files: Mapping[str, Offer]
    repositories: Mapping[str, _Repository]


class Shelf:
    """The files of a mirror by the paths of requests; a mirror that was filled further is read anew.

    Raises InputError where the folder is no mirror, or lacks the manifest of an image that it names.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._lock = threading.Lock()
        self._state = self._now()
        self._content = _read(Mirror.open(self.folder))

    def find(self, path: str) -> Offer:
        """Return what a path, decoded and without a query, leads to; raises NotOfferedError."""
        content = self._current()
        in_registry = _IN_REGISTRY.fullmatch(path)
        if in_registry is None:
            found = content.files.get(path)
            if found is None:
                code = "UNSUPPORTED" if path.startswith(API) else ""
                raise NotOfferedError("the mirror has no such file", code=code)
            return found
        name, kind, which = in_registry["name"], in_registry["kind"], in_registry["which"]
        repository = content.repositories.get(name)
        if repository is None:
            raise NotOfferedError("the mirror has no image of this name", code="NAME_UNKNOWN")
        if kind == "blobs":
            if which in repository.blobs:
                return repository.blobs[which]
            raise NotOfferedError("no image of this name has this blob", code="BLOB_UNKNOWN")
        digest = repository.tags.get(which, which)
        if digest in repository.manifests:
            return repository.manifests[digest]
        raise NotOfferedError("the mirror has no such image of this name", code="MANIFEST_UNKNOWN")

    def open(self, offer: Offer) -> BinaryIO:
        """Open an offered file; raises NotOfferedError where it is gone, or leads out of the mirror."""
        try:
            handle = os.open(offer.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            raise NotOfferedError("the file is missing, though the mirror's index has it") from None
        opened = os.fdopen(handle, "rb")
        # Where it really is: a link may have come with the folder.
        real = Path(f"/proc/self/fd/{handle}").readlink()
        if stat.S_ISREG(os.fstat(handle).st_mode) and real.is_relative_to(self.folder):
            return opened
        opened.close()
        raise NotOfferedError("the mirror has no such file")

    def _current(self) -> _Content:
        """Return what there is; while a new index cannot be read, what there was."""
        with self._lock:
            state = self._now()
            if state != self._state:
                self._state = state
                try:
                    self._content = _read(Mirror.open(self.folder))
                except InputError:
                    self._state = None
            return self._content

    def _now(self) -> tuple[int, int, int] | None:
        """Return what changes when the index is another one."""
        try:
            seen = (self.folder / INDEX).stat()
        except OSError:
            return None
        return seen.st_mtime_ns, seen.st_size, seen.st_ino


def _read(mirror: Mirror) -> _Content:
    files = {f"/{INDEX}": Offer(path=mirror.folder / INDEX, media_type="application/json")}
    repositories: dict[str, _Repository] = {}
    for thing in mirror.things.values():
        if thing.kind == "image":
            _add_image(repositories, mirror, thing)
            continue
        for file in thing.files:
            files[f"/{file.path}"] = _offer(mirror, file)
    return _Content(files=files, repositories=repositories)


def _add_image(repositories: dict[str, _Repository], mirror: Mirror, thing: Thing) -> None:
    """Offer an image: the manifest that its name leads to, what that lists, what all of them consist of."""
    reference = parse_reference(thing.name)
    repository = repositories.setdefault(f"{reference.registry}/{reference.repository}", _Repository())
    kept = {f"sha256:{file.sha256}": file for file in thing.files}
    top = f"sha256:{thing.files[0].sha256}"
    parsed = _manifest(mirror, thing.files[0], thing)
    listed = [str(one.get("digest")) for one in parsed.get("manifests", ())]
    texts = {top: parsed}
    texts |= {digest: _manifest(mirror, kept[digest], thing) for digest in listed if digest in kept}
    for digest, text in texts.items():
        kind = str(text.get("mediaType") or (_LIST if "manifests" in text else _MANIFEST))
        repository.manifests[digest] = _offer(mirror, kept[digest], kind)
    for digest, file in kept.items():
        if digest not in texts:
            repository.blobs[digest] = _offer(mirror, file)
    if reference.tag and not reference.digest:
        repository.tags[reference.tag] = top
    elif reference.tag:
        # Pinned by its digest; where the tag alone was mirrored too, that one counts.
        repository.tags.setdefault(reference.tag, top)


def _manifest(mirror: Mirror, file: KeptFile, thing: Thing) -> dict[str, Any]:
    try:
        parsed = json.loads((mirror.folder / file.path).read_bytes())
    except (OSError, ValueError):
        parsed = None
    if not isinstance(parsed, dict):
        raise InputError(
            f"{file.path} of {thing.title} is missing in {mirror.folder}, or damaged",
            hint=f"`rookery mirror pull {mirror.folder}` fetches it again where there is internet.",
        )
    return parsed


def _offer(mirror: Mirror, file: KeptFile, media_type: str = _BYTES) -> Offer:
    return Offer(path=mirror.folder / file.path, media_type=media_type, digest=f"sha256:{file.sha256}")
