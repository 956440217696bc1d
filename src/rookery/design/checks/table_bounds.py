"""The rows of checks against bounds that others have: providers, kubeadm, the API server."""

from __future__ import annotations

from rookery.design.checks import kubeadm, provided, rook
from rookery.design.checks.finding import Check, Severity

_ERROR = (Severity.ERROR,)
_WARNING = (Severity.WARNING,)

NETWORK_BOUNDS: tuple[Check, ...] = (
    Check(
        code="RK705",
        severities=(*_ERROR, *_WARNING),
        title="Packets larger than the provider's network carries",
        why="Every part of the system is told how large packets may be, Cilium for all pods. Where the "
        "network between the servers carries less, large packets are lost: small requests work, TLS "
        "handshakes and transfers hang. Hetzner's networks carry 1450 bytes, Google's 1460 unless they were "
        "made with up to 8896 (a warning). Left out, network.mtu follows the provider.",
        function=provided.large_packets,
    ),
    Check(
        code="RK706",
        severities=_ERROR,
        title="An address that the network keeps for itself",
        why="Of each network some addresses are no server's: everywhere its own and its broadcast address; "
        "its way out on clouds; on AWS the first four and the last, on Google the first two and the last "
        "two. By default nobody gets one of them.",
        function=provided.kept_addresses,
    ),
    Check(
        code="RK707",
        severities=_ERROR,
        title="A load balancer where none can be",
        why="The load balancer's address is a free one of the public network: a server's own is taken, and "
        "one of another network is not answered for.",
        function=provided.misplaced_balancer,
    ),
    Check(
        code="RK708",
        severities=_ERROR,
        title="A network of a size that the provider does not make",
        why="Networks are /16 to /28 on AWS, /29 at least on Google, and have room for two servers "
        "everywhere.",
        function=provided.sizes_of_networks,
    ),
)

CLUSTER_BOUNDS: tuple[Check, ...] = (
    Check(
        code="RK821",
        severities=_ERROR,
        title="A network of a size that kubeadm refuses",
        why="The API server keeps account of every address of the Services' network: it takes a /12 at "
        "most, and kubeadm a /28 at least. The pods' network is a /8 to a /24, because each node gets a /24 "
        "of it. kubeadm says so when all packages are on all servers.",
        function=kubeadm.sizes_of_cluster_networks,
    ),
    Check(
        code="RK822",
        severities=_ERROR,
        title="A network of the cluster that is set aside",
        why="Addresses for loopback, link-local use or multicast lead nowhere else, and are neither pods' "
        "nor Services'.",
        function=kubeadm.unfit_cluster_networks,
    ),
    Check(
        code="RK823",
        severities=_ERROR,
        title="A Kubernetes that cannot read what it is told",
        why="kubeadm's configuration is written in v1beta4, which is known since Kubernetes 1.31. KSD ends "
        "at 1.28: it goes on a cluster that is there already (`kubernetes.bootstrap: none`), whose objects "
        "are written as 1.28 reads them.",
        function=kubeadm.unreadable_configuration,
    ),
    Check(
        code="RK824",
        severities=_ERROR,
        title="More daemons than Rook's definitions take",
        why="Rook's custom resources say how many monitors (9), managers (5) and active metadata servers (50)"
        " there may be. Ceph itself has other bounds, and on the native platform these do not hold.",
        function=rook.too_many_for_rook,
    ),
)
