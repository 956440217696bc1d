"""What the last look at all that is stored found: it stays in the store, so that any host can tell."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import BackupError
from .kind import Work, now

KEY = "checked.json"
_MOST = 50  # problems that are kept of each kind


def keep(work: Work, found: Mapping[str, Sequence[str]], *, deep: bool, error: str = "") -> None:
    """Keep what was found of each kind, or why nobody could look."""
    problems = {kind: list(some[:_MOST]) for kind, some in found.items() if some}
    told = {"at": now(), "deep": deep, "kinds": sorted(found), "problems": problems, "error": error}
    with contextlib.suppress(BackupError):  # a store that does not take it is what the look itself says
        work.store.put_json(KEY, told)


def read(work: Work) -> dict[str, Any] | None:
    """Return what was kept last: `at`, `deep`, `kinds`, `problems` by kind, `error`; None for nothing."""
    found: dict[str, Any] | None = work.store.get_json(KEY)
    return found
