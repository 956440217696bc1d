"""What the drill writes: numbered entries whose content follows from the drill, the kind and the number.

It touches nothing of others: a database `drill`, a bucket `drill`, a tree `/drill` of CephFS, an RBD image
`drill`.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import Protocol

DRILL = "drill"
"""What the drill's database, bucket, tree and image are called."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An entry of one kind: its number, from 1 on, and its content."""

    number: int
    content: bytes

    @property
    def digest(self) -> str:
        """The SHA-256 of its content, in hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()


def build_entry(drill: str, kind: str, number: int, size: int) -> Entry:
    """Return an entry of `size` bytes, which do not compress; it begins with a line that says what it is."""
    title = f"drill {drill}, {kind}, entry {number}\n".encode()
    noise = random.Random(title).randbytes(max(0, size - len(title)))  # noqa: S311 - content, no secret
    return Entry(number=number, content=(title + noise)[:size])


class Place(Protocol):
    """Where the drill keeps its entries of one kind. Every method raises BackupError."""

    def prepare(self) -> None:
        """Make the place, empty; what an earlier drill left there goes."""
        ...

    def put(self, entries: list[Entry]) -> None:
        """Write entries; they are safe once it returns."""
        ...

    def read(self) -> dict[int, str]:
        """Return the digest of each entry that is there, read anew from the storage; none where the place
        itself is gone."""
        ...

    def lose(self) -> str:
        """Destroy all of it on purpose, and say in words what was done."""
        ...

    def settle(self) -> None:
        """Bring what was restored beside the place into it; nothing where a kind is restored in place."""
        ...

    def clear(self) -> None:
        """Remove what the drill made."""
        ...
