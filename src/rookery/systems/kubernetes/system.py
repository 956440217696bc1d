"""A system on Kubernetes, behind the one protocol of all systems."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

from rookery.apps.database.clients import CLUSTER, PODS, PORT, REPLICAS, WRITES, secret_name
from rookery.apps.ground.names import (
    CERT_MANAGER,
    DASHBOARD_PASSWORD,
    ISSUER_SECRET,
    NAMESPACE,
    ROOK,
    TOOLBOX,
    s3_user_secret,
)
from rookery.design.cluster import OUTSIDE, has_cilium
from rookery.design.model import Design
from rookery.drivers.ceph.session import CephError, CephSession
from rookery.drivers.clients.postgres import Door
from rookery.drivers.kubernetes.helm import Helm
from rookery.drivers.kubernetes.kubectl import Kubectl
from rookery.drivers.machine.files import write_whole
from rookery.drivers.machine.process import CommandError, run
from rookery.errors import RookeryError
from rookery.load.model import USER as LOAD_USER
from rookery.manifest import Wait
from rookery.mirror.folder import Mirror
from rookery.plan.kubernetes import BOOTSTRAP, IMAGE, SETTLED, cluster_steps, content_id, needs_image
from rookery.plan.step import Observation, Step
from rookery.projections.kubernetes.doors import doors_of
from rookery.projections.kubernetes.gateway import GATEWAY
from rookery.projections.kubernetes.placed import placed_items
from rookery.projections.kubernetes.sources import tools
from rookery.projections.kubernetes.storage.stage import VERIFIER
from rookery.projections.kubernetes.tree import build_stages
from rookery.systems.faults import Faults
from rookery.systems.kubernetes.backups import cluster_backups
from rookery.systems.kubernetes.bootstrap import Bootstrap
from rookery.systems.kubernetes.content import Content, sent_content
from rookery.systems.kubernetes.drift import find_drift
from rookery.systems.kubernetes.faults import cluster_faults
from rookery.systems.kubernetes.items import Applier, applier_of
from rookery.systems.kubernetes.load import LoadPod
from rookery.systems.kubernetes.paths import ClusterPaths
from rookery.systems.kubernetes.preflight import require_cluster_tools
from rookery.systems.kubernetes.removal import ClusterRemoval
from rookery.systems.kubernetes.secrets import lay_secrets, old_secrets, secrets_for
from rookery.systems.kubernetes.settling import Settling
from rookery.systems.kubernetes.status import database_members, host_statuses
from rookery.systems.kubernetes.view import KubectlView, volume_uses
from rookery.systems.load import Run
from rookery.systems.pod_image import archive_path, ensure_archive, require_image_machine
from rookery.systems.protocol import (
    Backups,
    ClusterView,
    Credentials,
    Deviation,
    Endpoint,
    HostStatus,
    Listener,
    Load,
    Member,
    Pages,
    Removal,
    Report,
    VolumeUse,
)
from rookery.systems.servers import Servers

_AGENT = (files("rookery.drivers.ceph") / "guest" / "agent.py").read_text


class KubernetesSystem:
    """The system of a design on Kubernetes, on whatever servers it is given.

    With a mirror, charts and others' objects come from there and nowhere else, and so do kubectl and helm.
    """

    def __init__(
        self,
        design: Design,
        servers: Servers,
        *,
        pages: Pages = tuple,
        mirror: Mirror | None = None,
    ) -> None:
        assert design.kubernetes is not None
        self._design = design
        self._cluster = design.kubernetes
        self.paths = ClusterPaths(name=design.name)
        programs = (
            {}
            if mirror is None
            else {one.name: str(mirror.binary(one)) for one in tools(mirror.architecture)}
        )
        self.kubectl = Kubectl(kubeconfig=self.paths.kubeconfig, program=programs.get("kubectl", "kubectl"))
        self.helm = Helm(kubeconfig=self.paths.kubeconfig, program=programs.get("helm", "helm"))
        self.servers = servers
        self._stages = build_stages(design)
        self._placed = placed_items(self._stages)
        self._mirror = mirror
        self._pages = pages
        self._items = {one.id: one for one in self._placed}
        self._addresses: Mapping[str, str] = {}
        self._started: set[str] = set()
        self._sessions: dict[str, CephSession] = {}
        self._ways: dict[tuple[str, int], int] = {}
        self._open = ExitStack()
        self._lock = threading.Lock()

    @property
    def design(self) -> Design:
        return self._design

    @property
    def ca_file(self) -> Path:
        """The authority's certificate, read from the cluster once it is there."""
        if not self.paths.ca.exists():
            data = self._secret(ISSUER_SECRET, CERT_MANAGER)
            write_whole(self.paths.ca, data["tls.crt"].encode())
        return self.paths.ca

    @property
    def load(self) -> Load:
        return Run(
            LoadPod(
                design=self._design,
                kubectl=self.kubectl,
                records=self.paths.folder / "load",
                addresses=lambda: self.addresses,
                authority=lambda: self.ca_file,
                s3=self.s3_credentials,
                secret=self._secret,
            )
        )

    def require_access(self) -> None:
        self.servers.require_access()
        self._require_tools()

    def require(self) -> None:
        self.servers.require()
        self._require_tools()
        if needs_image(self._design):
            require_image_machine()

    def _require_tools(self) -> None:
        """A mirror has kubectl and helm; where servers are made of one, `up` fills it first."""
        if self._mirror is None and not self._design.traits.here:
            require_cluster_tools()

    def steps(self) -> tuple[Step, ...]:
        return cluster_steps(self._design, self._placed, made=self.servers.steps())

    def observe(self) -> Observation:
        facts = {IMAGE} if archive_path().exists() else set()
        facts |= set(self.servers.facts())
        if self.is_reachable():
            facts |= self._applier.facts(self._placed)
            if self._settling.outlived():
                # What was waited for has come to pass in what the cluster still says of lost servers.
                facts -= {one.id for one in self._placed if isinstance(one.item, Wait)}
            else:
                facts.add(SETTLED)
            facts -= old_secrets(self.kubectl, self._placed, self.servers.told)
            if self._bootstrap.is_done():
                facts.add(BOOTSTRAP)
            facts |= {step for step, content in self._contents.items() if content.is_current()}
        return Observation(facts=frozenset(facts))

    def apply(self, step: Step, report: Report) -> None:
        if step.id == IMAGE:
            ensure_archive(report)
        elif self.servers.makes(step):
            self.servers.apply(step, report)
            self._started.add(step.target)
        elif step.id == BOOTSTRAP:
            self._bootstrap.run(report)
        elif step.id == SETTLED:
            self._settling.settle(self._started, report)
        elif step.id in self._contents:
            self._contents[step.id].send(report)
        else:
            one = self._items[step.id]
            lay_secrets(self.kubectl, secrets_for(one.item, self.servers.told))
            self._applier.apply(one, report)

    @property
    def _settling(self) -> Settling:
        return Settling(design=self._design, kubectl=self.kubectl, began=self.servers.began)

    @property
    def _contents(self) -> Mapping[str, Content]:
        """What the applications send, by the steps that do so."""
        found = sent_content(self._design, self.kubectl, self._pages)
        return {content_id(name): content for name, content in found.items()}

    @cached_property
    def _applier(self) -> Applier:
        return applier_of(self._placed, self._mirror, kubectl=self.kubectl, helm=self.helm)

    def is_reachable(self) -> bool:
        """Tell whether the API server answers."""
        return self.paths.kubeconfig.exists() and self.kubectl.reachable()

    def require_answers(self) -> None:
        """Nothing: of a node that hangs the cluster moves its pods elsewhere, and nothing waits for it."""

    def upgrade(self, running: str) -> None:  # noqa: ARG002 - Rook moves daemons by itself (docs/kubernetes.md)
        return None

    def hosts(self) -> tuple[HostStatus, ...]:
        if not self.is_reachable():
            return host_statuses(self._design, (), ())
        nodes, pods = self.kubectl.get("nodes"), self.kubectl.get("pods")
        found = host_statuses(self._design, nodes["items"], pods["items"])
        return tuple(replace(one, memory=self.servers.memory(one.name)) for one in found)

    def drift(self) -> tuple[Deviation, ...]:
        return tuple(find_drift(self._bootstrap, self._applier, self._placed))

    @property
    def addresses(self) -> Mapping[str, str]:
        """Where each name leads that is served to the outside: nobody's DNS needs to know them."""
        # Known once the Gateway has its address; before, it is asked for again.
        if not self._addresses and (address := self._door()):
            self._addresses = {
                f"{door.name}.{self._cluster.domain}": address for door in doors_of(self._design)
            }
        return self._addresses

    def _door(self) -> str:
        """Return the address that people come to: the Gateway's, or without one the load balancer's."""
        if not has_cilium(self._design):
            return self._design.load_balancer.address if self._design.load_balancer else ""
        gateway = self.kubectl.find("gateway", GATEWAY, namespace=NAMESPACE) or {}
        found = gateway.get("status", {}).get("addresses", [])
        return str(found[0]["value"]) if found else ""

    def endpoints(self) -> tuple[Endpoint, ...]:
        there = {front.name for front in self._design.frontends}
        addresses = self.addresses
        return tuple(
            Endpoint(
                name=name,
                url=f"https://{host}/",
                credentials=self._credentials(name),
                note=f"at {addresses[host]}" if host in addresses else "the Gateway has no address yet",
            )
            for name in OUTSIDE
            if name in there and (host := f"{name}.{self._cluster.domain}")
        )

    def _credentials(self, service: str) -> Credentials | None:
        if service == "dashboard":
            data = self._secret(DASHBOARD_PASSWORD, ROOK)
            return Credentials(user="admin", password=data["password"])
        if service == "s3" and self._design.buckets:
            return self.s3_credentials(self._design.buckets[0].owner)
        return None

    def s3_credentials(self, user: str) -> Credentials:
        """Return the keys of a bucket claim's owner, in a secret of the claim's name, or of Rook's users."""
        if user in (VERIFIER, LOAD_USER):
            secret = s3_user_secret(user)
            data = self._secret(secret, ROOK)
            return Credentials(user=data["AccessKey"], password=data["SecretKey"])
        bucket = next((one.name for one in self._design.buckets if one.owner == user), user)
        data = self._secret(bucket, NAMESPACE)
        return Credentials(user=data["AWS_ACCESS_KEY_ID"], password=data["AWS_SECRET_ACCESS_KEY"])

    def database_door(self, user: str, *, reads: bool = False) -> Door:
        name = REPLICAS if reads else WRITES
        data = self._secret(secret_name(user), NAMESPACE)
        return Door(
            host=name,
            address="127.0.0.1",
            port=self._way(f"service/{name}", PORT),
            database=user,
            user=user,
            password=data["password"],
            # The server's certificate is of our own authority, as every other; the operator's signs clients'.
            ca_file=str(self.ca_file),
        )

    def members(self) -> tuple[Member, ...]:
        cluster = self.kubectl.find("clusters.postgresql.cnpg.io", CLUSTER, namespace=NAMESPACE)
        if cluster is None:
            return ()
        selector = ",".join(f"{label}={value}" for label, value in PODS.items())
        pods = self.kubectl.get("pods", namespace=NAMESPACE, selector=selector)
        return database_members(cluster, pods["items"])

    def ceph(self, user: str = "admin", host: str = "") -> CephSession:
        """Return a session through Rook's toolbox; it has the administrator's key only, and no host's."""
        if user != "admin" or host:
            raise RookeryError(f"the toolbox has no key of client.{user} on {host or 'itself'}")
        with self._lock:
            if user not in self._sessions or not self._sessions[user].alive:
                command = ("python3", "-c", _AGENT(), "--user", user)
                argv = self.kubectl.exec_argv(TOOLBOX, *command, namespace=ROOK)
                self._sessions[user] = CephSession(argv)
            return self._sessions[user]

    def ceph_or_none(self) -> CephSession | None:
        """Return the session if the monitors answer, else None."""
        if not self.is_reachable():
            return None
        try:
            session = self.ceph()
            session.mon("quorum_status")
        except (CephError, CommandError):
            return None
        return session

    def listeners(self) -> tuple[Listener, ...]:
        """Nothing: what listens on a server is in the network of its pods."""
        return ()

    def volumes(self) -> tuple[VolumeUse, ...]:
        return tuple(volume_uses(self.kubectl, self._design.servers))

    @property
    def cluster(self) -> ClusterView:
        return KubectlView(kubectl=self.kubectl)

    def execute(self, host: str, argv: Sequence[str], *, timeout: float = 60.0) -> str:
        return run(self.servers.exec_argv(host, argv), timeout=timeout)

    def shell(self, host: str, argv: Sequence[str]) -> int:
        terminal = os.isatty(0) and os.isatty(1)
        if argv and argv[0] in ("ceph", "rados", "rbd", "radosgw-admin"):
            line = list(self.kubectl.exec_argv(TOOLBOX, *argv, namespace=ROOK, tty=terminal))
        else:
            line = self.servers.exec_argv(host, argv, terminal=terminal)
        return subprocess.run(line, check=False).returncode

    def close(self) -> None:
        with self._lock:
            sessions = tuple(self._sessions.values())
            self._sessions.clear()
            self._ways.clear()
            self._open.close()
        for session in sessions:
            session.close()

    @property
    def backups(self) -> Backups | None:
        return cluster_backups(self._design)

    @property
    def removal(self) -> Removal:
        # With its servers the whole cluster is gone, and what was noted of it leads nowhere.
        return self.servers.removal(noted=self.paths.folder) or ClusterRemoval(
            design=self._design,
            stages=self._stages,
            kubectl=self.kubectl,
            helm=self.helm,
            noted=self.paths.folder,
        )

    @property
    def faults(self) -> Faults:
        return cluster_faults(self._design, self.kubectl, self.servers, self._settling)

    @property
    def _bootstrap(self) -> Bootstrap:
        return Bootstrap(design=self._design, paths=self.paths, kubectl=self.kubectl, told=self.servers.told)

    def _way(self, target: str, port: int) -> int:
        """Return a port of this machine that leads to a Service, open until `close`."""
        with self._lock:
            key = (target, port)
            if key not in self._ways:
                way = self.kubectl.forwarded(target, port, namespace=NAMESPACE)
                self._ways[key] = self._open.enter_context(way)
            return self._ways[key]

    def _secret(self, name: str, namespace: str) -> dict[str, str]:
        found: dict[str, Any] = self.kubectl.get("secret", name, namespace=namespace)
        return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}
