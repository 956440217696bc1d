"""An edge on its server: nginx under the host's supervisor."""

from __future__ import annotations

from rookery.apps.app import OnServers, Port, Protection
from rookery.apps.cdn.nginx import DIRECT_PORT, HEALTH_PORT, HTTPS_PORT, render_nginx, site_of
from rookery.apps.cdn.settings import CdnSettings
from rookery.apps.nginx import config_path, nginx_program
from rookery.design.model import AppDesign, Design, Host, Instance
from rookery.files import File, Program


def server_files(design: Design, app: AppDesign, host: Host, instance: Instance) -> tuple[File, ...]:
    assert isinstance(app.settings, CdnSettings)
    text = render_nginx(design, host, instance, site_of(app.settings))
    return (File.text(config_path(instance), text),)


def server_programs(_design: Design, _app: AppDesign, _host: Host, instance: Instance) -> tuple[Program, ...]:
    return (nginx_program(instance),)


ON_SERVERS = OnServers(
    programs=server_programs,
    files=server_files,
    ports=(
        Port(component="edge", number=HTTPS_PORT, protected="TLS 1.2 or 1.3; behind the load balancer"),
        Port(component="edge", number=DIRECT_PORT, protected="TLS 1.2 or 1.3; one edge by itself"),
        Port(component="edge", number=HEALTH_PORT, protected="in clear: says that it is well, nothing else"),
    ),
    protection=(
        Protection(
            title="The site.",
            words="TLS 1.2 or 1.3 ends at the edges (nginx), which verify the gateways and origins that they "
            "fetch from. They send Strict-Transport-Security and a Content-Security-Policy that lets in "
            "nothing from elsewhere.",
        ),
    ),
)
