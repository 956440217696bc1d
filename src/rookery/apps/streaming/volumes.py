"""What both halves of streaming on Kubernetes are made of: accounts, and volumes of CephFS."""

from __future__ import annotations

from typing import Any

from rookery.apps.pods import FILE_CLASS, NAMESPACE, PART_OF
from rookery.manifest import Manifest, common_labels, manifest


def account(component: str) -> Manifest:
    """Return the account that a component's pods run as; it may do nothing unless a role says so."""
    return manifest(
        "v1",
        "ServiceAccount",
        f"streaming-{component}",
        namespace=NAMESPACE,
        labels=common_labels("streaming", component=component, part_of=PART_OF),
        automountServiceAccountToken=False,
    )


def claim(name: str, own: dict[str, str], *, size: str) -> Manifest:
    """Return the claim of a folder of CephFS, which several pods may mount at once."""
    spec = {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": FILE_CLASS,
        "resources": {"requests": {"storage": size}},
    }
    return manifest("v1", "PersistentVolumeClaim", name, namespace=NAMESPACE, labels=own, spec=spec)


def claimed(name: str, of: str, *, read_only: bool = False) -> dict[str, Any]:
    """Return the volume of a pod that is a claim's."""
    source: dict[str, Any] = {"claimName": of}
    return {"name": name, "persistentVolumeClaim": source | ({"readOnly": True} if read_only else {})}
