"""One command at a time on one system. The lock dies with its process, however that ends.

Commands that only look at a system for long share it: nothing is taken from under them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from rookery.errors import NotPossibleError
from rookery.systems.home import own_home, runtime_folder

_LOCKS = Path("/proc/locks")


@contextlib.contextmanager
def hold(name: str, *, shared: bool = False, forget: bool = False) -> Iterator[None]:
    """Hold the lock of the system `name`; raises NotPossibleError where another command has it.

    Several may hold it `shared`. `forget` removes the lock's file at the end, for a command after which
    nothing of the system is left.
    """
    remember(name)
    handle = _lock(_path(name), name, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    try:
        yield
        if forget:
            _path(name).unlink(missing_ok=True)
    finally:
        os.close(handle)


def remember(name: str) -> None:
    """Make the lock's file: from now on `down` knows the name, whatever becomes of the command."""
    path = _path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)


def is_known(name: str) -> bool:
    """Tell whether a command worked on a system of that name since the machine started, or since `down`."""
    return _path(name).exists()


def _path(name: str) -> Path:
    """Root's locks are the machine's; nobody but a user works on what is the user's own."""
    return (runtime_folder() if os.geteuid() == 0 else own_home()) / "locks" / name


def _lock(path: Path, name: str, kind: int) -> int:
    while True:
        handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            holders = ", ".join(_holders(os.fstat(handle).st_ino))
            os.close(handle)
            raise NotPossibleError(
                f"another command works on {name}" + (f" (process {holders})" if holders else ""),
                hint="Wait until it ends, or end it, then run this again.",
            ) from None
        if path.exists() and path.stat().st_ino == os.fstat(handle).st_ino:
            return handle
        # Its last holder forgot the file after we opened it: what we hold is nobody's lock any more.
        os.close(handle)


def _holders(inode: int) -> list[str]:
    """Return the processes that have the file locked, as the kernel knows them (proc_locks(5)).

    A process of another pid namespace is 0 or less there; nothing is said of it.
    """
    lines = _LOCKS.read_text(encoding="utf-8").splitlines() if _LOCKS.exists() else []
    # "1: FLOCK  ADVISORY  WRITE 4711 00:1a:2345 0 EOF"; one that waits has "->" after its number.
    rows = [line.split() for line in lines if "->" not in line]
    found = {int(row[4]) for row in rows if row[1] == "FLOCK" and row[5].rpartition(":")[2] == str(inode)}
    return [str(pid) for pid in sorted(found) if pid > 0]
