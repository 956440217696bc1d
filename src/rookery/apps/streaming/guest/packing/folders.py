"""What is in a folder of the user's: every file that can be read, and why each other thing cannot.

Links are followed, as web servers and players do; one that leads nowhere, or round in a circle, is named.
Names are kept as the bytes that they are (`surrogateescape`): `shown` writes any of them as text.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One thing in a folder: its path relative to the folder, and where it lies.

    `why` is empty for a file that can be read, else it says why it is none (`is a socket, not a file`);
    `dead` tells those that no user can read by any right: links that lead nowhere and what is no file.
    """

    name: str
    path: Path
    why: str = ""
    dead: bool = False
    hidden: bool = False


def walk(folder: Path, *, kept: Collection[str] = ()) -> Iterator[Found]:
    """Yield what is in a folder and in those below it, in the order of the names' bytes.

    What begins with a dot comes as one thing marked `hidden`, and nothing in it is looked at, but for those
    names at the top that are `kept`.
    """
    yield from _walk(folder, "", _above(folder), frozenset(kept))


def _walk(
    folder: Path, above: str, inside: tuple[tuple[int, int], ...], kept: frozenset[str]
) -> Iterator[Found]:
    try:
        names = sorted((path.name for path in folder.iterdir()), key=os.fsencode)
    except OSError as error:
        yield Found(name=above.rstrip("/") or ".", path=folder, why=f"cannot be read: {error.strerror}")
        return
    for name in names:
        path = folder / name
        if name.startswith(".") and not (above == "" and name in kept):
            yield Found(name=above + name, path=path, hidden=True)
            continue
        yield from _entry(path, above + name, inside)


def _entry(path: Path, name: str, inside: tuple[tuple[int, int], ...]) -> Iterator[Found]:
    try:
        state = path.stat()
    except OSError as error:
        yield _unreachable(path, name, error)
        return
    if stat.S_ISDIR(state.st_mode):
        own = (state.st_dev, state.st_ino)
        if own in inside:
            yield Found(
                name=name, path=path, why=f"is a link to a folder that it lies in: {_target(path)}", dead=True
            )
        else:
            yield from _walk(path, f"{name}/", (*inside, own), frozenset())
    elif not stat.S_ISREG(state.st_mode):
        kind = _KINDS.get(stat.S_IFMT(state.st_mode), "something else")
        yield Found(name=name, path=path, why=f"is {kind}, not a file", dead=True)
    elif os.access(path, os.R_OK):
        yield Found(name=name, path=path)
    else:
        yield Found(name=name, path=path, why="cannot be read: Permission denied")


def _unreachable(path: Path, name: str, error: OSError) -> Found:
    if not path.is_symlink():
        return Found(name=name, path=path, why=f"cannot be read: {error.strerror}")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Found(name=name, path=path, why=f"is a link to {_target(path)}, which is not there", dead=True)
    if isinstance(error, PermissionError):
        return Found(name=name, path=path, why=f"is a link that cannot be followed: {error.strerror}")
    return Found(
        name=name, path=path, why=f"is a link that leads round in a circle: {_target(path)}", dead=True
    )


def _above(folder: Path) -> tuple[tuple[int, int], ...]:
    """Return the identities of a folder and of all that it lies in: a link to one of them leads back."""
    real = Path(os.path.realpath(folder))
    return tuple(_identity(path) for path in (real, *real.parents))


def _identity(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError:
        return (0, 0)
    return (state.st_dev, state.st_ino)


def _target(path: Path) -> str:
    try:
        return shown(str(path.readlink()))
    except OSError:
        return "nowhere"


def shown(name: str) -> str:
    """Return a name as text of one line: `B\\xfcro.mp4` where its bytes are no UTF-8."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def is_utf8(name: str) -> bool:
    """Tell whether a name's bytes are UTF-8."""
    try:
        os.fsencode(name).decode()
    except UnicodeDecodeError:
        return False
    return True


def leads_out(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each link in a folder that leads out of it, as its name and where it ends: a container that has
    the folder has not what it leads to."""
    top = os.path.realpath(folder)
    for found in _links(folder, "", _above(folder)):
        real = os.path.realpath(found.path)
        if real != top and not real.startswith(f"{top}/"):
            yield found.name, real


def _links(folder: Path, above: str, inside: tuple[tuple[int, int], ...]) -> Iterator[Found]:
    try:
        names = sorted((path.name for path in folder.iterdir()), key=os.fsencode)
    except OSError:
        return
    for name in names:
        path = folder / name
        if name.startswith("."):
            continue
        own = _identity(path)
        if own == (0, 0):
            continue
        if path.is_symlink():
            yield Found(name=above + name, path=path)
        if path.is_dir() and own not in inside:
            yield from _links(path, f"{above}{name}/", (*inside, own))
