"""RBD images as block devices by the kernel's own client, through /sys/bus/rbd.

https://docs.kernel.org/admin-guide/abi-testing.html (sysfs-bus-rbd) says what is written where.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rookery.drivers.loop import BlockDevice
from rookery.drivers.modules import has_or_loads

BUS = Path("/sys/bus/rbd")
# Seconds. A request without an answer by then fails; without a limit, a mount on a cluster that is gone
# could never be undone.
_REQUEST_LIMIT = 30


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


def mappings(fsid: str, bus: Path = BUS) -> tuple[Mapping, ...]:
    """Return what is mapped of one cluster."""
    return tuple(mapping for mapping in _all(bus) if mapping.image.fsid == fsid)


def _all(bus: Path) -> Iterator[Mapping]:
    folder = bus / "devices"
    entries = folder.iterdir() if folder.is_dir() else ()
    for entry in sorted(entries, key=lambda path: int(path.name)):
        with contextlib.suppress(OSError):
            fsid, pool, name = (
                (entry / part).read_text(encoding="utf-8").strip()
                for part in ("cluster_fsid", "pool", "name")
            )
            yield Mapping(image=Image(fsid=fsid, pool=pool, name=name), number=int(entry.name))


def ensure_mapped(
    image: Image, *, monitors: Sequence[str], user: str, key: str, encryption: bool, bus: Path = BUS
) -> Mapping:
    """Map an image; one that is mapped already is left as it is.

    `monitors` are addresses with ports of msgr2, `key` the secret of client.`user`.
    """
    there = [mapping for mapping in mappings(image.fsid, bus) if mapping.image == image]
    if there:
        return there[0]
    mode = "secure" if encryption else "prefer-crc"
    options = f"name={user},secret={key},ms_mode={mode},osd_request_timeout={_REQUEST_LIMIT}"
    _write(bus / "add_single_major", f"{','.join(monitors)} {options} {image.pool} {image.name} -")
    return next(mapping for mapping in mappings(image.fsid, bus) if mapping.image == image)


def unmap(mapping: Mapping, *, force: bool, bus: Path = BUS) -> None:
    """Unmap an image; with `force` also one that is in use, whose users then fail. Raises OSError (EBUSY)
    without it."""
    with contextlib.suppress(FileNotFoundError):
        _write(bus / "remove_single_major", f"{mapping.number}{' force' if force else ''}")


def block_device(mapping: Mapping) -> BlockDevice:
    return BlockDevice(path=mapping.path, number=Path(mapping.path).stat().st_rdev)


def _write(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY)
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)
