"""The root of a container of ours: an overlay over the shared image, with files laid into it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from rookery.drivers.machine import mounts
from rookery.drivers.machine.files import make_open_folder, read_users, write_files, write_whole
from rookery.files import File
from rookery.systems.lab.paths import ServerPaths


def lay_root(place: ServerPaths, files: Iterable[File], *, image: Path) -> dict[str, tuple[int, int]]:
    """Mount a container's root and write `files` into it; return uid and gid of the image's users.

    The root is an overlay over `image`.
    What an earlier life changed of its root is kept, what it left mounted is unmounted.
    """
    for folder in (place.upper, place.work, place.root):
        make_open_folder(folder)  # the upper one's mode is that of the container's root folder
    for point in mounts.mount_points(place.root):
        mounts.unmount(point)
    mounts.mount_overlay(lower=image, upper=place.upper, work=place.work, at=place.root)
    users = read_users(image)
    write_files(place.root, files, users=users)
    return users


def digests(files: Iterable[File]) -> dict[str, str]:
    """Return a digest of each file with its owner and mode, by path."""
    return {
        file.path: hashlib.sha256(f"{file.owner} {file.mode:o} ".encode() + file.content).hexdigest()
        for file in files
    }


def note_laid(place: ServerPaths, laid: Mapping[str, str]) -> None:
    """Note which files a container runs by, once it does."""
    write_whole(place.laid, json.dumps(laid, indent=1, sort_keys=True).encode(), mode=0o600)


def read_laid(place: ServerPaths) -> dict[str, str]:
    """Return what `note_laid` noted last; nothing where it never did."""
    try:
        return dict(json.loads(place.laid.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
