"""The CDN as an application: where its edges go, what they claim, what their hosts need."""

from __future__ import annotations

from rookery.apps.app import App, Content
from rookery.apps.cdn.kubernetes.items import IN_PODS
from rookery.apps.cdn.native import ON_SERVERS
from rookery.apps.cdn.nginx import DIRECT_PORT, DOCUMENT, HEALTH_PATH, HEALTH_PORT, HTTPS_PORT
from rookery.apps.cdn.settings import CdnSettings
from rookery.apps.cdn.site.content import RULES, SITE_BUCKET, site_content
from rookery.apps.sizes import EDGE, PUBLISH_SITE, SEND_SITE, instances, work
from rookery.design.app import Surroundings, storage_off
from rookery.design.model import AppDesign, Frontend, Instance
from rookery.design.stored import Bucket
from rookery.spec.model import AppSettings
from rookery.units import MIB

PUBLISHER = "site-publisher"


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


CDN = App(
    name="cdn",
    settings=CdnSettings,
    place=place_cdn,
    about="The website, published to a bucket, and the caching edges that serve it and everything below it.",
    packages=("nginx-light",),
    content=Content(rules=RULES, folder_key="site", written=site_content, document=DOCUMENT),
    on_servers=ON_SERVERS,
    in_pods=IN_PODS,
)
