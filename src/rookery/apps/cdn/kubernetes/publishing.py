"""How the site comes into its bucket on Kubernetes: pages as ConfigMaps, assets out of our image, a Job.

Pages follow from the design, so they are in the tree; assets are the same for every design and too large for
it. A folder of the user's own is neither, nor is the design as one document, which says what prices were on
one day: whoever has them sends them (`sending.py`).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from rookery.apps.cdn.settings import CdnSettings
from rookery.apps.cdn.site.content import (
    ASSETS,
    IMAGE_SITE,
    IMAGE_WATCH,
    RULES,
    SITE_BUCKET,
    render_assets,
    render_site,
)
from rookery.apps.cdn.site.pages.facts import streams
from rookery.apps.ground.names import NAMESPACE, PART_OF, S3_HOST, tls_secret
from rookery.apps.ground.pods import PUBLISHER, bucket_keys, container, done, job, pod, sized
from rookery.apps.ground.policies import GATEWAYS, network_policy
from rookery.apps.serving import render_rules
from rookery.apps.sizes import PUBLISH_SITE
from rookery.design.model import AppDesign, Design
from rookery.errors import InputError
from rookery.files import File
from rookery.manifest import Item, Manifest, Objects, common_labels, manifest

LABELS = common_labels("cdn", component="publisher", part_of=PART_OF)
_NAME = "site-publisher"
# The secret whose `ca.crt` vouches for the gateways: that of the edges' certificate.
AUTHORITY = tls_secret("cdn-edge")
_PAGES, _RULES, _TLS = "/srv/pages", "/etc/rookery/publish", "/etc/rookery/tls"
# Bytes of one ConfigMap. etcd takes 1.5 MiB of an object and Kubernetes 1 MiB of data, names and labels and
# the manager's notes not counted.
_MOST = 900 * 1024


def publishing_policy() -> Manifest:
    """Return what pods that publish may do, whoever made them."""
    return network_policy(_NAME, LABELS, outgoing=[GATEWAYS])


def publishing_items(design: Design, app: AppDesign, image: str) -> tuple[Item, ...]:
    """Return the site's pages and the Job that publishes them; nothing of a folder of the user's own."""
    assert isinstance(app.settings, CdnSettings)
    if app.settings.site is not None:
        return ()
    pages = tuple(config_maps("site-pages", LABELS, _pages(design)))
    data = {"rules.json": render_rules(RULES)}
    rules = manifest("v1", "ConfigMap", "site-rules", namespace=NAMESPACE, labels=LABELS, data=data)
    publisher = _job(design, image, pages, rules)
    return (
        Objects(
            name="pages",
            why="The site's pages, made from the design; how long each file may be kept, and what it is.",
            objects=(*pages, rules),
        ),
        Objects(
            name="publisher",
            why="Sends pages and assets into the bucket, where they differ. A change of them is another Job. "
            "The design as one document is in no tree; who has it sends it.",
            objects=(publisher,),
        ),
        done(publisher, 600),
    )


def config_maps(name: str, pod_labels: dict[str, str], files: Iterable[File]) -> Iterator[Manifest]:
    """Yield ConfigMaps that hold the files of a flat folder, as few as it takes: NAME-1, NAME-2.

    Raises InputError for a file that none can hold.
    """
    for number, part in enumerate(_parts(files), 1):
        texts, others = {}, {}
        for file in part:
            try:
                texts[file.path] = file.content.decode()
            except UnicodeDecodeError:
                others[file.path] = base64.b64encode(file.content).decode()
        body = {key: data for key, data in (("data", texts), ("binaryData", others)) if data}
        yield manifest("v1", "ConfigMap", f"{name}-{number}", namespace=NAMESPACE, labels=pod_labels, **body)


def _parts(files: Iterable[File]) -> list[list[File]]:
    parts: list[list[File]] = []
    room = 0
    for file in files:
        size = len(file.path) + _stored(file)
        if size > _MOST:
            raise InputError(
                f"apps.cdn: {file.path} has {size} bytes, a ConfigMap of Kubernetes takes {_MOST}",
                hint="Publish a folder of your own: apps.cdn.site.",
            )
        if size > room:
            parts.append([])
            room = _MOST
        parts[-1].append(file)
        room -= size
    return parts


def _stored(file: File) -> int:
    """Return the bytes that a file takes where it is kept: what is no text grows by a third."""
    try:
        file.content.decode()
    except UnicodeDecodeError:
        return (len(file.content) + 2) // 3 * 4
    return len(file.content)


def _pages(design: Design) -> tuple[File, ...]:
    return tuple(file for file in render_site(design) if not file.path.startswith(ASSETS))


def image_files() -> tuple[File, ...]:
    """Return the assets, which our image holds: a ConfigMap would be too small for them."""
    always, watching = render_assets()
    return tuple(
        replace(file, path=f"{folder.lstrip('/')}/{file.path}")
        for folder, files in ((IMAGE_SITE, always), (IMAGE_WATCH, watching))
        for file in files
    )


def publish_argv(folders: Iterable[str], *, rules: str, ca: str) -> list[str]:
    """Return the command that brings folders of a pod into the site's bucket; `rules` and `ca` are files."""
    options = {"bucket": SITE_BUCKET, "endpoint": f"https://{S3_HOST}", "ca": ca, "rules": rules}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    return ["/usr/bin/python3", PUBLISHER, *words, *folders]


def environment() -> list[dict[str, Any]]:
    """Return the environment of that command."""
    return [{"name": "PYTHONDONTWRITEBYTECODE", "value": "1"}, *bucket_keys(SITE_BUCKET)]


def _job(design: Design, image: str, pages: tuple[Manifest, ...], rules: Manifest) -> Manifest:
    folders = (IMAGE_SITE, *((IMAGE_WATCH,) if streams(design) else ()), _PAGES)
    sources: list[dict[str, Any]] = [{"configMap": {"name": page["metadata"]["name"]}} for page in pages]
    ca = {"secretName": AUTHORITY, "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    volumes: dict[str, tuple[str, dict[str, Any]]] = {
        "pages": (_PAGES, {"projected": {"sources": sources}}),
        "rules": (_RULES, {"configMap": {"name": rules["metadata"]["name"]}}),
        "tls": (_TLS, {"secret": ca}),
    }
    publish = container(
        "publish",
        image,
        publish_argv(folders, rules=f"{_RULES}/rules.json", ca=f"{_TLS}/ca.crt"),
        size=sized(PUBLISH_SITE),
        env=environment(),
        volumeMounts=[
            {"name": name, "mountPath": path, "readOnly": True} for name, (path, _) in volumes.items()
        ],
    )
    specification = pod([publish], volumes=[{"name": name, **one} for name, (_, one) in volumes.items()])
    return job(_NAME, LABELS, specification, read=[*pages, rules])
