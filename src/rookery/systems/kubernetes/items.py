"""One item of the tree, applied to a cluster; and whether it is there already as it should be.

The same things that apply.sh does, with what a program can do better: a release with the same chart and
values is left alone, and a wait says what it sees.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Container, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from rookery.drivers.kubernetes.helm import Helm, Installed
from rookery.drivers.kubernetes.kubectl import Kubectl
from rookery.drivers.machine.process import CommandError
from rookery.drivers.machine.waiting import Look, wait_for
from rookery.errors import WaitError
from rookery.manifest import NeededSecret, NeededSecrets, Objects, Release, Remote, Wait, jobs_of
from rookery.mirror.folder import Mirror
from rookery.projections.kubernetes.emit import dump
from rookery.projections.kubernetes.placed import Placed
from rookery.systems.protocol import Report

_RELEASE_LIMIT = 900  # seconds; images are pulled over whatever line there is
_APPEARS = 120.0  # seconds for a controller to make what is waited for
_JOB_ENDS = 120.0  # seconds for the pods of a Job that is deleted
# What is said of a webhook or an API server that cannot be reached; what is refused is said in other words.
_SILENT = (
    *("failed calling webhook", "failed to call webhook", "etcdserver: leader changed"),
    *("connection refused", "was refused", "no route to host", "i/o timeout", "handshake timeout", ": EOF"),
)
_SILENCE_LIMIT = 180.0  # seconds; a pod of a lost node is elsewhere after some five minutes
_SILENCE_PAUSE = 2.0
_GIVEN_UP = "exceeded its progress deadline"
_SLICE = 15  # seconds of one look at a condition, after which it is said again what is seen
_LOOKS_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Applier:
    """Applies items to one cluster.

    `charts` and `remotes` lead from a chart (`name-version`) and a URL to a file of a mirror; what they do
    not have comes from where it is published.
    """

    kubectl: Kubectl
    helm: Helm
    charts: Mapping[str, str]
    remotes: Mapping[str, str]

    def apply(self, one: Placed, report: Report) -> None:
        """Make an item what it should be; raises CommandError or WaitError.

        Where somebody who has to be asked does not answer (a webhook whose node was lost, an API server that
        has just begun), it is tried again for a while.
        """
        began = time.monotonic()
        while True:
            try:
                self._make(one, report)
            except CommandError as error:
                silent = next((line for line in error.details if _is_silent(line)), "")
                if not silent or time.monotonic() - began > _SILENCE_LIMIT:
                    raise
            else:
                return
            report(f"nobody answers: {silent.strip()}")
            time.sleep(_SILENCE_PAUSE)

    def _make(self, one: Placed, report: Report) -> None:
        item = one.item
        if isinstance(item, Objects):
            for job in jobs_of(item):
                self.kubectl.run(*job.others, namespace=job.namespace, limit=_JOB_ENDS)
            self.kubectl.apply("-", stdin=dump(item.objects))
        elif isinstance(item, Remote):
            self.kubectl.apply(self.remotes.get(item.url, item.url))
        elif isinstance(item, NeededSecrets):
            for needed in item.secrets:
                self._ensure_secret(needed)
        elif isinstance(item, Release):
            self._ensure_release(item, report)
        else:
            self._wait(item, report)

    def facts(self, placed: Iterable[Placed]) -> frozenset[str]:
        """Return the ids of the items that are in the cluster as they should be."""
        items = tuple(placed)
        installed = {(one.namespace, one.name): one for one in self.helm.releases()}
        with ThreadPoolExecutor(max_workers=_LOOKS_AT_ONCE) as pool:
            same = self._same(pool, items)
            holding = pool.map(lambda one: self._holds(one, installed, same), items)
            return frozenset(one.id for one, holds in zip(items, holding, strict=True) if holds)

    def _same(self, pool: Executor, items: Sequence[Placed]) -> frozenset[str]:
        """Return the ids of those that are objects and are there as they are written.

        Most often all of them are. So they are compared a share at once, and one by one only where a share
        differs: to begin kubectl takes longer than to compare.
        """
        objects = {one.id: one.item.objects for one in items if isinstance(one.item, Objects)}

        def is_same(ids: Sequence[str]) -> bool:
            wanted = [found for name in ids for found in objects[name]]
            return not self.kubectl.differs("-", stdin=dump(wanted))

        names = tuple(objects)
        shares = [share for start in range(_LOOKS_AT_ONCE) if (share := names[start::_LOOKS_AT_ONCE])]
        whole = [share for share, same in zip(shares, pool.map(is_same, shares), strict=True) if same]
        rest = [(name,) for share in shares if share not in whole and len(share) > 1 for name in share]
        alone = [share for share, same in zip(rest, pool.map(is_same, rest), strict=True) if same]
        return frozenset(name for share in (*whole, *alone) for name in share)

    def _holds(
        self, one: Placed, installed: Mapping[tuple[str, str], Installed], same: Container[str]
    ) -> bool:
        item = one.item
        if isinstance(item, Objects):
            return one.id in same and not self._has_others(item)
        if isinstance(item, Remote):
            return not self.kubectl.differs(self.remotes.get(item.url, item.url))
        if isinstance(item, Release):
            there = installed.get((item.namespace, item.name))
            return there is not None and self._is_current(item, there)
        if isinstance(item, NeededSecrets):
            return all(self._has_secret(needed) for needed in item.secrets)
        return self._is_met(item)

    def _has_others(self, item: Objects) -> bool:
        """Whether a Job is there that one of these takes the place of."""
        return any(
            one["metadata"]["name"] != job.name
            for job in jobs_of(item)
            for one in self.kubectl.get("jobs", namespace=job.namespace, selector=job.selector)["items"]
        )

    def _is_met(self, item: Wait) -> bool:
        try:
            self.kubectl.wait(item, seconds=0)
        except CommandError:
            return False
        return True

    def _is_current(self, item: Release, there: Installed) -> bool:
        wanted = json.loads(json.dumps(item.values))
        return (
            there.status == "deployed"
            and there.chart == chart_id(item)
            and self.helm.values(item.name, item.namespace) == wanted
        )

    def _ensure_release(self, item: Release, report: Report) -> None:
        there = next(
            (one for one in self.helm.releases() if (one.namespace, one.name) == (item.namespace, item.name)),
            None,
        )
        if there is not None and there.status.startswith("pending"):
            report("an earlier command was interrupted; the release is freed first")
            self.helm.unlock(item.name, item.namespace)
        local = self.charts.get(chart_id(item))
        source = () if local else ("--repo", item.chart.repository, "--version", item.chart.version)
        waits = ("--wait", f"--timeout={_RELEASE_LIMIT}s") if item.waits else ()
        self.helm.upgrade(
            item.name,
            namespace=item.namespace,
            chart=local or item.chart.name,
            values=item.values,
            options=(*source, *waits),
            limit=_RELEASE_LIMIT + 60,
        )

    def _has_secret(self, needed: NeededSecret) -> bool:
        return self.kubectl.find("secret", needed.name, namespace=needed.namespace) is not None

    def _ensure_secret(self, needed: NeededSecret) -> None:
        if self._has_secret(needed):
            return
        user = {"username": needed.username} if needed.username else {}
        content = {**user, needed.key: secrets.token_hex(24)}
        self.kubectl.make_secret(needed.name, content, namespace=needed.namespace, labels=dict(needed.labels))

    def _wait(self, item: Wait, report: Report) -> None:
        """Wait for an object, then for its condition, in slices: each tells what is seen meanwhile."""
        what = f"{item.kind} {item.name}"
        if item.name != "--all":
            wait_for(what, lambda: self._look(item), limit=_APPEARS, report=report)
        waited = 0
        while waited < item.seconds:
            try:
                self.kubectl.wait(item, seconds=_SLICE)
            except CommandError as error:
                if _GIVEN_UP in error.output:
                    # Its controller says so at once, and goes on trying all the same.
                    time.sleep(_SLICE)
                elif "timed out" not in error.output:
                    raise
                waited += _SLICE
                report(f"{what}: {self._state(item)}, for {waited} s")
            else:
                return
        raise WaitError(
            f"waited {waited} s for {what}: {item.condition}, in vain",
            details=(f"seen last: {self._state(item)}",),
            hint="Run the command again to go on; `kubectl describe` of it says more.",
        )

    def _look(self, item: Wait) -> Look[bool]:
        there = self.kubectl.find(item.kind, item.name, namespace=item.namespace) is not None
        return Look(seen="it is there" if there else "not made yet", value=True if there else None)

    def _state(self, item: Wait) -> str:
        """Return what an object says of itself, in few words."""
        try:
            found = self.kubectl.get(
                item.kind, "" if item.name == "--all" else item.name, namespace=item.namespace
            )
        except CommandError:
            return "it cannot be read"
        objects = found.get("items", [found])
        return "; ".join(_says(one) for one in objects[:3]) or "there is none"


def _is_silent(line: str) -> bool:
    """Tell whether a line of kubectl's or helm's says that somebody does not answer, for now."""
    return any(words in line for words in _SILENT)


def applier_of(placed: Iterable[Placed], mirror: Mirror | None, *, kubectl: Kubectl, helm: Helm) -> Applier:
    """Return what applies these items to a cluster, from a mirror where there is one."""
    items = [one.item for one in placed] if mirror else []
    charts = [item for item in items if isinstance(item, Release)]
    remotes = [item for item in items if isinstance(item, Remote)]
    return Applier(
        kubectl=kubectl,
        helm=helm,
        charts={chart_id(item): str(mirror.chart(item.chart)) for item in charts if mirror},
        remotes={item.url: str(mirror.remote(item)) for item in remotes if mirror},
    )


def chart_id(item: Release) -> str:
    """Return a chart as Helm lists it: its name, a dash, its version."""
    return f"{item.chart.name}-{item.chart.version}"


def _says(found: Mapping[str, Any]) -> str:
    """Return an object's phase, or the message of the first condition that is not as it should be."""
    status = found.get("status", {})
    name = found["metadata"]["name"]
    ceph = status.get("ceph", {}).get("health", "")
    phase = " ".join(word for word in (str(status.get("phase", "")), ceph) if word)
    if phase:
        return f"{name} {phase}"
    waiting = [one for one in status.get("conditions", []) if one.get("status") != "True"]
    return (
        f"{name} {waiting[0].get('message') or waiting[0]['type']}" if waiting else f"{name} has no state yet"
    )
