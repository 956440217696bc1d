"""Streaming on Kubernetes: a Job that makes and publishes films, a channel that any pod leads, its origins.

Who leads is a Lease of the API server's, which these pods may read and change and nothing else. The channel's
window is a volume of CephFS that all of them mount at once; the origins mount it for reading only.
"""

from __future__ import annotations

from typing import Any

from rookery.apps import sizes
from rookery.apps.app import InPods
from rookery.apps.ground.names import NAMESPACE, service_names, tls_secret
from rookery.apps.ground.pods import (
    bound,
    bucket_claim,
    certificate,
    container,
    count,
    deployment,
    disruption_budget,
    done,
    labels,
    pod,
    rolled_out,
    service,
    sized,
)
from rookery.apps.ground.policies import GATEWAYS, instances, network_policy, to_api_server
from rookery.apps.streaming.instances import (
    CHANNEL,
    MEDIA_BUCKET,
    ORIGIN,
    PACKING_FOLDER,
    PROGRAM_FOLDER,
    packing_files,
    pod_channel,
)
from rookery.apps.streaming.kubernetes.films import (
    PACKER,
    authority_certificate,
    packer,
    rules,
    source_volume,
)
from rookery.apps.streaming.kubernetes.volumes import WINDOW, account, claim, claimed
from rookery.apps.streaming.origin import HEALTH_PATH, ORIGIN_PORT, pod_place, render_origin
from rookery.apps.streaming.settings import StreamingSettings
from rookery.design.model import AppDesign, Design
from rookery.files import File
from rookery.manifest import Item, Manifest, Objects, manifest

_ORIGIN, _CHANNEL = labels(ORIGIN), labels(CHANNEL)
_LIVE = "/srv/live"
_CONFIG, _TLS = "/etc/rookery", "/etc/rookery/tls"
_PACKING_LIMIT = 6 * 3600  # seconds: a user's folder may hold many long films


def streaming_items(design: Design, app: AppDesign, image: str) -> tuple[Item, ...]:
    """Return what streams films and the live channel, in the order in which it is applied."""
    assert isinstance(app.settings, StreamingSettings)
    given = app.settings.media
    films = packer(design, image, given=given is not None)
    return (
        _policies(design, app),
        _bucket(design),
        bound(MEDIA_BUCKET),
        *((source_volume(given, image),) if given is not None else ()),
        Objects(
            name="films",
            why="Films and their renditions are made in this Job and published to the bucket. Its name has a "
            "hash of what it does: a change makes another Job. A run that fails is tried again.",
            objects=(account("packager"), authority_certificate(), rules(), films),
        ),
        *(_channel(design, image) if app.settings.channel else ()),
        done(films, _PACKING_LIMIT if given is not None else 1800),
    )


def image_files() -> tuple[File, ...]:
    """Return what our image holds of streaming: who makes films, and the channel."""
    return (*packing_files(PACKING_FOLDER), *pod_channel())


def _policies(design: Design, app: AppDesign) -> Objects:
    assert isinstance(app.settings, StreamingSettings)
    channel = (
        network_policy("streaming-origin", _ORIGIN, incoming=[instances("cdn", "edge", ORIGIN_PORT)]),
        to_api_server(design, "streaming-channel", _CHANNEL),
    )
    return Objects(
        name="network-policies",
        why="The packager reaches the S3 gateways. The edges reach the origins. The channel asks "
        "Kubernetes' API server who leads. What the volumes need goes through the hosts, not through pods.",
        objects=(
            network_policy("streaming-packager", PACKER, outgoing=[GATEWAYS]),
            *(channel if app.settings.channel else ()),
        ),
    )


def _bucket(design: Design) -> Objects:
    assert design.kubernetes is not None
    return Objects(
        name="bucket",
        why="The bucket of films and music; pods may read its objects without keys, and that is all.",
        objects=(bucket_claim(MEDIA_BUCKET, PACKER, readers=design.kubernetes.pods),),
    )


# The live channel


def _channel(design: Design, image: str) -> tuple[Item, ...]:
    return (
        Objects(
            name="channel",
            why="The live channel. One of these pods encodes, whoever holds the Lease; the others wait for "
            "it. The volume is one folder of CephFS that all of them mount.",
            objects=(
                account("channel"),
                *_lease(),
                claim("live", _CHANNEL, size=WINDOW),
                _encoders(design, image),
                disruption_budget("streaming-channel", _CHANNEL),
            ),
        ),
        Objects(
            name="origins",
            why="Each origin serves the channel's folder, whichever pod writes it.",
            objects=(
                account("origin"),
                certificate("streaming-origin", _ORIGIN, names=service_names("streaming-origin")),
                _origin_config(),
                _origins(design, image),
                service("streaming-origin", _ORIGIN, {"https": (443, "https")}),
                disruption_budget("streaming-origin", _ORIGIN),
            ),
        ),
        rolled_out("streaming-channel"),
        rolled_out("streaming-origin"),
    )


