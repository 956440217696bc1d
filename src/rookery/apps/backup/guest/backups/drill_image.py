"""The drill's blocks: an RBD image that no server has attached, with an entry in each of its slots."""

from __future__ import annotations

import contextlib
import hashlib
import struct
from typing import Any

import rbd

from .block_images import Pool, opened_pool
from .drill_entries import DRILL, Entry
from .errors import BackupError
from .told import Told

SIZE = 1 << 30
"""Bytes of the image; what is not written takes no room."""

_HEAD = struct.Struct("!8sII")  # a word that says whose it is, the entry's number and bytes
_WORD = b"rookdril"
_RUIN = b"\xdb"
_BLOCK = 4096
_FEATURES = rbd.RBD_FEATURE_LAYERING | rbd.RBD_FEATURE_EXCLUSIVE_LOCK | rbd.RBD_FEATURE_OBJECT_MAP
_SHAPE = {"order": 22, "features": _FEATURES | rbd.RBD_FEATURE_FAST_DIFF}
_PIECE = 1 << 28  # bytes; what librbd discards at once is below 2 GiB


class Image:
    """An image of slots of equal length, slot 0 the first entry's; each begins with number and length.

    It is backed up with all others while it is in their group.
    """

    def __init__(self, told: Told, slot: int, slots: int) -> None:
        self._told = told
        self._slot = -(-(slot + _HEAD.size) // _BLOCK) * _BLOCK
        self._slots = slots

    def prepare(self) -> None:
        size = max(SIZE, self._slot * self._slots)
        with opened_pool(self._told) as pool:
            _remove(pool)
            if DRILL not in pool.images():
                pool.make(DRILL, size, {**_SHAPE, "dataPool": self._told.config["block"]["dataPool"]})
            with pool.opened(DRILL, read_only=False) as image:
                if image.size() != size:
                    image.resize(size)
            pool.gather([DRILL])

    def put(self, entries: list[Entry]) -> None:
        with opened_pool(self._told) as pool, pool.opened(DRILL, read_only=False) as image:
            for entry in entries:
                head = _HEAD.pack(_WORD, entry.number, len(entry.content))
                image.write(head + entry.content, (entry.number - 1) * self._slot)
            image.flush()

    def read(self) -> dict[int, str]:
        found = {}
        with opened_pool(self._told) as pool:
            if DRILL not in pool.images():
                return {}
            with pool.opened(DRILL) as image:
                for index in range(min(self._slots, image.size() // self._slot)):
                    content = image.read(index * self._slot, self._slot)
                    word, number, length = _HEAD.unpack_from(content)
                    if word == _WORD:
                        whole = content[_HEAD.size : _HEAD.size + length]
                        found[number] = hashlib.sha256(whole).hexdigest()
        return found

    def lose(self) -> str:
        """Overwrite all that was ever written."""
        with opened_pool(self._told) as pool, pool.opened(DRILL, read_only=False) as image:
            written: list[tuple[int, int, bool]] = []
            image.diff_iterate(0, image.size(), None, lambda *extent: written.append(extent))
            for start, length, _ in written:
                image.write(_RUIN * length, start)
            image.flush()
        total = sum(length for _, length, _ in written)
        return f"the volume {DRILL} was overwritten: {total:,} bytes, all that was ever written to it"

    def settle(self) -> None:
        """It comes back in place."""

    def clear(self) -> None:
        with opened_pool(self._told) as pool:
            _remove(pool)


def _remove(pool: Pool) -> None:
    """Remove the image, and those that a restore put aside. One that a set's snapshot holds is emptied, stays
    until that snapshot goes, and is removed by the next drill."""
    for name in pool.images():
        if name == DRILL or name.startswith(f"{DRILL}-until-"):
            pool.leave(name)
            with pool.opened(name, read_only=False) as image:
                _discard(image)
            with contextlib.suppress(BackupError):
                pool.remove(name)


def _discard(image: Any) -> None:
    for start in range(0, image.size(), _PIECE):
        image.discard(start, min(_PIECE, image.size() - start))
