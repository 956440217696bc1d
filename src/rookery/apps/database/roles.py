"""Who may do what in the database on Kubernetes: roles, databases, and the passwords that they need.

Each role has what it needs and no more, as in the lab. CloudNativePG has objects for roles and databases,
whose state says whether they are there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rookery.apps.database.clients import API, CLUSTER, LABELS, installer, secret_name
from rookery.apps.ground.names import NAMESPACE, object_name
from rookery.design.model import Database, Design
from rookery.manifest import Item, Manifest, NeededSecret, NeededSecrets, Objects, Wait, manifest

# Whoever uses a secret with this label is told when it changes.
RELOAD = (("cnpg.io/reload", "true"),)


def first_database(design: Design) -> Database:
    """Return the database that is made with the cluster: its user owns it, so no role comes before it."""
    return next(database for database in design.databases if database.owns)


def _kept_apart(design: Design) -> tuple[Database, ...]:
    """Return the databases whose users do not own them."""
    return tuple(database for database in design.databases if not database.owns)


def needed_secrets(design: Design) -> NeededSecrets:
    """Return the passwords of everybody who logs in."""
    needed = [(database.user, f"Instances log in to {database.name}.") for database in design.databases]
    needed += [(installer(one), f"Installs the schema of {one.name}.") for one in _kept_apart(design)]
    return NeededSecrets(
        name="passwords",
        why="The passwords of the database's users. Each is made once, where it is missing.",
        secrets=tuple(
            NeededSecret(name=secret_name(user), namespace=NAMESPACE, username=user, why=why, labels=RELOAD)
            for user, why in needed
        ),
    )


def role_items(design: Design) -> Iterator[Item]:
    """Yield roles and databases: who owns is there before who may become it, and before what is owned."""
    owners = [_role(one.owner, login=False, comment=f"Owns {one.name}.") for one in _kept_apart(design)]
    if owners:
        yield Objects(
            name="owners",
            why="Owners of databases whose users may do only what they are granted. Nobody logs in as one.",
            objects=tuple(owners),
        )
        yield _applied("databaserole")
    users = tuple(_users(design))
    if users:
        yield Objects(
            name="users",
            why="Who logs in, each with the password of its secret. An installer may become the owner of its "
            "database, for the Job that installs the schema.",
            objects=users,
        )
        yield _applied("databaserole")
    yield Objects(
        name="databases",
        why="The databases. Deleting one of these objects leaves its data.",
        objects=tuple(_database(database) for database in design.databases),
    )
    yield _applied("database")


def _users(design: Design) -> Iterator[Manifest]:
    for database in design.databases:
        if database != first_database(design):
            yield _role(database.user, login=True, comment=f"Instances log in to {database.name}.")
        if not database.owns:
            comment = f"Installs the schema of {database.name}."
            yield _role(installer(database), login=True, comment=comment, member_of=database.owner)


def _role(name: str, *, login: bool, comment: str, member_of: str = "") -> Manifest:
    spec: dict[str, Any] = {
        "cluster": {"name": CLUSTER},
        "name": name,
        "comment": comment,
        "login": login,
        "databaseRoleReclaimPolicy": "retain",
    }
    if login:
        spec["passwordSecret"] = {"name": secret_name(name)}
    if member_of:
        spec["inRoles"] = [member_of]
    return manifest(API, "DatabaseRole", secret_name(name), namespace=NAMESPACE, labels=LABELS, spec=spec)


def _database(database: Database) -> Manifest:
    spec = {
        "cluster": {"name": CLUSTER},
        "name": database.name,
        "owner": database.owner,
        "databaseReclaimPolicy": "retain",
    }
    name = object_name(database.name)
    return manifest(API, "Database", name, namespace=NAMESPACE, labels=LABELS, spec=spec)


def _applied(kind: str) -> Wait:
    return Wait(
        kind=f"{kind}.postgresql.cnpg.io",
        name="--all",
        condition="jsonpath={.status.applied}=true",
        seconds=300,
        namespace=NAMESPACE,
    )
