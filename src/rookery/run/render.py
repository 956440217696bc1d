"""Rendered trees: the files of projections, written into a folder, or compared with what is there.

Beside the files lies `.rookery-render.json`, which says for each projection which files it wrote and with
what digest. So a file that is not rendered any more can be told from one that somebody put there: only what
is still as we wrote it is removed. Nothing outside the folder is ever written or removed, whatever the
manifest says or a link in the folder leads to.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from rookery.design.checks import check_design
from rookery.drivers.machine.files import write_whole
from rookery.errors import InputError
from rookery.files import File
from rookery.prices.book import PriceBook
from rookery.prices.comparison import Judgement
from rookery.projections.simulation import Simulation
from rookery.projections.table import PROJECTIONS, Projection, RenderInput
from rookery.run.journal import spec_digest
from rookery.run.workspace import Workspace

MANIFEST = ".rookery-render.json"
_VERSION = 1

Digests = Mapping[str, Mapping[str, str]]
"""Projection -> path -> SHA-256 of what was written there."""


class FileState(StrEnum):
    """How a file of the folder differs from what is rendered."""

    MISSING = "missing"
    DIFFERENT = "different"
    EXTRA = "extra"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One file that is not as rendered. `ours`: it is as a former rendering left it, so nobody's work."""

    path: str
    state: FileState
    ours: bool
    old: bytes | None
    new: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What the chosen projections render; `owners` names the projection of each path."""

    files: tuple[File, ...]
    owners: Mapping[str, str]
    chosen: tuple[Projection, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a rendering did: paths that it wrote, removed, and left although they are not rendered any more.

    `replaced` are those of `written` that were there and not as a former rendering left them; `files` counts
    all that are rendered.
    """

    written: tuple[str, ...]
    replaced: tuple[str, ...]
    removed: tuple[str, ...]
    left: tuple[str, ...]
    files: int


def book_date(book: PriceBook) -> date:
    """Return the day of the newest price of a book: what a document is of, unless it is told another day.

    The clock would make a document stale every morning; with this its prices are as old as they look on the
    day when the newest of them was read.
    """
    dates = [price.date for prices in book.providers for _, price in prices.prices]
    return max([*dates, book.rate.date])


def render_input(
    workspace: Workspace,
    book: PriceBook,
    *,
    judgement: Judgement | None = None,
    simulation: Simulation | None = None,
    gitops: str = "",
    image: str = "",
) -> RenderInput:
    """Return what projections are made of; findings are those that do not depend on this machine."""
    return RenderInput(
        design=workspace.design,
        spec_digest=spec_digest(workspace.spec),
        findings=check_design(workspace.design),
        book=book,
        judgement=judgement or Judgement(today=book_date(book)),
        simulation=simulation,
        gitops=gitops,
        image=image,
    )


def render_files(
    given: RenderInput, only: Sequence[str] = (), *, table: Mapping[str, Projection] = PROJECTIONS
) -> Rendered:
    """Render the projections of those names, by default all.

    InputError for a name that is none.
    """
    unknown = [name for name in only if name not in table]
    if unknown:
        raise InputError(f"there is no projection {unknown[0]}", hint=f"There is: {', '.join(table)}.")
    chosen = tuple(projection for name, projection in table.items() if not only or name in only)
    owners: dict[str, str] = {}
    files: list[File] = []
    for projection in chosen:
        for file in projection.render(given):
            assert file.path not in owners, f"{file.path} is rendered twice"
            owners[file.path] = projection.name
            files.append(file)
    return Rendered(files=tuple(sorted(files, key=lambda file: file.path)), owners=owners, chosen=chosen)


def differences(folder: Path, rendered: Rendered) -> tuple[Difference, ...]:
    """Return where the folder differs from what is rendered, sorted by path."""
    manifest = read_manifest(folder)
    known = {path: digest for one in rendered.chosen for path, digest in manifest.get(one.name, {}).items()}
    found = []
    for file in rendered.files:
        old = _read(folder, file.path)
        if old != file.content:
            state = FileState.MISSING if old is None else FileState.DIFFERENT
            found.append(_difference(file.path, state, known, old, file.content))
    new = {file.path for file in rendered.files}
    for path in sorted((known.keys() | set(_strangers(folder, rendered.chosen))) - new):
        old = _read(folder, path)
        if old is not None:
            found.append(_difference(path, FileState.EXTRA, known, old, None))
    return tuple(sorted(found, key=lambda one: one.path))


def _difference(
    path: str, state: FileState, known: Mapping[str, str], old: bytes | None, new: bytes | None
) -> Difference:
    ours = old is not None and known.get(path) == _digest(old)
    return Difference(path=path, state=state, ours=ours, old=old, new=new)


def _strangers(folder: Path, chosen: Iterable[Projection]) -> Iterator[str]:
    """Yield every file below the folders that a projection has for itself."""
    for projection in chosen:
        own = folder / projection.folder
        if projection.folder and own.is_dir() and not own.is_symlink():
            yield from (path.relative_to(folder).as_posix() for path in own.rglob("*") if not path.is_dir())


