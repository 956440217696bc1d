"""One command at a time on one system. The lock dies with its process, however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from rookery.errors import NotPossibleError
from rookery.systems.native.paths import runtime_folder


@contextlib.contextmanager
def hold(name: str, *, forget: bool = False) -> Iterator[None]:
    """Hold the lock of the system `name`; raises NotPossibleError where another command has it.

    `forget` removes the lock's file at the end, for a command after which nothing of the system is left.
    """
    path = runtime_folder() / "locks" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = _lock(path, name)
    try:
        yield
        if forget:
            path.unlink(missing_ok=True)
    finally:
        os.close(handle)


def _lock(path: Path, name: str) -> int:
    while True:
        handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 100, 0).decode(errors="replace").strip()
            os.close(handle)
            raise NotPossibleError(
                f"another command works on {name}" + (f" (process {holder})" if holder else ""),
                hint="Wait until it ends, or end it, then run this again.",
            ) from None
        if path.exists() and path.stat().st_ino == os.fstat(handle).st_ino:
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
            return handle
        # Its last holder forgot the file after we opened it: what we hold is nobody's lock any more.
        os.close(handle)
