"""What a lab's checks need to know of the machine that is to run it.

Plain facts: whoever can look at the machine reads them, the checks only compare.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One Linux machine. Memory and disk are bytes.

    `memory_available` is what can still be taken without swapping (MemAvailable); `disk_free` is free where
    the labs live; `disk_taken` is what the lab that is checked has there already, and `image_built` tells
    whether the servers' image is there. `routes` pairs each IPv4 network that the machine routes with its
    interface or a description; the routes of the lab that is checked are left out, so that its own bridge is
    no conflict.
    """

    memory_total: int
    memory_available: int
    cpus: int
    disk_free: int
    routes: tuple[tuple[str, str], ...] = ()
    disk_taken: int = 0
    image_built: bool = True
