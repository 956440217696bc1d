"""What a run leaves: a status that is renewed every second, and a record that is renewed every few.

Both are written whole or not at all, so that a reader never sees half a file and a killed run leaves the
record of what it did until then.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .meters import Meter, Series


class Book:
    """Figures of a run, and where they are written. `job` is what the run was asked to do."""

    def __init__(self, job: Mapping[str, Any], meters: Mapping[str, Meter]) -> None:
        self._job = job
        self._folder = Path(str(job["folder"]))
        self._meters = meters
        self._series = Series(tuple(meters))
        self._began = time.monotonic()
        self.state = "starting"
        self.message = ""
        self.facts: dict[str, Any] = {}
        self._ended = ""
        self._why = ""

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began

    def second(self) -> None:
        for meter in self._meters.values():
            meter.second()
        _write(self._folder / "status.json", self._data())

    def part(self) -> None:
        """Add a point to the time series, and renew the record."""
        self._series.add({kind: meter.part() for kind, meter in self._meters.items()})
        _write(self._folder / str(self._job["record"]), {**self._data(), "series": self._series.data()})

    @property
    def interval(self) -> int:
        """Seconds between two points of the time series."""
        return self._series.interval

    def close(self, why: str) -> None:
        """Write the last status and record."""
        self.state, self._why, self._ended = "ended", why, _now()
        self.part()
        self.second()

    def _data(self) -> dict[str, Any]:
        job = self._job
        return {
            **{
                name: job[name]
                for name in (
                    *("version", "system", "description", "began", "record", "history", "settings", "off"),
                )
            },
            "ended": self._ended or None,
            "why": self._why or None,
            "state": self.state,
            "message": self.message,
            "seen": _now(),
            "seconds": round(self.elapsed, 1),
            "kinds": {kind: meter.figures(self.elapsed) for kind, meter in self._meters.items()},
            **self.facts,
        }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")  # noqa: TID251 - a program of its own


def _write(path: Path, data: Mapping[str, Any]) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(json.dumps(data) + "\n", encoding="utf-8")
    temporary.chmod(0o600)
    temporary.replace(path)
