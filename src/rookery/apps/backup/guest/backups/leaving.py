"""The end of backups in a system that goes on: what they hold of its storage goes, what is stored stays.

It comes before the agent and its configuration are taken away, and may be done again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .errors import BackupError
from .kind import Work

End = Callable[[Work], None]


def leave(work: Work, ends: Mapping[str, End]) -> list[str]:
    """Let every kind of the system go; return what went wrong. A store that is full or gone keeps nobody from
    it."""
    troubles = []
    for name in work.told.kinds:
        if name in ends:
            work.report(f"{name}: the end")
            try:
                ends[name](work)
            except BackupError as error:
                troubles.append(f"{name}: {error.what}")
    return troubles
