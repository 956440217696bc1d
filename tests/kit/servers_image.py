"""Programs of the servers' image for tests: run as they are on a server, without one.

They need neither a folder that other users may enter nor a file system that takes an overlay: what a command
changes of the image is kept in memory, and goes with it.
"""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

from rookery.releases import DEFAULT_RELEASE
from rookery.systems.native.root import image_root

MISSING = "the servers' image is not there, or nobody may enter it: `./rookery test` builds it, as root"

# The mounts are in a namespace of the command's own, and are gone when it is.
_ENTER = (
    "umask 022 && mount -t tmpfs -o mode=755 none /mnt && mkdir /mnt/upper /mnt/work /mnt/root"
    ' && mount -t overlay overlay -o "lowerdir=$1,upperdir=/mnt/upper,workdir=/mnt/work" /mnt/root'
    ' && mount --bind "$2" /mnt/root/srv && mount --rbind /dev /mnt/root/dev'
    ' && mount --rbind /proc /mnt/root/proc && shift 2 && exec chroot /mnt/root "$@"'
)


def entering(folder: Path, release: str = DEFAULT_RELEASE) -> tuple[str, ...]:
    """Return what runs a command in the image of a release, with `folder` as its /srv; empty where
    that cannot be."""
    return _enter(folder, release) if _may_enter(release) else ()


def user_ids(name: str) -> tuple[int, int]:
    """Return uid and gid of a user of the image."""
    lines = (image_root(DEFAULT_RELEASE) / "etc/passwd").read_text().splitlines()
    fields = next(line.split(":") for line in lines if line.startswith(f"{name}:"))
    return int(fields[2]), int(fields[3])


def _enter(folder: Path, release: str) -> tuple[str, ...]:
    unshare = ("unshare", "--mount", "--propagation", "private")
    return (*unshare, "sh", "-c", _ENTER, "sh", str(image_root(release)), str(folder))


@cache
def _may_enter(release: str) -> bool:
    if os.geteuid() != 0 or not image_root(release).is_dir():
        return False
    argv = (*_enter(Path("/srv"), release), "true")
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0
