"""The power of a lab's servers: a cut is the end of a server's first process, and with it of all others."""

from __future__ import annotations

from rookery.drivers.containers.runc import Runc
from rookery.drivers.machine.waiting import Look, wait_for

_OFF_LIMIT = 30.0  # seconds; the kernel frees a server's memory first


def cut_power(runc: Runc, container_id: str) -> None:
    """End a server as a power cut does, and wait until nothing of it runs.

    The kernel kills what is in the pid namespace of the first process together with it: nobody there hears of
    it, writes anything or says goodbye. One that is frozen is ended all the same; one that is off stays off.
    """
    if container_id not in runc.running():
        return
    runc.kill(container_id, "KILL")

    def look() -> Look[bool]:
        running = container_id in runc.running()
        return Look(seen="it runs" if running else "it is off", value=None if running else True)

    wait_for(f"{container_id} to be off", look, limit=_OFF_LIMIT, report=lambda _: None)
