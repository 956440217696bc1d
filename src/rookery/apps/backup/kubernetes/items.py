"""Backup in the applications' namespace: versions of their buckets, and copies of everything outside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rookery.apps.app import InPods
from rookery.apps.backup.kubernetes.pods import (
    CA_FILE,
    ENDPOINT,
    labels,
    program,
    trust,
    user_keys,
    volumes,
)
from rookery.apps.backup.places import BUCKET, WRITER, programs
from rookery.apps.backup.settings import BackupSettings, Copy, days, seconds
from rookery.apps.ground.names import NAMESPACE
from rookery.apps.ground.pods import done, job, pod, secret_variable
from rookery.apps.ground.policies import GATEWAYS, network_policy
from rookery.apps.ground.schedules import cron
from rookery.apps.sizes import BUCKETS, COPY
from rookery.design.model import AppDesign, Design
from rookery.manifest import Item, Manifest, Objects, manifest, selector

_VERSIONS, _COPY = labels("versions"), labels("copy")
_CONFIG, _CONFIG_FOLDER, _OUTSIDE_FOLDER = "copy.json", "/etc/rookery/copy", "/etc/rookery/outside"


def backup_items(design: Design, app: AppDesign, image: str) -> tuple[Item, ...]:
    """Return what keeps versions of the applications' buckets, and what copies outside."""
    assert isinstance(app.settings, BackupSettings)
    kept = [one for one in design.apps if one.buckets and one is not app]
    if not kept and not app.settings.copies:
        return ()
    return (
        _network(app.settings, versions=bool(kept)),
        *(item for one in kept for item in _versions(one, image)),
        *(_copy(design, app.settings, copy, image) for copy in app.settings.copies),
    )


def copy_secret(copy: Copy) -> str:
    """Return the secret with the keys of a copy, which somebody makes by hand."""
    return f"backup-copy-{copy.name}"


def _network(settings: BackupSettings, *, versions: bool) -> Objects:
    policies = [network_policy("backup-versions", _VERSIONS, outgoing=[GATEWAYS])] if versions else []
    if settings.copies:
        policies.append(network_policy("backup-copy", _COPY, outgoing=[GATEWAYS]))
        ports = sorted({_port(copy) for copy in settings.copies})
        spec = {
            "podSelector": selector(_COPY),
            "policyTypes": ["Egress"],
            "egress": [{"ports": [{"protocol": "TCP", "port": port} for port in ports]}],
        }
        policies.append(
            manifest(
                "networking.k8s.io/v1",
                "NetworkPolicy",
                "backup-copy-outside",
                namespace=NAMESPACE,
                labels=_COPY,
                spec=spec,
            )
        )
    return Objects(
        name="network-policies",
        why="What keeps versions and what copies reaches the S3 gateways, and names; what copies also "
        "reaches the services outside, by their ports: their addresses are not known here.",
        objects=(trust(NAMESPACE), *policies),
    )


def _port(copy: Copy) -> int:
    scheme, _, rest = copy.endpoint.partition("://")
    _, colon, port = rest.rpartition(":")
    return int(port) if colon and port.isdigit() else {"http": 80, "https": 443}[scheme]


def _versions(app: AppDesign, image: str) -> Iterator[Item]:
    """Yield the Job that has an application's buckets keep versions, and the wait for it."""
    kept = app.buckets[0].versions
    words = [
        *(f"--bucket={bucket.name}" for bucket in app.buckets),
        f"--endpoint={ENDPOINT}",
        f"--ca={CA_FILE}",
        f"--versions={kept}",
    ]
    keys = [one for bucket in app.buckets for one in _claimed(bucket.name)]
    container = program("prepare_bucket", image, words, size=BUCKETS, env=keys)
    made = job(f"{app.name}-versions", _VERSIONS, pod([container], volumes=volumes()))
    names = ", ".join(bucket.name for bucket in app.buckets)
    yield Objects(
        name=f"{app.name}-versions",
        why=f"What is replaced or deleted in {names} stays for {kept} days as a version, so that it comes "
        "back as it was. Rook's claims know a lifecycle and no versions, and one without the other keeps "
        "nothing: a Job sets both with the keys of the claim, and reads back what the gateways made of it.",
        objects=(made,),
    )
    yield done(made, 300)


