"""Every pod that lands on a node, with what it requests: the one table, and where each figure is from.

What the tree sets itself is set from here: a chart's values, a custom resource and the sums of `plan` read
the same constant. What somebody else sets (kubeadm, CoreDNS, a chart's defaults) stands here with its
source. A pod that requests nothing is left out: the scheduler places it anywhere, and `UNREQUESTED` names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from rookery.design.cluster import has_cilium
from rookery.design.model import DaemonKind, Design, Role
from rookery.design.node import allocatable_cpu
from rookery.design.placement import MEMORY_NEEDS
from rookery.design.pod import NOTHING, PodGroup, Reach, Size
from rookery.units import MIB
from rookery.versions import DISTRIBUTIONS


def _size(cpu: int, memory: int, limit: int = 0) -> Size:
    """Return a size from thousandths of a CPU and MiB."""
    return Size(cpu=cpu, memory=memory * MIB, limit=limit * MIB)


# What kubeadm writes into the manifests of its static pods: cmd/kubeadm/app/phases/controlplane/manifests.go
# and phases/etcd/local.go (kubernetes 1.36). They request no memory but etcd's.
API_SERVER, CONTROLLER_MANAGER, SCHEDULER = _size(250, 0), _size(200, 0), _size(100, 0)
ETCD = _size(100, 100)
# cmd/kubeadm/app/phases/addons/dns/manifests.go: two of them, who tolerate the control planes' taint.
COREDNS = _size(100, 70)

# The network: an agent on each node, and its operators, as the tree sets them. Cilium's chart requests
# nothing for them of itself, nor for its Envoy.
CILIUM_AGENT, CILIUM_OPERATOR = _size(100, 256), _size(20, 64)
CLOUD_CONTROLLER = _size(20, 50)

CERT_MANAGER = _size(
    10, 48, 256
)  # its controller, webhook, injector, and the Job that looks whether they are up

PROMETHEUS, ALERTMANAGER, GRAFANA = _size(100, 512, 1024), _size(10, 48, 128), _size(20, 128, 320)
PROMETHEUS_OPERATOR, STATE_METRICS = _size(20, 64, 256), _size(10, 48, 256)
NODE_EXPORTER = _size(10, 32, 64)

ROOK_OPERATOR, TOOLBOX = _size(50, 128, 512), _size(10, 128, 1024)
# ceph-csi-operator's chart, deploy/charts/ceph-csi-operator/values.yaml: controllerManager.manager.resources.
CSI_OPERATOR = _size(10, 64)
DASHBOARD_JOB = _size(50, 128, 256)

# What stands beside Ceph's daemons, under the names that Rook gives it. Limits are those of Rook's chart
# (rook-ceph-cluster, values.yaml), requests lower where a shell that sleeps or one small program is all there
# is: the chart asks for 100 MiB for a log collector, in the pod of each daemon.
MGR_SIDECAR, LOG_COLLECTOR = _size(10, 40, 100), _size(10, 16, 256)
CRASH_COLLECTOR, EXPORTER = _size(10, 32, 60), _size(10, 50, 128)
# It comes once for each node, and again whenever the operator starts. No limit: one would kill a long format.
PREPARE_OSD = _size(20, 50)
CLEANUP, CMD_REPORTER = _size(100, 100, 1024), _size(20, 32, 1024)

DATABASE_OPERATOR = _size(20, 100, 256)  # CloudNativePG's, and its plugin's for backups
# Who makes load and who sees how full Ceph is meanwhile (`rookery load`).
LOAD_GENERATOR, LOAD_EYES = _size(100, 256, 1024), _size(20, 64, 256)

# Pods that request nothing: their charts' defaults do not, and nothing here says otherwise. What they take is
# of what others leave.
UNREQUESTED = (
    "cilium-envoy",
    "csi-rbdplugin and csi-cephfsplugin, on each worker",
    "csi's controllers, two for each driver",
    "kube-proxy",
    "snapshot-controller",
)

# CPUs that each daemon may be busy with: the requests of Rook's chart (rook-ceph-cluster, values.yaml).
CPU_NEEDS: Mapping[DaemonKind, float] = {
    DaemonKind.MON: 1.0,
    DaemonKind.MGR: 0.5,
    DaemonKind.OSD: 1.0,
    DaemonKind.MDS: 1.0,
    DaemonKind.RGW: 1.0,
}
# Below this many thousandths of a CPU a daemon waits seconds for its turn on a busy node, and is taken for
# dead.
LEAST_CPU = 50
# What a daemon of a small, lightly loaded system requests in place of all that it is given, in bytes. As
# measured: a monitor takes 35 MiB, a manager 360, a metadata server 20, a gateway 90 (`checks/lab.py`). An
# OSD takes its request for its target, and knows none below 896 MiB (ceph, src/common/config.cc, parse_env).
_LIGHT: Mapping[DaemonKind, int] = {
    DaemonKind.MON: 224 * MIB,
    DaemonKind.MGR: 448 * MIB,
    DaemonKind.MDS: 128 * MIB,
    DaemonKind.RGW: 192 * MIB,
}
# A daemon that heals a lost node takes more than at rest; beyond this it is killed rather than its
# neighbours.
_LIMIT = 1.5


def requested_memory(kind: DaemonKind, given: int) -> int:
    """Return what a daemon's container requests of memory, in bytes, where the design gives it `given`."""
    light = given <= MEMORY_NEEDS[kind].least
    return min(given, _LIGHT.get(kind, given)) if light else given


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """What decides what lands on a storage node, before there are daemons: the kinds of them that there are
    (OSDs left out), drives of a node, its CPUs and roles, Cilium and Prometheus in the cluster or not."""

    kinds: tuple[DaemonKind, ...]
    drives: int
    cpus: int
    roles: tuple[Role, ...]
    cilium: bool
    monitoring: bool


