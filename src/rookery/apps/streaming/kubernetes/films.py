"""Films on Kubernetes: a Job that makes and publishes them, and where a user's own come from."""

from __future__ import annotations

from typing import Any

from rookery.apps.ground.names import (
    BLOCK_CLASS,
    FILE_CLASS,
    NAMESPACE,
    PART_OF,
    S3_HOST,
    S3_PORT,
    tls_secret,
)
from rookery.apps.ground.pods import (
    PUBLISHER,
    bucket_keys,
    certificate,
    container,
    deployment,
    job,
    pod,
    quantity,
    sized,
)
from rookery.apps.serving import render_rules
from rookery.apps.sizes import AWAIT_FILMS, FILMS_DOOR, PACK, PACK_GIVEN, PUBLISH_FILMS
from rookery.apps.streaming.instances import MEDIA_BUCKET, PACKING_FOLDER
from rookery.apps.streaming.kubernetes.volumes import GIVEN_SPACE, account, claim, claimed
from rookery.apps.streaming.media import RULES
from rookery.design.model import Design
from rookery.manifest import Manifest, Objects, common_labels, manifest
from rookery.texts import shell_word

PACKER = common_labels("streaming", component="packager", part_of=PART_OF)
_SOURCE = "media-source"
_OUT, _GIVEN = "/srv/out", "/srv/source"
_OUT_MOUNT = {"name": "out", "mountPath": _OUT}
_SOURCE_MOUNT = {"name": "source", "mountPath": _GIVEN, "readOnly": True}
_CONFIG, _TLS = "/etc/rookery", "/etc/rookery/tls"
_READY = f"{_GIVEN}/.ready"
# The folder itself, the first component of each name, belongs to root and stays as it is.
_UNPACK = f"tar -x -C {_GIVEN} -m --strip-components=1 --no-same-owner --no-same-permissions"
_GENERATED_SPACE = "2Gi"
_CORES = ("taskset", "-c", "0-3")


def source_volume(given: str, image: str) -> Objects:
    """Return where a user's own films come from, and a door to it: a volume cannot be copied to by itself."""
    door = container(
        "door",
        image,
        ["sleep", "infinity"],
        size=sized(FILMS_DOOR),
        volumeMounts=[{"name": "source", "mountPath": _GIVEN}],
    )
    specification = pod(
        [door],
        serviceAccountName="streaming-source",
        terminationGracePeriodSeconds=1,
        volumes=[claimed("source", _SOURCE)],
    )
    # No pod of the packager's: nothing may reach it, nor it anything.
    own = common_labels("streaming", component="source", part_of=PART_OF)
    return Objects(
        name="source",
        why=f"Films of your own come from this volume. Bring them there through its pod, say that they are "
        f"complete, and the Job takes them: `tar -C {shell_word(given)} -ch . | "
        f"kubectl -n {NAMESPACE} exec -i deploy/{_SOURCE} -- {_UNPACK} && "
        f"kubectl -n {NAMESPACE} exec deploy/{_SOURCE} -- touch {_READY}`. To publish others later, bring "
        "them, delete this Job and that of the catalogue's schema, which has their titles (`kubectl -n "
        f"{NAMESPACE} delete job -l 'app.kubernetes.io/component in (packager, schema)'`), and apply "
        "the tree again.",
        objects=(
            account("source"),
            claim(_SOURCE, own, size=GIVEN_SPACE),
            deployment(_SOURCE, own, specification, replicas=1),
        ),
    )


def rules() -> Manifest:
    """Return how each published file is served, for the publisher."""
    return manifest(
        "v1",
        "ConfigMap",
        "streaming-rules",
        namespace=NAMESPACE,
        labels=PACKER,
        data={"rules.json": render_rules(RULES)},
    )


def authority_certificate() -> Manifest:
    """Return a certificate of which only the authority's is used, which vouches for the gateways."""
    return certificate("streaming-packager", PACKER, names=("streaming-packager",))


def packer(design: Design, image: str, *, given: bool) -> Manifest:
    """Return the Job: what it makes survives a failed publishing, because a container of its own made it."""
    authority = {
        "secretName": tls_secret("streaming-packager"),
        "items": [{"key": "ca.crt", "path": "ca.crt"}],
    }
    specification = pod(
        [_publishing(image)],
        initContainers=[*([_waiting(image)] if given else []), _packing(image, given=given)],
        serviceAccountName="streaming-packager",
        volumes=[
            _work_space(design, given=given),
            {"name": "rules", "configMap": {"name": "streaming-rules"}},
            {"name": "tls", "secret": authority},
            *([claimed("source", _SOURCE, read_only=True)] if given else []),
        ],
    )
    return job("streaming-packager", PACKER, specification, read=[rules()])


def _packing(image: str, *, given: bool) -> dict[str, Any]:
    argv = [*_CORES, "python3", f"/{PACKING_FOLDER}/pack_media.py", "--out", f"{_OUT}/made"]
    return container(
        "pack",
        image,
        [*argv, *(("--media", _GIVEN) if given else ())],
        size=sized(PACK_GIVEN if given else PACK),
        volumeMounts=[_OUT_MOUNT, *([_SOURCE_MOUNT] if given else [])],
    )


def _waiting(image: str) -> dict[str, Any]:
    """Return the container that ends once a user has said that the films are complete.

    It waits itself: a container that failed until then would use up the Job's tries, and look like trouble.
    """
    return container(
        "films-are-complete",
        image,
        ["sh", "-c", f"until test -e {_READY}; do sleep 2; done"],
        size=sized(AWAIT_FILMS),
        volumeMounts=[_SOURCE_MOUNT],
    )


def _publishing(image: str) -> dict[str, Any]:
    rules_file = f"{_CONFIG}/rules.json"
    return container(
        "publish",
        image,
        [
            *("python3", PUBLISHER, "--bucket", MEDIA_BUCKET),
            *("--endpoint", f"https://{S3_HOST}:{S3_PORT}", "--ca", f"{_TLS}/ca.crt"),
            *("--rules", rules_file, "--prune", f"{_OUT}/made"),
        ],
        size=sized(PUBLISH_FILMS),
        env=bucket_keys(MEDIA_BUCKET),
        volumeMounts=[
            {**_OUT_MOUNT, "readOnly": True},
            {"name": "rules", "mountPath": rules_file, "subPath": "rules.json", "readOnly": True},
            {"name": "tls", "mountPath": _TLS, "readOnly": True},
        ],
    )


def _work_space(design: Design, *, given: bool) -> dict[str, Any]:
    """Return where renditions are made: generated ones fit every node, a user's may exceed its disk."""
    if not given:
        return {"name": "out", "emptyDir": {"sizeLimit": _GENERATED_SPACE}}
    blocks = any(pool.application == "rbd" for pool in design.pools)
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": BLOCK_CLASS if blocks else FILE_CLASS,
        "resources": {"requests": {"storage": quantity(GIVEN_SPACE)}},
    }
    return {"name": "out", "ephemeral": {"volumeClaimTemplate": {"spec": spec}}}
