"""What carries load on Kubernetes: a pod of its own, which comes to the site as its users do.

What its generator writes is read out of the pod, and kept here each time it is: the last status that was
seen says how far one came that is lost with its node.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rookery.apps.database.clients import secret_name
from rookery.apps.ground.names import MONITORS, NAMESPACE, ROOK, ceph_user_secret
from rookery.design.model import Design
from rookery.drivers.ceph.session import render_keyring
from rookery.drivers.kubernetes.kubectl import Kubectl
from rookery.drivers.machine.files import write_whole
from rookery.drivers.machine.process import CommandError
from rookery.load.model import CA_FILE, FOLDER, SECRETS_FILE, USER, Job, render_job
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
from rookery.systems.kubernetes.status import container_runs, container_state, is_ready, why_unready
from rookery.systems.load import STATUS, Sight, raise_ended, render_secrets
from rookery.systems.protocol import Credentials

_GONE = 120  # seconds for the pod to be gone
_ASK = "import os, signal, sys; os.kill(1, int(sys.argv[1]))"
_TERM, _INT = "15", "2"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPod:
    """Carries the generator of one system. `addresses`, `authority` and `s3` are asked when a run starts."""

    design: Design
    kubectl: Kubectl
    records: Path
    addresses: Callable[[], Mapping[str, str]]
    authority: Callable[[], Path]
    s3: Callable[[str], Credentials]
    secret: Callable[[str, str], Mapping[str, str]]
    start_limit: float = 300.0  # seconds: a node may have to pull Ceph's image first
    stop_limit: float = 100.0  # seconds: it drains for some, and removes objects and tables for up to 60
    lost: str = "the generator was lost: its pod was removed, or its node"

    def launch(self, job: Job) -> None:
        """Apply the pod, and the secret with what it is told."""
        self.kubectl.apply("-", stdin=dump(load_objects(self.design, self._told(job), self.addresses())))

    def look(self, name: str = STATUS) -> Sight:
        """Look whether the generator runs, and keep here what it wrote as `name`, where the pod hands it out.

        Kubernetes takes minutes to give up the pods of a node that is silent.
        """
        pod = self._pod()
        silent = "" if self._fetch(name, pod) else "its pod is silent"
        return Sight(alive=container_runs(pod, GENERATOR), silent=silent)

    def why_waiting(self) -> str:
        """Return why the pod does not run yet; raises RookeryError where its generator ended."""
        pod = self._pod()
        ended = container_state(pod, GENERATOR).get("terminated")
        if ended is not None:
            said = self.kubectl.run("logs", POD, f"--container={GENERATOR}", namespace=NAMESPACE)
            raise_ended(said, ended.get("reason", "for no reason that is known"))
        return why_unready(pod, (GENERATOR, EYES))

    def signal(self, *, keep: bool) -> None:
        """Ask the generator to end, and with `keep` to leave what it made."""
        # Where it ends by itself in between, there is nobody to ask.
        with contextlib.suppress(CommandError):
            self._exec(GENERATOR, "python3", "-c", _ASK, _INT if keep else _TERM)

    def remove(self) -> None:
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
        if not container_runs(pod, EYES):
            return False
        try:
            text = self._exec(EYES, "cat", f"{FOLDER}/{name}")
        except CommandError:
            return False
        self.records.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(self.records / name, text.encode(), mode=0o600)
        return True

    def _exec(self, container: str, *command: str) -> str:
        words = ("exec", POD, f"--container={container}", "--", *command)
        return self.kubectl.run(*words, namespace=NAMESPACE)

    def _pod(self) -> Mapping[str, Any]:
        return self.kubectl.find("pod", POD, namespace=NAMESPACE) or {}

    def _told(self, job: Job) -> dict[str, str]:
        endpoints = self.kubectl.get("configmap", MONITORS, namespace=ROOK)
        key = self.secret(ceph_user_secret(USER), ROOK)[USER]
        return {
            JOB_FILE: render_job(job, cluster={"file": SEEN_FILE}),
            SECRETS_FILE: render_secrets(
                job,
                password=lambda: self.secret(secret_name(USER), NAMESPACE)["password"],
                keys=lambda: self.s3(USER),
            ),
            CA_FILE.rpartition("/")[2]: self.authority().read_text(encoding="utf-8"),
            "ceph.conf": render_client_conf(monitors_of(endpoints["data"]["data"])),
            "keyring": render_keyring([(f"client.{USER}", key, ())]),
        }
