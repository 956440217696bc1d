"""From servers to a cluster: by kubeadm, by KubeOne, or one that is there already.

What the playbooks were told is noted once all of it went well. They run again where something else is to be
told, where a server is no node, and where a node lacks its labels: `up` may have been killed before those.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rookery.design.model import Cluster, Design
from rookery.drivers.kubernetes import kubeone
from rookery.drivers.kubernetes.kubectl import Kubectl, find_kubeconfig
from rookery.drivers.kubernetes.playbook import run_playbook
from rookery.drivers.machine.files import write_whole
from rookery.errors import NotPossibleError, RookeryError
from rookery.projections.kubernetes.bootstrap.render import FOLDER, render_bootstrap
from rookery.projections.kubernetes.nodes import lets_any_pod_in, marking, missing_labels
from rookery.projections.kubernetes.tree import render_kubernetes
from rookery.systems.kubernetes.paths import ClusterPaths
from rookery.systems.protocol import Report
from rookery.systems.servers import Told


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """How the servers of one design become its cluster; `told` is asked when it is needed."""

    design: Design
    paths: ClusterPaths
    kubectl: Kubectl
    told: Callable[[], Told]

    @property
    def _cluster(self) -> Cluster:
        assert self.design.kubernetes is not None
        return self.design.kubernetes

    def strangers(self) -> tuple[str, ...]:
        """Return the servers that are no nodes of the cluster."""
        return self._strangers(self._nodes())

    def unmarked(self) -> tuple[str, ...]:
        """Return the nodes that lack a label or the taint of their host's roles."""
        return self._unmarked(self._nodes())

    def _strangers(self, there: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(host.name for host in self.design.servers if host.name not in there)

    def _unmarked(self, there: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(
            host.name
            for host in self.design.servers
            if (node := there.get(host.name)) and (missing_labels(host, node) or lets_any_pod_in(host, node))
        )

    def is_done(self) -> bool:
        """Whether every server is a node with its marks, and knows what it is to be told; the API answers."""
        if self._noted() != self._digest():
            return False
        there = self._nodes()
        return not self._strangers(there) and not self._unmarked(there)

    def run(self, report: Report) -> None:
        """Make a cluster of the servers, or take the one that is there already."""
        ways = {"kubeadm": self._by_kubeadm, "kubeone": self._by_kubeone, "none": self._adopt}
        ways[self._cluster.bootstrap](report)
        self.note()

    def note(self) -> None:
        """Note what the servers know from now on."""
        write_whole(self.paths.bootstrapped, f"{self._digest()}\n".encode())

    def _by_kubeadm(self, report: Report) -> None:
        told = self.told()
        folder, options = self._lay_tree(told)
        run_playbook(folder, "site.yaml", report, options=options, staying=told.staying)
        made = folder / "kubeconfig"
        if not made.exists():
            raise RookeryError(f"the playbook left no {made}", hint="Its output above says why.")
        self._keep_kubeconfig(made.read_bytes())

    def _by_kubeone(self, report: Report) -> None:
        folder, options = self._lay_tree(self.told())
        manifest = folder / "kubeone.yaml"
        run_playbook(folder, "prepare.yaml", report, options=options)
        kubeone.apply_manifest(manifest, report)
        run_playbook(folder, "finish.yaml", report, options=options)
        self._keep_kubeconfig(kubeone.read_kubeconfig(manifest).encode())

    def _adopt(self, report: Report) -> None:
        """Take the cluster that kubectl on this machine leads to, if it has the designed nodes."""
        found = find_kubeconfig()
        if found is None:
            raise NotPossibleError(
                "nothing leads to the cluster that is there already (kubernetes.bootstrap: none)",
                hint="Set KUBECONFIG to its kubeconfig.",
            )
        self._keep_kubeconfig(found.read_bytes())
        if not self.kubectl.reachable():
            raise NotPossibleError(f"the cluster of {found} does not answer", hint="Is it the right one?")
        there = self._nodes()
        if missing := self._strangers(there):
            raise NotPossibleError(
                f"the cluster of {found} has no node {', '.join(missing)}",
                details=(f"its nodes: {', '.join(sorted(there)) or 'none'}",),
                hint="The design's hosts and the cluster's nodes must have the same names and number.",
            )
        for host in self.design.servers:
            report(f"labels of {host.name}")
            for words in marking(host):
                self.kubectl.run(*words)

    def _nodes(self) -> dict[str, Any]:
        return {node["metadata"]["name"]: node for node in self.kubectl.get("nodes")["items"]}

    def _lay_tree(self, told: Told) -> tuple[Path, tuple[str, ...]]:
        """Write what the playbooks run from; return their folder, and the options that they are run with."""
        for file in render_kubernetes(self.design):
            write_whole(self.paths.tree / file.path, file.content, mode=file.mode)
        folder = self.paths.tree / FOLDER
        for name, variables in told.hosts.items():
            write_whole(folder / "host_vars" / f"{name}.yaml", json.dumps(variables, indent=1).encode())
        write_whole(self.paths.variables, json.dumps(told.variables, indent=1).encode(), mode=0o600)
        return folder, ("--extra-vars", f"@{self.paths.variables}")

    def _keep_kubeconfig(self, content: bytes) -> None:
        write_whole(self.paths.kubeconfig, content, mode=0o600)

    def _noted(self) -> str:
        try:
            return self.paths.bootstrapped.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""

    def _digest(self) -> str:
        """Return the hash over everything that the servers are told."""
        told = self.told()
        digest = hashlib.sha256(json.dumps([told.variables, told.hosts], sort_keys=True).encode())
        for file in render_bootstrap(self.design):
            digest.update(f"\0{file.path}\0".encode() + file.content)
        return digest.hexdigest()
