"""What is told of backups: sets and their parts, as the programs write them into the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rookery.errors import InputError

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One kind's part of a set: its `moment` (ISO 8601, UTC), bytes that were `moved` for it and that it is
    made of as a `whole`, seconds that copying took, and what its kind says beside."""

    kind: str
    moment: str
    moved: int
    whole: int
    seconds: float
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSet:
    """A set: `state` is `whole` where every kind of the system has its part, `partial` where some were asked
    for, `failed` with a reason by kind, and `begun` while it is taken, or where it was interrupted. `copies`
    has `whole`, or why it is not there, by the name of each place outside."""

    label: str
    system: str
    host: str
    state: str
    began: str
    ended: str
    wanted: tuple[str, ...]
    parts: tuple[Part, ...]
    failed: tuple[tuple[str, str], ...]
    copies: tuple[tuple[str, str], ...] = ()

    @property
    def moved(self) -> int:
        """Bytes that were moved for it."""
        return sum(part.moved for part in self.parts)


def parse_set(told: Mapping[str, Any]) -> BackupSet:
    """Return a set as it stands in the store; raises InputError for one that a newer version wrote."""
    if told["format"] > FORMAT:
        raise InputError(
            f"set {told['label']} was written by a newer version of rookery: format {told['format']},"
            f" this one reads {FORMAT}",
            hint="Use that version, or a later one.",
        )
    return BackupSet(
        label=told["label"],
        system=told["system"],
        host=told["host"],
        state=told["state"],
        began=told["began"],
        ended=told["ended"],
        wanted=tuple(told["wanted"]),
        parts=tuple(_parse_part(kind, part) for kind, part in told["parts"].items()),
        failed=tuple(sorted(told["failed"].items())),
        copies=tuple(sorted(told.get("copies", {}).items())),
    )


def _parse_part(kind: str, told: Mapping[str, Any]) -> Part:
    known = ("moment", "moved", "whole", "seconds")
    return Part(
        kind=kind,
        moment=told["moment"],
        moved=told["moved"],
        whole=told["whole"],
        seconds=told["seconds"],
        detail={name: value for name, value in told.items() if name not in known},
    )
