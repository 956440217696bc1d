"""Nodes and pods of a rendered tree, as kubelets, kubeadm, charts and operators would make them; for tests.

Everything is read from the tree (objects, charts' values, kubeadm's configuration); what a chart or an
operator adds of itself stands here as its templates have it. A release that is not known here is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml

from rookery.apps.cdn.kubernetes.sending import sending_job
from rookery.apps.pod_image import image_reference
from rookery.design.model import Design
from rookery.manifest import JOB_LABEL, Manifest, Objects, Release, Stage
from rookery.projections.kubernetes import build_stages
from rookery.projections.kubernetes.bootstrap.inventory import node_labels, node_taints
from rookery.projections.kubernetes.bootstrap.kubeadm import render_kubeadm
from rookery.projections.kubernetes.load import load_objects
from tests.kit.scheduler import HOSTNAME, Node, Pod, milli, size

_PLANE = "node-role.kubernetes.io/control-plane"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_ANY = [{"operator": "Exists"}]
_TO_PLANES = [{"key": _PLANE, "effect": "NoSchedule"}]
# Of 4 GiB, servers show 3.8.
_SEEN = 3.8 / 4


def nodes_of(design: Design) -> tuple[Node, ...]:
    """Return the nodes with what kubelet, told so by the tree, leaves for pods."""
    documents = yaml.safe_load_all(render_kubeadm(design)["kubeadm/init.yaml"])
    kubelet = next(one for one in documents if one["kind"] == "KubeletConfiguration")
    kept, evicts = kubelet["systemReserved"], kubelet["evictionHard"]
    return tuple(
        Node(
            name=host.name,
            labels={HOSTNAME: host.name, "kubernetes.io/os": "linux", **node_labels(host)},
            taints=tuple(node_taints(host)),
            cpu=host.cpus * 1000 - milli(kept["cpu"]),
            memory=int(host.memory * _SEEN) - size(kept["memory"]) - size(evicts["memory.available"]),
        )
        for host in design.servers
    )


def pods_of(design: Design) -> list[Pod]:
    """Return every pod, those of each node first, those that end last."""
    nodes = nodes_of(design)
    found = [*_kubeadm(nodes)]
    for stage in build_stages(design):
        found += _of_stage(stage, nodes)
    if design.apps:
        load = load_objects(design, {}, {})[-1]
        found.append(Pod(name="load", labels={}, spec=load["spec"], ends=True))
    if any(app.name == "cdn" for app in design.apps):
        found += _of_object(sending_job(1, image_reference()), {})
    return sorted(found, key=lambda pod: (pod.ends, HOSTNAME not in (pod.spec.get("nodeSelector") or {})))


def _pod(name: str, *resources: Any, ends: bool = False, before: tuple[Any, ...] = (), **spec: Any) -> Pod:
    containers = [{"resources": one or {}} for one in resources]
    early = [{"resources": one} for one in before]
    labels = {"app": name.rstrip("0123456789").rstrip("-")}
    return Pod(
        name=name, labels=labels, spec={"containers": containers, "initContainers": early, **spec}, ends=ends
    )


def _wants(cpu: int, mib: int) -> dict[str, Any]:
    return {"requests": {"cpu": f"{cpu}m", "memory": f"{mib}Mi"}}


def _everywhere(
    nodes: tuple[Node, ...], name: str, *resources: Any, tolerates: Any, **more: Any
) -> Iterator[Pod]:
    """Yield a DaemonSet's pods: one for each node that its tolerations reach, bound to it."""
    for node in nodes:
        reached = not node.taints or tolerates
        if reached:
            spec = {"tolerations": tolerates, "nodeSelector": {HOSTNAME: node.name}}
            yield _pod(f"{name}-{node.name}", *resources, **spec, **more)


