"""What KubeOne is told (kubeone.k8c.io/v1beta3): hosts that are there, containerd, no network of its own."""

from __future__ import annotations

from typing import Any

from rookery.design.cluster import has_cilium
from rookery.design.model import Cluster, Design, Host, Role
from rookery.projections.kubernetes.bootstrap.inventory import node_labels, node_taints
from rookery.projections.kubernetes.bootstrap.kubeadm import audit_policy, system_reserved
from rookery.projections.kubernetes.emit import dump
from rookery.versions import KUBEONE, KUBERNETES, KUBERNETES_RELEASE

_COMMENT = (
    f"KubeOne {KUBEONE}, between two playbooks of ours:\n"
    "1. ansible-playbook prepare.yaml\n"
    "2. kubeone apply --manifest kubeone.yaml\n"
    "3. ansible-playbook finish.yaml\n"
    "It reaches the servers with the keys of your SSH agent. The cluster is the one that kubeadm would make,"
    " but for containerd, and for what KubeOne lets nobody say: it asks for serving certificates of kubelets,"
    " keeps etcd's metrics on each control plane's own address, and pods keep their default seccomp profile."
)
_AUDIT = "What the API server writes down; KubeOne copies it to the control planes."


def render_kubeone(design: Design, cluster: Cluster) -> dict[str, str]:
    """Return KubeOne's manifest and the audit policy that it names, by path."""
    return {
        "kubeone.yaml": dump((_manifest(design, cluster),), comment=_COMMENT),
        "audit-policy.yaml": dump((audit_policy(),), comment=_AUDIT),
    }


def _release(cluster: Cluster) -> str:
    """Return the exact release to install; of a minor version that is not pinned, the first."""
    return KUBERNETES_RELEASE if cluster.version == KUBERNETES else f"{cluster.version}.0"


def _manifest(design: Design, cluster: Cluster) -> dict[str, Any]:
    host, _, port = cluster.endpoint.rpartition(":")
    control_planes = design.with_role(Role.CONTROL_PLANE)
    workers = [host for host in design.servers if host not in control_planes]
    return {
        "apiVersion": "kubeone.k8c.io/v1beta3",
        "kind": "KubeOneCluster",
        "name": design.name,
        "versions": {"kubernetes": _release(cluster)},
        # A cloud's controller is installed with the network, as on the other way: KubeOne would wait for it
        # before there is one.
        "cloudProvider": {"none": {}},
        "apiEndpoint": {
            "host": host,
            "port": int(port),
            "alternativeNames": [name for one in control_planes for name in (one.name, one.address)],
        },
        "containerRuntime": {"containerd": {}},
        "clusterNetwork": {
            "podSubnet": cluster.pods,
            "serviceSubnet": cluster.services,
            "cni": {"external": {}},
            # Where it is, in the mode that KubeOne chooses.
            "kubeProxy": {"skipInstallation": has_cilium(design)},
        },
        "kubeletConfig": {"systemReserved": system_reserved()},
        "machineController": {"deploy": False},
        "operatingSystemManager": {"deploy": False},
        "features": _features(),
        **_metrics(cluster),
        "controlPlane": {
            "hosts": [_host(design, one, leader=one is control_planes[0]) for one in control_planes]
        },
        "staticWorkers": {"hosts": [_host(design, one) for one in workers]},
    }


def _features() -> dict[str, Any]:
    log = {"logMaxAge": 7, "logMaxBackup": 5, "logMaxSize": 100}
    return {
        "staticAuditLog": {"enable": True, "config": {"policyFilePath": "audit-policy.yaml", **log}},
        "encryptionProviders": {"enable": True},
    }


def _metrics(cluster: Cluster) -> dict[str, Any]:
    """Return what lets Prometheus reach the controllers and the scheduler; they ask who is there."""
    if not cluster.monitoring:
        return {}
    seen = {"flags": {"bind-address": "0.0.0.0"}}  # noqa: S104 - for Prometheus
    return {"controlPlaneComponents": {"controllerManager": seen, "scheduler": seen}}


def _host(design: Design, host: Host, *, leader: bool = False) -> dict[str, Any]:
    return {
        "hostname": host.name,
        "publicAddress": host.address,
        "privateAddress": host.address,
        "sshUsername": design.traits.login,
        "sshAgentSocket": "env:SSH_AUTH_SOCK",
        **({"isLeader": True} if leader else {}),
        "labels": node_labels(host),
        "taints": [{"key": key, "effect": "NoSchedule"} for key in node_taints(host)],
    }
