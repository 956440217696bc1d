"""Memory of a server's processes, from its cgroup; cgroup v1 and v2 count it under different names."""

from __future__ import annotations

from pathlib import Path

from rookery.systems.lab.paths import CGROUP_ROOT


def cgroup_memory(cgroup: str) -> int | None:
    """Return a cgroup's anonymous memory in bytes (cache can be dropped, this cannot), None if unknown."""
    for root, key in ((CGROUP_ROOT / "memory", "total_rss"), (CGROUP_ROOT, "anon")):
        value = _stat(root / cgroup.lstrip("/") / "memory.stat", key)
        if value is not None:
            return value
    return None


def _stat(path: Path, key: str) -> int | None:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.split()[0] == key), None)
