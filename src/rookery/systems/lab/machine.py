"""This machine, as a lab's checks need to know it."""

from __future__ import annotations

import os
from pathlib import Path

from rookery.design.machine import Machine
from rookery.drivers.machine import network
from rookery.drivers.machine.files import free_space

_KIB = 1024


def read_machine(*, labs: Path, without_links: str) -> Machine:
    """Return the machine's facts; `labs` is where labs live, `without_links` starts the names of the links
    whose routes belong to the lab that is looked at."""
    memory = _memory()
    return Machine(
        memory_total=memory["MemTotal"],
        memory_available=memory["MemAvailable"],
        cpus=len(os.sched_getaffinity(0)),
        disk_free=free_space(labs),
        routes=tuple(route for route in network.routes() if not route[1].startswith(without_links)),
    )


def _memory() -> dict[str, int]:
    lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    pairs = (line.split(":") for line in lines)
    return {name: int(value.split()[0]) * _KIB for name, value in pairs}
