"""The images that this machine's kernel has mapped for a lab, let go of before their cluster is.

An image is unmapped by asking its cluster: to give back its lock, to end its watch. So it goes first, while
Ceph lives. What its file system has not written yet is not worth writing, for all of it is about to be
removed: the file system is shut down, taken from its server, its users are ended, and the image is unmapped,
all images at the same time.

Every part looks at what is there and not at what was done before: a second `down`, after a first one was
killed anywhere, goes on where that one was. Where Ceph is silent, a process that unmaps an image and is
killed unmaps it all the same; but what was written and not answered no kill ends. Then the cluster gets to
say once more that the images' pools are gone (`last_word.py`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rookery.drivers.machine import krbd
from rookery.drivers.machine.detach import start_detaching
from rookery.systems.protocol import Report

# Seconds. A Ceph that lives lets go of an image in tenths of one; each that goes begins the time anew.
_LIVING = 5.0
# Seconds for a cluster to take back its lock and watch. Killed then, the process unmaps the image without.
_ASKING = 2.0
_PAUSE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mount:
    """A mount of a device: its number, the mount namespace, a process in it, and the place there."""

    number: str
    namespace: str
    pid: int
    point: str


@dataclass(slots=True)
class LettingGo:
    """Letting go of all images of a lab: `left` looks for those that are still mapped, `pids` for its
    processes."""

    left: Callable[[], tuple[krbd.Mapping, ...]]
    pids: Callable[[], tuple[int, ...]]
    _detaching: dict[tuple[str, str], subprocess.Popen[bytes]] = field(default_factory=dict)
    _unmapping: dict[int, tuple[float, subprocess.Popen[bytes]]] = field(default_factory=dict)

    def wait(self, report: Report, *, limit: float = _LIVING) -> bool:
        """Let go of the images until all are gone, or none has gone for `limit` seconds; tell whether they
        are."""
        before, since = -1, time.monotonic()
        while left := self.left():
            now = time.monotonic()
            if len(left) != before:
                before, since = len(left), now
                names = ", ".join(mapping.image.name for mapping in left)
                report(f"volumes: the kernel is to let go of {names}")
            if now - since > limit:
                return False
            self._go_on(left)
            time.sleep(_PAUSE)
        for child in (*self._detaching.values(), *(child for _, child in self._unmapping.values())):
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=1)
        return True

    def _go_on(self, left: Iterable[krbd.Mapping]) -> None:
        numbers = {krbd.device_number(mapping): mapping for mapping in left}
        pids = self.pids()
        for mount in mounts_of(set(numbers), pids):
            key = (mount.namespace, mount.point)
            if key not in self._detaching or self._detaching[key].poll() is not None:
                self._detaching[key] = start_detaching(mount.pid, mount.point)
        end(users_of({_device(number) for number in numbers if number}, pids))
        for mapping in left:
            began, child = self._unmapping.get(mapping.number, (0.0, None))
            if child is None or child.poll() is not None:
                self._unmapping[mapping.number] = (time.monotonic(), krbd.start_unmap(mapping))
            elif time.monotonic() - began > _ASKING:
                child.kill()


def end(pids: Iterable[int]) -> None:
    """Kill processes; those that are gone are fine."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def mounts_of(numbers: set[str], pids: Iterable[int], proc: Path = Path("/proc")) -> Iterator[_Mount]:
    """Yield each mount of a device (`254:16`) in the mount namespaces of processes, once for a namespace."""
    seen = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            namespace = str((proc / str(pid) / "ns/mnt").readlink())
            if namespace in seen:
                continue
            seen.add(namespace)
            for line in (proc / str(pid) / "mountinfo").read_text(encoding="utf-8").splitlines():
                fields = line.split()
                if fields[2] in numbers:
                    point = fields[4].encode().decode("unicode_escape")
                    yield _Mount(number=fields[2], namespace=namespace, pid=pid, point=point)


def users_of(devices: set[int], pids: Iterable[int], proc: Path = Path("/proc")) -> tuple[int, ...]:
    """Return the processes that hold a device open, or a file on it.

    A file system that was shut down says of its files nothing but EIO: who holds such a file is one of them.
    """
    return tuple(pid for pid in pids if any(_is_on(path, devices) for path in _held(proc / str(pid))))


def _held(process: Path) -> Iterator[Path]:
    yield from (process / "cwd", process / "root")
    with contextlib.suppress(OSError):
        yield from (process / "fd").iterdir()


def _is_on(path: Path, devices: set[int]) -> bool:
    try:
        seen = path.stat()
    except FileNotFoundError:
        return False
    except OSError as error:
        return error.errno == errno.EIO
    return seen.st_dev in devices or (stat.S_ISBLK(seen.st_mode) and seen.st_rdev in devices)


def _device(number: str) -> int:
    major, _, minor = number.partition(":")
    return os.makedev(int(major), int(minor))
