"""Volumes in the cluster: their snapshots of one moment, and what differs between two of them.

All volumes that are backed up are members of one RBD group, whose snapshot holds back writes to all of them
while it is taken. Whoever wants one more backed up adds it: `rbd group image add POOL/backup POOL/NAME`.

Snapshots of a group have no names of their own on a volume, which `rbd export-diff` asks for: what differs is
read here, by their numbers (librbd's rbd_diff_iterate3, since Ceph 18.2.5).
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import rados
import rbd

from . import block_diff
from .cluster import connected, room_of
from .errors import BackupError
from .told import Told

GROUP = "backup"
_PIECE = 4 << 20  # bytes that are read at once
_READERS = 10
_LIMIT = "60"  # seconds; an operation without an answer by then fails
# What a volume can be made with; the others follow from what happens to it.
_FEATURES = (
    rbd.RBD_FEATURE_LAYERING
    | rbd.RBD_FEATURE_EXCLUSIVE_LOCK
    | rbd.RBD_FEATURE_OBJECT_MAP
    | rbd.RBD_FEATURE_FAST_DIFF
    | rbd.RBD_FEATURE_DEEP_FLATTEN
)


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A volume's snapshot: its `identity`, which no other snapshot has, and the volume's bytes then."""

    number: int
    identity: str
    size: int


class Pool:
    """A pool with volumes. Every method raises BackupError where Ceph does not do what is asked."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name
        self.io = client.open_ioctx(name)

    def images(self) -> list[str]:
        """Return the volumes that are there."""
        with _meant(f"list the volumes of {self.name}"):
            return list(rbd.RBD().list(self.io))

    def gather(self, wanted: Sequence[str]) -> list[str]:
        """See that volumes are in the group, and return all that are."""
        with _meant(f"see to the group {self.name}/{GROUP}"):
            with contextlib.suppress(rbd.ObjectExists):
                rbd.RBD().group_create(self.io, GROUP)
            group = rbd.Group(self.io, GROUP)
            members = {member["name"] for member in group.list_images()}
            for name in sorted(set(wanted) - members):
                self._join(group, name)
            return sorted(members | set(wanted))

    def _join(self, group: Any, image: str) -> None:
        try:
            group.add_image(self.io, image)
        except rbd.ObjectExists:
            raise BackupError(
                f"{self.name}/{image} is in another RBD group, and can be in one only",
                hint="Take it out of that one: rbd group image rm.",
            ) from None

    def snap(self, label: str) -> None:
        """Take a snapshot of all volumes of the group at once."""
        with _meant(f"take a snapshot of {self.name}/{GROUP}"):
            rbd.Group(self.io, GROUP).create_snap(label)

    def drop_snaps(self, keep: Sequence[str]) -> None:
        """Remove the group's snapshots but for some."""
        with _meant(f"remove snapshots of {self.name}/{GROUP}"):
            group = rbd.Group(self.io, GROUP)
            for name in [snap["name"] for snap in group.list_snaps()]:
                if name not in keep:
                    group.remove_snap(name)

    def leave(self, image: str) -> None:
        """Take a volume out of the group; it need not be in it."""
        with _meant(f"take {image} out of {self.name}/{GROUP}"), contextlib.suppress(rbd.ObjectNotFound):
            rbd.Group(self.io, GROUP).remove_image(self.io, image)

    def moments(self, image: str) -> dict[str, Moment]:
        """Return a volume's snapshots of the group, by their labels."""
        with self.opened(image) as volume:
            identity = volume.id()
            return {
                snap["group"]["snap_name"]: Moment(
                    number=snap["id"], identity=f"{identity}/{snap['id']}", size=snap["size"]
                )
                for snap in volume.list_snaps()
                if snap.get("group", {}).get("name") == GROUP
            }

    def shape(self, image: str) -> dict[str, Any]:
        """Return by what a volume like this one is made."""
        with self.opened(image) as volume:
            data = volume.data_pool_id()
            return {
                "order": volume.stat()["order"],
                "features": volume.features() & _FEATURES,
                "dataPool": "" if data == self.io.get_pool_id() else self._client.pool_reverse_lookup(data),
            }

    def make(self, image: str, size: int, shape: dict[str, Any]) -> None:
        """Make an empty volume."""
        with _meant(f"make {self.name}/{image}"):
            rbd.RBD().create(
                self.io,
                image,
                size,
                order=shape["order"],
                old_format=False,
                features=shape["features"],
                data_pool=shape["dataPool"] or None,
            )

    def remove(self, image: str) -> None:
        """Remove a volume with its own snapshots; one that somebody has open stays."""
        with _meant(f"remove {self.name}/{image}"), contextlib.suppress(rbd.ImageBusy):
            self.forget_snaps(image)
            rbd.RBD().remove(self.io, image)

    def rename(self, image: str, name: str) -> None:
        """Call a volume otherwise."""
        with _meant(f"rename {self.name}/{image} to {name}"):
            rbd.RBD().rename(self.io, image, name)

    def forget_snaps(self, image: str) -> None:
        """Remove the snapshots that were taken of a volume alone."""
        with self.opened(image, read_only=False) as volume:
            for snap in list(volume.list_snaps()):
                if volume.snap_get_namespace_type(snap["id"]) == rbd.RBD_SNAP_NAMESPACE_TYPE_USER:
                    volume.remove_snap(snap["name"])

    def users(self, image: str) -> list[str]:
        """Return the addresses of who has a volume open."""
        with self.opened(image) as volume:
            return [who["addr"] for who in volume.watchers_list()]

    def room(self, data_pool: str) -> int:
        """Return the bytes of content for which there is room."""
        return room_of(self._client, data_pool or self.name)

    @contextlib.contextmanager
    def opened(self, image: str, *, read_only: bool = True) -> Iterator[Any]:
        """Open a volume."""
        with _meant(f"look at {self.name}/{image}"), rbd.Image(self.io, image, read_only=read_only) as volume:
            yield volume

    def close(self) -> None:
        self.io.close()


