"""What a cluster says of itself: its health, and which versions run."""

from __future__ import annotations

import re
from typing import Any


def health_of(status: dict[str, Any], *, expected: tuple[str, ...] = ()) -> tuple[str, int, int]:
    """Return the health with its reasons, the PGs that are active+clean, and all PGs.

    What is muted is no reason. A cluster that says nothing but what is `expected`, by what the health codes
    begin with, is HEALTH_OK.
    """
    said = {code: check for code, check in status["health"]["checks"].items() if not check.get("muted")}
    checks = [check for code, check in said.items() if not code.startswith(expected)]
    health = status["health"]["status"] if checks or not said else "HEALTH_OK"
    if checks:
        health += f" ({'; '.join(check['summary']['message'] for check in checks)})"
    states = status["pgmap"]["pgs_by_state"]
    clean = sum(state["count"] for state in states if state["state_name"] == "active+clean")
    return health, clean, int(status["pgmap"]["num_pgs"])


def versions_of(versions: dict[str, Any]) -> tuple[str, ...]:
    """Return the versions that daemons run (`20.2.4`), the oldest first, from what `ceph versions` says."""
    found = {text.split()[2] for text in versions["overall"]}
    return tuple(sorted(found, key=lambda one: [int(part) for part in re.findall(r"\d+", one)]))
