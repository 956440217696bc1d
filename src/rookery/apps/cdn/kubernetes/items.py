"""The CDN on Kubernetes: the same edges in pods, and a Job that publishes the site.

The Gateway passes TLS through by the name that a client asks for, so it ends at the edges here too. What it
does not pass on is the client's address: the edges' logs have the Gateway's.
"""

from __future__ import annotations

from typing import Any

from rookery.apps.app import InPods
from rookery.apps.cdn.kubernetes.publishing import AUTHORITY, image_files, publishing_items, publishing_policy
from rookery.apps.cdn.kubernetes.sending import SENDING
from rookery.apps.cdn.nginx import (
    HEALTH_PATH,
    HEALTH_PORT,
    OBJECTS,
    EdgePlace,
    Origin,
    origin_name,
    render_edge,
    site_of,
)
from rookery.apps.cdn.settings import CdnSettings
from rookery.apps.cdn.site.content import SITE_BUCKET
from rookery.apps.ground.names import NAMESPACE, S3_HOST, S3_PORT, service_names
from rookery.apps.ground.pods import (
    bound,
    bucket_claim,
    certificate,
    container,
    count,
    deployment,
    disruption_budget,
    labels,
    pod,
    quantity,
    rolled_out,
    service,
    sized,
)
from rookery.apps.ground.policies import GATEWAYS, from_outside, instances, network_policy
from rookery.apps.nginx import tls
from rookery.apps.sizes import EDGE
from rookery.design.cluster import has_cilium
from rookery.design.model import AppDesign, Design, Instance, Route
from rookery.manifest import Item, Manifest, Objects, Wait, manifest

_NAME = "cdn-edge"
# Nobody in a pod may listen below 1024. Other than in the lab nothing comes first on a connection but TLS, so
# the site's port serves for looking at one edge by itself, too.
HTTPS_PORT = 8443
_CONFIG, _TLS, _CACHE = "/etc/rookery/edge", "/etc/rookery/tls", "/var/cache/edge"
_FOLDERS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
# Whoever balances needs a moment to learn that a pod leaves; then nginx, which is process 1, ends what it has
# begun. Told by SIGTERM, which comes next, it would cut connections off.
_LEAVING = "sleep 5; kill -QUIT 1; while kill -0 1 2> /dev/null; do sleep 0.2; done"


def cdn_items(design: Design, app: AppDesign, image: str) -> tuple[Item, ...]:
    """Return the site's bucket, what publishes into it, and the edges, in the order they are applied."""
    _, instance = app.placements[0]
    pod_labels = labels(instance)
    assert design.kubernetes is not None
    names = (*service_names(_NAME), f"site.{design.kubernetes.domain}")
    return (
        _policies(design, pod_labels),
        Objects(
            name="bucket",
            why="The site's bucket. Pods may get its objects without credentials, so that edges need none; "
            "which pods reach the gateways at all, the network policies say.",
            objects=(bucket_claim(SITE_BUCKET, pod_labels, readers=design.kubernetes.pods),),
        ),
        bound(SITE_BUCKET),
        Objects(
            name="certificate",
            why="For the site's name outside and the Service's inside.",
            objects=(certificate(_NAME, pod_labels, names=names),),
        ),
        Wait(kind="certificate", name=_NAME, condition="condition=Ready", seconds=180, namespace=NAMESPACE),
        *publishing_items(design, app, image),
        Objects(
            name="edges",
            why="The edges: nginx with a cache of its own, no two on one host.",
            objects=_edges(design, app, image),
        ),
        rolled_out(_NAME),
    )


def edge_place(design: Design) -> EdgePlace:
    """Return where the edges of a design stand when they are pods."""
    gateway = _origin(S3_HOST, S3_PORT)
    others = (
        (origin_name(route), _origin(service_names(_serving(design, route).name)[0], 443))
        for route in design.routes
        if route.backends
    )
    return EdgePlace(
        head=("worker_processes 1;", "pid /tmp/nginx.pid;", "error_log stderr warn;"),
        access_log="/dev/stdout",
        folders=tuple(f"{name}_temp_path /tmp/{name};" for name in _FOLDERS),
        cache=_CACHE,
        tls=tls(f"{_TLS}/tls.crt", f"{_TLS}/tls.key"),
        authority=f"{_TLS}/ca.crt",
        listens=(f"{HTTPS_PORT} ssl",),
        client=(),
        name="$hostname",
        origins=((OBJECTS, gateway), *others),
    )


