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

_LIMIT = "5"  # seconds for an answer of the monitors or the manager
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
    """The cluster as a user sees it that may look and no more, directly or through another's eyes."""

    def __init__(self, settings: dict[str, str]) -> None:
        self._source = Reports(settings["file"]) if "file" in settings else _Connection(settings)
        self.seen_at = time.monotonic()
        self.seen: Fullness | None = None
        self.error = ""

    async def look(self) -> Fullness | None:
        """Look now; None where nothing is to be seen, `error` says why then."""
        try:
            self.seen = await asyncio.to_thread(self._source.look)
        except Exception as error:  # noqa: BLE001 - librados raises many; whatever it is, nothing was seen
            self.error = f"{type(error).__name__}: {error}"[:160]
            return None
        self.seen_at, self.error = time.monotonic(), ""
        return self.seen


class Reports:
    """What somebody beside us sees who has a way to the cluster, in a file that is renewed every few seconds:
    `at` in seconds since 1970, and `dump`, `health` and `usage` as for `judge`, or `error`."""

    def __init__(self, file: str) -> None:
        self._file = Path(file)

    def look(self) -> Fullness:
        report = json.loads(self._file.read_text(encoding="utf-8"))
        age = time.time() - report["at"]
        if age > _STALE:
            raise OSError(f"the last look was {age:.0f} s ago")
        if report.get("error"):
            raise OSError(report["error"])
        return judge(report["dump"], report["health"], report["usage"])


class _Connection:
    """A connection to the cluster by librados."""

    def __init__(self, settings: dict[str, str]) -> None:
        self._settings = settings
        self._connection: Any = None

    def look(self) -> Fullness:
        connection = self._connected()
        dump = _ask(connection.mon_command, "osd dump")
        health = _ask(connection.mon_command, "health")
        try:
            usage = _ask(connection.mgr_command, "osd df")
        except Exception:  # noqa: BLE001 - no manager is active for a while: the monitors know enough
            usage = None
        return judge(dump, health, usage)

    def _connected(self) -> Any:
        if self._connection is None:
            import rados

            connection = rados.Rados(conffile=self._settings["conf"], name=f"client.{self._settings['user']}")
            for option in ("rados_mon_op_timeout", "rados_osd_op_timeout", "client_mount_timeout"):
                connection.conf_set(option, _LIMIT)
            connection.connect(timeout=int(_LIMIT))
            self._connection = connection
        return self._connection


def _ask(command: Any, prefix: str) -> dict[str, Any]:
    code, out, status = command(json.dumps({"prefix": prefix, "format": "json"}), b"", timeout=int(_LIMIT))
    if code:
        raise OSError(-code, status)
    answer: dict[str, Any] = json.loads(out)
    return answer
