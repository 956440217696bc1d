"""The root images that servers of labs share, one for each release of Ceph: Debian with Ceph and the
applications' programs.

Built once by mmdebstrap and cached under a hash of everything that goes into it; an image is complete or
absent, never half there. The packages come from the mirror that the machine's own apt uses. Why from which
suite, and what happens when a suite moves on: decision 0056.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from rookery.apps.table import APPS
from rookery.drivers.containers.debian import MIRROR_VARIABLE, DebianRoot, RootError, find_mirror, make_root
from rookery.drivers.machine.files import alone, remove_tree
from rookery.drivers.machine.process import run
from rookery.errors import NotPossibleError
from rookery.releases import RELEASES, Release
from rookery.systems.home import image_folder
from rookery.systems.protocol import Report
from rookery.versions import CEPH_SEEN, DEBIAN_SNAPSHOTS

_RECIPE = 5  # raise it when the recipe below changes what comes out

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
    "mount",
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

# The version of Ceph that was installed, as Debian writes it.
_VERSION = "usr/share/rookery/ceph-version"
_DROP = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt", "var/lib/apt/lists")


def packages() -> tuple[str, ...]:
    """Return the Debian packages of the image: the servers' own, and what the applications ask for."""
    wanted = {*_PACKAGES, *(package for app in APPS.values() for package in app.packages)}
    return tuple(sorted(wanted))


def image_digest(release: str) -> str:
    """Return the name of a release's image: a hash over all that goes into it."""
    row = RELEASES[release]
    parts = (_RECIPE, row.name, row.suite, row.beside, _preferences(row), *packages(), *row.users, *_DROP)
    digest = hashlib.sha256(" ".join(map(str, parts)).encode())
    for path, content in _overlay_files(row):
        digest.update(path.encode() + b"\0" + content + b"\0")
    return digest.hexdigest()[:16]


def image_root(release: str) -> Path:
    """Return where the image of a release of Ceph is, once it is built."""
    return image_folder() / image_digest(release)


def built_version(release: str) -> str:
    """Return the version of Ceph in a release's image as Debian writes it; empty where there is no image."""
    try:
        return (image_root(release) / _VERSION).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def ensure_image(release: str, report: Report) -> Path:
    """Build the image of a release if it is not there, and return its root.

    Raises NotPossibleError where the mirror cannot be reached, or has the release no more.
    """
    root = image_root(release)
    if root.is_dir():
        return root
    image_folder().mkdir(parents=True, exist_ok=True)
    with alone(image_folder() / ".lock"):
        if not root.is_dir():
            _build(RELEASES[release], root, report)
    return root


def wanted_root(release: Release) -> DebianRoot:
    """Return what the image of a release is made of."""
    return DebianRoot(
        suite=release.suite,
        variant="apt",
        packages=packages(),
        beside=release.beside,
        preferences=_preferences(release),
        users=release.users,
    )


def _preferences(release: Release) -> str:
    """Return apt's preferences: Ceph of the release's line and of no other; of the suite beside it, what the
    suite itself has not."""
    beside = _BESIDE.format(suite=release.beside) if release.beside else ""
    kept = (_FROM_BESIDE.format(source=one, suite=release.beside) for one in release.from_beside)
    return "".join((beside, *kept, _LINE.format(line=release.line)))


_BESIDE = """\
Package: *
Pin: release n={suite}
Pin-Priority: 100

"""
_FROM_BESIDE = """\
Package: src:{source}
Pin: release n={suite}
Pin-Priority: 990

"""
_LINE = """\
Package: src:ceph
Pin: version {line}.*
Pin-Priority: 990

Package: src:ceph
Pin: version *
Pin-Priority: -1
"""


def _build(release: Release, root: Path, report: Report) -> None:
    building = root.with_name(f"{root.name}.building")
    mirror = find_mirror()
    report(f"building {release.title} from {mirror}; this happens once and takes about a minute")
    try:
        make_root(wanted_root(release), building, mirror=mirror, what="the servers' root image")
    except RootError as error:
        raise _without_release(release, mirror, error) from None
    _finish(release, building)
    building.replace(root)


def _without_release(release: Release, mirror: str, error: RootError) -> NotPossibleError:
    """Return what to say where a suite has moved on to another line of Ceph; else the error as it is."""
    if not _GONE.search(error.output):
        return error
    seen = CEPH_SEEN[release.name]
    date = f"{seen[:4]}-{seen[4:6]}-{seen[6:8]}"
    return NotPossibleError(
        f"{mirror} has no Ceph {release.line} in Debian {release.suite} any more",
        hint=f"It had on {date}, and snapshot.debian.org keeps that day: run again with"
        f" {MIRROR_VARIABLE}={DEBIAN_SNAPSHOTS}/{seen}.",
        details=error.details,
    )


# What apt says of a package of which no version is allowed.
_GONE = re.compile(r"ceph-mon'? has no installation candidate|Unable to locate package ceph-mon")


def _finish(release: Release, building: Path) -> None:
    """Lay our files into a fresh root, drop what no server needs, and compile what Debian leaves to run time.

    ceph-mgr's modules come without byte code: each manager would compile 300 files at each start.
    """
    version = run(("chroot", str(building), "dpkg-query", "--show", "--showformat=${Version}", "ceph-mon"))
    for path, content in (*_overlay_files(release), (_VERSION, f"{version.strip()}\n".encode())):
        target = building / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    for name in _DROP:
        remove_tree(building / name)
    # The last is where a server that is upgraded shows its own programs in the next release's image.
    for folder in ("dev", "proc", "sys", "run", "tmp", "usr/lib/rookery"):
        (building / folder).mkdir(exist_ok=True)
    run(
        ("chroot", str(building), "python3", "-W", "ignore", "-m", "compileall", "-q", "/usr/share/ceph/mgr"),
        timeout=300,
    )


def _overlay_files(release: Release) -> Iterator[tuple[str, bytes]]:
    """Yield what we add to the image, as path and content, in a fixed order."""
    if release.own_bcrypt:
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
