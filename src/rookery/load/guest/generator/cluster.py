"""How full the cluster is. Load ends before the drives are full: a full cluster takes no writes from anyone.

Two ways of looking, because either may be lost: the monitors know which OSDs said of themselves that they
are nearly full, and the manager knows how full each is.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FIRST = 6.0  # seconds for the first look of whoever looks for us
_STALE = 15.0  # seconds after which what another saw counts as nothing
_FULL_CHECKS = frozenset(
    ("OSD_NEARFULL", "OSD_BACKFILLFULL", "OSD_FULL", "POOL_NEARFULL", "POOL_BACKFILLFULL", "POOL_FULL")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fullness:
    """What one look showed: the ratio of the fullest OSD (None where the manager is silent), the ratio from
    which on an OSD is nearly full, and why load has to end (empty where it may go on)."""

    fullest: float | None
    osd: str
    nearfull: float
    reason: str


def judge(dump: dict[str, Any], health: dict[str, Any], usage: dict[str, Any] | None) -> Fullness:
    """Judge by the answers to `osd dump`, `health` and `osd df`."""
    nearfull = float(dump["nearfull_ratio"])
    fullest, osd = None, ""
    for node in (usage or {}).get("nodes", ()):
        if node["kb"] and (fullest is None or node["kb_used"] / node["kb"] > fullest):
            fullest, osd = node["kb_used"] / node["kb"], f"osd.{node['id']}"
    reason = ""
    raised = sorted(_FULL_CHECKS & set(health.get("checks", {})))
    if fullest is not None and fullest >= nearfull:
        reason = f"{osd} is {fullest:.1%} full, and nearfull is {nearfull:.1%}"
    elif raised:
        reason = f"the cluster says {', '.join(raised)}"
    return Fullness(fullest=fullest, osd=osd, nearfull=nearfull, reason=reason)


class Cluster:
    """The cluster through the eyes of another program, which has librados: that of a client whose cluster
    breaks may crash, and a generator would be gone with it.

    `file` in the settings is what it writes; `eyes`, where they are there, the command that starts it beside
    the generator, again where it ended.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self._reports = Reports(settings["file"])
        self._eyes: list[str] = settings.get("eyes", [])
        self._process: asyncio.subprocess.Process | None = None
        self.seen_at = time.monotonic()
        self.seen: Fullness | None = None
        self.error = ""

    async def look(self) -> Fullness | None:
        """Look now; None where nothing is to be seen, `error` says why then."""
        await self._open_eyes()
        try:
            self.seen = self._reports.look()
        except (OSError, ValueError, KeyError, TypeError) as error:
            self.error = f"{type(error).__name__}: {error}"[:160]
            return None
        self.seen_at, self.error = time.monotonic(), ""
        return self.seen

    async def close(self) -> None:
        """End whoever looks for us."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def _open_eyes(self) -> None:
        """Start whoever looks for us where nobody does, and give the first look a moment."""
        if not self._eyes or (self._process is not None and self._process.returncode is None):
            return
        first = self._process is None
        self._process = await asyncio.create_subprocess_exec(*self._eyes, stdin=asyncio.subprocess.DEVNULL)
        deadline = time.monotonic() + _FIRST
        while first and not self._reports.there and time.monotonic() < deadline:  # noqa: ASYNC110 - a file's
            await asyncio.sleep(0.1)


class Reports:
    """What somebody beside us sees who has a way to the cluster, in a file that is renewed every few seconds:
    `at` in seconds since 1970, and `dump`, `health` and `usage` as for `judge`, or `error`."""

    def __init__(self, file: str) -> None:
        self._file = Path(file)

    @property
    def there(self) -> bool:
        return self._file.exists()

    def look(self) -> Fullness:
        report = json.loads(self._file.read_text(encoding="utf-8"))
        age = time.time() - report["at"]
        if age > _STALE:
            raise OSError(f"the last look was {age:.0f} s ago")
        if report.get("error"):
            raise OSError(report["error"])
        return judge(report["dump"], report["health"], report["usage"])
