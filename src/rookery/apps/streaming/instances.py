"""What runs of streaming, on a server and in a pod alike, and where its programs are there."""

from __future__ import annotations

from importlib.resources import files

from rookery.apps import sizes
from rookery.apps.streaming.origin import ORIGIN_PORT
from rookery.design.model import Instance
from rookery.files import File, packaged
from rookery.units import MIB

MEDIA_BUCKET = "media"
PROGRAM_FOLDER = "usr/lib/rookery/streaming"
# In our container image; on the lab the packer is laid where it runs.
PACKING_FOLDER = "usr/lib/rookery/packing"
# Who mounts the channel's folder and holds its lock; the folder; and where the lock lies that says which host
# encodes: objects of their own, apart from all files.
USER, DIRECTORY, LOCK_NAMESPACE = "live", "/live", "live"

ORIGIN = Instance(
    app="streaming", component="origin", memory=sizes.ORIGIN.memory, resident=10 * MIB, ports=(ORIGIN_PORT,)
)
CHANNEL = Instance(
    app="streaming", component="channel", memory=sizes.CHANNEL.memory, resident=50 * MIB, ports=()
)

_GUEST = files("rookery.apps.streaming") / "guest"
_CHANNEL = _GUEST / "channel"
_CEPH = files("rookery.drivers.ceph") / "guest"


def packing_files(folder: str = "") -> tuple[File, ...]:
    """Return the program that makes films and their renditions. What is made is made again when it changes,
    so what only the channel needs stands apart."""
    return packaged(_GUEST / "packing", folder)


def server_channel() -> tuple[File, ...]:
    """Return the live channel's program as servers have it: its lock and its folder are Ceph's own."""
    return (*_channel("servers"), *packaged(_CEPH, PROGRAM_FOLDER, names=("admin_socket.py",)))


def pod_channel() -> tuple[File, ...]:
    """Return it as pods have it: its lock is a Lease of the API server's, its folder a volume."""
    return _channel("pods")


def _channel(where: str) -> tuple[File, ...]:
    """Return what is the same everywhere, and what a place has beside it, all in one folder."""
    return (*packaged(_CHANNEL, PROGRAM_FOLDER), *packaged(_CHANNEL / where, PROGRAM_FOLDER))
