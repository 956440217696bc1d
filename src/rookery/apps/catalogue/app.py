"""The catalogue as an application: an HTTP API on the workers over a database of its own."""

from __future__ import annotations

from rookery.apps.app import App
from rookery.apps.catalogue.config import API_PORT, DATABASE
from rookery.apps.catalogue.kubernetes import IN_PODS
from rookery.apps.catalogue.native import ON_SERVERS
from rookery.apps.catalogue.settings import CatalogueSettings
from rookery.apps.sizes import API, SCHEMA, instances, work
from rookery.design.app import Surroundings
from rookery.design.model import AppDesign, Frontend, Instance, Route
from rookery.errors import InputError
from rookery.spec.model import AppSettings
from rookery.units import MIB

_API = Instance(app="catalogue", component="api", memory=API.memory, resident=65 * MIB, ports=(API_PORT,))


def place_catalogue(settings: AppSettings, surroundings: Surroundings) -> AppDesign:
    """Put an instance on each worker, or as many as the spec asks for."""
    assert isinstance(settings, CatalogueSettings)
    for needed, why in (("database", "its plays live in PostgreSQL"), ("streaming", "its titles are films")):
        if needed not in surroundings.apps:
            raise InputError(
                f"apps.catalogue: {why}, and there is no apps.{needed}",
                hint=f"Add apps.{needed}, or remove apps.catalogue.",
            )
    workers = surroundings.workers
    hosts = surroundings.some_workers(settings.instances, len(workers), "apps.catalogue.instances")
    return AppDesign(
        name="catalogue",
        settings=settings,
        placements=tuple((name, _API) for name, _ in hosts),
        frontends=(
            Frontend(
                name="catalogue",
                port=API_PORT,
                backends=hosts,
                backend_port=API_PORT,
                check="/api/health/ready",
            ),
        ),
        routes=(Route(path="/api/", backends=hosts, port=API_PORT, writes=True),),
        databases=(DATABASE,),
        uses=("streaming",),
        pods=(instances(_API, len(hosts), API), work("catalogue-schema", SCHEMA)),
    )


CATALOGUE = App(
    name="catalogue",
    settings=CatalogueSettings,
    place=place_catalogue,
    about="The HTTP API over the database: titles, plays, counts.",
    packages=(
        "python3-fastapi",
        "python3-httptools",
        "python3-psycopg",
        "python3-psycopg-pool",
        "python3-uvicorn",
        "python3-uvloop",
    ),
    on_servers=ON_SERVERS,
    in_pods=IN_PODS,
)
