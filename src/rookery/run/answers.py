"""What a script reads: the same facts as the tables, as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from enum import Enum
from typing import Any

from pydantic import BaseModel

from rookery.design.checks import Finding
from rookery.design.model import Design
from rookery.design.survival import survival
from rookery.plan.step import Step
from rookery.run.backup_age import CheckAge, SetAge
from rookery.run.down import Departure
from rookery.run.engine import phase_seconds
from rookery.run.fullness import Look
from rookery.run.prepared import Arrival
from rookery.run.state import State
from rookery.run.verify.result import Outcome, Result
from rookery.systems.protocol import Endpoint

# What a plan says of a loss; what it says of each pool and service is in the promise, too much for a table.
_STATEMENT = ("subject", "data", "service", "heals", "reason")


def to_json(value: Any) -> str:
    return json.dumps(value, indent=2, default=_plain)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, BaseModel):
        return value.model_dump(by_alias=True, mode="json")
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"{type(value).__name__} has no JSON form")


def plan_data(design: Design, findings: Sequence[Finding], steps: Sequence[Step] | None) -> dict[str, Any]:
    """Return a plan; `steps` is None where this machine cannot tell what is left to do."""
    rows = [{name: getattr(row, name) for name in _STATEMENT} for row in survival(design)]
    return {"design": design, "findings": findings, "survival": rows, "steps": steps}


def status_data(
    design: Design,
    state: State,
    endpoints: Sequence[Endpoint],
    fullness: Look,
    backups: SetAge | None = None,
) -> dict[str, Any]:
    # Passwords are for people at a terminal; a script asks for them by name.
    return {
        "name": design.name,
        "health": state.health,
        "ceph": state.versions,
        "hosts": state.hosts,
        "apps": state.instances,
        "fullness": fullness,
        **({"backups": _age_data(backups)} if backups is not None else {}),
        "endpoints": [{"name": endpoint.name, "url": endpoint.url} for endpoint in endpoints],
    }


def _age_data(backups: SetAge) -> dict[str, Any]:
    return {
        "set": backups.label,
        "seconds": backups.age,
        "every": backups.every,
        "due": backups.due,
        "overdue": backups.is_overdue,
        "trouble": backups.trouble,
        **({"check": _check_data(backups.check)} if backups.check is not None else {}),
    }


def _check_data(check: CheckAge) -> dict[str, Any]:
    return {
        "seconds": check.age,
        "every": check.every,
        "overdue": check.is_overdue,
        "problems": check.problems,
    }


def verify_data(results: Sequence[Result]) -> dict[str, Any]:
    counts = {outcome.value: sum(r.outcome is outcome for r in results) for outcome in Outcome}
    return {"summary": counts, "checks": results}


def up_data(design: Design, arrival: Arrival, endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    phases = [
        {"phase": phase, "from": round(began, 3), "to": round(ended, 3)}
        for phase, began, ended in phase_seconds(arrival.timings)
    ]
    steps = [{"step": t.step.id, "from": round(t.began, 3), "to": round(t.ended, 3)} for t in arrival.timings]
    return {
        "name": design.name,
        "seconds": round(arrival.seconds, 3),
        "verifySeconds": round(arrival.verify_seconds, 3),
        "phases": phases,
        "steps": steps,
        "endpoints": [{"name": endpoint.name, "url": endpoint.url} for endpoint in endpoints],
        "verify": verify_data(arrival.results),
    }


def down_data(name: str, departure: Departure) -> dict[str, Any]:
    return {
        "name": name,
        "seconds": round(departure.seconds, 3),
        "removed": len(departure.found),
        "left": departure.left,
    }
