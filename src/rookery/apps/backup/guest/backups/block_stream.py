"""Differences on their way: compressed into an object of the store, and out of it again."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Self, cast

from . import block_diff
from .block_chain import Link
from .errors import BackupError
from .store import Store
from .tools import child

# The lightest level: the next ones take longer than what they save takes on its way.
_COMPRESS = ("zstd", "-1", "-T0", "--quiet", "--stdout")
_DECOMPRESS = ("zstd", "--decompress", "--quiet", "--stdout")
_CHUNK = 1 << 20
PIPE = 1 << 20  # bytes that a pipe holds: as many as an unprivileged user's may


def send(store: Store, key: str, pieces: Iterable[bytes], *, most: int) -> Link:
    """Put a difference into the store, of a volume of `most` bytes, and return it as a link: what it says,
    its bytes and its digests.

    Nothing is in the store where it fails: an upload is ended by what makes it whole.
    """
    with _Compressor(pieces) as source:
        store.put_stream(key, cast("IO[bytes]", source), metadata={}, most=most)
    scan = source.scan
    return {
        "key": key,
        "from": scan.start,
        "to": scan.end,
        "size": scan.size,
        "data": scan.data,
        "bytes": source.size,
        "sha256": source.digest.hexdigest(),
        "stored": source.stored,
        "digest": source.stored_digest.hexdigest(),
    }


class _Compressor:
    """A stream of what pieces are when they are compressed; it fails at its end where they do."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.scan = block_diff.Scan()
        self.size, self.digest = 0, hashlib.sha256()
        self.stored, self.stored_digest = 0, hashlib.sha256()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._feed, daemon=True)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            child(*_COMPRESS), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=_CHUNK, pipesize=PIPE
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._thread.join()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                _opened(pipe).close()

    def read(self, wanted: int = -1) -> bytes:
        """Return the next bytes, as many as are wanted but at the end."""
        piece = bytes(_opened(self._process.stdout).read(wanted))
        self.stored += len(piece)
        self.stored_digest.update(piece)
        if wanted < 0 or len(piece) < wanted:
            self._finish()
        return piece

    def _finish(self) -> None:
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        if self._process.wait():
            raise BackupError(f"zstd failed (exit {self._process.returncode})")
        self.scan.finish()

    def _feed(self) -> None:
        target = _opened(self._process.stdin)
        try:
            for piece in self._pieces:
                self.scan.feed(piece)
                self.digest.update(piece)
                self.size += len(piece)
                target.write(piece)
        except BrokenPipeError:
            pass  # its exit status says why
        except Exception as error:  # noqa: BLE001 - raised again where it is read
            self._failure = error
        finally:
            with contextlib.suppress(OSError):
                target.close()


@dataclass
class _Sink:
    """Takes what comes from the store, and passes it on to be decompressed."""

    target: IO[bytes]
    broken: bool = False

    def write(self, piece: bytes) -> int:
        if not self.broken:
            try:
                self.target.write(piece)
            except BrokenPipeError:
                self.broken = True
        return len(piece)


def receive(store: Store, link: Link) -> Iterator[bytes]:
    """Yield a difference from the store. Its end, without which nobody takes it for whole, is yielded when
    all of it was found to be what was written; raises BackupError where it is not."""
    process = subprocess.Popen(
        child(*_DECOMPRESS),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=_CHUNK,
        pipesize=PIPE,
    )
    fetching = _Fetching(store, link, _opened(process.stdin))
    scan, digest, held = block_diff.Scan(), hashlib.sha256(), b""
    try:
        while piece := _opened(process.stdout).read(_CHUNK):
            digest.update(piece)
            _feed(store, link, scan, piece)
            yield held
            held = piece
        fetching.finish()
        _require_same(store, link, scan, digest.hexdigest(), failed=process.wait() != 0)
    finally:
        process.kill()
        process.wait()
        fetching.join()
        _opened(process.stdout).close()
    yield held


class _Fetching(threading.Thread):
    """Brings an object of the store to whoever decompresses it."""

    def __init__(self, store: Store, link: Link, target: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._store, self._link = store, link
        self._sink = _Sink(target)
        self._failure: BackupError | None = None
        self.start()

    def run(self) -> None:
        try:
            self._store.fetch_parts(self._link["key"], self._link["stored"], cast("IO[bytes]", self._sink))
        except BackupError as error:
            self._failure = error
        finally:
            with contextlib.suppress(OSError):
                self._sink.target.close()

    def finish(self) -> None:
        """Wait for its end; raises what it failed by."""
        self.join()
        if self._failure is not None:
            raise self._failure


def _feed(store: Store, link: Link, scan: block_diff.Scan, piece: bytes) -> None:
    try:
        scan.feed(piece)
    except BackupError as error:
        raise BackupError(f"{link['key']} in {store} is not what was written: {error.what}") from None


def _require_same(store: Store, link: Link, scan: block_diff.Scan, digest: str, *, failed: bool) -> None:
    if failed:
        raise BackupError(f"{link['key']} in {store} is not what was written: zstd cannot read it")
    said = (scan.start, scan.end, scan.size, digest)
    if said != (link["from"], link["to"], link["size"], link["sha256"]):
        raise BackupError(f"{link['key']} in {store} is not the difference that was written")


def _opened(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
