"""A file or folder of the machine shown inside a running container, as a hypervisor attaches a drive.

An ordinary bind mount reaches mounts of its own namespace only. So the mount is made here, detached from
everything (`open_tree`), and moved to its place by a child that has entered the container's mount namespace
(`move_mount`); Linux can do so since 5.2. The child is this file, run by a fresh interpreter: a process with
threads, as ours is, may not change its namespace.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

_OPEN_TREE, _MOVE_MOUNT = 428, 429  # the numbers of these calls are the same on every architecture
_AT_FDCWD = -100
_OPEN_TREE_CLONE, _OPEN_TREE_CLOEXEC = 1, os.O_CLOEXEC
_MOVE_MOUNT_F_EMPTY_PATH = 4
_CLONE_NEWNS = 0x20000
_MS_RDONLY, _MS_REMOUNT, _MS_BIND = 0x1, 0x20, 0x1000
_LIMIT = 20  # seconds; it is two system calls


class _RefusedError(Exception):
    """The kernel refused; says which call and why."""


def attach_file(source: Path, pid: int, target: str) -> None:
    """Show `source` at the absolute path `target` of the mount namespace of process `pid`.

    Raises RookeryError where the kernel refuses.
    """
    place = Path(f"/proc/{pid}/root{target}")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()
    _attach(source, pid, target, "file")


def attach_folder(source: Path, pid: int, target: str) -> None:
    """Show the folder `source` at a path of the namespace, to be read only; mounts below it are not shown.

    Raises RookeryError where the kernel refuses.
    """
    Path(f"/proc/{pid}/root{target}").mkdir(parents=True, exist_ok=True)
    _attach(source, pid, target, "folder")


def _attach(source: Path, pid: int, target: str, kind: str) -> None:
    from rookery.errors import RookeryError  # the child has no package

    done = subprocess.run(
        (sys.executable, "-I", __file__, str(source), str(pid), target, kind),
        capture_output=True,
        timeout=_LIMIT,
        check=False,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode != 0:
        raise RookeryError(f"{source} cannot be attached at {target}: {done.stderr.strip()}")


def _call(what: str, result: int) -> int:
    if result < 0:
        raise _RefusedError(f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


def _main(source: str, pid: str, target: str, kind: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    flags = _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC
    tree = _call("open_tree", libc.syscall(_OPEN_TREE, _AT_FDCWD, source.encode(), flags))
    namespace = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    _call("setns", libc.setns(namespace, _CLONE_NEWNS))
    moved = libc.syscall(_MOVE_MOUNT, tree, b"", _AT_FDCWD, target.encode(), _MOVE_MOUNT_F_EMPTY_PATH)
    _call("move_mount", moved)
    if kind == "folder":
        flags = _MS_REMOUNT | _MS_BIND | _MS_RDONLY
        _call("mount", libc.mount(None, target.encode(), None, flags, None))


if __name__ == "__main__":
    try:
        _main(*sys.argv[1:])
    except (_RefusedError, OSError) as error:
        sys.exit(str(error))