def _origin(name: str, port: int) -> Origin:
    """Return a Service as an origin.

    Its one address stands for several pods. So it is there twice: what one pod fails to answer is asked
    again, and may be another's. And it never counts as failed as a whole.
    """
    return Origin(servers=(f"{name}:{port} max_fails=0",) * 2, name=name, host=name)


def _serving(design: Design, route: Route) -> Instance:
    """Return the component that serves a route: that of its application which has the route's port."""
    return next(
        instance
        for app in design.apps
        if route in app.routes
        for _, instance in app.placements
        if route.port in instance.ports
    )


_VISITORS = {
    True: "Only the Gateway comes to the edges",
    False: "Whoever comes through a node's port reaches the edges' own",
}


def _policies(design: Design, pod_labels: dict[str, str]) -> Objects:
    served = [(_serving(design, route), route.port) for route in design.routes if route.backends]
    origins = [instances(one.app, one.component, port) for one, port in served]
    return Objects(
        name="network-policies",
        why=f"{_VISITORS[has_cilium(design)]}; they reach the S3 gateways and what serves the site's paths. "
        "Who publishes reaches the gateways.",
        objects=(
            network_policy(_NAME, pod_labels, outgoing=[GATEWAYS, *origins]),
            from_outside(design, f"{_NAME}-from-gateway", pod_labels, HTTPS_PORT),
            publishing_policy(),
        ),
    )


def _edges(design: Design, app: AppDesign, image: str) -> tuple[Manifest, ...]:
    assert isinstance(app.settings, CdnSettings)
    _, instance = app.placements[0]
    pod_labels = labels(instance)
    cache = int(app.settings.cache)
    text = render_edge(edge_place(design), design.routes, site_of(app.settings))
    data = {"nginx.conf": text}
    config = manifest("v1", "ConfigMap", _NAME, namespace=NAMESPACE, labels=pod_labels, data=data)
    return (
        config,
        deployment(
            _NAME,
            pod_labels,
            _edge_pod(cache, image),
            replicas=count(design, instance),
            read=[config],
        ),
        service(_NAME, pod_labels, {"https": (443, "https")}),
        disruption_budget(_NAME, pod_labels),
    )


def _edge_pod(cache: int, image: str) -> dict[str, Any]:
    config = f"{_CONFIG}/nginx.conf"
    edge = container(
        "edge",
        image,
        ["/usr/sbin/nginx", "-e", "stderr", "-c", config, "-g", "daemon off;"],
        size=sized(EDGE),
        ports=[
            {"name": "https", "containerPort": HTTPS_PORT},
            {"name": "health", "containerPort": HEALTH_PORT},
        ],
        volumeMounts=[
            {"name": "config", "mountPath": _CONFIG, "readOnly": True},
            {"name": "tls", "mountPath": _TLS, "readOnly": True},
            {"name": "cache", "mountPath": _CACHE},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
        ],
        livenessProbe=_probe(periodSeconds=10, failureThreshold=3),
        readinessProbe=_probe(periodSeconds=2, failureThreshold=2),
        lifecycle={"preStop": {"exec": {"command": ["sh", "-c", _LEAVING]}}},
    )
    return pod(
        [edge],
        volumes=[
            {"name": "config", "configMap": {"name": _NAME}},
            {"name": "tls", "secret": {"secretName": AUTHORITY}},
            # nginx goes a little beyond its limit before it removes the oldest; a pod that goes beyond this
            # one is evicted.
            {"name": "cache", "emptyDir": {"sizeLimit": quantity(cache + cache // 4)}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
        terminationGracePeriodSeconds=45,
    )


def _probe(**timing: int) -> dict[str, Any]:
    return {"httpGet": {"path": HEALTH_PATH, "port": "health"}, "timeoutSeconds": 2, **timing}


IN_PODS = InPods(items=cdn_items, image_files=image_files, sending=SENDING)
