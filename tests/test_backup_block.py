"""Backups of volumes: the format of differences, chains, and what is on its way to the store and back."""

from __future__ import annotations

import hashlib
import io
import shutil
import struct
from collections import deque
from collections.abc import Iterator
from typing import IO, Any

import pytest

from rookery.apps.backup.guest.backups import block_chain, block_stream
from rookery.apps.backup.guest.backups.block_diff import END, Scan, data_head, head, zero
from rookery.apps.backup.guest.backups.errors import BackupError

# A difference from s1 to s2 of a volume of 8 MiB, of which 512 bytes were written and 4096 discarded:
# byte for byte what doc/dev/rbd-diff.rst of Ceph describes.
EXPORTED = (
    b"rbd diff v1\n"
    b"f\x02\x00\x00\x00s1"
    b"t\x02\x00\x00\x00s2"
    b"s\x00\x00\x80\x00\x00\x00\x00\x00"
    b"w\x00\x10\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00"
    + b"\xa5"
    * 512
    + b"z\x00\x00\x40\x00\x00\x00\x00\x00"
    b"\x00\x10\x00\x00\x00\x00\x00\x00e"
)


def scan(content: bytes, step: int) -> Scan:
    found = Scan()
    for start in range(0, len(content), step):
        found.feed(content[start : start + step])
    found.finish()
    return found


def test_what_is_written_is_the_format_of_export_diff() -> None:
    content = b"\xa5" * 512
    made = head("s1", "s2", 8 << 20) + data_head(4096, 512) + content + zero(4 << 20, 4096) + END
    assert made == EXPORTED


def test_a_first_difference_starts_from_nothing() -> None:
    assert head("", "s1", 512) == b"rbd diff v1\nt\x02\x00\x00\x00s1s" + struct.pack("<Q", 512)


@pytest.mark.parametrize("step", [1, 7, 64, 10_000])
def test_a_difference_is_read_in_pieces_of_any_length(step: int) -> None:
    found = scan(EXPORTED, step)
    assert (found.start, found.end, found.size, found.data) == ("s1", "s2", 8 << 20, 512)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the difference is cut: it has no end"),
        (EXPORTED[:-1], "the difference is cut: it has no end"),
        (EXPORTED[:-40], "the difference is cut: it has no end"),
        (EXPORTED + b"e", "the difference goes on behind its end"),
        (b"rbd diff v3\n" + EXPORTED[12:], "what is stored is no difference of a volume"),
        (EXPORTED[:26] + b"q" + EXPORTED[27:], "the difference has a record of an unknown kind, b'q'"),
        (
            head("", "s1", 4096) + data_head(4096, 1) + b"x" + END,
            "the difference writes behind the volume's end, 4096 bytes",
        ),
    ],
)
def test_what_is_no_difference_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(BackupError) as caught:
        scan(content, 1 << 20)
    assert caught.value.what == says


def link(start: str, end: str, stored: int = 100) -> dict[str, Any]:
    key = block_chain.new_key("vol", end)
    return {"key": key, "from": start, "to": end, "size": 1 << 30, "data": 10, "stored": stored}


def part(*links: dict[str, Any], identity: str = "id/1") -> dict[str, Any]:
    return {"images": {"vol": {"snapshot": links[-1]["to"], "identity": identity, "links": list(links)}}}


def there(*links: dict[str, Any]) -> dict[str, int]:
    return {one["key"]: one["stored"] for one in links}


def test_a_chain_goes_on_from_the_last_set() -> None:
    links = [link("", "a"), link("a", "b", 5)]
    assert block_chain.base_of(part(*links), "vol", {"a": "id/0", "b": "id/1"}, there(*links)) == links


@pytest.mark.parametrize(
    ("links", "moments", "lost"),
    [
        pytest.param([link("", "a")], {}, 0, id="the snapshot is gone"),
        pytest.param([link("", "a")], {"a": "other/1"}, 0, id="another volume of that name"),
        pytest.param([link("", "a"), link("a", "b", 5)], {"b": "id/1"}, 1, id="a link is gone"),
        pytest.param(
            [link("", "a"), link("a", "b", 60), link("b", "c", 41)], {"c": "id/1"}, 0, id="as much changed"
        ),
        pytest.param(
            [link("", "0"), *(link(str(n), str(n + 1), 1) for n in range(block_chain.LONGEST - 1))],
            {str(block_chain.LONGEST - 1): "id/1"},
            0,
            id="it has its length",
        ),
    ],
)
def test_a_chain_starts_anew(links: list[dict[str, Any]], moments: dict[str, str], lost: int) -> None:
    assert block_chain.base_of(part(*links), "vol", moments, there(*links[lost:])) == []


