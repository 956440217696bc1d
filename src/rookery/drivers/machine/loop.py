"""Loop devices: a file as a block device, through the kernel's own calls (man 4 loop).

`losetup` resolves a path before it opens it, and so cannot take a file of another mount namespace; here the
file comes open. A device let go of while it is mounted goes by itself when that mount does, whatever becomes
of us.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rookery.errors import NotPossibleError

_CONTROL = "/dev/loop-control"
_GET_FREE = 0x4C82
_CONFIGURE = 0x4C0A
_SET_CAPACITY = 0x4C07
_CLEAR = 0x4C01
_AUTOCLEAR, _DIRECT_IO = 4, 16
_TRIES = 20  # another process may take the free device first


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockDevice:
    """A block device of the machine: its node's path, and its number as the kernel writes it in one."""

    path: str
    number: int


@contextlib.contextmanager
def attached(file: int) -> Iterator[BlockDevice]:
    """Attach an open file to a free loop device, without the page cache in between.

    The device is held inside the `with`; past it the device lasts as long as something else holds it.
    """
    handle = _attach(file)
    try:
        yield _device(handle)
    finally:
        os.close(handle)


def ensure_attached(path: Path) -> BlockDevice:
    """Return the loop device of a file, attached now where it is not: it stays until `detach`."""
    for device in devices_of(path.parent):
        if backing_file(device) == str(path):
            return BlockDevice(path=device, number=Path(device).stat().st_rdev)
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        handle = _attach(file, flags=_DIRECT_IO)
    finally:
        os.close(file)
    try:
        return _device(handle)
    finally:
        os.close(handle)


def _device(handle: int) -> BlockDevice:
    """Return the device that is open."""
    path = str(Path(f"/proc/self/fd/{handle}").readlink())
    return BlockDevice(path=path, number=os.fstat(handle).st_rdev)


def detach(device: str) -> None:
    """Let go of a device: one in use goes once it is not, one that is gone already is fine."""
    with contextlib.suppress(OSError):
        handle = os.open(device, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.ioctl(handle, _CLEAR)
        finally:
            os.close(handle)


def _attach(file: int, *, flags: int = 0) -> int:
    try:
        control = os.open(_CONTROL, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise NotPossibleError(
            f"there are no loop devices on this machine: {error}",
            hint="Load the kernel's module: `modprobe loop`.",
        ) from None
    try:
        for _ in range(_TRIES):
            handle = os.open(f"/dev/loop{fcntl.ioctl(control, _GET_FREE)}", os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.ioctl(handle, _CONFIGURE, _configuration(file, flags or _DIRECT_IO | _AUTOCLEAR))
            except OSError as error:
                os.close(handle)
                if error.errno != errno.EBUSY:
                    raise
            else:
                return handle
    finally:
        os.close(control)
    raise NotPossibleError("no loop device is free", hint="Detach some: `losetup` lists them.")


def _configuration(file: int, flags: int) -> bytes:
    """Return a `struct loop_config`: the file, the default block size, and the flags of its info."""
    config = bytearray(304)
    struct.pack_into("=II", config, 0, file, 0)
    struct.pack_into("=QQQQQIIII", config, 8, 0, 0, 0, 0, 0, 0, 0, 0, flags)
    return bytes(config)


def adopt_size(device: str) -> None:
    """Let a device take over that its file has grown."""
    handle = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(handle, _SET_CAPACITY, 0)
    finally:
        os.close(handle)


def devices_of(folder: Path) -> tuple[str, ...]:
    """Return the loop devices that stand on a file below `folder`. Asked one by one in /sys: `losetup -a`
    hangs where one device's file is on a dead FUSE server."""
    found = []
    for device in Path("/sys/block").glob("loop*"):
        with contextlib.suppress(OSError):
            if backing_file(device.name).startswith(f"{folder}/"):
                found.append(f"/dev/{device.name}")
    return tuple(sorted(found))


def backing_file(device: str) -> str:
    """Return the path of the file below a device."""
    return (
        (Path("/sys/block") / Path(device).name / "loop" / "backing_file").read_text(encoding="utf-8").strip()
    )
