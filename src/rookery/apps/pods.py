"""How our applications run on Kubernetes: one way for all of them, the strictest that works.

Pods meet the Pod Security Standard `restricted`: no root, no capabilities, no writable root file system. Two
pods of one component never share a host, which is what the design counts on when it says what is survived.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rookery.design.model import Design, Instance
from rookery.manifest import Manifest, common_labels, manifest, selector
from rookery.units import MIB

NAMESPACE = "media"
PART_OF = "media-site"
# Who signs the certificates of everything inside the cluster; it is a ClusterIssuer of cert-manager's.
ISSUER = "rookery-ca"
# Nobody on the hosts: files that a volume holds belong to this group.
USER = 65532
HOST_KEY = "kubernetes.io/hostname"


def labels(instance: Instance) -> dict[str, str]:
    """Return the labels of an instance's objects and pods."""
    return common_labels(instance.app, component=instance.component, part_of=PART_OF)


def count(design: Design, instance: Instance) -> int:
    """Return how many of an instance the design has."""
    return sum(one.name == instance.name for host in design.hosts for one in host.instances)


def pod_security() -> dict[str, Any]:
    """Return the security context of a pod."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        # A volume with many files is not walked at each start of a pod.
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> dict[str, Any]:
    """Return the security context of a container."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def resources(*, memory: int, cpu: str) -> dict[str, Any]:
    """Return requests, and a limit of memory alone: a limit of CPU slows what could use an idle one.

    `memory` is bytes, which Kubernetes kills a container beyond; `cpu` is Kubernetes' own writing (`100m`).
    """
    size = f"{memory // MIB}Mi"
    return {"requests": {"cpu": cpu, "memory": size}, "limits": {"memory": size}}


def spread(pod_labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the constraint that no two of these pods share a host, while a rollout makes a new one too."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": HOST_KEY,
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": selector(pod_labels),
            "matchLabelKeys": ["pod-template-hash"],
        }
    ]


def disruption_budget(name: str, pod_labels: Mapping[str, str]) -> Manifest:
    """Return the budget that lets maintenance take one pod at a time."""
    spec = {"maxUnavailable": 1, "selector": selector(pod_labels)}
    return manifest(
        "policy/v1", "PodDisruptionBudget", name, namespace=NAMESPACE, labels=pod_labels, spec=spec
    )


def service(name: str, pod_labels: Mapping[str, str], ports: Mapping[str, tuple[int, str]]) -> Manifest:
    """Return a Service; `ports` are name -> (its port, the name of the pods' port)."""
    listed = [{"name": key, "port": port, "targetPort": target} for key, (port, target) in ports.items()]
    spec = {"selector": selector(pod_labels)["matchLabels"], "ports": listed}
    return manifest("v1", "Service", name, namespace=NAMESPACE, labels=pod_labels, spec=spec)


def certificate(name: str, pod_labels: Mapping[str, str], *, names: Sequence[str]) -> Manifest:
    """Return a certificate that cert-manager keeps in the secret NAME-tls: tls.crt, tls.key, ca.crt."""
    spec = {
        "secretName": f"{name}-tls",
        "dnsNames": list(names),
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": ISSUER},
    }
    return manifest(
        "cert-manager.io/v1", "Certificate", name, namespace=NAMESPACE, labels=pod_labels, spec=spec
    )


def service_names(name: str, namespace: str = NAMESPACE) -> tuple[str, ...]:
    """Return the DNS names of a Service, the shortest that is unique first."""
    return (f"{name}.{namespace}.svc", f"{name}.{namespace}.svc.cluster.local", name)
