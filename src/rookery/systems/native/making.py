"""Content that a program makes (films, their renditions): made once for all labs of the machine, then kept.

The program runs in a container over the servers' root image, without a network; what it made counts only
when it ended well.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from rookery.apps.app import Making
from rookery.apps.table import APPS
from rookery.design.model import AppDesign
from rookery.drivers import mounts
from rookery.drivers.files import alone, remove_tree
from rookery.drivers.runc import NO_NETWORK, Container, Runc
from rookery.errors import RookeryError
from rookery.files import File
from rookery.systems.native.paths import LabPaths, home
from rookery.systems.native.roots import lay_root
from rookery.systems.protocol import Report
from rookery.units import GIB

_LIMIT = 6 * 3600.0  # seconds: a user's folder may hold many long films
_MEMORY = 3 * GIB
_PROGRAM, _OUT, _SOURCE = "opt/making", "/srv/out", "/srv/source"
_INDEX = "index.json"


def made_root() -> Path:
    """Return where all that was made is kept."""
    return home() / "made"


def made_folder(making: Making) -> Path:
    """Return where the content of `making` is, once it is made: named by all that goes into it."""
    digest = hashlib.sha256("\0".join(making.argv).encode())
    for file in sorted(making.files, key=lambda file: file.path):
        digest.update(f"\0{file.path}\0".encode() + file.content)
    for line in _source_lines(making.source):
        digest.update(line.encode())
    return made_root() / f"{making.bucket}-{digest.hexdigest()[:16]}"


def _source_lines(source: str | None) -> Iterator[str]:
    """Yield what tells that a user's folder changed: sizes and times, as reading all films takes minutes."""
    if source is None:
        return
    for path in sorted(Path(source).rglob("*")):
        if path.is_file():
            state = path.stat()
            yield f"\0{path.relative_to(source)} {state.st_size} {state.st_mtime_ns}"


def made_index(app: AppDesign) -> str:
    """Return the index of what an application made; raises RookeryError where it is not made."""
    making = APPS[app.name].making(app)
    assert making is not None
    try:
        return (made_folder(making) / _INDEX).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RookeryError(
            f"{making.source or 'the program'} changed while content was made from it",
            hint="Run the command again: what changed is made anew.",
        ) from None


def ensure_made(making: Making, paths: LabPaths, runc: Runc, report: Report) -> None:
    """Make the content if it is not there. Another that makes the same is waited for."""
    folder = made_folder(making)
    if folder.is_dir():
        return
    made_root().mkdir(parents=True, exist_ok=True)
    with alone(folder.with_name(f".{folder.name}.lock")):
        if not folder.is_dir():
            _make(making, folder, paths, runc, report)


def _make(making: Making, folder: Path, paths: LabPaths, runc: Runc, report: Report) -> None:
    place = paths.volume(f"making-{making.bucket}")
    building = folder.with_name(f".{folder.name}.building")
    remove_tree(building)
    building.mkdir()
    program = (
        File(path=f"{_PROGRAM}/{file.path}", content=file.content, mode=file.mode) for file in making.files
    )
    lay_root(place, program)
    source = ((_SOURCE, making.source),) if making.source is not None else ()
    container = Container(
        id=paths.volume_container(f"making-{making.bucket}"),
        hostname="making",
        root=place.root,
        namespace=NO_NETWORK,
        argv=tuple(word.format(out=_OUT, source=_SOURCE) for word in making.argv),
        cwd=f"/{_PROGRAM}",
        cgroup=paths.cgroup(f"making.{making.bucket}"),
        memory=_MEMORY,
        cpus=os.cpu_count() or 1,
        binds=((_OUT, str(building)), *source),
        fuse=False,
    )
    try:
        runc.run(container, bundle=place.folder, report=report, timeout=_LIMIT)
    finally:
        mounts.unmount(place.root)
        remove_tree(place.folder)
    building.replace(folder)
