"""Answers that go wrong on demand: the Nth call of a kind fails, hangs, or loses its connection.

Before its effect or after it: a client that was told nothing cannot tell which, and must find out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

Kind = Literal["status", "hang", "drop"]
When = Literal["before", "after"]


@dataclass(slots=True, kw_only=True)
class Fault:
    """What goes wrong.

    Of the calls whose method and path (below /v1, with `*` for any part) are these, the one numbered `nth`
    and the `times` - 1 that come after it. `status`: it is answered with that status, as a proxy does, in
    HTML, or with `code` as the API itself does. `hang`: it is not answered for so many `seconds`, and then
    dropped. `drop`: its connection is cut. `when` says whether what was asked for happens first.
    """

    kind: Kind
    when: When = "before"
    method: str = "*"
    path: str = "*"
    nth: int = 1
    times: int = 1
    status: int = 503
    code: str = ""
    seconds: float = 3600.0
    seen: int = 0

    def strikes(self, method: str, path: str) -> bool:
        """Whether this call is one; counts it where it is like one."""
        if not fnmatchcase(method, self.method) or not fnmatchcase(path, self.path):
            return False
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times


@dataclass(slots=True)
class Faults:
    """All that is to go wrong."""

    planned: list[Fault] = field(default_factory=list)

    def of(self, method: str, path: str) -> Fault | None:
        """Return what goes wrong with this call; each planned fault counts it."""
        struck = [fault for fault in self.planned if fault.strikes(method, path)]
        return struck[0] if struck else None
