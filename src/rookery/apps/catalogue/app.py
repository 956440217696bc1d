"""The catalogue as an application: an HTTP API on the workers over a database of its own."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from rookery.apps.app import App, Secrets
from rookery.apps.catalogue.config import API_PORT, DATABASE, PROGRAMS, ApiPlace, render_config
from rookery.apps.catalogue.installation import render_installation
from rookery.apps.catalogue.kubernetes import catalogue_items, schema_files
from rookery.apps.catalogue.settings import CatalogueSettings
from rookery.apps.sizes import API, SCHEMA, instances, work
from rookery.design.app import Surroundings
from rookery.design.model import AppDesign, Design, Frontend, Host, Instance, Route
from rookery.errors import InputError
from rookery.files import File, Program, packaged
from rookery.spec.model import AppSettings
from rookery.units import MIB

_FOLDER = "etc/rookery/catalogue"
_CONFIG = f"{_FOLDER}/catalogue.json"
# nginx's user, which the image has: the service needs nothing of it but to be nobody else's.
_OWNER = "www-data"
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


def _server_files(design: Design, _app: AppDesign, host: Host, _instance: Instance) -> tuple[File, ...]:
    service = design.database
    assert service is not None
    place = ApiPlace(
        name=host.name,
        address=host.address,
        certificate=f"/{_FOLDER}/server.crt",
        key=f"/{_FOLDER}/server.key",
        authority="/etc/rookery/tls/ca.crt",
        password=f"/{_FOLDER}/password",
        writes=(service.address, service.port),
        reads=(service.address, service.read_port),
    )
    return (File.text(_CONFIG, render_config(place)), *_programs())


def _programs() -> tuple[File, ...]:
    return packaged(files("rookery.apps.catalogue") / "service" / "catalogue", f"{PROGRAMS}/catalogue")


def _private_files(
    _design: Design, _app: AppDesign, host: Host, _instance: Instance, secrets: Secrets
) -> tuple[File, ...]:
    return (
        File.text(f"{_FOLDER}/server.crt", secrets[f"tls.{host.name}.crt"]),
        File.text(f"{_FOLDER}/server.key", secrets[f"tls.{host.name}.key"], mode=0o400, owner=_OWNER),
        File.text(f"{_FOLDER}/password", secrets[f"database.user.{DATABASE.user}"], mode=0o400, owner=_OWNER),
    )


def _server_programs(
    _design: Design, _app: AppDesign, _host: Host, instance: Instance
) -> tuple[Program, ...]:
    return (
        Program(
            name=instance.name,
            argv=("python3", "-m", "catalogue", f"/{_CONFIG}"),
            user=_OWNER,
            environment=(("PYTHONPATH", f"/{PROGRAMS}"), ("HOME", "/nonexistent")),
            priority=700,
            gated=True,
        ),
    )


def _schema(_design: Design, app: AppDesign, made: Mapping[str, str]) -> str:
    """Return the tables and their first rows; the titles are those that were made for streaming."""
    assert isinstance(app.settings, CatalogueSettings)
    return render_installation(
        made["streaming"],
        owner=DATABASE.owner,
        user=DATABASE.user,
        viewers=app.settings.viewers,
        plays=app.settings.plays,
    )


def _image_files() -> tuple[File, ...]:
    return (*_programs(), *schema_files())


CATALOGUE = App(
    name="catalogue",
    settings=CatalogueSettings,
    place=place_catalogue,
    server_files=_server_files,
    private_files=_private_files,
    server_programs=_server_programs,
    schema=_schema,
    cluster_items=catalogue_items,
    image_files=_image_files,
    packages=(
        "python3-fastapi",
        "python3-httptools",
        "python3-psycopg",
        "python3-psycopg-pool",
        "python3-uvicorn",
        "python3-uvloop",
    ),
)
