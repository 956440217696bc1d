"""Recovery on Kubernetes: clusters that begin as what a backup holds, to be applied on the day of need.

A cluster is never restored where it is; a new one is made of a backup, and the log is played on it until the
moment that is asked for. Beside the running one it has another name and archives nothing. What is made in the
running one's place archives where that did: a recovered PostgreSQL writes another timeline.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rookery.apps.database.backups import (
    BACKUPS,
    PLUGIN,
    backup_store,
    credentials,
    keeping_of,
)
from rookery.apps.database.clients import API, CLUSTER, LABELS, secret_name
from rookery.apps.database.cluster import cluster_spec, policies
from rookery.apps.database.roles import first_database
from rookery.apps.ground.names import NAMESPACE
from rookery.design.model import AppDesign, Design
from rookery.manifest import Manifest, Objects, manifest

RESTORED = f"{CLUSTER}-restored"
_LAB = "lab-backups"
# An address of nobody's (RFC 5737), a moment and a backup, each for the right one to take its place.
_LAB_ADDRESS, _LAB_PORT = "192.0.2.10", 7443
_MOMENT, _POINT, _BASE = "2026-11-30T12:00:00Z", "20261130t120000z", "20261130T023000"


def recoveries(design: Design, app: AppDesign) -> tuple[Objects, ...]:
    """Return what brings the database back, each for another case; nothing where the spec has no backup."""
    if keeping_of(design) is None:
        return ()
    return (
        _beside(
            design,
            app,
            "database-latest",
            "The newest that is in the store, beside the running database: look whether it is what you want.",
            {},
        ),
        _beside(
            design,
            app,
            "database-to-a-time",
            "As of a moment, beside the running database. Put yours in `targetTime` (UTC, or with an offset):"
            " after the oldest base backup, and not after the last transaction: recovery fails there.",
            {"targetTime": _MOMENT},
        ),
        _beside(
            design,
            app,
            "database-to-a-restore-point",
            "As of a named restore point (`pg_create_restore_point`, or a backup set of a lab, which has its"
            " label for a name). For a name the operator cannot find the base backup: put the newest from"
            " before it in `backupID` (`kubectl -n media get backups -o wide`; a set's `base`).",
            {"targetName": _POINT, "backupID": _BASE},
        ),
        _in_place(design, app),
        _from_lab(design, app),
    )


def _beside(design: Design, app: AppDesign, name: str, why: str, target: Mapping[str, str]) -> Objects:
    spec = _recovered(design, app, BACKUPS, target)
    # It has no certificate from here: its Services have names of their own, and the operator makes one.
    del spec["certificates"]
    del spec["plugins"]
    remove = f"`kubectl -n {NAMESPACE} delete cluster.postgresql.cnpg.io {RESTORED}` removes it again."
    return Objects(
        name=name, why=f"{why} {remove}", objects=(*policies(design, RESTORED), _cluster(RESTORED, spec))
    )


def _in_place(design: Design, app: AppDesign) -> Objects:
    spec = _recovered(design, app, BACKUPS, {"targetTime": _MOMENT})
    remove = f"kubectl -n {NAMESPACE} delete cluster.postgresql.cnpg.io {CLUSTER}"
    return Objects(
        name="database-in-place",
        why="In the running database's place: name, Services, users and certificate stay. First look at one "
        f"beside it, then `{remove}`, which removes its volumes too. Without `recoveryTarget` it is the "
        "newest. The annotation lets it archive where the old one did: it writes another timeline.",
        objects=(_cluster(CLUSTER, spec, {"cnpg.io/skipEmptyWalArchiveCheck": "enabled"}),),
    )


def _from_lab(design: Design, app: AppDesign) -> Objects:
    """Return a cluster from what a lab's database archived: the same tool's format, another S3 service."""
    keeping = keeping_of(design)
    assert keeping is not None
    target = {
        "destinationPath": f"s3://{keeping.bucket}/{CLUSTER}",
        "endpointURL": f"https://{_LAB_ADDRESS}:{_LAB_PORT}",
        "endpointCA": {"name": _LAB, "key": "ca.crt"},
        "s3Credentials": credentials(_LAB, "access", "secret"),
    }
    spec = _recovered(design, app, _LAB, {})
    del spec["certificates"]
    del spec["plugins"]
    return Objects(
        name="database-from-a-lab",
        why="The database of a lab (platform `native`), beside the running one. Put the address of the lab's "
        f"S3 service in twice, and make the secret first: `kubectl -n {NAMESPACE} create secret generic "
        f"{_LAB} --from-file=ca.crt --from-file=access --from-file=secret`, with keys that may read its "
        "backups. The lab must have the same major version of PostgreSQL.",
        objects=(
            backup_store(_LAB, target),
            _to_lab(),
            *policies(design, RESTORED),
            _cluster(RESTORED, spec),
        ),
    )


def _to_lab() -> Manifest:
    spec = {
        "podSelector": {"matchLabels": {"cnpg.io/cluster": RESTORED}},
        "policyTypes": ["Egress"],
        "egress": [
            {
                "to": [{"ipBlock": {"cidr": f"{_LAB_ADDRESS}/32"}}],
                "ports": [{"protocol": "TCP", "port": _LAB_PORT}],
            }
        ],
    }
    return manifest(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        f"{RESTORED}-to-lab",
        namespace=NAMESPACE,
        labels=LABELS,
        spec=spec,
    )


def _recovered(design: Design, app: AppDesign, store: str, target: Mapping[str, str]) -> dict[str, Any]:
    """Return the cluster's specification, but that it begins as what a store holds, up to a target."""
    spec = cluster_spec(design, app)
    first = first_database(design)
    recovery: dict[str, Any] = {
        "source": "backup",
        "database": first.name,
        "owner": first.owner,
        # Without it the operator would give the owner a password of its own.
        "secret": {"name": secret_name(first.user)},
    }
    if target:
        recovery["recoveryTarget"] = dict(target)
    source = {"name": PLUGIN, "parameters": {"barmanObjectName": store, "serverName": CLUSTER}}
    return {
        **spec,
        "bootstrap": {"recovery": recovery},
        "externalClusters": [{"name": "backup", "plugin": source}],
    }


def _cluster(name: str, spec: Mapping[str, Any], annotations: Mapping[str, str] | None = None) -> Manifest:
    return manifest(
        API,
        "Cluster",
        name,
        namespace=NAMESPACE,
        labels=LABELS,
        annotations=annotations,
        spec=dict(spec),
    )
