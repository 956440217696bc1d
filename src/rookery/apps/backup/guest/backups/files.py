"""Files: snapshots of CephFS, kept by restic, deduplicated and encrypted, in the store.

The moment is a snapshot of the file system's root. restic reads it and stores what is new. A set needs what
restic stored and nothing else; the latest snapshots stay in the file system all the same, as anybody who
mounts it can take a file back from `.snap/backup-LABEL` at once.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Any

from . import files_snapshots
from .errors import BackupError
from .files_mount import mounted
from .files_paths import options_of, place
from .files_restic import Repository, given_up
from .kind import Part, Problem, Work, now

_SNAPSHOTS = 4  # that stay in the file system: a day at the default schedule
_RESERVE = 64 << 20  # bytes that shall be left in the file system


class Files:
    """CephFS, by restic."""

    name = "files"

    def mark(self, work: Work, label: str) -> dict[str, Any]:
        """Take a snapshot of the whole file system."""
        moment = now()
        files_snapshots.take(work.told, label)
        return {"moment": moment}

    def keep(self, work: Work, label: str, mark: dict[str, Any], last: Part | None) -> Part:
        """Store the snapshot. restic finds by itself from which one on something changed."""
        del last
        with mounted(work.told) as root:
            done = Repository(work).backup(root / files_snapshots.snapshot(label), label)
            files_snapshots.drop(root, keep={label, *files_snapshots.labels(root)[-_SNAPSHOTS:]})
        return {
            "moment": mark["moment"],
            "moved": done["data_added_packed"],
            "whole": done["total_bytes_processed"],
            "set": label,
            "snapshot": done["snapshot_id"],
            "files": done["total_files_processed"],
        }

    def check(self, work: Work, parts: dict[str, Part], *, deep: bool) -> list[Problem]:
        """Look whether the snapshot of each set is there, and all that it is made of."""
        repository = Repository(work)
        there = repository.snapshots()
        problems = [
            f"snapshot {part['snapshot'][:8]} of set {label} is not in {repository.url}"
            for label, part in parts.items()
            if part["snapshot"] not in there
        ]
        found = repository.check(deep=deep)
        if found and repository.snapshots() != there:
            # A set was taken or removed meanwhile: what is missing may have been on its way.
            found = repository.check(deep=deep)
        return [*problems, *(f"{repository.url}: {problem}" for problem in found)]

    def prune(self, work: Work, kept: dict[str, Part], dropped: dict[str, Part]) -> None:
        """Give up the snapshots of the dropped sets, and what interrupted runs left that is older than those
        that are kept."""
        repository = Repository(work)
        there = repository.snapshots()
        repository.forget(given_up(there, kept, dropped))

    def restore(self, work: Work, part: Part, wish: dict[str, Any]) -> dict[str, Any]:
        """Bring back a file, or a tree: into a folder of its own, or over what is there. In place, what was
        not there then goes."""
        path = os.path.normpath("/" + wish["path"].strip("/"))
        is_in_place = wish["to"] == "in-place"
        repository = Repository(work)
        if path != "/":
            _require_there(repository, part, path)
        source = f"{part['snapshot']}:{PurePosixPath(path).parent}"
        options = options_of(path, is_in_place=is_in_place)
        with mounted(work.told) as root:
            target = place(root if is_in_place else root / f"restored-{part['set']}", path)
            folder = target if path == "/" else target.parent
            folder.mkdir(parents=True, exist_ok=True)
            _require_room(repository, part, source, folder, options)
            done = repository.restore(source, folder, *options)
        where = str("/" / target.relative_to(root))
        number = done.get("files_restored", 0) + done.get("files_skipped", 0)
        return {
            "says": f"{path} as of {part['moment']} is at {where}, {number} files",
            "set": part["set"],
            "path": where,
            "files": number,
            "bytes": done.get("bytes_restored", 0) + done.get("bytes_skipped", 0),
        }


def end(work: Work) -> None:
    """Remove all snapshots: one that stays holds what is removed for ever."""
    with mounted(work.told) as root:
        files_snapshots.drop(root, keep=())


def _require_there(repository: Repository, part: Part, path: str) -> None:
    if not repository.list(part["snapshot"], path):
        raise BackupError(f"set {part['set']} has no {path}", hint="`/` is all of it.", kind="input")


def _require_room(
    repository: Repository, part: Part, source: str, folder: Path, options: tuple[str, ...]
) -> None:
    """See that there is room: for all of the set, or where there is not, for what is wished of it."""
    found = os.statvfs(folder)
    room = found.f_bavail * found.f_frsize - _RESERVE
    if part["whole"] <= room:
        return
    needed = repository.restore(source, folder, *options, "--dry-run").get("total_bytes", 0)
    if needed > room:
        raise BackupError(
            f"no room: {needed >> 20} MiB are to come back, the file system has {max(0, room) >> 20} MiB",
            hint="Make room, or bring back less: one file, one tree.",
            kind="not-possible",
        )
