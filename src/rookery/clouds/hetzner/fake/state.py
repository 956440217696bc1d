"""An account that outlives its process: a file in a folder, written whole after each change."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from rookery.clouds.hetzner.fake.things import Holdings
from rookery.drivers.machine.files import write_whole
from rookery.errors import InputError, NotPossibleError

_FILE = "account.json"
_ADAPTER = TypeAdapter(Holdings)


@dataclass(slots=True)
class Kept:
    """An account's file. It has user data and public keys in it, and is its owner's alone."""

    folder: Path
    _written: bytes = b""

    def read(self) -> Holdings:
        """Return what is kept, an empty account where nothing is; InputError where it cannot be read."""
        path = self.folder / _FILE
        if not path.exists():
            return Holdings()
        try:
            return _ADAPTER.validate_json(path.read_bytes())
        except ValidationError as error:
            raise InputError(
                f"{path} is no account that this version of the stand-in understands",
                details=tuple(str(one["loc"]) + ": " + one["msg"] for one in error.errors()[:3]),
                hint="Remove the file to begin with an empty account.",
            ) from None

    def write(self, holdings: Holdings) -> None:
        """Write what an account has, where it is another than what was written last."""
        content = _ADAPTER.dump_json(holdings)
        if content != self._written:
            write_whole(self.folder / _FILE, content, mode=0o600)
            self._written = content


@contextlib.contextmanager
def kept_in(folder: Path) -> Iterator[Kept]:
    """Keep an account in a folder, which no other process does meanwhile; NotPossibleError where one does."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise NotPossibleError(
            f"another stand-in keeps its account in {folder}", hint="End that one, or name another folder."
        ) from None
    try:
        yield Kept(folder)
    finally:
        os.close(handle)
