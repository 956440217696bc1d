"""The stage that brings the database's operator: CloudNativePG, and its plugin that backs up to S3."""

from __future__ import annotations

from rookery.apps.ground.names import DATABASES
from rookery.apps.ground.pods import sized
from rookery.design.model import Design
from rookery.design.pods import DATABASE_OPERATOR
from rookery.manifest import Item, Release, Stage
from rookery.versions import BARMAN_PLUGIN, CLOUDNATIVE_PG

_WHY = """\
CloudNativePG runs PostgreSQL as Patroni does in the lab: one primary, followed synchronously, and another
takes over when it is lost; Kubernetes' API server says who it is. Backups to S3 are a plugin of it; the way
that was built in is deprecated."""

_SMALL = sized(DATABASE_OPERATOR)


def databases_stage(design: Design) -> Stage:
    """Return the stage."""
    items: tuple[Item, ...] = (
        Release(
            name="cnpg",
            why="The operator.",
            namespace=DATABASES,
            chart=CLOUDNATIVE_PG,
            values={"resources": _SMALL},
        ),
    )
    if design.object_store is not None:
        items = (
            *items,
            Release(
                name="plugin-barman-cloud",
                why="Sends write-ahead logs and base backups to S3. It and the operator know each other by "
                "certificates of cert-manager's.",
                namespace=DATABASES,
                chart=BARMAN_PLUGIN,
                values={"resources": _SMALL},
            ),
        )
    return Stage(name="60-databases", title="Operator of databases", why=_WHY, items=items)
