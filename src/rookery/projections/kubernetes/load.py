"""The pod that makes load, and what it is told: beside the applications and none of them.

Two containers share a folder. One is the generator, which leaves its status and its record there; the other
sees how full Ceph is, for which it needs Ceph's own image, and stays when the generator has ended, so that
what it left can be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from rookery.apps.ground.names import NAMESPACE
from rookery.apps.ground.pods import LOAD, container, pod, sized
from rookery.apps.ground.policies import LOAD_LABELS
from rookery.apps.pod_image import image_reference
from rookery.design.model import Design
from rookery.design.pods import LOAD_EYES, LOAD_GENERATOR
from rookery.load.model import CA_FILE, FOLDER, SECRETS_FILE, USER
from rookery.manifest import Manifest, manifest
from rookery.projections.kubernetes.nodes import WORKER_LABEL
from rookery.versions import DISTRIBUTIONS

POD = "load"
GENERATOR, EYES = "generator", "eyes"
JOB_FILE = "load.json"
# What the eyes write, as the generator is told of it.
SEEN_FILE = f"{FOLDER}/cluster.json"
_TOLD = CA_FILE.rpartition("/")[0]
_CEPH = "/etc/ceph"
_GRACE = 90  # seconds for the generator to remove what it made, where its pod is deleted


def load_objects(design: Design, told: Mapping[str, str], aliases: Mapping[str, str]) -> tuple[Manifest, ...]:
    """Return the pod and its secret.

    `told` are the secret's files by name: the job, its secrets, the authority's certificate, `ceph.conf` and
    `keyring`. `aliases` lead names to addresses that no DNS in the cluster need know.
    """
    secret = manifest("v1", "Secret", POD, namespace=NAMESPACE, labels=LOAD_LABELS, stringData=dict(told))
    made = manifest("v1", "Pod", POD, namespace=NAMESPACE, labels=LOAD_LABELS, spec=_spec(design, aliases))
    return (secret, made)


def render_client_conf(monitors: str) -> str:
    """Return a client's ceph.conf; `monitors` is `mon_host`. It has no place of its own to log to."""
    return f"[global]\nmon_host = {monitors}\n[client]\nlog_file =\nlog_to_file = false\nadmin_socket =\n"


def monitors_of(endpoints: str) -> str:
    """Return `mon_host` of Rook's own list: `a=10.96.0.5:6789,b=10.96.0.6:3300`.

    The port says which protocol a monitor speaks: 3300 the second one only, 6789 the first, with the second
    beside it at its usual port.
    """
    addresses = [one.partition("=")[2] for one in endpoints.strip().split(",")]
    return ",".join(f"[{_both(address)}]" for address in addresses)


def _both(address: str) -> str:
    host, _, port = address.rpartition(":")
    return f"v2:{host}:3300" if port == "3300" else f"v2:{host}:3300,v1:{host}:{port}"


def _spec(design: Design, aliases: Mapping[str, str]) -> dict[str, Any]:
    names: dict[str, list[str]] = {}
    for name, address in aliases.items():
        names.setdefault(address, []).append(name)
    volumes = [
        {"name": "shared", "emptyDir": {"sizeLimit": "64Mi"}},
        {"name": "told", "secret": _secret((JOB_FILE, SECRETS_FILE, CA_FILE.rpartition("/")[2]))},
        {"name": "ceph", "secret": _secret(("ceph.conf", "keyring"))},
    ]
    return {
        **pod([_generator(), _eyes(design)], volumes=volumes),
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": _GRACE,
        "nodeSelector": {WORKER_LABEL: ""},
        **({"hostAliases": [{"ip": ip, "hostnames": all_} for ip, all_ in names.items()]} if names else {}),
    }


def _secret(keys: tuple[str, ...]) -> dict[str, Any]:
    items = [{"key": key, "path": key} for key in keys]
    return {"secretName": POD, "items": items, "defaultMode": 0o440}


def _generator() -> dict[str, Any]:
    return container(
        GENERATOR,
        image_reference(),
        ["python3", "-m", "generator", f"{_TOLD}/{JOB_FILE}"],
        size=sized(LOAD_GENERATOR),
        workingDir=LOAD,
        volumeMounts=[_mount("told", _TOLD), {"name": "shared", "mountPath": FOLDER}],
    )


def _eyes(design: Design) -> dict[str, Any]:
    program = (files("rookery.load") / "guest" / "eyes.py").read_text(encoding="utf-8")
    return container(
        EYES,
        DISTRIBUTIONS[design.distribution].ceph_image,
        ["python3", "-c", program, _CEPH, USER, SEEN_FILE],
        size=sized(LOAD_EYES),
        volumeMounts=[_mount("ceph", _CEPH), {"name": "shared", "mountPath": FOLDER}],
    )


def _mount(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "mountPath": path, "readOnly": True}
