"""Files of the machine, written whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from rookery.files import File


def write_whole(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write a file so that a reader, or a kill at any moment, sees the old content or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        os.fchmod(handle, mode)
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def make_open_folder(path: Path) -> None:
    """Make a folder that everybody may enter, and what is missing above it, whatever the umask is."""
    for folder in reversed([one for one in (path, *path.parents) if not one.exists()]):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)


def write_files(root: Path, files: Iterable[File], *, users: Mapping[str, tuple[int, int]]) -> None:
    """Write files below `root`; `users` gives uid and gid of each owner where the files will be used."""
    for file in files:
        path = root / file.path
        make_open_folder(path.parent)
        path.write_bytes(file.content)
        path.chmod(file.mode)
        uid, gid = users[file.owner]
        if uid or gid:
            os.chown(path, uid, gid)


def read_users(root: Path) -> dict[str, tuple[int, int]]:
    """Return uid and gid of each user in the /etc/passwd of a root file system."""
    lines = (root / "etc/passwd").read_text(encoding="utf-8").splitlines()
    fields = (line.split(":") for line in lines if line.count(":") >= 3)
    return {name: (int(uid), int(gid)) for name, _, uid, gid, *_ in fields}


def remove_tree(path: Path) -> None:
    """Remove a folder with all that is in it; a missing one is fine."""
    if path.is_dir():
        shutil.rmtree(path)


def free_space(path: Path) -> int:
    """Return the free bytes of the file system that holds `path` or its nearest existing parent."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold a lock that dies with the process; who makes the same is waited for, so that it is made once."""
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
