"""What both halves of streaming on Kubernetes are made of: accounts, and volumes of CephFS."""

from __future__ import annotations

from typing import Any

from rookery.apps.ground.names import FILE_CLASS, NAMESPACE, PART_OF
from rookery.apps.ground.pods import quantity
from rookery.design.stored import Claim
from rookery.manifest import Manifest, common_labels, manifest
from rookery.units import GIB

# The live channel's window: a minute and a half of it is kept, some 10 MB.
WINDOW = GIB
# A user's films, and as much again for their renditions while they are made.
GIVEN_SPACE = 50 * GIB


def space_claims(*, given: bool, channel: bool, work: str) -> tuple[Claim, ...]:
    """Return what streaming asks for on Kubernetes; `work` is the kind of pool where renditions are made."""
    path = "apps.streaming.media"
    films = (
        Claim(what="The volume of the films", path=path, size=GIVEN_SPACE, application="cephfs"),
        Claim(what="The volume of their renditions", path=path, size=GIVEN_SPACE, application=work),
    )
    window = Claim(
        what="The live channel's window", path="apps.streaming.channel", size=WINDOW, application="cephfs"
    )
    return (*(films if given else ()), *((window,) if channel else ()))


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


def claim(name: str, own: dict[str, str], *, size: int) -> Manifest:
    """Return the claim of a folder of CephFS, which several pods may mount at once."""
    spec = {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": FILE_CLASS,
        "resources": {"requests": {"storage": quantity(size)}},
    }
    return manifest("v1", "PersistentVolumeClaim", name, namespace=NAMESPACE, labels=own, spec=spec)


def claimed(name: str, of: str, *, read_only: bool = False) -> dict[str, Any]:
    """Return the volume of a pod that is a claim's."""
    source: dict[str, Any] = {"claimName": of}
    return {"name": name, "persistentVolumeClaim": source | ({"readOnly": True} if read_only else {})}
