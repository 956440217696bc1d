"""The catalogue as an application: an HTTP API on the workers over a database of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files

from rookery.apps.app import App, Secrets
from rookery.apps.catalogue.schema import render_schema
from rookery.apps.catalogue.seed import render_seed
from rookery.apps.catalogue.settings import CatalogueSettings
from rookery.apps.streaming.media import parse_index
from rookery.design.app import Surroundings
from rookery.design.model import AppDesign, Database, Design, Frontend, Host, Instance, Route
from rookery.errors import InputError
from rookery.files import File, Program, packaged
from rookery.spec.model import AppSettings
from rookery.units import MIB

API_PORT = 8445
_DATABASE = Database(name="catalogue", user="catalogue")
_PROGRAMS = "usr/lib/rookery/apps"
_FOLDER = "etc/rookery/catalogue"
_CONFIG = f"{_FOLDER}/catalogue.json"
# nginx's user, which the image has: the service needs nothing of it but to be nobody else's.
_OWNER = "www-data"
_API = Instance(app="catalogue", component="api", memory=192 * MIB, resident=65 * MIB, ports=(API_PORT,))


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
        databases=(_DATABASE,),
        uses=("streaming",),
    )


def _server_files(design: Design, _app: AppDesign, host: Host, _instance: Instance) -> tuple[File, ...]:
    service = design.database
    assert service is not None
    config = {
        "name": host.name,
        "address": host.address,
        "port": API_PORT,
        "certificate": f"/{_FOLDER}/server.crt",
        "key": f"/{_FOLDER}/server.key",
        "ca": "/etc/rookery/tls/ca.crt",
        "database": {
            "host": service.address,
            "writePort": service.port,
            "readPort": service.read_port,
            "name": _DATABASE.name,
            "user": _DATABASE.user,
            "passwordFile": f"/{_FOLDER}/password",
        },
    }
    return (
        File.text(_CONFIG, json.dumps(config, indent=1) + "\n"),
        *_programs(),
    )


def _programs() -> tuple[File, ...]:
    return packaged(files("rookery.apps.catalogue") / "service" / "catalogue", f"{_PROGRAMS}/catalogue")


def _private_files(
    _design: Design, _app: AppDesign, host: Host, _instance: Instance, secrets: Secrets
) -> tuple[File, ...]:
    return (
        File.text(f"{_FOLDER}/server.crt", secrets[f"tls.{host.name}.crt"]),
        File.text(f"{_FOLDER}/server.key", secrets[f"tls.{host.name}.key"], mode=0o400, owner=_OWNER),
        File.text(
            f"{_FOLDER}/password", secrets[f"database.user.{_DATABASE.user}"], mode=0o400, owner=_OWNER
        ),
    )


def _server_programs(
    _design: Design, _app: AppDesign, _host: Host, instance: Instance
) -> tuple[Program, ...]:
    return (
        Program(
            name=instance.name,
            argv=("python3", "-m", "catalogue", f"/{_CONFIG}"),
            user=_OWNER,
            environment=(("PYTHONPATH", f"/{_PROGRAMS}"), ("HOME", "/nonexistent")),
            priority=700,
            gated=True,
        ),
    )


def _schema(_design: Design, app: AppDesign, made: Mapping[str, str]) -> str:
    """Return the tables and their first rows; the titles are those that were made for streaming."""
    assert isinstance(app.settings, CatalogueSettings)
    schema = render_schema(owner=_DATABASE.owner, user=_DATABASE.user)
    seed = render_seed(
        parse_index(made["streaming"]),
        viewers=app.settings.viewers,
        plays=app.settings.plays,
        owner=_DATABASE.owner,
    )
    return f"{schema}\n{seed}"


CATALOGUE = App(
    name="catalogue",
    settings=CatalogueSettings,
    place=place_catalogue,
    server_files=_server_files,
    private_files=_private_files,
    server_programs=_server_programs,
    schema=_schema,
    image_files=_programs,
    packages=(
        "python3-fastapi",
        "python3-httptools",
        "python3-psycopg",
        "python3-psycopg-pool",
        "python3-uvicorn",
        "python3-uvloop",
    ),
)
