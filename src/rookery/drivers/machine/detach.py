"""A file system taken from whoever uses it, as pulling a disk out would: nothing more is written, nobody
finds it.

Two calls: the file system is shut down where it can be (XFS and ext4, the same ioctl), so that unmounting it
waits for no data to be written; then it is detached from its place in a mount namespace. It is gone once the
last file in it that is open is closed. The calls are made by a child that has entered the namespace (this
file, run by a fresh interpreter, as in `attach.py`): with the last reference the child may hang in the kernel
for as long as the disk is silent, and so may nobody else.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import struct
import subprocess
import sys

_GOING_DOWN = 0x8004587D  # XFS_IOC_GOINGDOWN, EXT4_IOC_SHUTDOWN: _IOR('X', 125, __u32)
_NO_LOG_FLUSH = 2
_MNT_DETACH = 2
_CLONE_NEWNS = 0x20000


def start_detaching(pid: int, point: str) -> subprocess.Popen[bytes]:
    """Begin to take what is mounted at `point` in the mount namespace of process `pid`; return the child,
    which is over when it is done."""
    from rookery.drivers.machine.process import ENDS_WITH_US  # the child has no package

    return subprocess.Popen(
        (*ENDS_WITH_US, sys.executable, "-I", "-S", __file__, str(pid), point),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _main(pid: str, point: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    namespace = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    if libc.setns(namespace, _CLONE_NEWNS) != 0:
        sys.exit(f"setns: {os.strerror(ctypes.get_errno())}")
    with contextlib.suppress(OSError):
        root = os.open(point, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.ioctl(root, _GOING_DOWN, struct.pack("=I", _NO_LOG_FLUSH))
        finally:
            os.close(root)
    if libc.umount2(os.fsencode(point), _MNT_DETACH) != 0:
        sys.exit(f"umount2: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    _main(*sys.argv[1:])
