"""What the measurement of backups does inside the lab, beside what it measures: data, clean starts, clocks.

It runs on the server that takes backups, with the programs of backup on its path: they say how everything is
reached. A request comes as JSON on standard input, the answer goes as JSON to standard output.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cephfs
import rbd
from backups.block_images import Pool, opened_pool
from backups.files_restic import Repository
from backups.kind import Work
from backups.recovery import Recovery
from backups.store import Store, connect
from backups.told import Place, Told, read_told
from backups.tools import run

BENCH, DRILL = "bench", "drill"
PIECE = 500_000  # bytes of an object, a file and a piece of the volume: segments of films are such
ROW = 2048  # bytes that a row takes: four are on a page
_LIMIT = 900.0
_IN_A_FOLDER = 100
_LOOK_AT = 20  # every so manieth item is compared after a restore
_FEATURES = rbd.RBD_FEATURE_LAYERING | rbd.RBD_FEATURE_EXCLUSIVE_LOCK | rbd.RBD_FEATURE_OBJECT_MAP
_SHAPE = {"order": 22, "features": _FEATURES | rbd.RBD_FEATURE_FAST_DIFF}
_COPY_HEAD, _COPY_END = b"PGCOPY\n\xff\r\n\x00" + bytes(8), struct.pack("!h", -1)
_CACHE = Path("/var/cache/rookery-backup/restic")
# What lies where in the bucket, of all that a set of each kind may go on from.
_KEPT = {
    "database": "database/database/base/",
    "objects": f"objects/{DRILL}/",
    "files": "files/",
    "block": "block/",
}

Request = dict[str, Any]


def content(number: int, version: int, size: int = PIECE) -> bytes:
    """Return what an item holds: one half is noise, the other one words that are in no other item."""
    half = size // 2
    noise = random.Random(f"{number} {version}").randbytes(half)
    return noise + words(number, version, size - half)


def words(number: int, version: int, size: int) -> bytes:
    line = f"item {number:07d} of version {version}: what is said of a title, its cast and its places\n"
    return (line * (size // len(line) + 1)).encode()[:size]


def changed(count: int) -> range:
    """Return the 1 % of the items that change: side by side, as those that were written last are."""
    return range(count - max(1, count // 100), count)


class Data:
    """The data of each kind: as many bytes for each."""

    def __init__(self, told: Told, request: Request) -> None:
        self.told = told
        self.size = int(request.get("size", 0))
        self.pieces = max(1, self.size // PIECE)
        self.rows = max(1, self.size // ROW)
        self._keys = request.get("credentials") or {}

    def fill(self, kind: str) -> None:
        """Write all of it."""
        getattr(self, f"_{kind}")(range(self.rows if kind == "database" else self.pieces), 0)

    def change(self, kind: str, version: int) -> None:
        """Write 1 % of it anew."""
        getattr(self, f"_{kind}")(changed(self.rows if kind == "database" else self.pieces), version)

    def _database(self, numbers: range, version: int) -> None:
        if not version:
            self.sql("postgres", f"DROP DATABASE IF EXISTS {BENCH} WITH (FORCE)")
            self.sql("postgres", f"CREATE DATABASE {BENCH}")
            # PLAIN: what the database would compress itself is as long in the file as it says.
            columns = "noise bytea STORAGE PLAIN, words bytea STORAGE PLAIN"
            self.sql(BENCH, f"CREATE TABLE rows (number integer PRIMARY KEY, {columns})")
            self.sql(BENCH, "CREATE TABLE renewed (LIKE rows INCLUDING ALL)")
        table = "renewed" if version else "rows"
        for start in range(numbers.start, numbers.stop, 8192):
            block = range(start, min(start + 8192, numbers.stop))
            self.sql(BENCH, f"COPY {table} FROM STDIN (FORMAT binary)", rows(block, version))
        if version:
            self.sql(
                BENCH,
                "UPDATE rows SET noise = renewed.noise, words = renewed.words FROM renewed"
                " WHERE rows.number = renewed.number; TRUNCATE renewed",
            )
        else:
            # As a table of some age is. Whoever reads a new one first writes every page of it once more.
            self.sql(BENCH, "VACUUM (FREEZE, ANALYZE) rows")
            self.sql(BENCH, "CHECKPOINT")

    def _objects(self, numbers: range, version: int) -> None:
        client = self.client(self._keys)

        def put(number: int) -> None:
            client.put_object(Bucket=DRILL, Key=_key(number), Body=content(number, version))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(put, numbers))

    def _files(self, numbers: range, version: int) -> None:
        with mounted(self.told) as system:
            if not version:
                _remove(system, f"/{BENCH}")
                system.mkdir(f"/{BENCH}", 0o755)
            for number in numbers:
                with contextlib.suppress(cephfs.ObjectExists):
                    system.mkdir(str(Path(_path(number)).parent), 0o755)
                handle = system.open(_path(number), "w", 0o644)
                system.write(handle, content(number, version), 0)
                system.close(handle)
            system.sync_fs()

    def _block(self, numbers: range, version: int) -> None:
        with opened_pool(self.told) as pool:
            if not version:
                drop_image(pool, BENCH)
                shape = {**_SHAPE, "dataPool": self.told.config["block"]["dataPool"]}
                pool.make(BENCH, max(1 << 30, 2 * self.size), shape)
                pool.gather([BENCH])
            with pool.opened(BENCH, read_only=False) as image:
                for number in numbers:
                    image.write(content(number, version), number * PIECE)
                image.flush()

    def sql(self, database: str, statement: str, stdin: bytes = b"") -> str:
        told = self.told.config["database"]
        argv = (
            *("psql", "--no-psqlrc", "-AtX", "--set=ON_ERROR_STOP=1", f"--host={told['sockets']}"),
            *(f"--dbname={database}", f"--command={statement}"),
        )
        environment = {"HOME": "/"}
        who = told["owner"]
        return str(run(argv, what="SQL", limit=_LIMIT, user=who, environment=environment, stdin=stdin))

    def client(self, keys: dict[str, str]) -> Any:
        place = self.told.place
        keys = keys or {"access": place.access, "secret": place.secret}
        return connect(
            Place(name="bench", endpoint=place.endpoint, bucket=DRILL, authority=place.authority, **keys)
        )


def rows(numbers: range, version: int) -> bytes:
    """Return rows as COPY reads them in its binary form."""
    parts, each = [_COPY_HEAD], (ROW - 148) // 2
    for number in numbers:
        whole = content(number, version, 2 * each)
        parts.append(struct.pack("!hiii", 3, 4, number, each) + whole[:each])
        parts.append(struct.pack("!i", each) + whole[each:])
    return b"".join((*parts, _COPY_END))


@contextlib.contextmanager
def mounted(told: Told) -> Iterator[Any]:
    system = cephfs.LibCephFS(conffile="/etc/ceph/ceph.conf", auth_id=told.config["cluster"]["user"])
    system.mount(filesystem_name=told.config["files"]["fileSystem"].encode())
    try:
        yield system
    finally:
        system.shutdown()


def _key(number: int) -> str:
    return f"{BENCH}/{number:06d}"


def _path(number: int, top: str = f"/{BENCH}") -> str:
    return f"{top}/{number // _IN_A_FOLDER:03d}/{number:06d}"


def _remove(system: Any, path: str) -> None:
    """Remove a tree of CephFS; it need not be there."""
    names = []
    try:
        with system.opendir(path) as folder:
            while entry := system.readdir(folder):
                if entry.d_name not in (b".", b".."):
                    names.append((entry.d_name.decode(), entry.is_dir()))
    except cephfs.ObjectNotFound:
        return
    for name, is_folder in names:
        if is_folder:
            _remove(system, f"{path}/{name}")
        else:
            system.unlink(f"{path}/{name}")
    system.rmdir(path)


def drop_image(pool: Pool, name: str) -> None:
    """Remove a volume with its snapshots and its place in the group; it need not be there."""
    if name not in pool.images():
        return
    pool.drop_snaps(keep=())
    pool.leave(name)
    pool.remove(name)


# What is asked for


def do_fill(data: Data, request: Request) -> Any:
    for kind in request["kinds"]:
        data.fill(kind)
    os.sync()


def do_change(data: Data, request: Request) -> Any:
    for kind in request["kinds"]:
        data.change(kind, request["version"])


def do_reset(data: Data, request: Request) -> Any:
    """Hide what is kept of some kinds, and that there were sets: the next one starts from nothing. The
    repository is made anew, as one makes it once."""
    work = _work(data.told)
    for prefix in (*(_KEPT[kind] for kind in request["kinds"]), "sets/"):
        work.store.delete(*(entry.key for entry in work.store.list(prefix)))
    if "files" in request["kinds"]:
        shutil.rmtree(_CACHE, ignore_errors=True)
        repository = Repository(work)
        assert repository._run(("init",)) == 0, repository._complaints  # noqa: SLF001 - nobody else makes it alone


def do_timed(data: Data, request: Request) -> Any:
    """Run a command to its end: seconds, seconds of CPU in this server, and its lines with their times."""
    del data
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as complaints:
        process = subprocess.Popen(
            request["argv"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            encoding="utf-8",
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(request.get("stdin", ""))
        process.stdin.close()
        lines = [(round(time.monotonic() - began, 3), line.rstrip("\n")) for line in process.stdout]
        code = process.wait()
        complaints.seek(0)
        said = complaints.read()[-2000:]
    seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"code": code, "seconds": seconds, "cpu": cpu, "lines": lines, "said": said}


def do_look(data: Data, request: Request) -> Any:
    """Compare what was restored with what was written: every twentieth item; return how many differ."""
    kind, where, version = request["kind"], request["where"], request["version"]
    count = data.rows if kind == "database" else data.pieces
    fresh = set(changed(count)) if version else set()
    wanted = {
        number: content(number, version if number in fresh else 0, 2 * ((ROW - 148) // 2))
        if kind == "database"
        else content(number, version if number in fresh else 0)
        for number in sorted({*range(0, count, _LOOK_AT * (10 if kind == "database" else 1)), count - 1})
    }
    found = globals()[f"_read_{kind}"](data, where, list(wanted))
    return sum(found[number] != wanted[number] for number in wanted)


def _read_database(_: Data, where: str, numbers: list[int]) -> dict[int, bytes]:
    argv = ("psql", "--no-psqlrc", "-AtX", f"--host={where}", "--port=5433", "--username=postgres", BENCH)
    named = ",".join(map(str, numbers))
    statement = f"SELECT number, encode(noise || words, 'hex') FROM rows WHERE number IN ({named})"
    said = run(
        (*argv, f"--command={statement}"),
        what="SQL",
        limit=_LIMIT,
        user="postgres",
        environment={"HOME": "/"},
    )
    return {int(line.split("|")[0]): bytes.fromhex(line.split("|")[1]) for line in said.splitlines()}


def _read_objects(data: Data, where: str, numbers: list[int]) -> dict[int, bytes]:
    client = data.client(data._keys)  # noqa: SLF001 - as who owns the bucket
    return {number: client.get_object(Bucket=where, Key=_key(number))["Body"].read() for number in numbers}


def _read_files(data: Data, where: str, numbers: list[int]) -> dict[int, bytes]:
    found = {}
    with mounted(data.told) as system:
        for number in numbers:
            handle = system.open(_path(number, where), "r")
            found[number] = system.read(handle, 0, PIECE + 1)
            system.close(handle)
    return found


def _read_block(data: Data, where: str, numbers: list[int]) -> dict[int, bytes]:
    with opened_pool(data.told) as pool, pool.opened(where) as image:
        return {number: image.read(number * PIECE, PIECE) for number in numbers}


def do_forget(data: Data, request: Request) -> Any:
    """Remove what restores made: buckets, trees, volumes, scratch instances."""
    for bucket in request.get("buckets", ()):
        client = data.client(data._keys)  # noqa: SLF001 - as who owns the bucket
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        for start in range(0, len(keys), 500):
            named = [{"Key": key} for key in keys[start : start + 500]]
            client.delete_objects(Bucket=bucket, Delete={"Objects": named, "Quiet": True})
        client.delete_bucket(Bucket=bucket)
    if request.get("trees"):
        with mounted(data.told) as system:
            for tree in request["trees"]:
                _remove(system, tree)
    if request.get("images"):
        with opened_pool(data.told) as pool:
            for name in pool.images():
                if any(name.startswith(start) for start in request["images"]):
                    pool.forget_snaps(name)
                    pool.remove(name)
    for folder in request.get("instances", ()):
        Recovery(_work(data.told), Path(folder), lasting=False).remove()


def do_clear(data: Data, request: Request) -> Any:
    """Remove the data of all kinds."""
    del request
    data.sql("postgres", f"DROP DATABASE IF EXISTS {BENCH} WITH (FORCE)")
    with mounted(data.told) as system:
        _remove(system, f"/{BENCH}")
    with opened_pool(data.told) as pool:
        drop_image(pool, BENCH)
    client = data.client(data._keys)  # noqa: SLF001 - as who owns the bucket
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=DRILL, Prefix=f"{BENCH}/")
    keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
    for start in range(0, len(keys), 500):
        named = [{"Key": key} for key in keys[start : start + 500]]
        client.delete_objects(Bucket=DRILL, Delete={"Objects": named, "Quiet": True})


def do_agents(data: Data, request: Request) -> Any:
    """Stop the agent of this server, or let it go on: it would take sets of its own meanwhile."""
    del data
    how = signal.SIGCONT if request["go"] else signal.SIGSTOP
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words_of = path.read_bytes().split(b"\0")
            if b"backups" in words_of and b"run" in words_of:
                os.kill(int(path.parent.name), how)


def do_stored(data: Data, request: Request) -> Any:
    """Return the bytes that lie below some prefixes of the bucket."""
    store = _work(data.told).store
    return {prefix: sum(one.size for one in store.list(prefix)) for prefix in request["prefixes"]}


def _work(told: Told) -> Work:
    return Work(told=told, store=Store(told.place), report=lambda _: None)


def main() -> int:
    """Do one thing."""
    request = json.loads(sys.stdin.read())
    told = read_told()
    print(json.dumps(globals()[f"do_{sys.argv[1]}"](Data(told, request), request)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
