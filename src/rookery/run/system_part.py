"""The system's own part of its backups, read where the key is: on the machine that made it, or that has the
key in a file."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rookery.apps.backup.config import settings_of
from rookery.apps.backup.model import BackupSet
from rookery.apps.backup.native import recipients
from rookery.apps.backup.places import AGE, SYSTEM
from rookery.drivers.clients import age
from rookery.drivers.clients.objects import Objects
from rookery.drivers.machine.files import write_whole
from rookery.drivers.machine.process import run
from rookery.errors import InputError, MissingPackagesError, NotPossibleError
from rookery.run.backup import backups_of
from rookery.run.identity_part import (
    SECRETS,
    IdentityPart,
    objects_of,
    read_archive,
    require_format,
    unpack,
)
from rookery.systems.protocol import System

_UNPACK_LIMIT = 120.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What reads the backup of the system itself: the `key`, empty where this machine has it not, and the
    recipients that one encrypts to for it."""

    key: str
    recipients: tuple[str, ...]


def key_of(system: System) -> Key:
    """Return what reads a system's own backup."""
    own = backups_of(system).own()
    if not own:
        raise NotPossibleError(f"nothing of {system.design.name} itself is backed up from this machine")
    known = json.loads(own[SECRETS])
    whom = recipients(settings_of(system.design), known)
    key = str(known.get(f"{AGE}.key", ""))
    return Key(key=key if known.get(f"{AGE}.recipient") in whom else "", recipients=whom)


def read_key_file(path: Path, passphrase: str) -> tuple[str, ...]:
    """Return the keys in a file; raises InputError where it is none, or the passphrase is wrong."""
    return age.read_keys(_content(path), passphrase=passphrase, what=str(path))


def wants_passphrase(path: Path) -> bool:
    """Tell whether a file with keys is encrypted by a passphrase."""
    return age.needs_passphrase(_content(path))


def unreadable(system: System, sets: Iterable[BackupSet], keys: Sequence[str]) -> tuple[str, ...]:
    """Return a problem for each encrypted file of some sets that these keys do not open."""
    objects, found = objects_of(system), []
    for key in _named(sets):
        try:
            _opened(objects, key, keys)
        except InputError as error:
            found.append(error.what)
    return tuple(found)


def read_identity(objects: Objects, part: Mapping[str, Any], keys: Sequence[str]) -> IdentityPart:
    """Return what a system is built from, as a set's part names it; raises InputError."""
    identity = part.get("identity")
    if not identity:
        raise InputError("that set does not name what the system was built from")
    require_format(identity["format"], what=identity["key"])
    return unpack(_opened(objects, identity["key"], keys), what=identity["key"])


def read_state(objects: Objects, part: Mapping[str, Any], keys: Sequence[str]) -> Mapping[str, bytes]:
    """Return the maps and snapshots of a set's part, by their paths; raises InputError."""
    require_format(part["format"], what=part["key"])
    if shutil.which("zstd") is None:
        raise MissingPackagesError("what is compressed by zstd cannot be read here", packages=("zstd",))
    content = _opened(objects, part["key"], keys)
    with tempfile.TemporaryDirectory(prefix="rookery-system-") as folder:
        packed = Path(folder) / "bundle.tar.zst"
        packed.write_bytes(content)
        run(("zstd", "-dq", str(packed)), timeout=_UNPACK_LIMIT)
        bundle = packed.with_suffix("").read_bytes()
    found = read_archive(bundle, what=part["key"])
    require_format(json.loads(found["manifest.json"])["format"], what=part["key"])
    return found


def lay_out(system: System, found: BackupSet, keys: Sequence[str], folder: Path) -> tuple[str, ...]:
    """Write all that a set has of the system itself into a folder of its owner's; return the files' paths.

    Raises InputError where the folder holds something, or the keys do not open it.
    """
    part = part_of(found)
    if not part:
        raise InputError(f"set {found.label} has no {SYSTEM}")
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty", hint="Name a folder that is not there yet by --into.")
    objects = objects_of(system)
    identity = read_identity(objects, part, keys).files if part.get("identity") else {}
    files = {f"identity/{name}": content for name, content in identity.items()}
    files |= read_state(objects, part, keys)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, content in sorted(files.items()):
        write_whole(folder / name, content, mode=0o600)
    return tuple(sorted(files))


def part_of(found: BackupSet) -> Mapping[str, Any]:
    """Return what a set says of the system itself; nothing where it has no part of it."""
    return next((part.detail for part in found.parts if part.kind == SYSTEM), {})


def _named(sets: Iterable[BackupSet]) -> tuple[str, ...]:
    """Return the keys of the encrypted objects that sets name, each once."""
    keys = []
    for part in filter(None, map(part_of, sets)):
        keys += [part["key"], *([part["identity"]["key"]] if part["identity"] else [])]
    return tuple(dict.fromkeys(keys))


def _opened(objects: Objects, key: str, keys: Sequence[str]) -> bytes:
    content = objects.get(key)
    if content is None:
        raise InputError(f"{key} is not in {objects}")
    return age.decrypt(content, keys, what=key)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
