"""Checks of what only Kubernetes has: nodes, spread, claims, policies, and how strict namespaces are."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from rookery.apps.ground.pods import NAMESPACE
from rookery.design.model import DaemonKind, Role
from rookery.drivers.machine.process import CommandError
from rookery.projections.kubernetes.nodes import lets_any_pod_in, missing_labels
from rookery.projections.kubernetes.storage.services import STORE
from rookery.projections.kubernetes.storage.stage import VERIFIER
from rookery.run.verify.result import Evidence, Subject, failed, judged, not_observed, passed
from rookery.systems.kubernetes.status import is_ending, is_ready, program_name
from rookery.systems.kubernetes.system import KubernetesSystem
from rookery.units import MIB
from rookery.versions import DISTRIBUTIONS

# Warnings that are muted on purpose: docs of the CephCluster in the tree say why.
_MUTED = "AUTH_INSECURE_"
_CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=4).close()"


def _system(subject: Subject) -> KubernetesSystem:
    assert isinstance(subject.system, KubernetesSystem), "the table says where a check applies"
    return subject.system


def nodes(subject: Subject) -> Evidence:
    """Every designed server is a Ready node with its role's label, and storage nodes keep others away."""
    found = {one["metadata"]["name"]: one for one in _system(subject).kubectl.get("nodes")["items"]}
    wrong = []
    for host in subject.design.servers:
        node = found.get(host.name)
        if node is None or not is_ready(node):
            wrong.append(f"{host.name} is {'not Ready' if node else 'missing'}")
            continue
        wrong += [f"{host.name} lacks {label}" for label in missing_labels(host, node)]
        if lets_any_pod_in(host, node):
            wrong.append(f"{host.name} lets any pod in")
    return judged(not wrong, "; ".join(wrong) or f"{len(subject.design.servers)} Ready, labelled and tainted")


def spread(subject: Subject) -> Evidence:
    """Each component runs as often as designed, and no two of its pods share a node."""
    pods = _system(subject).kubectl.get("pods", namespace=NAMESPACE)["items"]
    where: dict[str, list[str]] = {}
    for pod in pods:
        if is_ready(pod) and not is_ending(pod):
            where.setdefault(program_name(pod), []).append(pod["spec"]["nodeName"])
    wanted = Counter(one.name for host in subject.design.servers for one in host.instances)
    wrong = []
    for name, count in sorted(wanted.items()):
        hosts = where.get(name, [])
        if len(hosts) < count:
            wrong.append(f"{len(hosts)} of {count} {name}")
        elif len(set(hosts)) < len(hosts):
            wrong.append(f"{name} shares {', '.join(h for h, n in Counter(hosts).items() if n > 1)}")
    return judged(
        not wrong, "; ".join(wrong) or ", ".join(f"{n} {name}" for name, n in sorted(wanted.items()))
    )


def claims(subject: Subject) -> Evidence:
    """Every claim of a volume is bound, by a class of ours."""
    found = _system(subject).kubectl.get("persistentvolumeclaims", namespace=NAMESPACE)["items"]
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
    namespace = DISTRIBUTIONS[subject.design.distribution].namespace
    allowed = (f"rook-ceph-rgw-store.{namespace}.svc", 443)
    refused = (f"database-rw.{NAMESPACE}.svc", 5432)
    if (problem := _connects(subject, *allowed)) is not None:
        return not_observed(f"an edge does not reach {allowed[0]}, which it may: {problem}")
    if _connects(subject, *refused) is None:
        return failed(f"an edge reaches {refused[0]}:{refused[1]}, which no policy allows")
    return passed(f"an edge reaches {allowed[0]}, and not {refused[0]}")


def _connects(subject: Subject, host: str, port: int) -> str | None:
    """Return None where an edge's pod can open a connection, else the reason."""
    argv = ("python3", "-c", _CONNECT, host, str(port))
    try:
        _system(subject).execute_in("deploy/cdn-edge", argv, namespace=NAMESPACE, timeout=30)
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
    namespace = DISTRIBUTIONS[subject.design.distribution].namespace
    keys = subject.system.s3_credentials(VERIFIER)
    told = {
        "endpoint": f"https://rook-ceph-rgw-{STORE}.{namespace}.svc",
        "access": keys.user,
        "secret": keys.password,
        "bucket": f"verify-{subject.mark}",
        "size": MIB,
    }
    argv = ("python3", "-c", _ROUND_TRIP)
    said = _system(subject).execute_in(
        "deploy/cdn-edge", argv, namespace=NAMESPACE, stdin=json.dumps(told), timeout=90
    )
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
    words = ("create", "--dry-run=server", "-f", "-")
    try:
        _system(subject).kubectl.run(*words, stdin=json.dumps(pod))
    except CommandError as error:
        refused = "violates PodSecurity" in error.output
        reason = (error.details or (error.what,))[-1]
        return passed("a privileged pod is refused (restricted)") if refused else not_observed(reason)
    return failed(f"a privileged pod may run in {NAMESPACE}")


def quorum(subject: Subject) -> Evidence:
    """As many monitors as designed are in quorum; Rook names them itself."""
    wanted = len(subject.design.with_daemon(DaemonKind.MON))
    inside = sorted(subject.system.ceph().mon("quorum_status")["quorum_names"])
    return judged(len(inside) == wanted, f"{len(inside)} of {wanted} in quorum: {', '.join(inside)}")


def health(subject: Subject) -> Evidence:
    """HEALTH_OK, with nothing muted but what the design mutes."""
    status = subject.system.ceph().mon("health", detail="detail")
    checks = status["checks"].values()
    reasons = [check["summary"]["message"] for check in checks if not check.get("muted")]
    muted = [mute["code"] for mute in status["mutes"]]
    strange = [code for code in muted if not code.startswith(_MUTED)]
    words = "; ".join([*reasons, *(f"{code} is muted" for code in strange)])
    kept = f"HEALTH_OK, {len(muted)} warnings of older keys muted" if muted else "HEALTH_OK"
    return judged(status["status"] == "HEALTH_OK" and not strange, words or kept)


def osds(subject: Subject) -> Evidence:
    """Every host has as many OSDs as drives, all up and in; Rook numbers them itself."""
    tree = subject.system.ceph().mon("osd tree")["nodes"]
    by_id: dict[int, dict[str, Any]] = {node["id"]: node for node in tree}
    wrong, total = [], 0
    for host in subject.design.with_role(Role.STORAGE):
        node = next((one for one in tree if one["type"] == "host" and one["name"] == host.name), None)
        children = [by_id[number] for number in (node or {}).get("children", [])]
        good = sum(one["status"] == "up" and one["reweight"] > 0 for one in children)
        total += good
        if good != len(host.drives):
            wrong.append(f"{good} of {len(host.drives)} on {host.name}")
    hosts = len(subject.design.with_role(Role.STORAGE))
    return judged(not wrong, "; ".join(wrong) or f"{total} up and in, on {hosts} hosts")


def placement_groups(subject: Subject) -> Evidence:
    """Every PG is active+clean; how many there are is the autoscaler's affair."""
    states = subject.system.ceph().mon("pg stat")["pg_summary"]["num_pg_by_state"]
    words = ", ".join(f"{state['num']} {state['name']}" for state in states)
    return judged(all(state["name"].startswith("active+clean") for state in states), words)


def _name(found: dict[str, Any]) -> str:
    return str(found["metadata"]["name"])
