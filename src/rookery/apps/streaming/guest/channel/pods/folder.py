"""The channel's folder as Kubernetes mounts it into a pod: one file system, several hosts that see it.

A file appears with all that is in it, or not: it is written under a name of its writer's own that begins with
a dot, brought to disk, and renamed. Whether this host may still write is asked right before the renaming,
because bringing a file to disk takes as long as the file system likes.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_LARGEST = 1 << 20  # bytes of a playlist; ours have two thousand
_FORGOTTEN = 600  # seconds after which an unfinished file has no writer any more


class LateError(OSError):
    """The right to write ended while a file was being written."""


class FolderSession:
    """The folder while it is written to. Every method raises OSError."""

    def __init__(self, folder: Path, *, writer: str, may_write: Callable[[], bool]) -> None:
        self._folder = folder
        self._writer = writer
        self._may_write = may_write

    def read(self, name: str) -> bytes | None:
        """Return a file's content, None where there is no such file."""
        try:
            with (self._folder / name).open("rb") as file:
                return file.read(_LARGEST)
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """Put a file in place at once, its content on disk before its name."""
        unfinished = self._folder / f".{name}.{self._writer}.new"
        with unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if not self._may_write():
            unfinished.unlink()
            raise LateError(f"{name} was written too late to be put in place")
        unfinished.rename(self._folder / name)

    def names(self) -> list[str]:
        return [entry.name for entry in os.scandir(self._folder)]

    def remove(self, name: str) -> None:
        (self._folder / name).unlink(missing_ok=True)


class FolderClient:
    """This pod as it uses the folder."""

    # A client of the kernel has no address of its own that its pod could tell.
    address = ""

    def __init__(self, session: FolderSession) -> None:
        self._session = session

    def open(self) -> FolderSession:
        return self._session


class FolderShare:
    """Where the folder is mounted, as whom this host writes to it, and what says whether it may."""

    error: type[Exception] = OSError

    def __init__(self, folder: Path, *, writer: str, may_write: Callable[[], bool]) -> None:
        self._folder = folder
        self._writer = writer
        self._may_write = may_write
        self._tidied = False

    @contextlib.contextmanager
    def client(self) -> Iterator[FolderClient]:
        """The folder for the length of a `with`; what was done is on disk after it. Raises OSError."""
        if not self._tidied:
            self._tidy()
            self._tidied = True
        yield FolderClient(FolderSession(self._folder, writer=self._writer, may_write=self._may_write))
        handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _tidy(self) -> None:
        """Remove what writers left unfinished that will not come back to it."""
        oldest = time.time() - _FORGOTTEN
        for path in self._folder.glob(".*.new"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    path.unlink()
