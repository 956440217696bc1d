"""Ceph's maps, as its own tools read them: what stands where, and by which rules."""

from __future__ import annotations

import json
from typing import Any

from .cluster import connected
from .errors import BackupError

_USER = "backup"
_LIMIT = "10"  # seconds; a question without an answer by then fails

# What is kept, and the monitors' command for it; those in binary are what `monmaptool`, `osdmaptool` and
# `crushtool` read.
_ASKED = {
    "ceph/monmap": ("mon getmap", ""),
    "ceph/osdmap": ("osd getmap", ""),
    "ceph/crushmap": ("osd getcrushmap", ""),
    "ceph/mon-dump.json": ("mon dump", "json"),
    "ceph/osd-dump.json": ("osd dump", "json"),
    "ceph/osd-tree.json": ("osd tree", "json"),
    "ceph/osd-metadata.json": ("osd metadata", "json"),
    "ceph/fs-dump.json": ("fs dump", "json"),
    "ceph/config-dump.json": ("config dump", "json"),
    "ceph/versions.json": ("versions", "json"),
}


def read_maps() -> dict[str, bytes]:
    """Return the maps as files, by their paths; raises BackupError where the monitors do not give one."""
    import rados  # Ceph's binding is on servers only, and all else of sets does without

    with connected(_USER, limit=_LIMIT) as client:
        try:
            return {path: _ask(client, prefix, form) for path, (prefix, form) in _ASKED.items()}
        except rados.Error as error:
            raise BackupError(f"Ceph does not answer: {error}") from None


def _ask(client: Any, prefix: str, form: str) -> bytes:
    command = {"prefix": prefix, **({"format": form} if form else {})}
    status, content, said = client.mon_command(json.dumps(command), b"")
    if status:
        raise BackupError(f"the monitors refuse `ceph {prefix}`: {said or status}")
    return bytes(content)
