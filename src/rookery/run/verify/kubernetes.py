"""Looks at what only Kubernetes has (nodes, claims, policies, strictness), or shows in another way."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from rookery.apps.database.clients import PORT, writes
from rookery.apps.ground.names import NAMESPACE, S3_HOST, S3_PORT
from rookery.design.model import DaemonKind
from rookery.drivers.machine.process import CommandError
from rookery.projections.kubernetes.nodes import lets_any_pod_in, missing_labels
from rookery.projections.kubernetes.storage.stage import VERIFIER
from rookery.run.verify.result import Evidence, Subject, failed, judged, not_observed, passed
from rookery.units import MIB

_EDGE = "deploy/cdn-edge"
_TOO_MUCH = "violates PodSecurity"
_CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=4).close()"


def nodes(subject: Subject) -> Evidence:
    """Every designed server is a Ready node with its role's label, and storage nodes keep others away."""
    found = {_name(one): one for one in subject.cluster.objects("nodes")}
    ready = {status.name for status in subject.hosts if status.running}
    wrong = []
    for host in subject.design.servers:
        node = found.get(host.name)
        if node is None or host.name not in ready:
            wrong.append(f"{host.name} is {'not Ready' if node else 'missing'}")
            continue
        wrong += [f"{host.name} lacks {label}" for label in missing_labels(host, node)]
        if lets_any_pod_in(host, node):
            wrong.append(f"{host.name} lets any pod in")
    return judged(not wrong, "; ".join(wrong) or f"{len(subject.design.servers)} Ready, labelled and tainted")


def gateways_apart(subject: Subject) -> Evidence:
    """As many gateways as designed are ready, which is that they answer, each on a node of its own."""
    wanted = len(subject.design.with_daemon(DaemonKind.RGW))
    hosts = [
        status.name
        for status in subject.hosts
        for program in status.programs
        if program.running and program.name.startswith("rgw.")
    ]
    seen = f"{len(hosts)} of {wanted} ready, on {', '.join(hosts) or 'no node'}"
    return judged(len(set(hosts)) == len(hosts) == wanted, seen)


def claims(subject: Subject) -> Evidence:
    """Every claim of a volume is bound, by a class of ours."""
    found = subject.cluster.objects("persistentvolumeclaims", namespace=NAMESPACE)
    if not found:
        return not_observed("there is no claim")
    loose = [f"{_name(one)} {one['status']['phase']}" for one in found if one["status"]["phase"] != "Bound"]
    classes = Counter(one["spec"]["storageClassName"] for one in found)
    seen = ", ".join(f"{count} of {name}" for name, count in sorted(classes.items()))
    return judged(not loose, "; ".join(loose) or f"{len(found)} bound: {seen}")


def policies(subject: Subject) -> Evidence:
    """A pod reaches what it is allowed to reach, and is kept from what it is not: the same pod, both ways.

    The edges may speak to the gateways and not to the database. That one connection works shows that the
    other one's failure is the policy's doing.
    """
    allowed, refused = (S3_HOST, S3_PORT), (writes(), PORT)
    if (problem := _connects(subject, *allowed)) is not None:
        return not_observed(f"an edge does not reach {allowed[0]}, which it may: {problem}")
    if _connects(subject, *refused) is None:
        return failed(f"an edge reaches {refused[0]}:{refused[1]}, which no policy allows")
    return passed(f"an edge reaches {allowed[0]}, and not {refused[0]}")


def _connects(subject: Subject, host: str, port: int) -> str | None:
    """Return None where an edge's pod can open a connection, else the reason."""
    argv = ("python3", "-c", _CONNECT, host, str(port))
    try:
        subject.cluster.execute(_EDGE, argv, namespace=NAMESPACE, timeout=30)
    except CommandError as error:
        return error.details[-1] if error.details else error.what
    return None


# Runs in a pod that may speak to the gateways. Its keys come by its input: arguments show in lists of
# processes.
_ROUND_TRIP = """
import hashlib, json, sys
import boto3
from botocore.exceptions import ClientError
told = json.load(sys.stdin)
client = boto3.client(
    "s3", endpoint_url=told["endpoint"], verify="/etc/rookery/tls/ca.crt", region_name="us-east-1",
    aws_access_key_id=told["access"], aws_secret_access_key=told["secret"],
)
bucket, data = told["bucket"], hashlib.shake_256(told["bucket"].encode()).digest(told["size"])
client.create_bucket(Bucket=bucket)
try:
    client.put_object(Bucket=bucket, Key="object", Body=data)
    back = client.get_object(Bucket=bucket, Key="object")["Body"].read()
    client.delete_object(Bucket=bucket, Key="object")
    try:
        client.head_object(Bucket=bucket, Key="object")
        gone = False
    except ClientError as error:
        gone = error.response["ResponseMetadata"]["HTTPStatusCode"] == 404
finally:
    client.delete_bucket(Bucket=bucket)
print(json.dumps({"same": back == data, "gone": gone}))
"""


def object_round_trip(subject: Subject) -> Evidence:
    """An object is put, read back the same, deleted, and then gone: from a pod, as applications do it."""
    keys = subject.system.s3_credentials(VERIFIER)
    told = {
        "endpoint": f"https://{S3_HOST}",
        "access": keys.user,
        "secret": keys.password,
        "bucket": f"verify-{subject.mark}",
        "size": MIB,
    }
    argv = ("python3", "-c", _ROUND_TRIP)
    said = subject.cluster.execute(_EDGE, argv, namespace=NAMESPACE, stdin=json.dumps(told), timeout=90)
    answer = json.loads(said)
    if not answer["same"] or not answer["gone"]:
        same = "other bytes came back" if not answer["same"] else "the object is there after its deletion"
        return failed(same)
    return passed("1 MiB put, read the same, deleted, from an edge's pod")


def strictness(subject: Subject) -> Evidence:
    """The API server refuses a privileged pod in the applications' namespace; nothing is made by asking."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"verify-{subject.mark}", "namespace": NAMESPACE},
        "spec": {
            "containers": [
                {"name": "probe", "image": "none.invalid/none", "securityContext": {"privileged": True}}
            ]
        },
    }
    refusal = subject.cluster.refusal(pod)
    if not refusal:
        return failed(f"a privileged pod may run in {NAMESPACE}")
    if _TOO_MUCH in refusal:
        return passed("a privileged pod is refused (restricted)")
    return not_observed(refusal)


def _name(found: Mapping[str, Any]) -> str:
    return str(found["metadata"]["name"])
