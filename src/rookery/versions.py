"""Every version that is installed, pinned, with where it comes from.

One place, so that an upgrade is a difference of a few lines, and a mirror knows what to fetch. They fit each
other: Rook 1.20, CloudNativePG 1.30, KubeOne 1.14 and Hetzner's cloud controller all stop at Kubernetes 1.36.
Read from the projects' repositories in November 2026.
"""

from __future__ import annotations

from dataclasses import dataclass

from rookery.manifest import Chart

# What our container image is made of; the lab's servers, of what has the release of Ceph that they run
# (`releases.py`).
DEBIAN = "trixie"
# When Debian's suites had each of them, as snapshot.debian.org names a state of the archive: where they are
# found once a suite has moved on.
DEBIAN_SNAPSHOTS = "http://snapshot.debian.org/archive/debian"
CEPH_SEEN = {"20": "20261030T080801Z", "18": "20261121T091544Z"}

KUBERNETES = "1.36"
CRI_O = "1.36"
KUBEONE = "1.14.2"

# What a mirror gets for KUBERNETES. Nodes install the newest packages of the minor version; this release is
# that of kubectl on the machine that applies things, and the images below are what its kubeadm names.
KUBERNETES_RELEASE = "1.36.5"
ETCD_IMAGE = "registry.k8s.io/etcd:3.6.8-0"
# `kubeadm config images list` of 1.36.3, 1.36.4 and 1.36.5 alike, beside the images with Kubernetes' own tag.
CONTROL_PLANE_IMAGES = (
    "registry.k8s.io/coredns/coredns:v1.14.2",
    "registry.k8s.io/pause:3.10.2",
    ETCD_IMAGE,
)
# The last line of Helm 3: charts were tested with its way of applying; Helm 4 applies on the server's side.
HELM = "3.21.4"

# Ceph's images: the newest release that Rook 1.20 supports.
CEPH_IMAGE = "quay.io/ceph/ceph:v20.2.4"
# PostgreSQL as CloudNativePG packages it; the lab's PostgreSQL has the same major version.
POSTGRES_MAJOR = "17"
POSTGRES_IMAGE = f"ghcr.io/cloudnative-pg/postgresql:{POSTGRES_MAJOR}"

GATEWAY_API = "v1.6.1"
EXTERNAL_SNAPSHOTTER = "v8.5.0"

_JETSTACK = "https://charts.jetstack.io"
_CNPG = "https://cloudnative-pg.github.io/charts"

CILIUM = Chart(name="cilium", version="1.20.0", repository="https://helm.cilium.io")
CERT_MANAGER = Chart(name="cert-manager", version="v1.21.1", repository=_JETSTACK)
CLOUDNATIVE_PG = Chart(name="cloudnative-pg", version="0.29.0", repository=_CNPG)
BARMAN_PLUGIN = Chart(name="plugin-barman-cloud", version="0.7.0", repository=_CNPG)
CSI_DRIVERS = Chart(
    name="ceph-csi-drivers", version="1.0.4", repository="https://ceph.github.io/ceph-csi-operator"
)
HCLOUD_CLOUD_CONTROLLER = Chart(
    name="hcloud-cloud-controller-manager", version="1.35.0", repository="https://charts.hetzner.cloud"
)
PROMETHEUS = Chart(
    name="kube-prometheus-stack",
    version="88.5.3",
    repository="https://prometheus-community.github.io/helm-charts",
)
VELERO = Chart(name="velero", version="12.1.0", repository="https://vmware-tanzu.github.io/helm-charts")
# What lets Velero speak with S3, a plugin of its own: 1.14 is the line for the chart's Velero, 1.18.
VELERO_PLUGIN = "docker.io/velero/velero-plugin-for-aws:v1.14.2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Who packages Rook: where its two charts come from, with which Ceph.

    `ceph` is the release in `ceph_image`, for which the tree is rendered; `oldest_ceph` is the oldest version
    line that the operator takes, empty where that is not known.

    `kubernetes` are the oldest and the newest minor version of Kubernetes 1 that it supports; `csi_chart`
    says that CSI's drivers are a chart of their own, as they are since Rook 1.20.
    """

    title: str
    operator: Chart
    cluster: Chart
    ceph: str
    ceph_image: str
    kubernetes: tuple[int, int]
    csi_chart: bool
    oldest_ceph: str = ""


_ROOK = "https://charts.rook.io/release"
_KOOR = "https://charts.koor.tech/release"

DISTRIBUTIONS = {
    "rook": Distribution(
        title="Rook v1.20.6",
        operator=Chart(name="rook-ceph", version="v1.20.6", repository=_ROOK),
        cluster=Chart(name="rook-ceph-cluster", version="v1.20.6", repository=_ROOK),
        ceph="20",
        ceph_image=CEPH_IMAGE,
        oldest_ceph="19.2",
        kubernetes=(31, 36),
        csi_chart=True,
    ),
    "ksd": Distribution(
        title="Koor Storage Distribution v1.12.0",
        operator=Chart(name="rook-ceph", version="v1.12.0", repository=_KOOR),
        cluster=Chart(name="rook-ceph-cluster", version="v1.12.0", repository=_KOOR),
        ceph="17",
        ceph_image="quay.io/ceph/ceph:v17.2.6",
        kubernetes=(22, 28),
        csi_chart=False,
    ),
}
