"""What projections produce: files as values, before anyone writes them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from importlib.resources.abc import Traversable


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of a projection.

    `path` is relative to the projection's root (a rendered tree, a server's `/`); `owner` is a user name that
    exists where the file lands; `media_type` matters to content that a web server hands out.
    """

    path: str
    content: bytes
    mode: int = 0o644
    owner: str = "root"
    media_type: str = ""

    @classmethod
    def text(cls, path: str, text: str, *, mode: int = 0o644, owner: str = "root") -> File:
        return cls(path=path, content=text.encode(), mode=mode, owner=owner)


def packaged(
    folder: Traversable, prefix: str = "", *, names: Collection[str] = (), mode: int = 0o644
) -> tuple[File, ...]:
    """Return files that ship with this program, from one folder of it and sorted by name.

    They land below `prefix`; `names` are those to take, by default all that lie in the folder itself.
    """
    kept = names or [entry.name for entry in folder.iterdir() if entry.is_file()]
    top = f"{prefix}/" if prefix else ""
    return tuple(
        File(path=top + name, content=(folder / name).read_bytes(), mode=mode) for name in sorted(kept)
    )


NOT_TOLD = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program that a server's supervisor keeps running.

    `user` is empty where the program drops its privileges itself; `environment` holds name and value pairs;
    `priority` orders starts within one server, lowest first. A `gated` program does not start with its
    server: it waits until what it needs (a pool, a volume, a database) is there, and is started then.

    One that `uses_ceph` loads Ceph's libraries, or is one of its daemons: it follows Ceph's release.

    `told` is the signal that makes it read its files anew (`HUP`) where they change while it runs; without
    one it is started again. `NOT_TOLD` is for one that goes on as it began.
    """

    name: str
    argv: tuple[str, ...]
    user: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    priority: int = 500
    gated: bool = False
    told: str = ""
    uses_ceph: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a server: files, and the programs that are told when one of these changes."""

    files: tuple[File, ...]
    programs: tuple[Program, ...] = ()
