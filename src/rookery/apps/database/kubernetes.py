"""The database on Kubernetes: CloudNativePG does there what Patroni and etcd do in the lab.

The settings are those of the lab, where the operator leaves them to its users. Like the lab's, its passwords
are made where it runs and are in no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rookery.apps.app import InPods
from rookery.apps.database import patroni
from rookery.apps.database.backups import backup_items, backup_plugin, backup_schedule
from rookery.apps.database.clients import API, CLUSTER, LABELS, PODS, PORT, secret_name, server_names
from rookery.apps.database.roles import RELOAD, first_database, needed_secrets, role_items
from rookery.apps.database.settings import DatabaseSettings
from rookery.apps.database.sizes import log_settings
from rookery.apps.ground.names import BLOCK_CLASS, DATABASES, NAMESPACE, tls_secret
from rookery.apps.ground.pods import HOST_KEY, certificate, quantity, sized
from rookery.apps.ground.policies import GATEWAYS, Peer, instances, network_policy, prometheus, to_api_server
from rookery.apps.sizes import POSTGRES
from rookery.design.model import AppDesign, Design
from rookery.manifest import Item, Objects, Wait, manifest, selector
from rookery.versions import POSTGRES_IMAGE

# Ports of an instance beside PostgreSQL's: its manager, whom the operator and the other instances ask, and
# its figures.
_MANAGER, _FIGURES = 8000, 9187


def database_items(design: Design, app: AppDesign, _image: str) -> tuple[Item, ...]:
    """Return what makes the database, its roles and its backups, in the order in which it is applied."""
    return (
        needed_secrets(design),
        _policies(design),
        _certificate(),
        _ready("certificate", CLUSTER, 180),
        *(backup_items() if design.object_store is not None else ()),
        _cluster_objects(design, app),
        _ready("cluster.postgresql.cnpg.io", CLUSTER, 900),
        *role_items(design),
        *((backup_schedule(),) if design.object_store is not None else ()),
    )


def _policies(design: Design) -> Objects:
    others = Peer(labels=tuple(PODS.items()), ports=(PORT, _MANAGER))
    operator = Peer(
        labels=(("app.kubernetes.io/name", "cloudnative-pg"),), ports=(_MANAGER,), namespace=DATABASES
    )
    clients = [instances(one.name, component, PORT) for one in design.apps for component in _clients(one)]
    clients.append(instances("load", "generator", PORT))
    collector = [prometheus(_FIGURES)] if _monitored(design) else []
    backups = [GATEWAYS] if design.object_store is not None else []
    return Objects(
        name="network-policies",
        why="Clients reach PostgreSQL; the operator and the other instances also ask an instance's manager. "
        "An instance asks Kubernetes' API server who is primary, and sends its backups to the S3 gateways.",
        objects=(
            network_policy(
                CLUSTER,
                LABELS,
                of=PODS,
                incoming=[others, operator, *clients, *collector],
                outgoing=[others, *backups],
            ),
            to_api_server(design, f"{CLUSTER}-to-api-server", LABELS, of=PODS),
        ),
    )


def _clients(app: AppDesign) -> tuple[str, ...]:
    """Return the components of an application that log in to the database, its Job for the schema too."""
    if app.service is not None or not app.databases:
        return ()
    return (*dict.fromkeys(instance.component for _, instance in app.placements), "schema")


def _monitored(design: Design) -> bool:
    return design.kubernetes is not None and design.kubernetes.monitoring


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
        manifest(API, "Cluster", CLUSTER, namespace=NAMESPACE, labels=LABELS, spec=_cluster(design, app))
    ]
    if _monitored(design):
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
    if not _is_synchronous(app):
        return text
    assert app.service is not None
    text += " A transaction is acknowledged when two have it, and who becomes primary has them all."
    if _goes_on_alone(app):
        text += " While one of the two is away, the other goes on alone, and nobody succeeds it."
    return text


def _is_synchronous(app: AppDesign) -> bool:
    assert isinstance(app.settings, DatabaseSettings)
    assert app.service is not None
    return app.settings.synchronous and len(app.service.instances) > 1


def _cluster(design: Design, app: AppDesign) -> dict[str, Any]:
    assert isinstance(app.settings, DatabaseSettings)
    assert app.service is not None
    first = first_database(design)
    return {
        "instances": len(app.service.instances),
        "imageName": POSTGRES_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "primaryUpdateStrategy": "unsupervised",
        "enableSuperuserAccess": False,
        "bootstrap": {
            "initdb": {
                # The operator makes one database itself; without a name it would be one that nobody uses.
                "database": first.name,
                "owner": first.owner,
                "secret": {"name": secret_name(first.user)},
                "encoding": "UTF8",
                "locale": "C.UTF-8",
                "dataChecksums": True,
            }
        },
        "postgresql": _postgresql(design, app),
        "certificates": {"serverTLSSecret": tls_secret(CLUSTER), "serverCASecret": tls_secret(CLUSTER)},
        "storage": {
            "storageClass": BLOCK_CLASS,
            "size": quantity(int(app.settings.volume)),
            "resizeInUseVolumes": True,
        },
        "affinity": {
            "enablePodAntiAffinity": True,
            "podAntiAffinityType": "required",
            "topologyKey": HOST_KEY,
        },
        "resources": sized(POSTGRES),
        **({"plugins": [backup_plugin()]} if design.object_store is not None else {}),
    }


def _goes_on_alone(app: AppDesign) -> bool:
    """Whether losing any one of the instances would stop all writes, if each waited for a second instance.

    The design says that any one worker can be lost; Patroni goes on alone in the lab as well.
    """
    assert app.service is not None
    return len(app.service.instances) == 2


def _postgresql(design: Design, app: AppDesign) -> dict[str, Any]:
    assert isinstance(app.settings, DatabaseSettings)
    settings = patroni.PARAMETERS | log_settings(int(app.settings.volume))
    found: dict[str, Any] = {"parameters": _parameters(settings), "pg_hba": _access(design)}
    if _is_synchronous(app):
        found["synchronous"] = {
            "method": "any",
            "number": 1,
            "dataDurability": "preferred" if _goes_on_alone(app) else "required",
            # The operator counts, before it promotes one, whether those that it sees have every transaction.
            # While a primary is alone, none has.
            "failoverQuorum": True,
        }
    return found


def _parameters(settings: Mapping[str, object]) -> dict[str, str]:
    """Return the lab's parameters without those that are the operator's: TLS, and what a rewind needs."""
    return {
        name: str(value)
        for name, value in settings.items()
        if not name.startswith("ssl") and name != "wal_log_hints"
    }


def _access(design: Design) -> list[str]:
    """Return our lines of pg_hba.conf, after the operator's own: over TLS with a password, from pods only."""
    assert design.kubernetes is not None
    return [
        "host all postgres all reject",
        f"hostssl all all {design.kubernetes.pods} scram-sha-256",
        # Who forwards a port with kubectl arrives from the pod itself.
        "hostssl all all 127.0.0.1/32 scram-sha-256",
        "host all all all reject",
    ]


IN_PODS = InPods(items=database_items)
