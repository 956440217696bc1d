"""The cluster of PostgreSQL's instances as CloudNativePG is told of it, and who may speak with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rookery.apps.database import patroni
from rookery.apps.database.backups import backup_plugin
from rookery.apps.database.clients import CLUSTER, LABELS, PORT, pods_of, secret_name
from rookery.apps.database.roles import first_database
from rookery.apps.database.settings import DatabaseSettings
from rookery.apps.database.sizes import log_settings
from rookery.apps.ground.names import BLOCK_CLASS, DATABASES, tls_secret
from rookery.apps.ground.pods import HOST_KEY, quantity, sized
from rookery.apps.ground.policies import GATEWAYS, Peer, instances, network_policy, prometheus, to_api_server
from rookery.apps.sizes import POSTGRES
from rookery.design.model import AppDesign, Design
from rookery.manifest import Manifest
from rookery.versions import POSTGRES_IMAGE

# Ports of an instance beside PostgreSQL's: its manager, whom the operator and the other instances ask, and
# its figures.
_MANAGER, _FIGURES = 8000, 9187


def policies(design: Design, cluster: str = CLUSTER) -> tuple[Manifest, ...]:
    """Return what the instances of a cluster may do: by default of the database that applications use."""
    pods = pods_of(cluster)
    others = Peer(labels=tuple(pods.items()), ports=(PORT, _MANAGER))
    operator = Peer(
        labels=(("app.kubernetes.io/name", "cloudnative-pg"),), ports=(_MANAGER,), namespace=DATABASES
    )
    clients = [instances(one.name, component, PORT) for one in design.apps for component in _clients(one)]
    clients.append(instances("load", "generator", PORT))
    collector = [prometheus(_FIGURES)] if is_monitored(design) else []
    backups = [GATEWAYS] if design.object_store is not None else []
    return (
        network_policy(
            cluster,
            LABELS,
            of=pods,
            incoming=[others, operator, *clients, *collector],
            outgoing=[others, *backups],
        ),
        to_api_server(design, f"{cluster}-to-api-server", LABELS, of=pods),
    )


def _clients(app: AppDesign) -> tuple[str, ...]:
    """Return the components of an application that log in to the database, its Job for the schema too."""
    if app.service is not None or not app.databases:
        return ()
    return (*dict.fromkeys(instance.component for _, instance in app.placements), "schema")


def is_monitored(design: Design) -> bool:
    """Whether somebody collects figures."""
    return design.kubernetes is not None and design.kubernetes.monitoring


def is_synchronous(app: AppDesign) -> bool:
    """Whether a transaction is acknowledged once two instances have it."""
    assert isinstance(app.settings, DatabaseSettings)
    assert app.service is not None
    return app.settings.synchronous and len(app.service.instances) > 1


def cluster_spec(design: Design, app: AppDesign) -> dict[str, Any]:
    """Return the cluster's specification: new and empty, and backed up where there is object storage."""
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


def goes_on_alone(app: AppDesign) -> bool:
    """Whether losing any one of the instances would stop all writes, if each waited for a second instance.

    The design says that any one worker can be lost; Patroni goes on alone in the lab as well.
    """
    assert app.service is not None
    return len(app.service.instances) == 2


def _postgresql(design: Design, app: AppDesign) -> dict[str, Any]:
    assert isinstance(app.settings, DatabaseSettings)
    settings = patroni.PARAMETERS | log_settings(int(app.settings.volume))
    found: dict[str, Any] = {"parameters": _parameters(settings), "pg_hba": _access(design)}
    if is_synchronous(app):
        found["synchronous"] = {
            "method": "any",
            "number": 1,
            "dataDurability": "preferred" if goes_on_alone(app) else "required",
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
