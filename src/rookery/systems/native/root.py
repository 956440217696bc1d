"""The root image that all servers of all labs share: Debian with Ceph and the applications' programs.

Built once by mmdebstrap and cached under a hash of everything that goes into it; an image is complete or
absent, never half there. The packages come from the mirror that the machine's own apt uses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from rookery.apps.table import APPS
from rookery.drivers.containers.debian import DebianRoot, find_mirror, make_root
from rookery.drivers.machine.files import alone, remove_tree
from rookery.drivers.machine.process import run
from rookery.systems.home import image_folder
from rookery.systems.protocol import Report
from rookery.versions import DEBIAN

SUITE = DEBIAN
_RECIPE = 3  # raise it when the recipe below changes what comes out

# What every server has. No package recommends another in: an image is what it names.
_PACKAGES = (
    "ca-certificates",
    "ceph-common",
    "ceph-fuse",
    "ceph-mds",
    "ceph-mgr",
    "ceph-mgr-dashboard",
    "ceph-mon",
    "ceph-osd",
    "curl",
    "haproxy",
    "iproute2",
    "iputils-ping",
    "less",
    "openssl",
    "procps",
    "python3-aiohttp",
    "python3-cephfs",
    "python3-rados",
    "python3-rbd",
    "qemu-block-extra",
    "qemu-utils",
    "radosgw",
    "supervisor",
)

_DROP = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt", "var/lib/apt/lists")


def packages() -> tuple[str, ...]:
    """Return the Debian packages of the image: the servers' own, and what the applications ask for."""
    wanted = {*_PACKAGES, *(package for app in APPS.values() for package in app.packages)}
    return tuple(sorted(wanted))


def image_digest() -> str:
    """Return the name of the image: a hash over all that goes into it."""
    digest = hashlib.sha256(f"{_RECIPE} {SUITE} {' '.join(packages())} {' '.join(_DROP)}".encode())
    for path, content in _overlay_files():
        digest.update(path.encode() + b"\0" + content + b"\0")
    return digest.hexdigest()[:16]


def image_root() -> Path:
    """Return where the image is, once it is built."""
    return image_folder() / image_digest()


def ensure_image(report: Report) -> Path:
    """Build the image if it is not there, and return its root.

    Raises NotPossibleError where the mirror cannot be reached.
    """
    root = image_root()
    if root.is_dir():
        return root
    image_folder().mkdir(parents=True, exist_ok=True)
    with alone(image_folder() / ".lock"):
        if not root.is_dir():
            _build(root, report)
    return root


def _build(root: Path, report: Report) -> None:
    building = root.with_name(f"{root.name}.building")
    mirror = find_mirror()
    report(f"building from {mirror}; this happens once and takes about a minute")
    wanted = DebianRoot(suite=SUITE, variant="apt", packages=packages())
    make_root(wanted, building, mirror=mirror, what="the servers' root image")
    _finish(building)
    building.replace(root)


def _finish(building: Path) -> None:
    """Lay our files into a fresh root, drop what no server needs, and compile what Debian leaves to run time.

    ceph-mgr's modules come without byte code: each manager would compile 300 files at each start.
    """
    for path, content in _overlay_files():
        target = building / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    for name in _DROP:
        remove_tree(building / name)
    for folder in ("dev", "proc", "sys", "run", "tmp"):
        (building / folder).mkdir(exist_ok=True)
    run(
        ("chroot", str(building), "python3", "-W", "ignore", "-m", "compileall", "-q", "/usr/share/ceph/mgr"),
        timeout=300,
    )


def _overlay_files() -> Iterator[tuple[str, bytes]]:
    """Yield what we add to the image, as path and content, in a fixed order."""
    yield from _walk(files("rookery.systems.native") / "root_files", "usr/share/ceph/mgr")


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        path = f"{prefix}/{entry.name}"
        if entry.name == "__pycache__":
            continue
        if entry.is_dir():
            yield from _walk(entry, path)
        else:
            yield path, entry.read_bytes()
