"""The stage between network and storage: certificates, and snapshots of volumes."""

from __future__ import annotations

from typing import Any

from rookery.apps.ground.names import CERT_MANAGER, ISSUER, ISSUER_SECRET
from rookery.apps.ground.pods import sized
from rookery.design.model import Design
from rookery.design.pods import CERT_MANAGER as SIZE
from rookery.manifest import Item, Manifest, Objects, Release, Remote, Stage, Wait, manifest
from rookery.versions import CERT_MANAGER as CHART
from rookery.versions import EXTERNAL_SNAPSHOTTER

_SNAPSHOTTER = "https://github.com/kubernetes-csi/external-snapshotter"

_WHY = """\
Everything inside speaks TLS with certificates of one authority, which cert-manager makes and renews. Whoever
has a domain and wants certificates that browsers know adds an ACME issuer beside it. Snapshots of volumes
need definitions and a controller that no chart here brings."""


def foundation_stage(design: Design) -> Stage:
    """Return the stage."""
    items: tuple[Item, ...] = (
        Release(
            name="cert-manager",
            why="Makes and renews certificates.",
            namespace=CERT_MANAGER,
            chart=CHART,
            values=_cert_manager_values(),
        ),
        Objects(
            name="authority",
            why="The authority of this system: a certificate that signs itself once, and the issuer that "
            "signs all others with it. Its key never leaves the namespace cert-manager.",
            objects=_authority(design),
        ),
        Wait(kind="clusterissuer", name=ISSUER, condition="condition=Ready", seconds=120),
        Remote(
            name="snapshot-definitions",
            why="The custom resource definitions of volume snapshots.",
            url=f"{_SNAPSHOTTER}/client/config/crd?ref={EXTERNAL_SNAPSHOTTER}",
            repository=_SNAPSHOTTER,
            tag=EXTERNAL_SNAPSHOTTER,
            path="./client/config/crd",
        ),
        Remote(
            name="snapshot-controller",
            why="The controller that binds snapshots; Rook's CSI drivers only make them.",
            url=f"{_SNAPSHOTTER}/deploy/kubernetes/snapshot-controller?ref={EXTERNAL_SNAPSHOTTER}",
            repository=_SNAPSHOTTER,
            tag=EXTERNAL_SNAPSHOTTER,
            path="./deploy/kubernetes/snapshot-controller",
        ),
    )
    return Stage(name="30-foundation", title="Certificates and snapshots", why=_WHY, items=items)


def _cert_manager_values() -> dict[str, Any]:
    small = sized(SIZE)
    return {
        "crds": {"enabled": True, "keep": True},
        "resources": small,
        "webhook": {"resources": small},
        "cainjector": {"resources": small},
        "startupapicheck": {"resources": small},
    }


def _authority(design: Design) -> tuple[Manifest, ...]:
    secret = ISSUER_SECRET
    spec = {
        "isCA": True,
        "commonName": f"rookery authority of {design.name}",
        "secretName": secret,
        "duration": "87600h",  # ten years: renewing it would mean to hand it to every client anew
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Never"},
        "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": "self-signed"},
    }
    return (
        manifest("cert-manager.io/v1", "ClusterIssuer", "self-signed", spec={"selfSigned": {}}),
        manifest("cert-manager.io/v1", "Certificate", ISSUER, namespace=CERT_MANAGER, spec=spec),
        manifest("cert-manager.io/v1", "ClusterIssuer", ISSUER, spec={"ca": {"secretName": secret}}),
    )
