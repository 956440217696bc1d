"""A container image from a root file system, as one file: an OCI image layout in a tar archive.

Podman, Skopeo, CRI-O and containerd read it. The same root gives the same bytes: entries are sorted, and all
have one time. Nothing in it may raise its rights: set-user-ID bits are left out, devices too.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import platform
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
# What a container gets from whoever runs it.
_EMPTY = ("dev", "proc", "run", "sys", "tmp")
_LEVEL = 4  # of gzip: 6 takes twice as long and saves three per cent
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What an image is besides its files.

    `reference` is its name with its tag, `user` whom it runs as, `environment` and `labels` are name and
    value. `epoch` is the time of everything in it, in seconds since 1970.
    """

    reference: str
    user: str
    environment: tuple[tuple[str, str], ...]
    labels: tuple[tuple[str, str], ...]
    epoch: int


@dataclass(frozen=True, slots=True)
class _Blob:
    digest: str
    size: int

    @property
    def path(self) -> str:
        return f"blobs/sha256/{self.digest}"

    def descriptor(self, media_type: str) -> dict[str, Any]:
        return {"mediaType": media_type, "digest": f"sha256:{self.digest}", "size": self.size}


def architecture() -> str:
    """Return what OCI calls this machine's processor."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def write_archive(root: Path, archive: Path, image: Image) -> None:
    """Write the image of `root` to `archive`, whole or not at all."""
    layer_path = archive.with_name(f".{archive.name}.layer")
    unfinished = archive.with_name(f".{archive.name}.new")
    try:
        layer, content = _write_layer(root, layer_path, epoch=image.epoch)
        texts = _texts(image, layer, content)
        with tarfile.open(unfinished, "w", format=tarfile.PAX_FORMAT) as out:
            for path, text in texts:
                _add(out, path, len(text), io.BytesIO(text), epoch=image.epoch)
            with layer_path.open("rb") as file:
                _add(out, layer.path, layer.size, file, epoch=image.epoch)
        unfinished.replace(archive)
    finally:
        layer_path.unlink(missing_ok=True)
        unfinished.unlink(missing_ok=True)


def _texts(image: Image, layer: _Blob, content: str) -> list[tuple[str, bytes]]:
    """Return the layout's small files; `content` is the digest of the layer before it was compressed."""
    created = f"{datetime.fromtimestamp(image.epoch, UTC):%Y-%m-%dT%H:%M:%SZ}"
    config = _json(
        {
            "architecture": architecture(),
            "os": "linux",
            "created": created,
            "config": {
                "User": image.user,
                "Env": [f"{name}={value}" for name, value in image.environment],
                "WorkingDir": "/",
                "Labels": dict(image.labels),
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{content}"]},
            "history": [{"created": created, "created_by": "rookery image"}],
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _blob(config).descriptor(_CONFIG),
            "layers": [layer.descriptor(_LAYER)],
        }
    )
    # containerd reads the second of the names; the first is OCI's own.
    names = {
        "org.opencontainers.image.ref.name": image.reference,
        "io.containerd.image.name": image.reference,
    }
    listed = {**_blob(manifest).descriptor(_MANIFEST), "annotations": names}
    index = {"schemaVersion": 2, "manifests": [listed]}
    return [
        ("oci-layout", _json({"imageLayoutVersion": "1.0.0"})),
        ("index.json", _json(index)),
        (_blob(manifest).path, manifest),
        (_blob(config).path, config),
    ]


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _blob(content: bytes) -> _Blob:
    return _Blob(hashlib.sha256(content).hexdigest(), len(content))


def _add(out: tarfile.TarFile, path: str, size: int, content: IO[bytes], *, epoch: int) -> None:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mtime, entry.mode = size, epoch, 0o644
    out.addfile(entry, content)


class _Sink(Protocol):
    def write(self, data: bytes, /) -> int: ...


class _Digesting(io.RawIOBase):
    """Passes on what is written to it, and knows its digest and length."""

    def __init__(self, out: _Sink) -> None:
        self._out = out
        self._digest = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._digest.update(data)
        self.size += len(data)
        return self._out.write(data)

    @property
    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def _write_layer(root: Path, path: Path, *, epoch: int) -> tuple[_Blob, str]:
    """Write the compressed layer; return it, and the digest of what was compressed."""
    with path.open("wb") as file:
        packed = _Digesting(file)
        with gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=0, compresslevel=_LEVEL) as pressed:
            plain = _Digesting(pressed)
            with tarfile.open(fileobj=plain, mode="w|", format=tarfile.PAX_FORMAT) as out:
                for entry in _entries(root):
                    _add_path(out, root, entry, epoch=epoch)
    return _Blob(packed.hexdigest, packed.size), plain.hexdigest


def _entries(root: Path) -> Iterator[str]:
    """Yield every path below `root`, sorted, a folder before what is in it."""
    for folder, folders, files in os.walk(root):
        folders.sort()
        here = Path(folder).relative_to(root).as_posix()
        prefix = "" if here == "." else f"{here}/"
        yield from (f"{prefix}{name}" for name in sorted((*folders, *files)))
        if not prefix:
            folders[:] = [name for name in folders if name not in _EMPTY]


def _add_path(out: tarfile.TarFile, root: Path, name: str, *, epoch: int) -> None:
    path = root / name
    mode = path.lstat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
        return
    entry = out.gettarinfo(path, name)
    entry.mtime = epoch
    entry.mode &= ~(stat.S_ISUID | stat.S_ISGID)
    entry.uname = entry.gname = ""
    if entry.isreg():
        with path.open("rb") as content:
            out.addfile(entry, content)
    else:
        out.addfile(entry)
