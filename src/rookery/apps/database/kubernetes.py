"""The database on Kubernetes: CloudNativePG does there what Patroni and etcd do in the lab.

The settings are those of the lab, where the operator leaves them to its users. Like the lab's, its passwords
are made where it runs and are in no file.
"""

from __future__ import annotations

from rookery.apps.app import InPods
from rookery.apps.database.backups import backup_items, backup_schedule
from rookery.apps.database.clients import API, CLUSTER, LABELS, PODS, server_names
from rookery.apps.database.cluster import cluster_spec, goes_on_alone, is_monitored, is_synchronous, policies
from rookery.apps.database.recovery import recoveries
from rookery.apps.database.roles import RELOAD, needed_secrets, role_items
from rookery.apps.ground.names import NAMESPACE
from rookery.apps.ground.pods import certificate
from rookery.design.model import AppDesign, Design
from rookery.manifest import Item, Objects, Wait, manifest, selector


def database_items(design: Design, app: AppDesign, _image: str) -> tuple[Item, ...]:
    """Return what makes the database, its roles and its backups, in the order in which it is applied."""
    return (
        needed_secrets(design),
        _policies(design),
        _certificate(),
        _ready("certificate", CLUSTER, 180),
        *(backup_items(design) if design.object_store is not None else ()),
        _cluster_objects(design, app),
        _ready("cluster.postgresql.cnpg.io", CLUSTER, 900),
        *role_items(design),
        *((backup_schedule(design),) if design.object_store is not None else ()),
    )


def _policies(design: Design) -> Objects:
    return Objects(
        name="network-policies",
        why="Clients reach PostgreSQL; the operator and the other instances also ask an instance's manager. "
        "An instance asks Kubernetes' API server who is primary, and sends its backups to the S3 gateways.",
        objects=policies(design),
    )


def _certificate() -> Objects:
    return Objects(
        name="certificate",
        why="The server's certificate is signed by the authority of everything else here, so a client needs "
        "to know that one only. Certificates of replicas are the operator's own.",
        objects=(certificate(CLUSTER, LABELS, names=server_names(), secret_labels=dict(RELOAD)),),
    )


def _ready(kind: str, name: str, seconds: int) -> Wait:
    return Wait(kind=kind, name=name, condition="condition=Ready", seconds=seconds, namespace=NAMESPACE)


def _cluster_objects(design: Design, app: AppDesign) -> Objects:
    objects = [
        manifest(API, "Cluster", CLUSTER, namespace=NAMESPACE, labels=LABELS, spec=cluster_spec(design, app))
    ]
    if is_monitored(design):
        spec = {"selector": selector(PODS), "podMetricsEndpoints": [{"port": "metrics"}]}
        objects.append(
            manifest(
                "monitoring.coreos.com/v1",
                "PodMonitor",
                CLUSTER,
                namespace=NAMESPACE,
                labels=LABELS,
                spec=spec,
            )
        )
    return Objects(name="cluster", why=_about(app), objects=tuple(objects))


def _about(app: AppDesign) -> str:
    text = "PostgreSQL: instances on different hosts, each with a volume of its own."
    if not is_synchronous(app):
        return text
    assert app.service is not None
    text += " A transaction is acknowledged when two have it, and who becomes primary has them all."
    if goes_on_alone(app):
        text += " While one of the two is away, the other goes on alone, and nobody succeeds it."
    return text


IN_PODS = InPods(items=database_items, by_hand=recoveries)
