"""The rows of checks of a design on Kubernetes; `table.py` has all others, and says what a row is."""

from __future__ import annotations

from rookery.design.checks import cluster, fitting
from rookery.design.checks.finding import Check, Severity

_ERROR = (Severity.ERROR,)
_WARNING = (Severity.WARNING,)
_INFO = (Severity.INFO,)

KUBERNETES_CHECKS: tuple[Check, ...] = (
    Check(
        code="RK801",
        severities=_ERROR,
        title="The distribution of Rook does not know this Kubernetes",
        why="An operator speaks to the API of the versions that it was made for; beyond them it fails in "
        "ways that look like something else. KSD's newest release is of July 2023 and ends at Kubernetes "
        "1.28, which nobody maintains any more: `rook` is the distribution for a current cluster.",
        function=cluster.unfit_distribution,
    ),
    Check(
        code="RK802",
        severities=_WARNING,
        title="A version of Kubernetes that nothing here was chosen for",
        why="Every chart, image and package is pinned, and they fit each other at one version of "
        "Kubernetes. Another one may work; nobody looked.",
        function=cluster.unproven_version,
    ),
    Check(
        code="RK803",
        severities=_ERROR,
        title="Networks of the cluster that overlap",
        why="Pods, Services and servers have addresses of networks of their own. Where two overlap, a "
        "node cannot tell whom an address belongs to.",
        function=cluster.overlapping_cluster_networks,
    ),
    Check(
        code="RK804",
        severities=_ERROR,
        title="A pod network too small for the nodes",
        why="Each node hands out addresses from its own part of the pod network, a /24. A node that "
        "finds no part left never becomes Ready.",
        function=cluster.small_pod_network,
    ),
    Check(
        code="RK805",
        severities=_WARNING,
        title="No cloud controller",
        why="A Service of type LoadBalancer gets its address from the cloud's own controller. The tree "
        "installs Hetzner's; on servers of your own, Cilium announces the address itself.",
        function=cluster.no_cloud_controller,
    ),
    Check(
        code="RK806",
        severities=_INFO,
        title="Backups beside what they back up",
        why="A backup in the same Ceph shares its failure domain: what loses the database's volumes may "
        "lose the bucket too. It is what was asked for (Ceph as the storage for backups), and a good "
        "first of two. Without `backup` in the spec the database is all that has one; with it, RK001 says "
        "this of all backups.",
        function=cluster.backups_beside_data,
    ),
    Check(
        code="RK807",
        severities=_WARNING,
        title="Buckets that the edges may not read",
        why="The edges read the site's buckets without credentials, which a bucket's policy allows. Rook "
        "sets it with the claim since 1.17; the Rook that KSD has ignores it.",
        function=cluster.private_site,
    ),
    Check(
        code="RK808",
        severities=_INFO,
        title="Nobody enforces network policies",
        why="A plain bridge on each node connects pods and does no more: policies are in the cluster and "
        "have no effect, and whoever sees the servers' network reads what pods say to each other, where "
        "they do not use TLS. It is light, which is why the lab uses it. Cilium enforces policies and "
        "encrypts.",
        function=cluster.open_pod_network,
    ),
    Check(
        code="RK809",
        severities=_ERROR,
        title="A bridge on a cloud",
        why="With a plain bridge a packet between pods of two nodes has pods' addresses on the servers' "
        "network. A switch carries it; a cloud's network drops what is not from and for a server's own "
        "address. Cilium puts such packets into packets between servers.",
        function=cluster.bridge_on_a_cloud,
    ),
    Check(
        code="RK810",
        severities=_ERROR,
        title="A bootstrap that the lab's servers are not made for",
        why="On the lab everything comes from a mirror, and servers have no way out: KubeOne fetches what it "
        "installs by itself, and wants containerd. A cluster that is there already has servers already.",
        function=cluster.other_bootstrap_on_a_lab,
    ),
    Check(
        code="RK811",
        severities=_ERROR,
        title="A release of Ceph that the distribution does not run",
        why="On Kubernetes the operator runs Ceph's own images, and refuses releases that it was not made "
        "for: Rook 1.20 takes nothing below 19.2, KSD comes with 17.2. Only the lab, which takes Ceph from "
        "Debian, has a choice.",
        function=cluster.unfit_release,
    ),
    Check(
        code="RK815",
        severities=_INFO,
        title="Figures that go with their pod",
        why="Prometheus keeps its figures, and Alertmanager what it was told to be silent about, on a volume "
        "of Ceph's: of block storage, or of the file system where there is none. Without either they have "
        "their node's disk, and begin anew in a new pod.",
        function=fitting.unkept_figures,
    ),
)