def _apart(app: str) -> dict[str, Any]:
    term = {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": HOSTNAME}
    return {"podAntiAffinity": {_REQUIRED: [term]}}


def _kubeadm(nodes: tuple[Node, ...]) -> Iterator[Pod]:
    static = {
        "etcd": _wants(100, 100),
        "api": _wants(250, 0),
        "controllers": _wants(200, 0),
        "sched": _wants(100, 0),
    }
    for node in nodes:
        if _PLANE in node.labels:
            for name, resources in static.items():
                bound = {HOSTNAME: node.name}
                yield _pod(f"{name}-{node.name}", resources, tolerations=_ANY, nodeSelector=bound)
    for number in (1, 2):
        yield _pod(f"coredns-{number}", _wants(100, 70), tolerations=_TO_PLANES)


def _of_stage(stage: Stage, nodes: tuple[Node, ...]) -> Iterator[Pod]:
    objects = [one for item in stage.items if isinstance(item, Objects) for one in item.objects]
    stores = {one["metadata"]["name"]: one for one in objects if one["kind"] == "ObjectStore"}
    for item in stage.items:
        if isinstance(item, Release):
            yield from _CHARTS[item.name](item.values, nodes)
    repeated = {one["metadata"]["labels"][JOB_LABEL] for one in objects if one["kind"] == "Job"}
    for one in objects:
        # A Job that is run again each night is one pod at a time.
        if one["kind"] != "CronJob" or one["metadata"]["name"] not in repeated:
            yield from _of_object(one, stores)


def _of_object(one: Manifest, stores: Mapping[str, Manifest]) -> Iterator[Pod]:
    name, spec = one["metadata"]["name"], one.get("spec", {})
    if one["kind"] == "Deployment":
        for number in range(spec["replicas"]):
            template = spec["template"]
            yield Pod(name=f"{name}-{number}", labels=template["metadata"]["labels"], spec=template["spec"])
    elif one["kind"] == "Job":
        yield Pod(name=name, labels={}, spec=spec["template"]["spec"], ends=True)
    elif one["kind"] == "CronJob":
        yield Pod(name=name, labels={}, spec=spec["jobTemplate"]["spec"]["template"]["spec"], ends=True)
    elif one["kind"] == "Cluster":
        beside = [stores[plugin["parameters"]["barmanObjectName"]] for plugin in spec.get("plugins", ())]
        sizes = [
            spec["resources"],
            *[one["spec"]["instanceSidecarConfiguration"]["resources"] for one in beside],
        ]
        assert spec["affinity"]["podAntiAffinityType"] == "required"
        for number in range(spec["instances"]):
            yield _pod(f"{name}-{number}", *sizes, affinity=_apart(name))
    else:
        known = {"DaemonSet", "StatefulSet", "Pod", "ReplicaSet"}
        assert one["kind"] not in known, f"{one['kind']} is not counted here"


def _cilium(values: Manifest, nodes: tuple[Node, ...]) -> Iterator[Pod]:
    agent, laid = values["resources"], _wants(100, 10)  # its init container that lays CNI's files
    yield from _everywhere(nodes, "cilium", agent, tolerates=_ANY, before=(laid,))
    yield from _everywhere(nodes, "cilium-envoy", {}, tolerates=_ANY)
    operator = values["operator"]
    for number in range(operator["replicas"]):
        affinity = _apart("cilium-operator")
        yield _pod(
            f"cilium-operator-{number}", operator["resources"], tolerations=_TO_PLANES, affinity=affinity
        )


def _cert_manager(values: Manifest, nodes: tuple[Node, ...]) -> Iterator[Pod]:
    yield _pod("cert-manager", values["resources"])
    yield _pod("webhook", values["webhook"]["resources"])
    yield _pod("cainjector", values["cainjector"]["resources"])
    yield _pod("startupapicheck", values["startupapicheck"]["resources"], ends=True)


def _prometheus(values: Manifest, nodes: tuple[Node, ...]) -> Iterator[Pod]:
    exporter = values["prometheus-node-exporter"]["resources"]
    yield from _everywhere(
        nodes, "node-exporter", exporter, tolerates=[{"effect": "NoSchedule", "operator": "Exists"}]
    )
    yield _pod("prometheus-operator", values["prometheusOperator"]["resources"])
    yield _pod("kube-state-metrics", values["kube-state-metrics"]["resources"])
    yield _pod("grafana", values["grafana"]["resources"], {}, {})
    yield _pod("alertmanager", values["alertmanager"]["alertmanagerSpec"]["resources"], {})
    yield _pod("prometheus", values["prometheus"]["prometheusSpec"]["resources"], {})


def _rook(values: Manifest, nodes: tuple[Node, ...]) -> Iterator[Pod]:
    yield _pod("rook-ceph-operator", values["resources"])
    if "csi" not in values:  # since Rook 1.20: the chart of CSI's operator is part of this one
        yield _pod("ceph-csi-controller-manager", _wants(10, 64))
        return
    for kind in ("RBD", "CephFS"):
        # The chart has requests of its own for these where nothing is said.
        assert values["csi"][f"csi{kind}PluginResource"] == ""
        assert values["csi"][f"csi{kind}ProvisionerResource"] == ""
        yield from _everywhere(nodes, f"{kind}-plugin", {}, tolerates=[])
        for number in (1, 2):
            yield _pod(f"{kind}-provisioner-{number}", {}, affinity=_apart(f"{kind}-provisioner"))


def _drivers(values: Manifest, nodes: tuple[Node, ...]) -> Iterator[Pod]:
    for kind, driver in values["drivers"].items():
        if driver["enabled"]:
            yield from _everywhere(nodes, f"{kind}-nodeplugin", {}, tolerates=[])
            for number in range(driver["controllerPlugin"]["replicas"]):
                name = f"{kind}-ctrlplugin"
                yield _pod(f"{name}-{number}", {}, affinity=_apart(name))


def _ceph(values: Manifest, nodes: tuple[Node, ...]) -> Iterator[Pod]:
    """Yield Rook's pods in its order; `allowMultiplePerNode: false` is a required anti-affinity."""
    spec = values["cephClusterSpec"]
    sizes, everyone = spec["resources"], spec["placement"]["all"]
    log = sizes["logcollector"]
    assert not spec["mon"]["allowMultiplePerNode"]
    assert not spec["mgr"]["allowMultiplePerNode"]
    for kind, beside in (("mon", [log]), ("mgr", [log, sizes["mgr-sidecar"]])):
        for number in range(spec[kind]["count"]):
            yield _pod(f"{kind}-{number}", sizes[kind], *beside, **_placed(everyone | _apart(kind)))
    for node in spec["storage"]["nodes"]:
        bound = {"tolerations": everyone.get("tolerations", []), "nodeSelector": {HOSTNAME: node["name"]}}
        yield _pod(f"prepare-{node['name']}", sizes["prepareosd"], **bound)
        for device in node["devices"]:
            yield _pod(f"osd-{node['name']}-{device['name']}", sizes["osd"], log, **bound)
        yield _pod(f"crashcollector-{node['name']}", sizes["crashcollector"], **bound)
        yield _pod(f"exporter-{node['name']}", sizes["exporter"], **bound)
    yield _pod("detect-version", sizes["cmd-reporter"], ends=True, **_placed(everyone))
    for system in values["cephFileSystems"]:
        server = system["spec"]["metadataServer"]
        for number in range(server["activeCount"] * (2 if server["activeStandby"] else 1)):
            yield _daemon("rook-ceph-mds", number, server, log)
    for store in values["cephObjectStores"]:
        gateway = store["spec"]["gateway"]
        for number in range(gateway["instances"]):
            yield _daemon("rook-ceph-rgw", number, gateway, log)
    yield _pod("toolbox", values["toolbox"]["resources"])


def _daemon(app: str, number: int, told: Manifest, log: Manifest) -> Pod:
    return _pod(f"{app}-{number}", told["resources"], log, **_placed(told["placement"]))


def _placed(placement: Mapping[str, Any]) -> dict[str, Any]:
    affinity = {key: value for key, value in placement.items() if key != "tolerations"}
    return {"affinity": affinity, "tolerations": placement.get("tolerations", [])}


def _single(name: str, tolerations: Any = ()) -> Callable[[Manifest, tuple[Node, ...]], Iterator[Pod]]:
    def made(values: Manifest, nodes: tuple[Node, ...]) -> Iterator[Pod]:
        yield _pod(name, values["resources"], tolerations=list(tolerations))

    return made


def _velero(values: Manifest, nodes: tuple[Node, ...]) -> Iterator[Pod]:
    before = tuple(one["resources"] for one in values["initContainers"])
    placed = {"tolerations": values["tolerations"], "nodeSelector": values["nodeSelector"]}
    yield _pod("velero", values["resources"], before=before, **placed)
    yield from _everywhere(nodes, "node-agent", values["nodeAgent"]["resources"], tolerates=[])
    yield _pod("velero-upgrade-crds", values["upgradeJobResources"], ends=True, **placed)


_CHARTS: Mapping[str, Callable[[Manifest, tuple[Node, ...]], Iterator[Pod]]] = {
    "cilium": _cilium,
    "hcloud-cloud-controller-manager": _single("cloud-controller", _TO_PLANES),
    "cert-manager": _cert_manager,
    "kube-prometheus-stack": _prometheus,
    "rook-ceph": _rook,
    "ceph-csi-drivers": _drivers,
    "rook-ceph-cluster": _ceph,
    "cnpg": _single("cnpg"),
    "plugin-barman-cloud": _single("barman"),
    "velero": _velero,
}
