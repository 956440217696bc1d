"""The system itself: its maps and its coordinators' state, encrypted for who may read them.

What is taken here holds no key of the system. Those, and all that it was built from, are the identity part:
the machine that has them encrypts it and lays it beside (`identity.json` names the one in use). With both,
the same system can be built again where nothing of it is left; without the key to them, nothing is readable.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from . import coordinators, maps
from .errors import BackupError
from .kind import Part, Problem, Work, now
from .tools import run

FORMAT = 1
_FOLDER = "system/"
_CURRENT = f"{_FOLDER}identity.json"
_LIMIT = 120.0  # seconds for a tool that compresses or encrypts a few megabytes


class System:
    """The system itself, by age."""

    name = "system"

    def mark(self, work: Work, label: str) -> dict[str, Any]:
        """Read the maps, which the monitors have in memory."""
        del work
        return {"moment": now(), "label": label, "files": maps.read_maps()}

    def keep(self, work: Work, label: str, mark: dict[str, Any], last: Part | None) -> Part:
        """Store the maps and a snapshot of the coordinators in one encrypted file, and name the identity."""
        del last
        files = dict(mark["files"])
        if work.told.config["coordinators"]:
            files["etcd/snapshot.db"] = coordinators.snapshot(work.told.config["coordinators"])
        identity = self._identity(work)
        bundle = _bundle(work, mark, files)
        key = f"{_FOLDER}{label}.tar.zst.age"
        with tempfile.TemporaryDirectory(prefix="backup-system-") as folder:
            path = _encrypted(Path(folder), bundle, work.told.keys["recipients"])
            size = path.stat().st_size
            digest = work.store.put_file(key, path, metadata={"format": str(FORMAT)})
        return {
            "moment": mark["moment"],
            "moved": size,
            "whole": size,
            "format": FORMAT,
            "key": key,
            "sha256": digest,
            "files": sorted(files),
            "recipients": work.told.keys["recipients"],
            "identity": identity,
        }

    def check(self, work: Work, parts: dict[str, Part], *, deep: bool) -> list[Problem]:
        """Look whether both files of each set are there; `deep` reads them. Who has the key decrypts them on
        the machine that has it: it is on no server."""
        wanted: dict[str, tuple[str, str, int]] = {}
        problems = []
        for label, part in parts.items():
            if part["format"] > FORMAT:
                problems.append(f"set {label} has format {part['format']}, this version reads {FORMAT}")
                continue
            wanted[part["key"]] = (label, part["sha256"], part["whole"])
            if part["identity"]:
                own = part["identity"]
                wanted.setdefault(own["key"], (label, own["sha256"], own["size"]))
        for key, (label, digest, size) in wanted.items():
            problems += self._look(work, f"{key} of set {label}", key, (digest, size), deep=deep)
        return problems

    def prune(self, work: Work, kept: dict[str, Part], dropped: dict[str, Part]) -> None:
        """Remove the files of the dropped sets; an identity stays while a kept set or the system has it."""
        current = work.store.get_json(_CURRENT) or {}
        needed = {part["identity"]["key"] for part in kept.values() if part["identity"]}
        needed |= {part["key"] for part in kept.values()} | {current.get("key")}
        had = {part["identity"]["key"] for part in dropped.values() if part["identity"]}
        work.store.delete(*sorted((had | {part["key"] for part in dropped.values()}) - needed))

    def restore(self, work: Work, part: Part, wish: dict[str, Any]) -> dict[str, Any]:
        """Refuse: the key that reads it is on no server."""
        del work, part, wish
        raise BackupError(
            "what is kept of the system itself cannot be read here",
            hint="`rookery restore system` reads it on the machine that has the key.",
            kind="not-possible",
        )

    def _identity(self, work: Work) -> dict[str, Any] | None:
        """Return what names the identity part in use; None for a system that has none."""
        if not work.told.config["identity"]:
            return None
        found: dict[str, Any] | None = work.store.get_json(_CURRENT)
        if found is None or work.store.head(found["key"]) is None:
            raise BackupError(
                f"what only the machine has that built the system is not in {work.store}",
                hint="`rookery backup now` and `rookery up` lay it there.",
            )
        return {name: found[name] for name in ("key", "sha256", "size", "digest", "format")}

    def _look(self, work: Work, what: str, key: str, wanted: tuple[str, int], *, deep: bool) -> list[Problem]:
        head = work.store.head(key)
        if head is None:
            return [f"{what} is not there"]
        if head["ContentLength"] != wanted[1]:
            return [f"{what} has {head['ContentLength']} bytes, {wanted[1]} were written"]
        if deep and work.store.digest_of(key)[0] != wanted[0]:
            return [f"{what} is not what was written: its SHA-256 differs"]
        return []


def _bundle(work: Work, mark: dict[str, Any], files: dict[str, bytes]) -> bytes:
    """Return a tar archive of the files, behind a list of what they are."""
    manifest = {
        "format": FORMAT,
        "system": work.told.config["system"],
        "label": mark["label"],
        "moment": mark["moment"],
        "fsid": work.told.keys["fsid"],
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:") as archive:
        for name, content in {"manifest.json": json.dumps(manifest, indent=1).encode(), **files}.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o600
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def _encrypted(folder: Path, bundle: bytes, recipients: list[str]) -> Path:
    """Return the file that a bundle becomes, compressed and encrypted; nothing readable touches the disk but
    in a folder of root's, which is gone at once."""
    packed, path = folder / "bundle.tar.zst", folder / "bundle.tar.zst.age"
    run(("zstd", "-q", "-10", "-o", str(packed)), what="zstd", limit=_LIMIT, stdin=bundle)
    whom = [word for one in recipients for word in ("-r", one)]
    run(("age", *whom, "-o", str(path), str(packed)), what="age", limit=_LIMIT)
    return path
