"""The catalogue on servers: the service under its host's supervisor, and the SQL of its database."""

from __future__ import annotations

from collections.abc import Mapping

from rookery.apps.app import OnServers, Port, Protection, Secrets
from rookery.apps.catalogue.config import API_PORT, DATABASE, PROGRAMS, ApiPlace, programs, render_config
from rookery.apps.catalogue.installation import render_installation
from rookery.apps.catalogue.settings import CatalogueSettings
from rookery.design.model import AppDesign, Design, Host, Instance
from rookery.files import File, Program

_FOLDER = "etc/rookery/catalogue"
_CONFIG = f"{_FOLDER}/catalogue.json"
# nginx's user, which the image has: the service needs nothing of it but to be nobody else's.
_OWNER = "www-data"


def server_files(design: Design, _app: AppDesign, host: Host, _instance: Instance) -> tuple[File, ...]:
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
    return (File.text(_CONFIG, render_config(place)), *programs())


def private_files(
    _design: Design, _app: AppDesign, host: Host, _instance: Instance, secrets: Secrets
) -> tuple[File, ...]:
    return (
        File.text(f"{_FOLDER}/server.crt", secrets[f"tls.{host.name}.crt"]),
        File.text(f"{_FOLDER}/server.key", secrets[f"tls.{host.name}.key"], mode=0o400, owner=_OWNER),
        File.text(f"{_FOLDER}/password", secrets[f"database.user.{DATABASE.user}"], mode=0o400, owner=_OWNER),
    )


def server_programs(_design: Design, _app: AppDesign, _host: Host, instance: Instance) -> tuple[Program, ...]:
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


def schema(_design: Design, app: AppDesign, made: Mapping[str, str]) -> str:
    """Return the tables and their first rows; the titles are those that were made for streaming."""
    assert isinstance(app.settings, CatalogueSettings)
    return render_installation(
        made["streaming"],
        owner=DATABASE.owner,
        user=DATABASE.user,
        viewers=app.settings.viewers,
        plays=app.settings.plays,
    )


ON_SERVERS = OnServers(
    programs=server_programs,
    files=server_files,
    private_files=private_files,
    schema=schema,
    ports=(Port(component="api", number=API_PORT, protected="TLS"),),
    protection=(Protection(title="Catalogue.", words="TLS ends at its instances."),),
)