@contextlib.contextmanager
def opened_pool(told: Told) -> Iterator[Pool]:
    """Yield the pool with the volumes that are backed up."""
    with connected(told.config["cluster"]["user"], limit=_LIMIT) as client:
        try:
            with contextlib.closing(Pool(client, told.config["block"]["pool"])) as pool:
                yield pool
        except rados.Error as error:
            raise BackupError(f"Ceph fails: {error}") from None


def read_difference(pool: Pool, image: str, start: str, end: str) -> Iterator[bytes]:
    """Yield what differs between two of a volume's snapshots, in the format of `rbd export-diff`; all of the
    content where `start` is empty."""
    moments = pool.moments(image)
    moment = moments[end]
    with pool.opened(image) as volume:
        volume.set_snap_by_id(moment.number)
        yield block_diff.head(start, end, moment.size)
        extents: list[tuple[int, int, bool]] = []
        since = moments[start].number if start else None
        volume.diff_iterate(0, moment.size, since, lambda *extent: extents.append(extent))
        yield from _contents(volume, extents, is_first=not start)
        yield block_diff.END


def _contents(volume: Any, extents: Sequence[tuple[int, int, bool]], *, is_first: bool) -> Iterator[bytes]:
    """Yield the records of extents, which are read some at a time."""
    waiting: deque[tuple[int, int, Future[bytes] | None]] = deque()
    with ThreadPoolExecutor(_READERS) as readers:
        for offset, length, there in _pieces(extents):
            waiting.append((offset, length, readers.submit(volume.read, offset, length) if there else None))
            if len(waiting) > _READERS:
                yield from _record(*waiting.popleft(), is_first=is_first)
        while waiting:
            yield from _record(*waiting.popleft(), is_first=is_first)


def _record(offset: int, length: int, read: Future[bytes] | None, *, is_first: bool) -> Iterator[bytes]:
    content = read.result() if read is not None else b""
    if content.strip(b"\0"):
        yield block_diff.data_head(offset, length)
        yield content
    elif not is_first:  # a new volume is zero anyway
        yield block_diff.zero(offset, length)


def _pieces(extents: Sequence[tuple[int, int, bool]]) -> Iterator[tuple[int, int, bool]]:
    for offset, length, there in extents:
        step = _PIECE if there else length
        for start in range(offset, offset + length, step):
            yield start, min(step, offset + length - start), there


@contextlib.contextmanager
def _meant(doing: str) -> Iterator[None]:
    """Say of a failure what was being done."""
    try:
        yield
    except rbd.Error as error:
        raise BackupError(f"cannot {doing}: {error}") from None
