"""How our applications run on Kubernetes: one way for all of them, the strictest that works.

Pods meet the Pod Security Standard `restricted`: no root, no capabilities, no writable root file system. Two
pods of one component never share a host, which is what the design counts on when it says what is survived.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from rookery.apps.ground.names import BUCKET_CLASS, ISSUER, NAMESPACE, PART_OF, tls_secret
from rookery.design.cluster import SLEEP_SINCE, minor_version
from rookery.design.model import Design, Instance
from rookery.design.pod import Size
from rookery.manifest import JOB_LABEL, ROLLED_OUT, Manifest, Wait, common_labels, manifest, selector
from rookery.units import GB, GIB, MIB

# The program that brings folders into a bucket: `python3 PUBLISHER --bucket NAME --endpoint URL --ca FILE
# --rules FILE FOLDER...`, its keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
PUBLISHER = "/usr/lib/rookery/publish/publish.py"
# Where the load's generator is: `python3 -m generator JOB.json` in this folder.
LOAD = "/usr/lib/rookery/load"
# Nobody on the hosts: files that a volume holds belong to this group.
USER = 65532
HOST_KEY = "kubernetes.io/hostname"
# A year, as the certificates of Kubernetes' own control plane: programs read theirs when they start, and the
# upgrade that a cluster takes each year starts them. The new one is there a third of the year before.
_CERTIFICATE_LIFE = {"duration": "8760h", "renewBefore": "2920h"}


def labels(instance: Instance) -> dict[str, str]:
    """Return the labels of an instance's objects and pods."""
    return common_labels(instance.app, component=instance.component, part_of=PART_OF)


def count(design: Design, instance: Instance) -> int:
    """Return how many of an instance the design has."""
    return sum(one.name == instance.name for host in design.hosts for one in host.instances)


def pod_security() -> dict[str, Any]:
    """Return the security context of a pod."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        # A volume with many files is not walked at each start of a pod.
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> dict[str, Any]:
    """Return the security context of a container."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def sized(size: Size) -> dict[str, Any]:
    """Return requests, and a limit of memory alone: a limit of CPU slows what could use an idle one.

    Kubernetes kills a container that takes more memory than its limit.
    """
    requests = {"cpu": f"{size.cpu}m", "memory": f"{size.memory // MIB}Mi"}
    return {"requests": requests} | ({"limits": {"memory": f"{size.limit // MIB}Mi"}} if size.limit else {})


def quantity(size: int) -> str:
    """Return bytes as Kubernetes writes them: 10G, 512Mi."""
    for unit, name in ((GB, "G"), (GIB, "Gi"), (MIB, "Mi"), (10**6, "M")):
        if size % unit == 0:
            return f"{size // unit}{name}"
    return str(size)


def spread(pod_labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the constraint that no two of these pods share a host, while a rollout makes a new one too."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": HOST_KEY,
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": selector(pod_labels),
            "matchLabelKeys": ["pod-template-hash"],
        }
    ]


def disruption_budget(name: str, pod_labels: Mapping[str, str]) -> Manifest:
    """Return the budget that lets maintenance take one pod at a time."""
    spec = {"maxUnavailable": 1, "selector": selector(pod_labels)}
    return manifest(
        "policy/v1", "PodDisruptionBudget", name, namespace=NAMESPACE, labels=pod_labels, spec=spec
    )


def service(name: str, pod_labels: Mapping[str, str], ports: Mapping[str, tuple[int, str]]) -> Manifest:
    """Return a Service; `ports` are name -> (its port, the name of the pods' port)."""
    listed = [{"name": key, "port": port, "targetPort": target} for key, (port, target) in ports.items()]
    spec = {"selector": selector(pod_labels)["matchLabels"], "ports": listed}
    return manifest("v1", "Service", name, namespace=NAMESPACE, labels=pod_labels, spec=spec)


def certificate(
    name: str,
    pod_labels: Mapping[str, str],
    *,
    names: Sequence[str],
    namespace: str = NAMESPACE,
    secret: str = "",
    key: Mapping[str, Any] | None = None,
    secret_labels: Mapping[str, str] | None = None,
) -> Manifest:
    """Return a certificate; cert-manager keeps it in a secret, NAME-tls by default: tls.crt, tls.key, ca.crt.

    `key` is of the kind that its program can read, where that is none of ECDSA on P-256.
    """
    spec: dict[str, Any] = {
        "secretName": secret or tls_secret(name),
        **_CERTIFICATE_LIFE,
        "dnsNames": list(names),
        "privateKey": {**(key or {"algorithm": "ECDSA", "size": 256}), "rotationPolicy": "Always"},
        "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": ISSUER},
    }
    if secret_labels:
        spec["secretTemplate"] = {"labels": dict(secret_labels)}
    return manifest(
        "cert-manager.io/v1", "Certificate", name, namespace=namespace, labels=pod_labels, spec=spec
    )


def leaving(design: Design, seconds: int) -> dict[str, Any]:
    """Return the hook that lets a container go on for a while when it is to stop, as this Kubernetes reads
    it."""
    assert design.kubernetes is not None, "only a design on Kubernetes has pods"
    if minor_version(design.kubernetes) >= SLEEP_SINCE:
        return {"sleep": {"seconds": seconds}}
    return {"exec": {"command": ["sleep", str(seconds)]}}


