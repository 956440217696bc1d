"""The CDN as an application: where its edges go, what they claim, what their hosts need."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rookery.apps.app import App
from rookery.apps.cdn.kubernetes.items import cdn_items
from rookery.apps.cdn.nginx import DIRECT_PORT, HEALTH_PATH, HEALTH_PORT, render_nginx, site_of
from rookery.apps.cdn.settings import CdnSettings
from rookery.apps.cdn.site.content import (
    IMAGE_SITE,
    IMAGE_WATCH,
    RULES,
    SITE_BUCKET,
    render_assets,
    render_site,
)
from rookery.apps.nginx import config_path, nginx_program
from rookery.apps.sizes import EDGE, PUBLISH_SITE, SEND_SITE, instances, work
from rookery.design.app import Surroundings, storage_off
from rookery.design.model import AppDesign, Bucket, Design, Frontend, Host, Instance
from rookery.files import File, Program
from rookery.spec.model import AppSettings
from rookery.units import MIB

PUBLISHER = "site-publisher"
HTTPS_PORT = 443


def place_cdn(settings: AppSettings, surroundings: Surroundings) -> AppDesign:
    """Put one edge on each worker, or as many as the spec asks for, and claim the site's bucket."""
    assert isinstance(settings, CdnSettings)
    if surroundings.object_store is None:
        raise storage_off("apps.cdn", "its site lives in a bucket", "object")
    hosts = surroundings.some_workers(settings.edges, len(surroundings.workers), "apps.cdn.edges")
    edge = Instance(
        app="cdn",
        component="edge",
        memory=EDGE.memory,
        resident=15 * MIB,
        ports=(HTTPS_PORT, DIRECT_PORT, HEALTH_PORT),
    )
    return AppDesign(
        name="cdn",
        settings=settings,
        placements=tuple((name, edge) for name, _ in hosts),
        frontends=(
            Frontend(
                name="site",
                port=HTTPS_PORT,
                backends=hosts,
                backend_port=HTTPS_PORT,
                check=HEALTH_PATH,
                check_port=HEALTH_PORT,
                check_clear=True,
                client_address=True,
            ),
        ),
        buckets=(Bucket(name=SITE_BUCKET, owner=PUBLISHER, readers=tuple(address for _, address in hosts)),),
        pods=(
            instances(edge, len(hosts), EDGE),
            work("site-publisher", PUBLISH_SITE),
            work("site-sender", SEND_SITE),
        ),
    )


def _server_files(design: Design, app: AppDesign, host: Host, instance: Instance) -> tuple[File, ...]:
    assert isinstance(app.settings, CdnSettings)
    text = render_nginx(design, host, instance, site_of(app.settings))
    return (File.text(config_path(instance), text),)


def _server_programs(
    _design: Design, _app: AppDesign, _host: Host, instance: Instance
) -> tuple[Program, ...]:
    return (nginx_program(instance),)


def _content(design: Design, app: AppDesign) -> Iterable[tuple[str, tuple[File, ...]]]:
    assert app.name == "cdn"
    yield SITE_BUCKET, render_site(design)


def _image_files() -> tuple[File, ...]:
    """Return the assets: a ConfigMap would be too small for them."""
    always, watching = render_assets()
    return tuple(
        replace(file, path=f"{folder.lstrip('/')}/{file.path}")
        for folder, files in ((IMAGE_SITE, always), (IMAGE_WATCH, watching))
        for file in files
    )


CDN = App(
    name="cdn",
    settings=CdnSettings,
    place=place_cdn,
    server_files=_server_files,
    server_programs=_server_programs,
    content=_content,
    rules=RULES,
    folder_key="site",
    cluster_items=cdn_items,
    image_files=_image_files,
    packages=("nginx-light",),
)
