"""Load on Kubernetes: the generator in a pod of its own, which comes to the site as its users do.

Its status is read out of the pod, and kept here each time it is: the last one that was seen says how far a
generator came that is lost with its node.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rookery.apps.database.clients import secret_name
from rookery.apps.ground.pods import NAMESPACE
from rookery.design.model import Design
from rookery.drivers.ceph.session import render_keyring
from rookery.drivers.kubernetes.kubectl import Kubectl
from rookery.drivers.machine.files import write_whole
from rookery.drivers.machine.process import CommandError
from rookery.drivers.machine.waiting import Look, wait_for
from rookery.errors import RookeryError, WaitError
from rookery.load.model import (
    CA_FILE,
    FOLDER,
    SECRETS_FILE,
    USER,
    Figures,
    Job,
    parse_figures,
    render_job,
    with_end,
)
from rookery.projections.kubernetes.emit import dump
from rookery.projections.kubernetes.load import (
    EYES,
    GENERATOR,
    JOB_FILE,
    POD,
    SEEN_FILE,
    load_objects,
    monitors_of,
    render_client_conf,
)
from rookery.systems.kubernetes.status import is_ready
from rookery.systems.protocol import Credentials, Report
from rookery.versions import DISTRIBUTIONS

_STATUS = "status.json"
_START_LIMIT = 300.0  # seconds: a node may have to pull Ceph's image first
_STOP_LIMIT = 100.0  # seconds: it drains for some, and removes objects and tables for up to 60
_GONE = 120  # seconds for the pod to be gone
_LOST = "the generator was lost: its pod was removed, or its node"
_ASK = "import os, signal, sys; os.kill(1, int(sys.argv[1]))"
_TERM, _INT = "15", "2"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterLoad:
    """The load of one system. `addresses`, `authority` and `s3` are asked when a run starts."""

    design: Design
    kubectl: Kubectl
    records: Path
    addresses: Callable[[], Mapping[str, str]]
    authority: Callable[[], Path]
    s3: Callable[[str], Credentials]
    secret: Callable[[str, str], Mapping[str, str]]

    def figures(self) -> Figures | None:
        """Return what the last run says of itself, None where there was none."""
        # Looked at first: a generator that ends in between has written its last status before it ended.
        pod = self._pod()
        answers = self._fetch(_STATUS, pod)
        text = self._kept(_STATUS)
        if text is None:
            return None
        seen = parse_figures(text)
        if not seen.running:
            return seen
        if not _runs(pod, GENERATOR):
            return parse_figures(with_end(text, why=_LOST))
        # Kubernetes takes minutes to give up the pods of a node that is silent.
        return (
            seen if answers else replace(seen, message=f"its pod is silent since {json.loads(text)['seen']}")
        )

    def start(self, job: Job, report: Report) -> Figures:
        """Start a run and wait until its generator counts; the caller has looked that none runs."""
        self._close_lost()
        self._clear()
        (self.records / _STATUS).unlink(missing_ok=True)
        objects = load_objects(self.design, self._told(job), self.addresses())
        self.kubectl.apply("-", stdin=dump(objects))
        try:
            return wait_for("the generator", self._look_counting, limit=_START_LIMIT, report=report)
        except RookeryError:
            self._clear()
            raise

    def stop(self, *, keep: bool, report: Report) -> Figures | None:
        """End the run if there is one, keep its record here and remove its pod; return what it says."""

        def look() -> Look[bool]:
            if not _runs(self._pod(), GENERATOR):
                return Look(seen="ended", value=True)
            seen = self.figures()
            # As the first process of its container it is deaf while it starts: it is asked again.
            if seen is None or seen.state in ("starting", "running"):
                self._ask_to_end(_INT if keep else _TERM)
            return Look(seen=seen.state if seen else "silent")

        with contextlib.suppress(WaitError):
            wait_for("the load to end", look, limit=_STOP_LIMIT, report=report)
        seen = self._close_lost()
        if seen is not None and seen.state != "lost":
            self._fetch(seen.record, self._pod())
        self._clear()
        return seen

    def _look_counting(self) -> Look[Figures]:
        seen = self.figures()
        if seen is not None:
            return Look(seen=seen.state, value=seen)
        pod = self._pod()
        ended = _state(pod, GENERATOR).get("terminated")
        if ended is not None:
            said = self.kubectl.run("logs", POD, f"--container={GENERATOR}", namespace=NAMESPACE)
            raise RookeryError(
                f"the generator ended at once: {ended.get('reason', 'for no reason that is known')}",
                details=tuple(said.strip().splitlines()[-8:]),
            )
        return Look(seen=_waits_for(pod))

    def _ask_to_end(self, signal: str) -> None:
        # Where it ends by itself in between, there is nobody to ask.
        with contextlib.suppress(CommandError):
            self._exec(GENERATOR, "python3", "-c", _ASK, signal)

    def _close_lost(self) -> Figures | None:
        """Keep of a generator that is gone that it was lost; return its figures."""
        seen = self.figures()
        if seen is not None and seen.state == "lost":
            self._fetch(seen.record, self._pod())
            for name in (_STATUS, seen.record):
                text = self._kept(name)
                if text is not None:
                    self._keep(name, with_end(text, why=_LOST))
        return seen

    def _clear(self) -> None:
        """Remove the pod and its secret; records stay."""
        # On a node that is silent nobody says that a pod has ended: it would be waited for all the while.
        at_once = () if self._node_answers() else ("--force", "--grace-period=0")
        for kind, options in (("pod", at_once), ("secret", ())):
            words = ("delete", kind, POD, "--ignore-not-found", f"--timeout={_GONE}s", *options)
            self.kubectl.run(*words, namespace=NAMESPACE, limit=_GONE + 10.0)

    def _node_answers(self) -> bool:
        node = self._pod().get("spec", {}).get("nodeName", "")
        found = self.kubectl.find("node", node) if node else None
        return found is None or is_ready(found)

    def _fetch(self, name: str, pod: Mapping[str, Any]) -> bool:
        """Keep here what the generator left; tell whether the pod handed it out."""
        if not _runs(pod, EYES):
            return False
        try:
            self._keep(name, self._exec(EYES, "cat", f"{FOLDER}/{name}"))
        except CommandError:
            return False
        return True

    def _kept(self, name: str) -> str | None:
        try:
            return (self.records / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def _keep(self, name: str, text: str) -> None:
        self.records.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(self.records / name, text.encode(), mode=0o600)

    def _exec(self, container: str, *command: str) -> str:
        words = ("exec", POD, f"--container={container}", "--", *command)
        return self.kubectl.run(*words, namespace=NAMESPACE)

    def _pod(self) -> Mapping[str, Any]:
        return self.kubectl.find("pod", POD, namespace=NAMESPACE) or {}

    def _told(self, job: Job) -> dict[str, str]:
        namespace = DISTRIBUTIONS[self.design.distribution].namespace
        endpoints = self.kubectl.get("configmap", "rook-ceph-mon-endpoints", namespace=namespace)
        key = self.secret(f"rook-ceph-client-{USER}", namespace)[USER]
        return {
            JOB_FILE: render_job(job, cluster={"file": SEEN_FILE}),
            SECRETS_FILE: json.dumps(self._secrets(job)),
            CA_FILE.rpartition("/")[2]: self.authority().read_text(encoding="utf-8"),
            "ceph.conf": render_client_conf(monitors_of(endpoints["data"]["data"])),
            "keyring": render_keyring([(f"client.{USER}", key, ())]),
        }

    def _secrets(self, job: Job) -> dict[str, str]:
        found = {}
        if job.database is not None:
            found["database_password"] = self.secret(secret_name(USER), NAMESPACE)["password"]
        if job.objects is not None:
            keys = self.s3(USER)
            found |= {"s3_access": keys.user, "s3_secret": keys.password}
        return found


def _state(pod: Mapping[str, Any], container: str) -> Mapping[str, Any]:
    """Return a container's state as Kubernetes knows it: `waiting`, `running` or `terminated`."""
    statuses = pod.get("status", {}).get("containerStatuses", ())
    return next((one["state"] for one in statuses if one["name"] == container), {})


def _runs(pod: Mapping[str, Any], container: str) -> bool:
    return "running" in _state(pod, container)


def _waits_for(pod: Mapping[str, Any]) -> str:
    """Return in words why a pod does not run yet: its containers' reasons, or its scheduler's."""
    states = [_state(pod, container) for container in (GENERATOR, EYES)]
    reasons = [state["waiting"].get("reason", "") for state in states if "waiting" in state]
    conditions = pod.get("status", {}).get("conditions", ())
    unplaced = [one.get("message", "") for one in conditions if one["type"] == "PodScheduled"]
    return ", ".join(dict.fromkeys(filter(None, (*reasons, *unplaced)))) or "silent"
