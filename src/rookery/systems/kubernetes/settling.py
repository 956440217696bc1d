"""After servers of a lab were started again: until what the cluster says of them is of their new life.

A server that lost power says nothing. Its pods are said to run, its daemons to be up, and all to be well,
until somebody looks again: what is waited for would be there at once, and be wrong.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rookery.apps.ground.names import CEPH_CLUSTER, ROOK
from rookery.design.model import Design, Role
from rookery.drivers.kubernetes.kubectl import Kubectl
from rookery.drivers.machine.waiting import Look, wait_for
from rookery.errors import WaitError
from rookery.systems.kubernetes.status import host_statuses, outlived
from rookery.systems.protocol import Report

_SEEN = 300.0  # seconds for a server's kubelet to say what became of its pods, and for Rook to look again
_RETURNS = (
    180.0  # seconds for pods to be ready again; what is not by then, the next waits and the checks judge
)
_NOTICED = 25.0  # seconds until monitors miss an OSD: `osd_heartbeat_grace` is 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """What a cluster says of a lab's servers; `began` tells when each was started, None for a lost one."""

    design: Design
    kubectl: Kubectl
    began: Callable[[], Mapping[str, float | None]]

    def outlived(self) -> tuple[str, ...]:
        """Return the pods that the cluster says run on servers that were lost."""
        return outlived(self._pods(), self.began())

    def settle(self, started: Collection[str], report: Report) -> None:
        """Wait until pods, and Ceph, are seen as they are since servers were started again.

        Raises WaitError where a kubelet, or Rook, does not look again within its limit.
        """
        noticed = time.time() + _NOTICED

        def gone() -> Look[bool]:
            left = self.outlived()
            return Look(seen=_few(left), value=None if left else True)

        wait_for("pods of lost servers to be seen as such", gone, limit=_SEEN, report=report)
        if not self._ceph():
            return  # a cluster that is new: nothing was lost in it

        def back() -> Look[bool]:
            left = self._missing(started)
            return Look(seen=_few(left), value=None if left else True)

        with contextlib.suppress(WaitError):
            wait_for("pods of servers that were started", back, limit=_RETURNS, report=report)
        if any(host.name in started for host in self.design.with_role(Role.STORAGE)):
            wait_for("Rook to ask Ceph", lambda: self._asked(noticed), limit=_SEEN, report=report)

    def _missing(self, started: Collection[str]) -> tuple[str, ...]:
        hosts = host_statuses(self.design, (), self._pods())
        programs = [one for host in hosts if host.name in started for one in host.programs]
        return tuple(f"{one.name} on {one.host}" for one in programs if not one.running)

    def _asked(self, since: float) -> Look[bool]:
        asked = str(self._ceph().get("status", {}).get("ceph", {}).get("lastChecked", ""))
        # An older Rook does not say when.
        new = not asked or datetime.fromisoformat(asked).timestamp() >= since
        return Look(seen=f"it did at {asked}", value=True if new else None)

    def _ceph(self) -> dict[str, Any]:
        return self.kubectl.find("cephcluster", CEPH_CLUSTER, namespace=ROOK) or {}

    def _pods(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.kubectl.get("pods")["items"]
        return found


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) or "none"
