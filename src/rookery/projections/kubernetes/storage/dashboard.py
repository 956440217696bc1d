"""The dashboard's certificate, from the authority of everything else: Rook gives it one that signs itself.

Rook leaves a certificate alone that is there (`mgr/dashboard/crt` among the keys of the cluster), and has no
setting for one. So a Job hands it over when the cluster is there, and the same every night, for the day on
which cert-manager has renewed it.
"""

from __future__ import annotations

from typing import Any

from rookery.apps.ground.names import DASHBOARD_SERVICE, MONITORS, ROOK, tls_secret
from rookery.apps.ground.pods import certificate, container, done, job, pod, sized
from rookery.design.model import Design
from rookery.design.pods import DASHBOARD_JOB
from rookery.manifest import Item, Objects, common_labels, manifest
from rookery.versions import Distribution

_NAME = "dashboard-certificate"
_SECRET = tls_secret("dashboard")
_LABELS = common_labels("ceph", component=_NAME, part_of="rookery")
_TLS, _ENDPOINTS, _ADMIN = "/etc/rookery/tls", "/etc/rook", "/var/lib/rook-ceph-mon"
# The endpoints are written as in Rook's own toolbox: `a=10.105.65.20:3300,b=...`. A manager reads its
# certificate when the module starts.
_SCRIPT = f"""\
set -eu
cd /tmp
cat > ceph.conf <<END
[global]
mon_host = $(sed -e 's/[a-z0-9_-]*=//g' {_ENDPOINTS}/mon-endpoints)
[$ROOK_CEPH_USERNAME]
keyring = /tmp/keyring
END
printf '[%s]\\nkey = %s\\n' "$ROOK_CEPH_USERNAME" "$(cat {_ADMIN}/secret.keyring)" > keyring
tell() {{ ceph --conf /tmp/ceph.conf --name "$ROOK_CEPH_USERNAME" --connect-timeout 60 "$@"; }}
if [ "$(tell config-key get mgr/dashboard/crt || true)" = "$(cat {_TLS}/tls.crt)" ]; then
    echo "the dashboard has it already"
    exit 0
fi
tell dashboard set-ssl-certificate -i {_TLS}/tls.crt
tell dashboard set-ssl-certificate-key -i {_TLS}/tls.key
tell mgr module disable dashboard
tell mgr module enable dashboard
"""


def dashboard_items(design: Design, distribution: Distribution) -> tuple[Item, ...]:
    """Return the certificate and what hands it over; nothing where there is no dashboard."""
    if not design.dashboard:
        return ()
    assert design.kubernetes is not None
    made = certificate(
        "dashboard",
        {},
        names=[f"dashboard.{design.kubernetes.domain}", f"{DASHBOARD_SERVICE}.{ROOK}.svc"],
        namespace=ROOK,
        secret=_SECRET,
        # Ceph checks the key before it serves, and can check RSA's only.
        key={"algorithm": "RSA", "size": 2048},
    )
    once = job(_NAME, _LABELS, _pod(distribution.ceph_image), namespace=ROOK)
    nightly = {
        "schedule": "17 3 * * *",
        "concurrencyPolicy": "Forbid",
        "successfulJobsHistoryLimit": 1,
        "jobTemplate": {"spec": once["spec"]},
    }
    repeated = manifest("batch/v1", "CronJob", _NAME, namespace=ROOK, labels=_LABELS, spec=nightly)
    return (
        Objects(
            name="dashboard-certificate",
            why="The dashboard's certificate, and the Job that hands it to Ceph: now, and each night where "
            "it was renewed.",
            objects=(made, once, repeated),
        ),
        done(once, 600),
    )


def _pod(image: str) -> dict[str, Any]:
    user = {
        "name": "ROOK_CEPH_USERNAME",
        "valueFrom": {"secretKeyRef": {"name": "rook-ceph-mon", "key": "ceph-username"}},
    }
    endpoints = {"name": MONITORS, "items": [{"key": "data", "path": "mon-endpoints"}]}
    admin = {"secretName": "rook-ceph-mon", "items": [{"key": "ceph-secret", "path": "secret.keyring"}]}
    volumes: dict[str, tuple[str, dict[str, Any]]] = {
        "tls": (_TLS, {"secret": {"secretName": _SECRET}}),
        "endpoints": (_ENDPOINTS, {"configMap": endpoints}),
        "admin": (_ADMIN, {"secret": admin}),
    }
    mounts = [{"name": name, "mountPath": path, "readOnly": True} for name, (path, _) in volumes.items()]
    hands = container(
        "hand-over",
        image,
        ["/bin/bash", "-c", _SCRIPT],
        size=sized(DASHBOARD_JOB),
        env=[user, {"name": "HOME", "value": "/tmp"}],  # noqa: S108 - a volume of the pod's own
        volumeMounts=[*mounts, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - likewise
    )
    kept = [{"name": name, **source} for name, (_, source) in volumes.items()]
    return pod([hands], volumes=[*kept, {"name": "tmp", "emptyDir": {"sizeLimit": "16Mi"}}])
