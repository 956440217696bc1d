"""Reads a tar as it comes, for the names in it, and whether it comes to its end."""

from __future__ import annotations

import tarfile

_BLOCK = tarfile.BLOCKSIZE
_END = bytes(_BLOCK)


class TarReader:
    """Hears the bytes of a tar; what files hold is not kept."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.is_whole = False
        self._rest = b""
        self._skip = 0

    def write(self, content: bytes) -> None:
        """Take some bytes; what is no header where one should be makes all of it not whole."""
        self._rest += content
        while not self.is_whole:
            passed = min(self._skip, len(self._rest))
            self._rest, self._skip = self._rest[passed:], self._skip - passed
            if self._skip or len(self._rest) < _BLOCK:
                return
            block, self._rest = self._rest[:_BLOCK], self._rest[_BLOCK:]
            if block == _END:
                self.is_whole = True
            else:
                self._header(block)
        self._rest = b""

    def _header(self, block: bytes) -> None:
        try:
            found = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError:
            self._skip = 1 << 62
            return
        self.names.add(found.name.removeprefix("./"))
        self._skip = -(-found.size // _BLOCK) * _BLOCK if found.isfile() or found.type in b"xgLK" else 0
