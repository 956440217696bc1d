"""RBD images as block devices by the kernel's own client, through /sys/bus/rbd.

https://docs.kernel.org/admin-guide/abi-testing.html (sysfs-bus-rbd) says what is written where.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import functools
import os
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rookery.drivers.machine.keyrings import refusal_of
from rookery.drivers.machine.loop import BlockDevice
from rookery.drivers.machine.modules import has_or_loads
from rookery.drivers.machine.process import ENDS_WITH_US

BUS = Path("/sys/bus/rbd")
# CryptoKey in Ceph's src/auth/Crypto.h: type, seconds, nanoseconds, length; the secret follows.
_KEY_HEAD = struct.Struct("<HIIH")
_AES = 1  # a type that every kernel takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An RBD image of one cluster."""

    fsid: str
    pool: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """An image that is mapped, with the number of its device."""

    image: Image
    number: int

    @property
    def path(self) -> str:
        return f"/dev/rbd{self.number}"


def is_available(bus: Path = BUS) -> bool:
    """Tell whether this kernel has RBD, loading its module where there is one."""
    return has_or_loads(bus.is_dir, "rbd")


def obstacle(key: str) -> str:
    """Return why this kernel maps no image for a user with a cephx secret, in a few words; nothing where it
    does.

    Secrets of type 2 (aes256k) are taken from Linux 7.0 on, and by older kernels that had it put in. The
    kernel is asked by a key of its type `ceph`, whose payload net/ceph/crypto.c decodes as it does the secret
    of an image that is to be mapped: older ones refuse the type (set_secret: ENOTSUPP) or, since they check
    for it (CEPH_MAX_KEY_LEN, CVE-2026-43304), the length first (EINVAL); from b7cc142dbafe on (libceph: add
    support for CEPH_CRYPTO_AES256KRB5, merged for 7.0-rc1) it is taken. Neither a cluster nor the real secret
    is needed for that. A machine where nobody may ask has said no.
    """
    if not is_available():
        return "this machine's kernel has no rbd"
    kind, _, _, length = _KEY_HEAD.unpack_from(base64.b64decode(key))
    refused = 0 if kind == _AES else _refusal(kind, length)
    if not refused:
        return ""
    name = errno.errorcode.get(refused, str(refused))
    return f"this machine's kernel, {os.uname().release}, takes no cephx key of this kind for rbd ({name})"


@functools.cache
def _refusal(kind: int, length: int) -> int:
    return refusal_of("ceph", _KEY_HEAD.pack(kind, 0, 0, length) + bytes(length))


def mappings(fsid: str, bus: Path = BUS) -> tuple[Mapping, ...]:
    """Return what is mapped of one cluster."""
    return tuple(mapping for mapping in all_mappings(bus) if mapping.image.fsid == fsid)


def all_mappings(bus: Path = BUS) -> Iterator[Mapping]:
    """Yield what is mapped, of whatever cluster."""
    folder = bus / "devices"
    entries = folder.iterdir() if folder.is_dir() else ()
    for entry in sorted(entries, key=lambda path: int(path.name)):
        with contextlib.suppress(OSError):
            fsid, pool, name = (
                (entry / part).read_text(encoding="utf-8").strip()
                for part in ("cluster_fsid", "pool", "name")
            )
            yield Mapping(image=Image(fsid=fsid, pool=pool, name=name), number=int(entry.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How the kernel reaches a cluster: monitors' addresses with ports of msgr2, and the secret of
    client.`user`."""

    monitors: tuple[str, ...]
    user: str
    key: str
    encryption: bool


def ensure_mapped(image: Image, *, way: Way, object_size: int, bus: Path = BUS) -> Mapping:
    """Map an image of objects of `object_size` bytes; one that is mapped already is left as it is.

    Requests have no limit: a cluster that does not answer is a pause. With `osd_request_timeout` a file
    system shuts itself down after it, for good, also when the cluster is back. What is discarded is cut into
    pieces of `alloc_size`; only one that is a whole object removes the object.
    """
    there = [mapping for mapping in mappings(image.fsid, bus) if mapping.image == image]
    if there:
        return there[0]
    mode = "secure" if way.encryption else "prefer-crc"
    options = f"name={way.user},secret={way.key},ms_mode={mode},alloc_size={object_size}"
    _write(bus / "add_single_major", f"{','.join(way.monitors)} {options} {image.pool} {image.name} -")
    return next(mapping for mapping in mappings(image.fsid, bus) if mapping.image == image)


def start_unmap(mapping: Mapping, bus: Path = BUS) -> subprocess.Popen[bytes]:
    """Let the kernel begin to unmap an image, in a process that is over when it has or will not.

    While the cluster is silent that process cannot be killed, nor could a thread of ours be. Whether the
    image is unmapped `mappings` says: the kernel refuses one that is in use (EBUSY), one that another process
    is unmapping (EINPROGRESS), and one that is not mapped any more (ENOENT).
    """
    return subprocess.Popen(
        (
            *(*ENDS_WITH_US, "sh", "-c", 'printf %s "$2" > "$1"', "sh"),
            *(str(bus / "remove_single_major"), str(mapping.number)),
        ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def device_number(mapping: Mapping, block: Path = Path("/sys/class/block")) -> str:
    """Return a device's number as the tables of mounts write it (`254:16`); nothing for one that is gone."""
    with contextlib.suppress(OSError):
        return (block / f"rbd{mapping.number}" / "dev").read_text(encoding="utf-8").strip()
    return ""


def block_device(mapping: Mapping) -> BlockDevice:
    return BlockDevice(path=mapping.path, number=Path(mapping.path).stat().st_rdev)


def _write(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY)
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)
