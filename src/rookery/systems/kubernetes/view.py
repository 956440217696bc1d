"""What a cluster shows to who looks: its objects, what it would refuse, what programs in its pods say."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from rookery.design.model import Host
from rookery.drivers.kubernetes.kubectl import Kubectl
from rookery.drivers.machine.process import CommandError, run
from rookery.systems.protocol import VolumeUse

_ASKED_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class KubectlView:
    """The view of a cluster that kubectl has."""

    kubectl: Kubectl

    def objects(self, kind: str, *, namespace: str = "") -> tuple[Mapping[str, Any], ...]:
        """Return the objects of a kind, of a namespace or of all; raises CommandError."""
        return tuple(self.kubectl.get(kind, namespace=namespace)["items"])

    def refusal(self, wanted: Mapping[str, Any]) -> str:
        """Return why the API server would not take an object, or could not be asked; empty where it would."""
        try:
            self.kubectl.run("create", "--dry-run=server", "-f", "-", stdin=json.dumps(wanted))
        except CommandError as error:
            return (error.details or (error.what,))[-1]
        return ""

    def execute(
        self, target: str, argv: Sequence[str], *, namespace: str, stdin: str = "", timeout: float = 60.0
    ) -> str:
        """Run a command in a pod (`deploy/NAME`, `pod/NAME`) and return what it says; raises CommandError."""
        command = self.kubectl.exec_argv(target, *argv, namespace=namespace)
        return run(command, stdin=stdin, timeout=timeout)


def volume_uses(kubectl: Kubectl, hosts: Iterable[Host]) -> Iterator[VolumeUse]:
    """Yield the volumes of all pods as each kubelet counts them (its summary of statistics)."""

    def summary(host: Host) -> dict[str, Any]:
        path = f"/api/v1/nodes/{host.name}/proxy/stats/summary"
        found: dict[str, Any] = json.loads(kubectl.run("get", "--raw", path))
        return found

    told: set[str] = set()
    with ThreadPoolExecutor(max_workers=_ASKED_AT_ONCE) as pool:
        summaries = tuple(pool.map(summary, hosts))
    for pod in (one for found in summaries for one in found.get("pods", ())):
        for volume in pod.get("volume", ()):
            claim = volume.get("pvcRef")
            name = f"{claim['namespace']}/{claim['name']}" if claim else ""
            if not name or name in told:
                continue
            told.add(name)
            used, free = int(volume.get("usedBytes", 0)), int(volume.get("availableBytes", 0))
            yield VolumeUse(name=name, used=used, size=used + free)
