"""The drill's files: a tree of CephFS, through Ceph's own library, so that nothing needs to be mounted."""

from __future__ import annotations

import contextlib
import hashlib
import stat
from collections.abc import Iterator
from typing import Any

import cephfs

from .drill_entries import DRILL, Entry
from .errors import BackupError

_TOP = f"/{DRILL}"
_CHUNK = 1 << 20
_IN_A_FOLDER = 100


class Tree:
    """Files in folders of a hundred, below `/drill`."""

    def __init__(self, file_system: str, user: str) -> None:
        self._file_system = file_system
        self._user = user

    def prepare(self) -> None:
        with self._mounted() as mounted:
            _remove(mounted, _TOP)
            mounted.mkdir(_TOP, 0o755)

    def put(self, entries: list[Entry]) -> None:
        with self._mounted() as mounted:
            for entry in entries:
                with contextlib.suppress(cephfs.ObjectExists):
                    mounted.mkdir(_folder(entry.number), 0o755)
                _write(mounted, f"{_folder(entry.number)}/{entry.number:06d}", entry.content)
            mounted.sync_fs()

    def read(self) -> dict[int, str]:
        with self._mounted() as mounted:
            return {
                int(path.rpartition("/")[2]): digest(mounted, path)
                for path, is_folder in walk(mounted, _TOP)
                if not is_folder
            }

    def lose(self) -> str:
        with self._mounted() as mounted:
            _remove(mounted, _TOP)
        return f"the tree {_TOP} of CephFS was removed"

    def settle(self) -> None:
        """It comes back in place."""

    def clear(self) -> None:
        with self._mounted() as mounted:
            _remove(mounted, _TOP)

    def _mounted(self) -> contextlib.AbstractContextManager[Any]:
        return opened(self._file_system, self._user)


@contextlib.contextmanager
def opened(file_system: str, user: str) -> Iterator[Any]:
    """Yield a file system through Ceph's library; raises BackupError for what it refuses."""
    mounted = cephfs.LibCephFS(conffile="/etc/ceph/ceph.conf", auth_id=user)
    try:
        mounted.conf_set("client_mount_timeout", "30")
        mounted.mount(filesystem_name=file_system)
        yield mounted
    except cephfs.Error as error:
        raise BackupError(f"the drill's look at CephFS: {error}") from None
    finally:
        mounted.shutdown()


def _folder(number: int) -> str:
    return f"{_TOP}/{number // _IN_A_FOLDER:03d}"


def _write(mounted: Any, path: str, content: bytes) -> None:
    handle = mounted.open(path, "w", 0o644)
    try:
        for start in range(0, len(content), _CHUNK):
            mounted.write(handle, content[start : start + _CHUNK], start)
    finally:
        mounted.close(handle)


def digest(mounted: Any, path: str) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    handle, found, start = mounted.open(path, "r"), hashlib.sha256(), 0
    try:
        while chunk := mounted.read(handle, start, _CHUNK):
            found.update(chunk)
            start += len(chunk)
    finally:
        mounted.close(handle)
    return found.hexdigest()


def names(mounted: Any, path: str) -> list[str]:
    """Return the names in a folder."""
    found = []
    folder = mounted.opendir(path)
    try:
        while entry := mounted.readdir(folder):
            found.append(entry.d_name.decode())
    finally:
        mounted.closedir(folder)
    return sorted({*found} - {".", ".."})


def walk(mounted: Any, path: str) -> Iterator[tuple[str, bool]]:
    """Yield what lies below a path (empty: all) and whether it is a folder, the innermost first; nothing
    where the path is not there. What goes meanwhile is left out."""
    try:
        found = names(mounted, path or "/")
    except cephfs.ObjectNotFound:
        return
    for name in found:
        inner = f"{path}/{name}"
        try:
            is_folder = stat.S_ISDIR(mounted.lstat(inner).st_mode)
        except cephfs.ObjectNotFound:
            continue
        if is_folder:
            yield from walk(mounted, inner)
        yield inner, is_folder


def _remove(mounted: Any, path: str) -> None:
    for inner, is_folder in walk(mounted, path):
        (mounted.rmdir if is_folder else mounted.unlink)(inner)
    with contextlib.suppress(cephfs.ObjectNotFound):
        mounted.rmdir(path)
