"""Streaming on Kubernetes: a Job that makes and publishes films, a channel that any pod leads, its origins.

Who leads is a Lease of the API server's, which these pods may read and change and nothing else. The channel's
window is a volume of CephFS that all of them mount at once; the origins mount it for reading only.
"""

from __future__ import annotations

from typing import Any

from rookery.apps.image import PUBLISHER, image_reference
from rookery.apps.pods import (
    BLOCK_CLASS,
    FILE_CLASS,
    GATEWAY,
    GATEWAY_PORT,
    NAMESPACE,
    PART_OF,
    bound,
    bucket_claim,
    bucket_keys,
    certificate,
    container,
    count,
    deployment,
    disruption_budget,
    done,
    job,
    labels,
    pod,
    resources,
    rolled_out,
    service,
    service_names,
)
from rookery.apps.policies import GATEWAYS, instances, network_policy, to_api_server
from rookery.apps.serving import render_rules
from rookery.apps.streaming.instances import (
    CHANNEL,
    MEDIA_BUCKET,
    ORIGIN,
    PACKING_FOLDER,
    PROGRAM_FOLDER,
)
from rookery.apps.streaming.media import RULES
from rookery.apps.streaming.origin import HEALTH_PATH, ORIGIN_PORT, pod_place, render_origin
from rookery.apps.streaming.settings import StreamingSettings
from rookery.design.model import AppDesign, Design
from rookery.manifest import Item, Manifest, Objects, common_labels, manifest
from rookery.units import GIB, MIB

_PACKER = common_labels("streaming", component="packager", part_of=PART_OF)
_ORIGIN, _CHANNEL = labels(ORIGIN), labels(CHANNEL)
_SOURCE = "media-source"
_OUT, _GIVEN, _LIVE = "/srv/out", "/srv/source", "/srv/live"
_CONFIG, _TLS = "/etc/rookery", "/etc/rookery/tls"
_READY = f"{_GIVEN}/.ready"
_WINDOW = "1Gi"  # of the channel: a minute and a half of it is kept, some 10 MB
_GENERATED_SPACE, _GIVEN_SPACE = "2Gi", "50Gi"
# Generated films took 0.8 GiB on two cores, as measured. ffmpeg takes more for each core and for larger
# pictures, so it gets four cores at most, and a user's films twice the memory.
_PACKING_MEMORY, _PUBLISHING_MEMORY = 1 * GIB, 192 * MIB
_CORES = ("taskset", "-c", "0-3")
_PACKING_LIMIT = 6 * 3600  # seconds: a user's folder may hold many long films


def streaming_items(design: Design, app: AppDesign) -> tuple[Item, ...]:
    """Return what streams films and the live channel, in the order in which it is applied."""
    assert isinstance(app.settings, StreamingSettings)
    given = app.settings.media
    packer = _packer(design, given=given is not None)
    return (
        _policies(app),
        _bucket(design),
        bound(MEDIA_BUCKET),
        *((_source(given),) if given is not None else ()),
        Objects(
            name="films",
            why="Films and their renditions are made in this Job and published to the bucket. Its name has a "
            "hash of what it does: a change makes another Job. A run that fails is tried again.",
            objects=(_account("packager"), _authority(), _rules(), packer),
        ),
        *(_channel(design) if app.settings.channel else ()),
        done(packer, _PACKING_LIMIT if given is not None else 1800),
    )


def _policies(app: AppDesign) -> Objects:
    assert isinstance(app.settings, StreamingSettings)
    channel = (
        network_policy("streaming-origin", _ORIGIN, incoming=[instances("cdn", "edge", ORIGIN_PORT)]),
        to_api_server("streaming-channel", _CHANNEL),
    )
    return Objects(
        name="network-policies",
        why="The packager reaches the S3 gateways. The edges reach the origins. The channel asks "
        "Kubernetes' API server who leads. What the volumes need goes through the hosts, not through pods.",
        objects=(
            network_policy("streaming-packager", _PACKER, outgoing=[GATEWAYS]),
            *(channel if app.settings.channel else ()),
        ),
    )