def unified_diff(found: Sequence[Difference]) -> str:
    """Return the differences as a unified diff, from what is there to what is rendered."""
    return "".join(line for one in found for line in _diff_of(one))


def _diff_of(one: Difference) -> Iterator[str]:
    old, new = (f"a/{one.path}", f"b/{one.path}")
    before, after = (_lines(one.old), _lines(one.new))
    if before is None or after is None:
        yield f"Binary files {old} and {new} differ\n"
        return
    for line in difflib.unified_diff(
        before,
        after,
        "/dev/null" if one.old is None else old,
        "/dev/null" if one.new is None else new,
    ):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _lines(content: bytes | None) -> list[str] | None:
    """Return the lines of a text; none of a missing file, None of what is no text."""
    if content is None:
        return []
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return [f"{line}\n" for line in text.split("\n")[:-1]] + (
        [last] if (last := text.rpartition("\n")[2]) else []
    )


def write_tree(folder: Path, rendered: Rendered) -> Written:
    """Make the folder what is rendered, and note what was written.

    A kill leaves whole files, and a manifest that knows of no file that it should not: it is written last,
    and what was not noted is left alone.
    """
    found = differences(folder, rendered)
    contents = {file.path: file for file in rendered.files}
    writes = [one for one in found if one.state is not FileState.EXTRA]
    extra = [one for one in found if one.state is FileState.EXTRA]
    try:
        for one in writes:
            write_whole(_inside(folder, one.path), contents[one.path].content, mode=contents[one.path].mode)
        for one in extra:
            if one.ours:
                _remove(folder, one.path)
        _write_manifest(folder, rendered, left=[one.path for one in extra if not one.ours])
    except OSError as error:
        what = f"{error.filename or folder} cannot be written: {error.strerror}"
        raise InputError(what, hint="Name another folder with -o.") from None
    return Written(
        written=tuple(one.path for one in writes),
        replaced=tuple(one.path for one in writes if one.state is FileState.DIFFERENT and not one.ours),
        removed=tuple(one.path for one in extra if one.ours),
        left=tuple(one.path for one in extra if not one.ours),
        files=len(rendered.files),
    )


def read_manifest(folder: Path) -> Digests:
    """Return what former renderings wrote; nothing where none is noted.

    InputError where the manifest is none of ours, or names a path outside the folder.
    """
    path = folder / MANIFEST
    try:
        data: Any = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise _no_manifest(path) from None
    if not isinstance(data, dict) or data.get("version") != _VERSION or not _is_table(data.get("files")):
        raise _no_manifest(path)
    found: Digests = data["files"]
    if any(not _is_relative(name) for files in found.values() for name in files):
        raise _no_manifest(path)
    return found


def _no_manifest(path: Path) -> InputError:
    hint = "Remove it and render again; then files that are not rendered any more stay until you remove them."
    return InputError(f"{path} is no manifest of this version", hint=hint)


def _is_table(value: object) -> bool:
    """Tell whether a value is text -> text -> text."""
    return isinstance(value, dict) and all(
        isinstance(files, dict) and all(isinstance(digest, str) for digest in files.values())
        for files in value.values()
    )


def _is_relative(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and "\0" not in name


def _write_manifest(folder: Path, rendered: Rendered, *, left: Sequence[str]) -> None:
    """Note the digests of what is rendered; projections that were not chosen keep their notes.

    What was left keeps its note too, so that it is named again until somebody removes it.
    """
    files = {name: dict(paths) for name, paths in read_manifest(folder).items()}
    for projection in rendered.chosen:
        before = files.get(projection.name, {})
        files[projection.name] = {path: before[path] for path in left if path in before} | {
            file.path: _digest(file.content)
            for file in rendered.files
            if rendered.owners[file.path] == projection.name
        }
    text = json.dumps({"version": _VERSION, "files": files}, indent=1, sort_keys=True) + "\n"
    if _read(folder, MANIFEST) != text.encode():
        write_whole(folder / MANIFEST, text.encode())


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def _inside(folder: Path, path: str) -> Path:
    """Return where a path of the folder is; InputError where a link leads out of the folder."""
    place = folder / path
    if not place.parent.resolve().is_relative_to(folder.resolve()):
        raise InputError(
            f"{place.parent} leads out of {folder}", hint="Remove the link, or name another folder."
        )
    return place


def _read(folder: Path, path: str) -> bytes | None:
    """Return what a file holds; None where there is none. InputError for a folder in its place."""
    place = _inside(folder, path)
    try:
        return place.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InputError(
            f"{place} cannot be read: {error.strerror}", hint="Remove it, or name another folder with -o."
        ) from None


def _remove(folder: Path, path: str) -> None:
    """Remove a file, and the folders that are empty without it."""
    place = _inside(folder, path)
    place.unlink()
    for parent in place.parents:
        if parent == folder or any(parent.iterdir()):
            return
        parent.rmdir()
