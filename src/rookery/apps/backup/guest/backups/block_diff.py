"""The format in which what differs between two snapshots of a volume is written: `rbd diff v1`, which
`rbd import-diff` reads (Ceph's doc/dev/rbd-diff.rst).

    rbd diff v1\\n
    f LENGTH NAME       the snapshot that it starts from; none where it starts from nothing
    t LENGTH NAME       the snapshot that it leads to
    s SIZE              the volume's bytes there
    w OFFSET LENGTH ... bytes that are written, and their content
    z OFFSET LENGTH     bytes that are zero
    e                   the end
"""

from __future__ import annotations

import struct

from .errors import BackupError

MAGIC = b"rbd diff v1\n"
END = b"e"
_SIZE = struct.Struct("<Q")
_EXTENT = struct.Struct("<QQ")
_LENGTH = struct.Struct("<I")
_FIELDS = {b"s": _SIZE, b"w": _EXTENT, b"z": _EXTENT}
_LONGEST_NAME = 4096


def head(start: str, end: str, size: int) -> bytes:
    """Return how a difference begins that leads from a snapshot (empty: from nothing) to another."""
    names = ((b"f", start), (b"t", end))
    told = b"".join(mark + _LENGTH.pack(len(name.encode())) + name.encode() for mark, name in names if name)
    return MAGIC + told + b"s" + _SIZE.pack(size)


def data_head(offset: int, length: int) -> bytes:
    """Return what stands before content that was written."""
    return b"w" + _EXTENT.pack(offset, length)


def zero(offset: int, length: int) -> bytes:
    """Return the record of bytes that are zero."""
    return b"z" + _EXTENT.pack(offset, length)


class Scan:
    """Reads a difference piece by piece, and knows what it says: `start`, `end`, `size`, and `data`, the
    bytes of content. Raises BackupError for what is no difference."""

    def __init__(self) -> None:
        self.start = ""
        self.end = ""
        self.size = -1
        self.data = 0
        self._rest = b""
        self._content = 0  # bytes of content that are still to come
        self._began = False
        self._ended = False

    def feed(self, piece: bytes) -> None:
        """Read on."""
        at = 0
        if self._rest:
            piece, self._rest = self._rest + piece, b""
        while at < len(piece):
            if self._content:
                taken = min(self._content, len(piece) - at)
                self._content -= taken
                at += taken
                continue
            used = self._record(piece, at)
            if not used:
                break
            at += used
        self._rest = bytes(piece[at:])

    def finish(self) -> None:
        """Say that this was all of it."""
        if not self._ended or self._rest:
            raise BackupError("the difference is cut: it has no end")

    def _record(self, piece: bytes, at: int) -> int:
        """Read a record's head at a place; return its bytes, 0 where not all of it is there yet."""
        if not self._began:
            return self._magic(piece, at)
        if self._ended:
            raise BackupError("the difference goes on behind its end")
        mark, begin = piece[at : at + 1], at + 1
        if mark == END:
            self._ended = True
            return 1
        if mark in (b"f", b"t"):
            return self._name(piece, at, is_start=mark == b"f")
        if mark not in _FIELDS:
            raise BackupError(f"the difference has a record of an unknown kind, {mark!r}")
        fields = _FIELDS[mark]
        if len(piece) - begin < fields.size:
            return 0
        if mark == b"s":
            (self.size,) = fields.unpack_from(piece, begin)
        else:
            self._extent(*fields.unpack_from(piece, begin), has_content=mark == b"w")
        return 1 + fields.size

    def _magic(self, piece: bytes, at: int) -> int:
        if len(piece) - at < len(MAGIC):
            return 0
        if piece[at : at + len(MAGIC)] != MAGIC:
            raise BackupError("what is stored is no difference of a volume")
        self._began = True
        return len(MAGIC)

    def _name(self, piece: bytes, at: int, *, is_start: bool) -> int:
        if len(piece) - at < 1 + _LENGTH.size:
            return 0
        length: int = _LENGTH.unpack_from(piece, at + 1)[0]
        if length > _LONGEST_NAME:
            raise BackupError("the difference names a snapshot that no volume can have")
        begin = at + 1 + _LENGTH.size
        if len(piece) < begin + length:
            return 0
        name = piece[begin : begin + length].decode(errors="replace")
        if is_start:
            self.start = name
        else:
            self.end = name
        return 1 + _LENGTH.size + length

    def _extent(self, offset: int, length: int, *, has_content: bool) -> None:
        if offset + length > self.size:
            raise BackupError(f"the difference writes behind the volume's end, {self.size} bytes")
        if has_content:
            self._content = length
            self.data += length