def _bucket(design: Design) -> Objects:
    assert design.kubernetes is not None
    return Objects(
        name="bucket",
        why="The bucket of films and music; pods may read its objects without keys, and that is all.",
        objects=(bucket_claim(MEDIA_BUCKET, _PACKER, readers=design.kubernetes.pods),),
    )


# Films


def _source(given: str) -> Objects:
    """Return where a user's own films come from, and a door to it: a volume cannot be copied to by itself."""
    door = container(
        "door",
        image_reference(),
        ["sleep", "infinity"],
        size=resources(memory=32 * MIB, cpu="10m"),
        volumeMounts=[{"name": "source", "mountPath": _GIVEN}],
    )
    specification = pod(
        [door],
        serviceAccountName="streaming-packager",
        terminationGracePeriodSeconds=1,
        volumes=[_claimed("source", _SOURCE)],
    )
    # No pod of the packager's: nothing may reach it, nor it anything.
    own = common_labels("streaming", component="source", part_of=PART_OF)
    return Objects(
        name="source",
        why=f"Films of your own come from this volume. Bring them there through its pod, say that they are "
        f"complete, and the Job takes them: kubectl -n {NAMESPACE} cp {given}/. {_SOURCE}:{_GIVEN} && "
        f"kubectl -n {NAMESPACE} exec {_SOURCE} -- touch {_READY}. To publish others later, copy them, "
        "delete the Job and apply the tree again.",
        objects=(
            _claim(_SOURCE, own, size=_GIVEN_SPACE),
            manifest("v1", "Pod", _SOURCE, namespace=NAMESPACE, labels=own, spec=specification),
        ),
    )


def _rules() -> Manifest:
    return manifest(
        "v1",
        "ConfigMap",
        "streaming-rules",
        namespace=NAMESPACE,
        labels=_PACKER,
        data={"rules.json": render_rules(RULES)},
    )


def _authority() -> Manifest:
    """Return a certificate of which only the authority's is used, which vouches for the gateways."""
    return certificate("streaming-packager", _PACKER, names=("streaming-packager",))


def _packer(design: Design, *, given: bool) -> Manifest:
    """Return the Job: what it makes survives a failed publishing, because a container of its own made it."""
    out = {"name": "out", "mountPath": _OUT}
    source = {"name": "source", "mountPath": _GIVEN, "readOnly": True}
    packing = [*_CORES, "python3", f"/{PACKING_FOLDER}/pack_media.py", "--out", f"{_OUT}/made"]
    pack = container(
        "pack",
        image_reference(),
        [*packing, *(("--media", _GIVEN) if given else ())],
        size=resources(memory=_PACKING_MEMORY * (2 if given else 1), cpu="500m"),
        volumeMounts=[out, *([source] if given else [])],
    )
    complete = container(
        "films-are-complete",
        image_reference(),
        ["test", "-e", _READY],
        size=resources(memory=32 * MIB, cpu="10m"),
        volumeMounts=[source],
    )
    publish = container(
        "publish",
        image_reference(),
        [
            *("python3", PUBLISHER, "--bucket", MEDIA_BUCKET),
            *("--endpoint", f"https://{GATEWAY}:{GATEWAY_PORT}", "--ca", f"{_TLS}/ca.crt"),
            *("--rules", f"{_CONFIG}/rules.json", "--prune", f"{_OUT}/made"),
        ],
        size=resources(memory=_PUBLISHING_MEMORY, cpu="100m"),
        env=bucket_keys(MEDIA_BUCKET),
        volumeMounts=[
            {**out, "readOnly": True},
            {
                "name": "rules",
                "mountPath": f"{_CONFIG}/rules.json",
                "subPath": "rules.json",
                "readOnly": True,
            },
            {"name": "tls", "mountPath": _TLS, "readOnly": True},
        ],
    )
    authority = {"secretName": "streaming-packager-tls", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    specification = pod(
        [publish],
        initContainers=[*([complete] if given else []), pack],
        serviceAccountName="streaming-packager",
        volumes=[
            _work_space(design, given=given),
            {"name": "rules", "configMap": {"name": "streaming-rules"}},
            {"name": "tls", "secret": authority},
            *([_claimed("source", _SOURCE, read_only=True)] if given else []),
        ],
    )
    return job("streaming-packager", _PACKER, specification, read=[_rules()])


def _work_space(design: Design, *, given: bool) -> dict[str, Any]:
    """Return where renditions are made: generated ones fit every node, a user's may exceed its disk."""
    if not given:
        return {"name": "out", "emptyDir": {"sizeLimit": _GENERATED_SPACE}}
    blocks = any(pool.application == "rbd" for pool in design.pools)
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": BLOCK_CLASS if blocks else FILE_CLASS,
        "resources": {"requests": {"storage": _GIVEN_SPACE}},
    }
    return {"name": "out", "ephemeral": {"volumeClaimTemplate": {"spec": spec}}}