def _lease() -> tuple[Manifest, ...]:
    """Return the Lease, and what lets the channel's pods hold it: no other, and none that they would make.

    It has no specification here: what is in it is theirs, and applying this again leaves that alone.
    """
    name = "streaming-channel"
    rule = {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "resourceNames": [name],
        "verbs": ["get", "update"],
    }
    group = "rbac.authorization.k8s.io"
    return (
        manifest("coordination.k8s.io/v1", "Lease", name, namespace=NAMESPACE, labels=_CHANNEL),
        manifest(f"{group}/v1", "Role", name, namespace=NAMESPACE, labels=_CHANNEL, rules=[rule]),
        manifest(
            f"{group}/v1",
            "RoleBinding",
            name,
            namespace=NAMESPACE,
            labels=_CHANNEL,
            roleRef={"apiGroup": group, "kind": "Role", "name": name},
            subjects=[{"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}],
        ),
    )


def _encoders(design: Design, image: str) -> Manifest:
    program = ["python3", f"/{PROGRAM_FOLDER}/cluster_channel.py"]
    encoder = container(
        "channel",
        image,
        [
            *program,
            *("--host", "$(HOST)", "--identity", "$(POD)", "--namespace", NAMESPACE),
            *("--lease", "streaming-channel", "--folder", _LIVE, "--work", "/work/encoder"),
        ],
        size=sized(sizes.CHANNEL),
        env=[_field("HOST", "spec.nodeName"), _field("POD", "metadata.name")],
        volumeMounts=[{"name": "live", "mountPath": _LIVE}, {"name": "work", "mountPath": "/work"}],
    )
    specification = pod(
        [encoder],
        serviceAccountName="streaming-channel",
        automountServiceAccountToken=True,
        # Within these, a leader stops writing and gives the Lease up.
        terminationGracePeriodSeconds=10,
        volumes=[claimed("live", "live"), {"name": "work", "emptyDir": {"sizeLimit": "64Mi"}}],
    )
    return deployment("streaming-channel", _CHANNEL, specification, replicas=count(design, CHANNEL))


def _origin_config() -> Manifest:
    text = render_origin(pod_place(service_names("streaming-origin")))
    return manifest(
        "v1",
        "ConfigMap",
        "streaming-origin",
        namespace=NAMESPACE,
        labels=_ORIGIN,
        data={"nginx.conf": text},
    )


def _origins(design: Design, image: str) -> Manifest:
    port = {"name": "https", "containerPort": ORIGIN_PORT}
    health = {"httpGet": {"path": HEALTH_PATH, "port": "https", "scheme": "HTTPS"}}
    origin = container(
        "nginx",
        image,
        ["nginx", "-e", "stderr", "-c", f"{_CONFIG}/nginx.conf", "-g", "daemon off;"],
        size=sized(sizes.ORIGIN),
        ports=[port],
        # Without a channel an origin is well and serves nothing: it is not ready, and need not start again.
        readinessProbe={**health, "periodSeconds": 3, "timeoutSeconds": 2, "failureThreshold": 2},
        livenessProbe={"tcpSocket": {"port": "https"}, "periodSeconds": 20, "failureThreshold": 3},
        volumeMounts=[
            {"name": "live", "mountPath": _LIVE, "readOnly": True},
            {
                "name": "config",
                "mountPath": f"{_CONFIG}/nginx.conf",
                "subPath": "nginx.conf",
                "readOnly": True,
            },
            {"name": "tls", "mountPath": _TLS, "readOnly": True},
            {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
        ],
    )
    specification = pod(
        [origin],
        serviceAccountName="streaming-origin",
        volumes=[
            claimed("live", "live", read_only=True),
            {"name": "config", "configMap": {"name": "streaming-origin"}},
            {"name": "tls", "secret": {"secretName": tls_secret("streaming-origin")}},
            {"name": "scratch", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
    )
    return deployment(
        "streaming-origin",
        _ORIGIN,
        specification,
        replicas=count(design, ORIGIN),
        read=[_origin_config()],
    )


def _field(name: str, path: str) -> dict[str, Any]:
    """Return a variable of the environment that says something of the pod itself."""
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


IN_PODS = InPods(items=streaming_items, image_files=image_files)
