"""Mirrors for tests of serving them: small ones, and their server on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rookery.mirror.folder import Index, KeptFile, Thing, render_index
from rookery.mirror.serving.bounded import Limits, Listening
from rookery.mirror.serving.server import MirrorServer
from rookery.mirror.serving.shelf import Shelf


@contextmanager
def running(
    folder: Path, *, limits: Limits | None = None, lines: list[str] | None = None
) -> Iterator[MirrorServer]:
    heard = [] if lines is None else lines
    at = Listening(host="127.0.0.1", port=0)
    with MirrorServer(Shelf(folder), at, log=heard.append, limits=limits) as server:
        yield server


def plain_mirror(folder: Path, files: dict[str, int]) -> Path:
    """Make a mirror of charts that are files of so many zeros."""
    things = []
    for path, size in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        with (folder / path).open("wb") as out:
            out.truncate(size)
        kept = KeptFile(path=path, sha256="0" * 64, size=size)
        things.append(Thing(kind="chart", name=path, version="1", source="", files=(kept,)))
    (folder / "index.json").write_bytes(render_index(Index(architecture="amd64", things=tuple(things))))
    return folder
