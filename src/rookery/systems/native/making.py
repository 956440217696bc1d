"""Content that a program makes (films, their renditions): made once for all labs of the machine, then kept.

The program runs in a container over the servers' root image, without a network; what it made counts only
when it ended well.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rookery.apps.app import Making
from rookery.apps.streaming.guest.packing.folders import is_utf8, leads_out, shown, walk
from rookery.apps.table import APPS
from rookery.design.model import AppDesign
from rookery.drivers.containers.runc import NO_NETWORK, Container, Runc
from rookery.drivers.machine import mounts
from rookery.drivers.machine.files import alone, remove_tree
from rookery.errors import InputError, RookeryError
from rookery.files import File
from rookery.systems.home import home
from rookery.systems.lab.paths import LabPaths
from rookery.systems.lab.roots import lay_root
from rookery.systems.protocol import Report
from rookery.units import GIB

_LIMIT = 6 * 3600.0  # seconds: a user's folder may hold many long films
_MEMORY = 3 * GIB
_PROGRAM, _OUT, _SOURCE = "opt/making", "/srv/out", "/srv/source"
_INDEX = "index.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Where content is made for a lab: in a container of its, over the root `image` of its servers."""

    paths: LabPaths
    runc: Runc
    image: Path


def made_root() -> Path:
    """Return where all that was made is kept."""
    return home() / "made"


def made_folder(making: Making) -> Path:
    """Return where the content of `making` is, once it is made: named by all that goes into it."""
    digest = hashlib.sha256("\0".join(making.argv).encode())
    for file in sorted(making.files, key=lambda file: file.path):
        digest.update(f"\0{file.path}\0".encode() + file.content)
    for line in _source_lines(making.source):
        digest.update(line)
    return made_root() / f"{making.bucket}-{digest.hexdigest()[:16]}"


def _source_lines(source: str | None) -> Iterator[bytes]:
    """Yield what tells that a user's folder changed: sizes and times, as reading all films takes minutes.

    Names are the bytes that they are.
    """
    if source is None:
        return
    for one in walk(Path(source)):
        if not one.hidden and not one.why:
            state = one.path.stat()
            yield b"\0" + os.fsencode(one.name) + f" {state.st_size} {state.st_mtime_ns}".encode()


def made_index(app: AppDesign) -> str:
    """Return the index of what an application made; raises RookeryError where it is not made."""
    making = APPS[app.name].made_by(app)
    assert making is not None
    try:
        return (made_folder(making) / _INDEX).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RookeryError(
            f"{making.source or 'the program'} changed while content was made from it",
            hint="Run the command again: what changed is made anew.",
        ) from None


def ensure_made(making: Making, workshop: Workshop, report: Report) -> None:
    """Make the content if it is not there. Another that makes the same is waited for."""
    folder = made_folder(making)
    if folder.is_dir():
        return
    made_root().mkdir(parents=True, exist_ok=True)
    with alone(folder.with_name(f".{folder.name}.lock")):
        if not folder.is_dir():
            _make(making, folder, workshop, report)


def look_at(making: Making, workshop: Workshop, report: Report) -> None:
    """Look at what it would be made from; raises InputError with everything that cannot be published."""
    assert making.source is not None
    said: list[str] = []
    report(f"looking at {making.source}")
    _run(making, making.look, workshop, said.append)
    told = next((json.loads(line) for line in reversed(said) if line.startswith("{")), {"problems": said})
    if told["problems"]:
        raise InputError(
            f"{making.source} cannot be published",
            details=tuple(str(line).replace(f"{_SOURCE}/", "", 1) for line in told["problems"]),
            hint="Mend these files, or move them out of the folder.",
        )


def _make(making: Making, folder: Path, workshop: Workshop, report: Report) -> None:
    building = folder.with_name(f".{folder.name}.building")
    remove_tree(building)
    building.mkdir()
    _run(making, making.argv, workshop, report, out=building)
    building.replace(folder)


def _run(
    making: Making,
    argv: tuple[str, ...],
    workshop: Workshop,
    report: Report,
    *,
    out: Path | None = None,
) -> None:
    """Run a program of the content in a container that may read the source, and write to `out` alone."""
    name = f"making-{making.bucket}" if out is not None else f"looking-{making.bucket}"
    place = workshop.paths.volume(name)
    program = (
        File(path=f"{_PROGRAM}/{file.path}", content=file.content, mode=file.mode) for file in making.files
    )
    lay_root(place, program, image=workshop.image)
    container = Container(
        id=workshop.paths.volume_container(name),
        hostname="making",
        root=place.root,
        namespace=NO_NETWORK,
        argv=tuple(word.format(out=_OUT, source=_SOURCE) for word in argv),
        cwd=f"/{_PROGRAM}",
        cgroup=workshop.paths.cgroup(name.replace("-", ".")),
        memory=_MEMORY,
        cpus=os.cpu_count() or 1,
        binds=() if out is None else ((_OUT, str(out)),),
        shared=_sources(making.source),
        fuse=False,
    )
    try:
        workshop.runc.run(container, bundle=place.folder, report=report, timeout=_LIMIT)
    finally:
        mounts.unmount(place.root)
        remove_tree(place.folder)


def _sources(source: str | None) -> tuple[tuple[str, str], ...]:
    """Return the user's folder as the container has it, and what links in it lead to elsewhere.

    A link is followed inside the container, so what it leads to is put where it ends there.
    """
    if source is None:
        return ()
    top = os.path.realpath(source)
    links = [(name, real) for name, real in leads_out(Path(source)) if not f"{top}/".startswith(f"{real}/")]
    strange = tuple(shown(name) for name, real in links if not (is_utf8(name) and is_utf8(real)))
    if strange:
        raise InputError(
            f"links in {source} lead out of it, by names that are not UTF-8",
            details=strange,
            hint="Rename them, or put the files themselves there.",
        )
    return ((_SOURCE, source), *((f"{_SOURCE}/{name}", real) for name, real in links))
