"""What the database is to others on Kubernetes: its Services, its users' secrets, who installs a schema."""

from __future__ import annotations

from rookery.apps.ground.names import PART_OF, object_name, service_names
from rookery.design.model import Database, Design
from rookery.manifest import common_labels

API = "postgresql.cnpg.io/v1"
CLUSTER = "database"
LABELS = common_labels("database", component="postgres", part_of=PART_OF)
PORT = 5432
# The Services that CloudNativePG makes of the cluster: to the primary, and to the replicas.
WRITES, REPLICAS = f"{CLUSTER}-rw", f"{CLUSTER}-ro"


def pods_of(cluster: str) -> dict[str, str]:
    """Return what CloudNativePG labels all pods of a cluster with, those of its jobs too."""
    return {"cnpg.io/cluster": cluster}


PODS = pods_of(CLUSTER)


def writes() -> str:
    """Return the name of the primary."""
    return service_names(WRITES)[0]


def reads(design: Design) -> str:
    """Return the name of the replicas; a database without replicas is read where it is written."""
    service = design.database
    assert service is not None, "who asks for the database uses one"
    return service_names(REPLICAS)[0] if len(service.instances) > 1 else writes()


def server_names() -> tuple[str, ...]:
    """Return the names of the certificate: those of the Services that CloudNativePG makes."""
    return tuple(name for service in (WRITES, REPLICAS, f"{CLUSTER}-r") for name in service_names(service))


def installer(database: Database) -> str:
    """Return who installs the schema of a database that its user does not own.

    In the lab that is the superuser, over the local socket. A Job comes over the network, where no superuser
    may: it logs in as this role, which can become the owner and has nothing else.
    """
    return f"{database.name}_installer"


def secret_name(user: str) -> str:
    """Return the name of the secret that has a user's name and password."""
    return f"{CLUSTER}-{object_name(user)}"