def storage_of(design: Design) -> Storage:
    """Return what decides what lands on the storage nodes of a design on Kubernetes."""
    assert design.kubernetes is not None, "only a design on Kubernetes has pods"
    host = design.with_role(Role.STORAGE)[0]
    kinds = (DaemonKind.MON, DaemonKind.MGR, DaemonKind.MDS, DaemonKind.RGW)
    return Storage(
        kinds=tuple(kind for kind in kinds if design.with_daemon(kind)),
        drives=len(host.drives),
        cpus=host.cpus,
        roles=host.roles,
        cilium=has_cilium(design),
        monitoring=design.kubernetes.monitoring,
    )


def beside_daemons(storage: Storage) -> Size:
    """Return what a storage node's pods request beside its daemons' own containers.

    A node is to have room for one daemon of each kind, whichever it has: no two of a kind share a node, so
    that is the most that the scheduler can put there, and a lost node's daemons find a place on those that
    are left.
    """
    there = _sum(
        group.size for group in (*_everywhere(storage.cilium, storage.monitoring), *_node_helpers(""))
    )
    containers = [LOG_COLLECTOR] * (len(storage.kinds) + storage.drives)
    sidecar = MGR_SIDECAR if DaemonKind.MGR in storage.kinds else NOTHING
    static = _sum(group.size for group in _static()) if Role.CONTROL_PLANE in storage.roles else NOTHING
    return _sum([there, static, sidecar, CMD_REPORTER, *containers])


def _sum(sizes: Iterable[Size]) -> Size:
    found = NOTHING
    for size in sizes:
        found += size
    return found


def daemon_sizes(design: Design) -> Mapping[DaemonKind, Size]:
    """Return what each kind of daemon requests, the same on all nodes, as Rook has it."""
    factor = cpu_factor(design)
    found: dict[DaemonKind, Size] = {}
    for kind in DaemonKind:
        given = [daemon.memory for _, daemon in design.with_daemon(kind)]
        if given:
            found[kind] = Size(
                cpu=max(LEAST_CPU, int(1000 * CPU_NEEDS[kind] * factor)),
                memory=requested_memory(kind, min(given)),
                limit=int(min(given) * _LIMIT),
            )
    return found


def cpu_factor(design: Design) -> float:
    """Return by how much Rook's CPU requests are lowered: 1 where a storage node has that many CPUs for one
    daemon of each kind, its OSDs and all that is beside them; half of it where it has further roles."""
    storage = storage_of(design)
    left = allocatable_cpu(storage.cpus) - beside_daemons(storage).cpu
    share = left if len(storage.roles) == 1 else left / 2
    kinds = (*storage.kinds, *[DaemonKind.OSD] * storage.drives)
    return max(0.0, min(1.0, share / 1000 / sum(CPU_NEEDS[kind] for kind in kinds)))


def _everywhere(cilium: bool, monitoring: bool) -> Iterator[PodGroup]:  # noqa: FBT001 - both are in the names
    if cilium:
        yield PodGroup(name="cilium", size=CILIUM_AGENT, reach=Reach.EVERY, count=None)
    if monitoring:
        yield PodGroup(name="node-exporter", size=NODE_EXPORTER, reach=Reach.EVERY, count=None)


def _static() -> Iterator[PodGroup]:
    sizes = {
        "etcd": ETCD,
        "kube-apiserver": API_SERVER,
        "kube-controller-manager": CONTROLLER_MANAGER,
        "kube-scheduler": SCHEDULER,
    }
    for name, size in sizes.items():
        yield PodGroup(name=name, size=size, reach=Reach.CONTROL_PLANE, count=None)


