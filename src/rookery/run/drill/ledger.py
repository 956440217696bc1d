"""The ledger: what was written where, and when; kept outside of what the drill destroys."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One entry of one kind: its number, by when it was safely written (seconds since 1970, by the system's
    clock), the SHA-256 of its content, and its bytes."""

    number: int
    at: float
    digest: str
    size: int


Ledger = Mapping[str, tuple[Line, ...]]
"""The lines of each kind, by number."""


def build_ledger(bulk: Mapping[str, Any], steady: Iterable[Mapping[str, Any]], *, size: int) -> Ledger:
    """Return the ledger of what was written at first, each kind at once, and of what was written after that,
    one entry after the other; entries of the first have `size` bytes."""
    found: dict[str, list[Line]] = {}
    for kind, told in bulk.items():
        at = moment(told["at"])
        lines = [
            Line(number=int(number), at=at, digest=digest, size=size)
            for number, digest in told["digests"].items()
        ]
        found[kind] = sorted(lines, key=lambda line: line.number)
    for one in steady:
        for kind, digest in one["digests"].items():
            line = Line(number=one["number"], at=moment(one["at"]), digest=digest, size=STEADY_SIZE)
            found[kind].append(line)
    return {kind: tuple(lines) for kind, lines in found.items()}


STEADY_SIZE = 4096
"""Bytes of an entry that is written while the set is taken, and after it."""


def moment(text: str) -> float:
    """Return a moment as the programs write it, in seconds since 1970."""
    return dt.datetime.fromisoformat(text).timestamp()