def _claimed(bucket: str) -> list[dict[str, Any]]:
    """Return the keys of a claimed bucket's owner, under the bucket's name."""
    name = bucket.upper().replace("-", "_")
    return [
        secret_variable(f"{name}_ACCESS", bucket, "AWS_ACCESS_KEY_ID"),
        secret_variable(f"{name}_SECRET", bucket, "AWS_SECRET_ACCESS_KEY"),
    ]


def _copy(design: Design, settings: BackupSettings, copy: Copy, image: str) -> Objects:
    config = manifest(
        "v1",
        "ConfigMap",
        copy_secret(copy),
        namespace=NAMESPACE,
        labels=_COPY,
        data={_CONFIG: json.dumps(_config(design, settings, copy), indent=1) + "\n"},
    )
    spec = {
        # After the sets of the same hour.
        "schedule": cron(seconds(settings.schedules.sets), minute=40, hour=3),
        "concurrencyPolicy": "Forbid",
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 3,
        "jobTemplate": {"spec": {"backoffLimit": 3, "template": _template(design, copy, image)}},
    }
    repeated = manifest(
        "batch/v1", "CronJob", copy_secret(copy), namespace=NAMESPACE, labels=_COPY, spec=spec
    )
    return Objects(
        name=f"copy-{copy.name}",
        why=f"What is in the buckets goes to {copy.endpoint} too, where the loss of this Ceph does not "
        f"reach. Nothing is removed there: its own lifecycle says what goes. Its keys are in no tree: "
        f"`kubectl -n {NAMESPACE} create secret generic {copy_secret(copy)} --from-file=access "
        "--from-file=secret`, and `--from-file=ca.crt` where an authority of its own signs its certificate.",
        objects=(config, repeated),
    )


def _config(design: Design, settings: BackupSettings, copy: Copy) -> dict[str, Any]:
    """Return what the copying program is told: each bucket with the names of its keys, and where to."""
    names = (BUCKET, *_others(design))
    sources = [
        {
            "endpoint": ENDPOINT,
            "authority": CA_FILE,
            "bucket": name,
            "region": "default",
            "variables": [f"{name.upper().replace('-', '_')}_{key}" for key in ("ACCESS", "SECRET")],
        }
        for name in names
    ]
    target = {
        "endpoint": copy.endpoint,
        "authority": f"{_OUTSIDE_FOLDER}/ca.crt",
        "bucket": copy.bucket,
        "region": copy.region,
        "variables": ["OUTSIDE_ACCESS", "OUTSIDE_SECRET"],
    }
    lock = 0 if settings.lock is None else days(settings.lock)
    return {"system": design.name, "sources": sources, "target": target, "lock": lock}


def _others(design: Design) -> tuple[str, ...]:
    return tuple(bucket.name for bucket in design.buckets if bucket.copied_by)


def _template(design: Design, copy: Copy, image: str) -> Manifest:
    name = copy_secret(copy)
    env = [
        *user_keys(WRITER, f"{BUCKET.upper()}_ACCESS", f"{BUCKET.upper()}_SECRET"),
        *(one for bucket in _others(design) for one in _claimed(bucket)),
        secret_variable("OUTSIDE_ACCESS", name, "access"),
        secret_variable("OUTSIDE_SECRET", name, "secret"),
    ]
    mounts = [
        {"name": "config", "mountPath": _CONFIG_FOLDER, "readOnly": True},
        {"name": "outside", "mountPath": _OUTSIDE_FOLDER, "readOnly": True},
    ]
    container = program(
        "copy_buckets",
        image,
        [f"{_CONFIG_FOLDER}/{_CONFIG}"],
        size=COPY,
        env=env,
        volumeMounts=mounts,
    )
    # Only the authority's certificate, where there is one: keys come by the environment.
    authority = {"secretName": name, "optional": True, "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    kept = volumes({"name": "config", "configMap": {"name": name}}, {"name": "outside", "secret": authority})
    return {
        "metadata": {"labels": _COPY},
        "spec": pod([container], volumes=kept, restartPolicy="OnFailure"),
    }


IN_PODS = InPods(
    items=backup_items,
    image_files=programs,
    image_packages=("age", "python3-boto3"),
    about="What backup wants of the applications' own buckets, and copies of all buckets outside.",
)
