"""An edge on its server: nginx under the host's supervisor."""

from __future__ import annotations

from rookery.apps.cdn.nginx import render_nginx, site_of
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