def _node_helpers(host: str) -> Iterator[PodGroup]:
    """Yield what Rook starts for each node with daemons."""
    for name, size in (
        ("crashcollector", CRASH_COLLECTOR),
        ("exporter", EXPORTER),
        ("osd-prepare", PREPARE_OSD),
    ):
        yield PodGroup(name=f"rook-ceph-{name}", size=size, reach=Reach.STORAGE, host=host)


def pod_groups(design: Design) -> tuple[PodGroup, ...]:
    """Return every pod of a design on Kubernetes that requests something, in the order in which it comes."""
    assert design.kubernetes is not None, "only a design on Kubernetes has pods"
    monitoring = design.kubernetes.monitoring
    return (
        *_static(),
        *_everywhere(has_cilium(design), monitoring),
        *_system(design),
        *(_monitoring() if monitoring else ()),
        *_ceph(design),
        *_beside_ceph(design),
        *_applications(design),
    )


def _system(design: Design) -> Iterator[PodGroup]:
    reach = Reach.OPEN_OR_CONTROL_PLANE
    yield PodGroup(name="coredns", size=COREDNS, reach=reach, count=2)
    if has_cilium(design):
        count = cilium_operators(design)
        yield PodGroup(name="cilium-operator", size=CILIUM_OPERATOR, reach=reach, count=count, apart=True)
    if design.traits.controller:
        yield PodGroup(name="cloud-controller", size=CLOUD_CONTROLLER, reach=reach)
    yield PodGroup(name="cert-manager", size=CERT_MANAGER, reach=Reach.OPEN, count=3)
    yield PodGroup(name="cert-manager-startupapicheck", size=CERT_MANAGER, reach=Reach.OPEN, ends=True)


def cilium_operators(design: Design) -> int:
    """Return how many operators Cilium has: two, on different nodes, where two nodes take them.

    They tolerate a control plane's taint and no storage node's.
    """
    return min(2, sum(not host.is_dedicated for host in design.servers))


def _monitoring() -> Iterator[PodGroup]:
    sizes = {
        "prometheus-operator": PROMETHEUS_OPERATOR,
        "kube-state-metrics": STATE_METRICS,
        "grafana": GRAFANA,
        "alertmanager": ALERTMANAGER,
        "prometheus": PROMETHEUS,
    }
    for name, size in sizes.items():
        yield PodGroup(name=name, size=size, reach=Reach.OPEN)


def _ceph(design: Design) -> Iterator[PodGroup]:
    """Yield Ceph's pods in Rook's order; each has a log collector beside its daemon."""
    sizes = daemon_sizes(design)
    yield PodGroup(name="rook-ceph-operator", size=ROOK_OPERATOR, reach=Reach.OPEN)
    hosts = design.with_role(Role.STORAGE)
    for kind in (DaemonKind.MON, DaemonKind.MGR, DaemonKind.OSD, DaemonKind.MDS, DaemonKind.RGW):
        if kind is DaemonKind.OSD:
            for host in hosts:
                yield from _of_node(host.name, len(host.daemons_of(kind)), sizes[kind])
        elif kind in sizes:
            size = sizes[kind] + LOG_COLLECTOR + (MGR_SIDECAR if kind is DaemonKind.MGR else NOTHING)
            count = len(design.with_daemon(kind))
            yield PodGroup(name=f"rook-ceph-{kind}", size=size, reach=Reach.STORAGE, count=count, apart=True)


def _of_node(host: str, osds: int, size: Size) -> Iterator[PodGroup]:
    whole = size + LOG_COLLECTOR
    yield PodGroup(name="rook-ceph-osd", size=whole, reach=Reach.STORAGE, count=osds, host=host)
    yield from _node_helpers(host)


def _beside_ceph(design: Design) -> Iterator[PodGroup]:
    yield PodGroup(name="rook-ceph-detect-version", size=CMD_REPORTER, reach=Reach.STORAGE, ends=True)
    yield PodGroup(name="rook-ceph-tools", size=TOOLBOX, reach=Reach.OPEN)
    if DISTRIBUTIONS[design.distribution].csi_chart:
        yield PodGroup(name="ceph-csi-operator", size=CSI_OPERATOR, reach=Reach.OPEN)
    if design.dashboard:
        yield PodGroup(name="dashboard-certificate", size=DASHBOARD_JOB, reach=Reach.OPEN, ends=True)
    if design.database is not None:
        count = 2 if design.object_store is not None else 1
        yield PodGroup(name="cloudnative-pg", size=DATABASE_OPERATOR, reach=Reach.OPEN, count=count)


def _applications(design: Design) -> Iterator[PodGroup]:
    # What backs the others up is applied before them, and finds its place before them.
    for app in sorted(design.apps, key=lambda app: app.keeping is None):
        yield from app.pods
    if design.apps:
        yield PodGroup(name="load", size=LOAD_GENERATOR + LOAD_EYES, reach=Reach.OPEN, ends=True)
