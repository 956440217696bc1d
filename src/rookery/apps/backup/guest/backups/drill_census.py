"""What a system has itself, as a digest of each thing: so that one can tell whether all of it came back.

A drill that destroys a whole system looks before it takes a set and after it. What was the same both times is
in the set as it was, and must be there again afterwards; what changes all the time says nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from .drill_entries import DRILL
from .errors import BackupError
from .kind import Work
from .store import HEADERS, ORIGIN, Store
from .tools import run

_AT_ONCE = 4
_LIMIT = 1800.0  # seconds
_PIECE = 4 << 20  # bytes that are read at once
_DATABASES = "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname"
# For each table a statement that tells its name, rows, and a digest that knows no order of rows.
_TABLES = """
SELECT format('SELECT %L, count(*),
md5(coalesce(string_agg(md5((t.*)::text), '''' ORDER BY md5((t.*)::text)), '''')) FROM %I.%I t;',
schemaname || '.' || tablename, schemaname, tablename)
FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY schemaname, tablename
"""
_NOT_OWN = (f"/{DRILL}/", "/restored-")

Census = dict[str, str]
"""A digest by the name of each thing: a table, an object, a file, a volume."""


def count(work: Work, kinds: list[str]) -> dict[str, Any]:
    """Return for each kind its `things`, or why they could not be seen (`unseen`)."""
    found: dict[str, Any] = {}
    for kind in kinds:
        work.report(f"{kind}: counting what the system has itself")
        try:
            found[kind] = {"things": _LOOKS[kind](work)}
        except BackupError as error:
            found[kind] = {"unseen": "; ".join((error.what, *error.details[-1:]))}
    return found


def _database(work: Work) -> Census:
    """Return rows and a digest of each table."""
    told = work.told.config["database"]
    found: Census = {}
    for name in _sql(told, "postgres", _DATABASES).splitlines():
        if name == DRILL:
            continue
        looks = _sql(told, name, _TABLES)
        for line in _sql(told, name, looks).splitlines():
            table, rows, digest = line.split("\t")
            found[f"{name}.{table}"] = f"{rows} rows, {digest}"
    return found


def _sql(told: Mapping[str, Any], database: str, statements: str) -> str:
    argv = (
        *("psql", "--no-psqlrc", "--tuples-only", "--no-align", "--quiet", "--set=ON_ERROR_STOP=1"),
        *(f"--host={told['sockets']}", f"--dbname={database}", "--field-separator=\t", "--file=-"),
    )
    stdin = f"{statements}\n".encode()
    return run(argv, what="SQL", limit=_LIMIT, user=told["owner"], environment={"HOME": "/"}, stdin=stdin)


def _objects(work: Work) -> Census:
    """Return the SHA-256 of each object of the buckets that are backed up, and what it is given with."""
    found: Census = {}
    for bucket in work.told.config["objects"]["buckets"]:
        if bucket != DRILL:
            store = Store(replace(work.store.place, bucket=bucket), work.store.client)
            found.update(_bucket(store))
    return found


def _bucket(store: Store) -> Census:
    def digest(key: str) -> str:
        head = store.head(key)
        if head is None:  # it went since it was listed
            return ""
        given = [f"{name}: {head[name]}" for name in HEADERS if head.get(name)]
        own = [f"{name}: {value}" for name, value in sorted(head["Metadata"].items()) if name != ORIGIN]
        return ", ".join((store.digest_of(key)[0], *given, *own))

    keys = [entry.key for entry in store.list()]
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        digests = list(pool.map(digest, keys))
    return {f"{store.bucket}/{key}": found for key, found in zip(keys, digests, strict=True) if found}


def _files(work: Work) -> Census:
    """Return the SHA-256 of each file of the shared file system."""
    import cephfs

    from .drill_tree import digest, opened, walk

    config = work.told.config
    found: Census = {}
    with opened(config["files"]["fileSystem"], config["cluster"]["user"]) as mounted:
        for path, is_folder in walk(mounted, ""):
            if not is_folder and not path.startswith(_NOT_OWN):
                with contextlib.suppress(cephfs.ObjectNotFound):  # it went since it was listed
                    found[path] = digest(mounted, path)
    return found


def _block(work: Work) -> Census:
    """Return the SHA-256 of each volume in the backups' group that is no server's own: what is on those is
    the database's, and counted there."""
    from .block_images import opened_pool

    found: Census = {}
    with opened_pool(work.told) as pool:
        own = {*work.told.config["block"]["images"], DRILL}
        for name in (image for image in pool.gather(()) if image not in own):
            with pool.opened(name) as image:
                digest, size = hashlib.sha256(), image.size()
                for start in range(0, size, _PIECE):
                    digest.update(image.read(start, min(_PIECE, size - start)))
            found[name] = digest.hexdigest()
    return found


_LOOKS: Mapping[str, Callable[[Work], Census]] = {
    "database": _database,
    "objects": _objects,
    "files": _files,
    "block": _block,
}