# The live channel


def _channel(design: Design) -> tuple[Item, ...]:
    return (
        Objects(
            name="channel",
            why="The live channel. One of these pods encodes, whoever holds the Lease; the others wait for "
            "it. The volume is one folder of CephFS that all of them mount.",
            objects=(
                _account("channel"),
                *_lease(),
                _claim("live", _CHANNEL, size=_WINDOW),
                _encoders(design),
                disruption_budget("streaming-channel", _CHANNEL),
            ),
        ),
        Objects(
            name="origins",
            why="Each origin serves the channel's folder, whichever pod writes it.",
            objects=(
                _account("origin"),
                certificate("streaming-origin", _ORIGIN, names=service_names("streaming-origin")),
                _origin_config(),
                _origins(design),
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


def _encoders(design: Design) -> Manifest:
    program = ["python3", f"/{PROGRAM_FOLDER}/cluster_channel.py"]
    encoder = container(
        "channel",
        image_reference(),
        [
            *program,
            *("--host", "$(HOST)", "--identity", "$(POD)", "--namespace", NAMESPACE),
            *("--lease", "streaming-channel", "--folder", _LIVE, "--work", "/work/encoder"),
        ],
        size=resources(memory=CHANNEL.memory, cpu="250m"),
        env=[_field("HOST", "spec.nodeName"), _field("POD", "metadata.name")],
        volumeMounts=[{"name": "live", "mountPath": _LIVE}, {"name": "work", "mountPath": "/work"}],
    )
    specification = pod(
        [encoder],
        serviceAccountName="streaming-channel",
        automountServiceAccountToken=True,
        # Within these, a leader stops writing and gives the Lease up.
        terminationGracePeriodSeconds=10,
        volumes=[_claimed("live", "live"), {"name": "work", "emptyDir": {"sizeLimit": "64Mi"}}],
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


def _origins(design: Design) -> Manifest:
    port = {"name": "https", "containerPort": ORIGIN_PORT}
    health = {"httpGet": {"path": HEALTH_PATH, "port": "https", "scheme": "HTTPS"}}
    origin = container(
        "nginx",
        image_reference(),
        ["nginx", "-e", "stderr", "-c", f"{_CONFIG}/nginx.conf", "-g", "daemon off;"],
        size=resources(memory=ORIGIN.memory, cpu="50m"),
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
            _claimed("live", "live", read_only=True),
            {"name": "config", "configMap": {"name": "streaming-origin"}},
            {"name": "tls", "secret": {"secretName": "streaming-origin-tls"}},
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


# Parts


def _account(component: str) -> Manifest:
    return manifest(
        "v1",
        "ServiceAccount",
        f"streaming-{component}",
        namespace=NAMESPACE,
        labels=common_labels("streaming", component=component, part_of=PART_OF),
        automountServiceAccountToken=False,
    )


def _claim(name: str, own: dict[str, str], *, size: str) -> Manifest:
    """Return the claim of a folder of CephFS, which several pods may mount at once."""
    spec = {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": FILE_CLASS,
        "resources": {"requests": {"storage": size}},
    }
    return manifest("v1", "PersistentVolumeClaim", name, namespace=NAMESPACE, labels=own, spec=spec)


def _claimed(name: str, claim: str, *, read_only: bool = False) -> dict[str, Any]:
    source: dict[str, Any] = {"claimName": claim}
    return {"name": name, "persistentVolumeClaim": source | ({"readOnly": True} if read_only else {})}


def _field(name: str, path: str) -> dict[str, Any]:
    """Return a variable of the environment that says something of the pod itself."""
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