def test_a_volume_that_is_new_starts_a_chain() -> None:
    assert block_chain.base_of(None, "vol", {"a": "id/1"}, {}) == []
    assert block_chain.base_of(part(link("", "a")), "new", {"a": "id/1"}, {}) == []


def test_a_whole_chain_has_no_breaks() -> None:
    links = [link("", "a"), link("a", "b")]
    assert list(block_chain.find_breaks("b", "vol", links, there(*links))) == []


def test_breaks_of_a_chain_are_named() -> None:
    links = [link("", "a"), link("a", "b"), link("c", "d")]
    found = list(
        block_chain.find_breaks("e", "vol", links, {**there(links[0], links[2]), links[2]["key"]: 99})
    )
    assert found == [
        "block/vol/b.diff.zst is missing: a link of vol that set e needs",
        "block/vol/d.diff.zst has 99 bytes, 100 were written",
        "block/vol/d.diff.zst starts from c, the link before it in set e ends with b",
        "the chain of vol in set e ends with d",
    ]


def test_links_of_kept_sets_are_needed_though_their_sets_are_gone() -> None:
    kept = {"c": part(link("", "a"), link("a", "b"), link("b", "c"))}
    assert set(block_chain.all_links(kept)) == {f"block/vol/{name}.diff.zst" for name in "abc"}


class FakeStore:
    """A store in memory: what is put under a key, and what went wrong while it was read."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_stream(self, key: str, stream: IO[bytes], *, metadata: dict[str, str], most: int) -> None:
        assert metadata == {}
        assert most > 0
        content = io.BytesIO()
        while piece := stream.read(1 << 16):
            content.write(piece)
        self.objects[key] = content.getvalue()

    def fetch_parts(self, key: str, size: int, target: IO[bytes]) -> None:
        for start in range(0, size, 1000):
            target.write(self.objects[key][start : start + 1000])

    def __str__(self) -> str:
        return "bucket b at s3"


needs_zstd = pytest.mark.skipif(shutil.which("zstd") is None, reason="needs Debian's zstd")


@pytest.fixture
def sent() -> tuple[Any, dict[str, Any]]:
    store: Any = FakeStore()
    return store, block_stream.send(store, "k", [EXPORTED[:50], EXPORTED[50:]], most=8 << 20)


@needs_zstd
def test_a_difference_is_sent_with_what_it_says(sent: tuple[Any, dict[str, Any]]) -> None:
    store, made = sent
    assert made == {
        "key": "k",
        "from": "s1",
        "to": "s2",
        "size": 8 << 20,
        "data": 512,
        "bytes": len(EXPORTED),
        "sha256": hashlib.sha256(EXPORTED).hexdigest(),
        "stored": len(store.objects["k"]),
        "digest": hashlib.sha256(store.objects["k"]).hexdigest(),
    }
    assert b"".join(block_stream.receive(store, made)) == EXPORTED


@needs_zstd
def test_nothing_is_stored_of_what_cannot_be_read() -> None:
    def pieces() -> Iterator[bytes]:
        yield EXPORTED[:60]
        raise BackupError("the volume cannot be read")

    store: Any = FakeStore()
    with pytest.raises(BackupError, match="the volume cannot be read"):
        block_stream.send(store, "k", pieces(), most=8 << 20)
    assert store.objects == {}


@needs_zstd
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda b: b[:30] + bytes([b[30] ^ 1]) + b[31:], "k in bucket b at s3 is not what was written"),
        (lambda b: b[:-9], "k in bucket b at s3 is not what was written"),
        (lambda _: b"", "k in bucket b at s3 is not what was written"),
    ],
)
def test_the_end_of_what_was_not_written_is_held_back(
    sent: tuple[Any, dict[str, Any]], change: Any, says: str
) -> None:
    store, made = sent
    store.objects["k"] = change(store.objects["k"])
    got = bytearray()
    with pytest.raises(BackupError, match=says):
        deque(map(got.extend, block_stream.receive(store, made)), maxlen=0)
    assert not got.endswith(END)


@needs_zstd
def test_a_difference_that_is_whole_but_another_one_is_refused(sent: tuple[Any, dict[str, Any]]) -> None:
    store, made = sent
    with pytest.raises(BackupError, match="k in bucket b at s3 is not the difference that was written"):
        list(block_stream.receive(store, {**made, "from": "s0"}))
