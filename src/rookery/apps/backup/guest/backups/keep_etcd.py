"""Keeps a snapshot of etcd, with a folder beside it: encrypted to recipients, and sent to the bucket of
backups.

    python3 -m backups.keep_etcd --snapshot FILE --beside FOLDER --name NAME --recipient KEY...
        --bucket BUCKET --endpoint URL --ca FILE --kept SECONDS --least COUNT

What is sent can be read by whoever has a recipient's key, and by nobody here. Older ones go when their time
is over, but `--least` of them stay. Keys come as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import re
import sys
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path

from .errors import BackupError
from .labels import FORM, PATTERN
from .store import Store
from .told import Place
from .tools import run

_FOLDER = "system/etcd/"
_NAMED = re.compile(rf"^system/etcd/.+-({PATTERN})\.tar\.age$")
_LIMIT = 600.0  # seconds


def pack(snapshot: Path, beside: Path) -> Path:
    """Return the archive of a snapshot and of a folder, under the names that they have."""
    packed = snapshot.with_name(f"{snapshot.name}.tar")
    with tarfile.open(packed, "w") as archive:
        archive.add(snapshot, snapshot.name)
        archive.add(beside, beside.name)
    return packed


def encrypt(whole: Path, recipients: Sequence[str]) -> Path:
    """Return the file that a file is encrypted into, beside it."""
    sealed = whole.with_name(f"{whole.name}.age")
    named = [word for one in recipients for word in ("--recipient", one)]
    run(
        ("age", "--encrypt", *named, "--output", str(sealed), str(whole)),
        what="encryption by age",
        limit=_LIMIT,
    )
    return sealed


def key_of(name: str, moment: dt.datetime) -> str:
    """Return the key of a snapshot that was taken on the node NAME."""
    return f"{_FOLDER}{name}-{moment.strftime(FORM)}.tar.age"


def over(keys: Sequence[str], now: dt.datetime, kept: float, least: int) -> list[str]:
    """Return those of the keys whose time is over: older than `kept` seconds, but for the newest `least`."""
    dated = sorted(
        (dt.datetime.strptime(found.group(1), FORM).replace(tzinfo=dt.UTC), key)
        for key in keys
        if (found := _NAMED.match(key))
    )
    limit = now - dt.timedelta(seconds=kept)
    return [key for moment, key in dated[: max(0, len(dated) - least)] if moment < limit]


def keep(store: Store, sealed: Path, name: str, *, now: dt.datetime, kept: float, least: int) -> str:
    """Send what is encrypted and remove what is over; return its key."""
    key = key_of(name, now)
    digest = store.put_file(key, sealed)
    found, _ = store.digest_of(key)
    if found != digest:
        raise BackupError(f"{key} in {store} is not what was sent")
    old = over([entry.key for entry in store.list(_FOLDER)], now, kept, least)
    store.delete(*old)
    return key


def _parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="keep_etcd.py")
    parser.add_argument("--snapshot", type=Path, required=True)
    parser.add_argument("--beside", type=Path, required=True)
    for name in ("--name", "--bucket", "--endpoint", "--ca"):
        parser.add_argument(name, required=True)
    parser.add_argument("--kept", type=float, required=True)
    parser.add_argument("--least", type=int, required=True)
    parser.add_argument("--recipient", action="append", required=True)
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Keep the snapshot that the arguments name."""
    told = _parse(words)
    place = Place(
        name="here",
        endpoint=told.endpoint,
        bucket=told.bucket,
        authority=told.ca,
        access=os.environ["AWS_ACCESS_KEY_ID"],
        secret=os.environ["AWS_SECRET_ACCESS_KEY"],
    )
    try:
        sealed = encrypt(pack(told.snapshot, told.beside), told.recipient)
        now = dt.datetime.fromtimestamp(time.time(), tz=dt.UTC)
        key = keep(Store(place), sealed, told.name, now=now, kept=told.kept, least=told.least)
    except BackupError as error:
        print("\n  ".join((error.what, *error.details)), file=sys.stderr)
        return 1
    print(f"{told.bucket}/{key}: {sealed.stat().st_size} bytes", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