def container(
    name: str, image: str, command: Sequence[str], *, size: Mapping[str, Any], **more: Any
) -> dict[str, Any]:
    """Return a container; `size` are its `resources`, `more` further fields (`volumeMounts=...`)."""
    return {
        "name": name,
        "image": image,
        # Our image is laid on the nodes, no registry has it; others' have a tag that stays what it is.
        "imagePullPolicy": "IfNotPresent",
        "command": list(command),
        "resources": dict(size),
        "securityContext": container_security(),
        **more,
    }


def pod(
    containers: Sequence[Mapping[str, Any]], *, before: Sequence[Mapping[str, Any]] = (), **more: Any
) -> dict[str, Any]:
    """Return a pod's specification; `more` are further fields (`volumes=...`).

    The containers `before` end, one after the other, before the others start.

    It has no credentials for the API server, and no variables about every Service there is.
    """
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(),
        **({"initContainers": list(before)} if before else {}),
        "containers": list(containers),
        **more,
    }


def deployment(
    name: str,
    pod_labels: Mapping[str, str],
    specification: Mapping[str, Any],
    *,
    replicas: int,
    read: Sequence[Manifest] = (),
) -> Manifest:
    """Return a Deployment of pods that never share a host.

    `read` are the ConfigMaps that its programs read once: a change of one makes new pods.
    """
    spec = {
        "replicas": replicas,
        "revisionHistoryLimit": 3,
        "selector": selector(pod_labels),
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": {
            "metadata": {
                "labels": dict(pod_labels),
                **({"annotations": {"rookery.io/read": content_hash(read)}} if read else {}),
            },
            "spec": {**specification, "topologySpreadConstraints": spread(pod_labels)},
        },
    }
    return manifest("apps/v1", "Deployment", name, namespace=NAMESPACE, labels=pod_labels, spec=spec)


def job(
    name: str,
    pod_labels: Mapping[str, str],
    specification: Mapping[str, Any],
    *,
    read: Sequence[Manifest] = (),
    namespace: str = NAMESPACE,
) -> Manifest:
    """Return a Job that is tried again until it succeeds, what it needs may come later than itself.

    What a Job does cannot be changed, so its name has a hash of that, and of the ConfigMaps that it reads:
    where one of these changes, it is another Job, which runs once. Its label tells which others it takes the
    place of.
    """
    template = {
        "metadata": {"labels": dict(pod_labels)},
        "spec": {**specification, "restartPolicy": "OnFailure"},
    }
    spec = {"backoffLimit": 20, "template": template}
    full_name = f"{name}-{content_hash([template, *read])}"
    own = {**pod_labels, JOB_LABEL: name}
    return manifest("batch/v1", "Job", full_name, namespace=namespace, labels=own, spec=spec)


def content_hash(values: Sequence[Any]) -> str:
    """Return ten digits that differ where the content differs."""
    return hashlib.sha256(json.dumps(list(values), sort_keys=True).encode()).hexdigest()[:10]


def bucket_claim(name: str, pod_labels: Mapping[str, str], *, readers: str = "") -> Manifest:
    """Return the claim of the bucket `name`, whose keys come in a Secret of its name.

    Addresses of the network `readers` may get its objects without credentials, and nothing else; by default
    there are none who may.
    """
    spec: dict[str, Any] = {"bucketName": name, "storageClassName": BUCKET_CLASS}
    if readers:
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": ["s3:GetObject"],
                    "Resource": [f"arn:aws:s3:::{name}/*"],
                    "Condition": {"IpAddress": {"aws:SourceIp": [readers]}},
                }
            ],
        }
        spec["additionalConfig"] = {"bucketPolicy": json.dumps(policy, indent=2) + "\n"}
    return manifest(
        "objectbucket.io/v1alpha1",
        "ObjectBucketClaim",
        name,
        namespace=NAMESPACE,
        labels=pod_labels,
        spec=spec,
    )


def bucket_keys(name: str) -> list[dict[str, Any]]:
    """Return the environment that has the keys of a bucket, as programs for S3 look for them."""
    return [secret_variable(key, name, key) for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]


def secret_variable(name: str, secret: str, key: str) -> dict[str, Any]:
    """Return a variable of the environment that comes from a secret."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def bound(name: str) -> Wait:
    """Return the wait for a bucket that is claimed."""
    return Wait(
        kind="objectbucketclaim",
        name=name,
        condition="jsonpath={.status.phase}=Bound",
        seconds=300,
        namespace=NAMESPACE,
    )


def rolled_out(name: str) -> Wait:
    """Return the wait for all pods of a Deployment, each of its newest kind."""
    return Wait(kind="deployment", name=name, condition=ROLLED_OUT, seconds=600, namespace=NAMESPACE)


def done(what: Manifest, seconds: int) -> Wait:
    """Return the wait for a Job."""
    return Wait(
        kind="job",
        name=what["metadata"]["name"],
        condition="condition=Complete",
        seconds=seconds,
        namespace=what["metadata"]["namespace"],
    )
