"""What things on Kubernetes are called, where more than one room says the name: said once, for all.

Rook and CloudNativePG name what they make after what they are told; what follows from what stands together.
The database's own are in `apps/database/clients.py`.
"""

from __future__ import annotations

from rookery.design.pools import ROOK_ZONE

# Namespaces: the applications', Rook's and Ceph's, those of the other operators.
NAMESPACE = "media"
ROOK = "rook-ceph"
DATABASES = "cnpg-system"
MONITORING = "monitoring"
CERT_MANAGER = "cert-manager"
VELERO = "velero"
SYSTEM = "kube-system"

# What control planes are labelled and tainted with.
PLANE = "node-role.kubernetes.io/control-plane"

# What all applications' objects say they are part of.
PART_OF = "media-site"

# Who signs the certificates of everything inside the cluster, a ClusterIssuer of cert-manager's, and the
# secret with its certificate and key.
ISSUER = "rookery-ca"
ISSUER_SECRET = f"{ISSUER}-key"

# Classes of volumes and of buckets.
BLOCK_CLASS, FILE_CLASS, BUCKET_CLASS = "ceph-block", "ceph-filesystem", "ceph-bucket"

# Ceph as Rook has it: the CephCluster, and where its commands run as an administrator.
CEPH_CLUSTER = "rook-ceph"
TOOLBOX = "deploy/rook-ceph-tools"
MONITORS = "rook-ceph-mon-endpoints"

# The object store, after which RGW's zone is called; its gateways' pods, and the Service that others reach
# them by, with a name that their certificate has.
STORE = ROOK_ZONE
S3_PODS = (("app", "rook-ceph-rgw"),)
S3_SERVICE = f"rook-ceph-rgw-{STORE}"
S3_HOST = f"{S3_SERVICE}.{ROOK}.svc"
S3_PORT = 443
S3_CERTIFICATE = "rgw-tls"

DASHBOARD_SERVICE = "rook-ceph-mgr-dashboard"
DASHBOARD_PASSWORD = "rook-ceph-dashboard-password"  # noqa: S105 - the name of a secret


def s3_user_secret(user: str) -> str:
    """Return the secret with the keys of a user of the object store."""
    return f"rook-ceph-object-user-{STORE}-{user}"


def ceph_user_secret(user: str) -> str:
    """Return the secret with the key of a cephx user, client.USER."""
    return f"rook-ceph-client-{user}"


def tls_secret(name: str) -> str:
    """Return the secret of the certificate that is called `name`: tls.crt, tls.key, ca.crt."""
    return f"{name}-tls"


def object_name(name: str) -> str:
    """Return what an object is called after a name that may have underscores, which Kubernetes' have not."""
    return name.replace("_", "-")


def service_names(name: str, namespace: str = NAMESPACE) -> tuple[str, ...]:
    """Return the DNS names of a Service, the shortest that is unique first."""
    return (f"{name}.{namespace}.svc", f"{name}.{namespace}.svc.cluster.local", name)
