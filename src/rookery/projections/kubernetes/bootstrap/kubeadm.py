"""What kubeadm is told (v1beta4), with a placeholder for what only the servers know.

Placeholders are Ansible's: a host's own name and address, and the secrets, which exist at run time only: the
token, the certificates' key, the hash of the authority, the key of secrets at rest.
"""

from __future__ import annotations

from typing import Any

from rookery.design.cluster import has_cilium
from rookery.design.model import Cluster, Design, Role
from rookery.design.node import EVICTION, RESERVED_CPU, RESERVED_MEMORY
from rookery.projections.kubernetes.bootstrap.inventory import has_cloud_controller
from rookery.projections.kubernetes.emit import dump
from rookery.projections.kubernetes.nodes import STORAGE_LABEL
from rookery.units import MIB

API = "kubeadm.k8s.io/v1beta4"
SOCKET = "unix:///var/run/crio/crio.sock"
ETC = "/etc/kubernetes"
AUDIT_POLICY = f"{ETC}/audit-policy.yaml"
ENCRYPTION = f"{ETC}/encryption.yaml"
_AUDIT_LOGS = "/var/log/kubernetes"
_PATCHES = f"{ETC}/patches"

# Threads of a pod. OSDs and gateways have hundreds each and grow with their load; a fork bomb has more.
_MOST_THREADS = 16384

_INIT = (
    "The first control plane: `kubeadm init --config`. {proxy} Metrics"
    " of etcd, the scheduler and the controllers are served on all addresses where Prometheus is installed;"
    " the latter two ask who is there, etcd's say nothing of what is stored; the provider's firewall keeps"
    " all of them inside."
)
_NO_PROXY = "There is no kube-proxy: Cilium takes its part."
_PROXY = (
    "kube-proxy leads Services' addresses to pods by iptables. Where Prometheus is installed it serves"
    " figures of Services on all addresses."
)
_JOIN = "A further server of the cluster: `kubeadm join --config`."
_AUDIT = (
    "What the API server writes down: who changed what, without the content of secrets; not what controllers"
    " and kubelets read and renew every few seconds."
)
_REST = (
    "Secrets are encrypted before they reach etcd. The key is made on the first control plane, once, and"
    " copied to the others; who has a backup of etcd needs this file as well."
)


def render_kubeadm(design: Design) -> dict[str, str]:
    """Return kubeadm's configurations and the API server's policies, by path."""
    cluster = design.kubernetes
    assert cluster is not None
    cilium = has_cilium(design)
    proxy = () if cilium else (_proxy(design, cluster),)
    init = (_init(design), _cluster(design, cluster), _kubelet(), *proxy)
    said = _INIT.format(proxy=_NO_PROXY if cilium else _PROXY)
    return {
        "kubeadm/init.yaml": dump(init, comment=said),
        "kubeadm/join-control-plane.yaml": dump((_join(design, cluster, Role.CONTROL_PLANE),), comment=_JOIN),
        "kubeadm/join-worker.yaml": dump((_join(design, cluster, Role.WORKER),), comment=_JOIN),
        "kubeadm/join-storage.yaml": dump((_join(design, cluster, Role.STORAGE),), comment=_JOIN),
        "kubeadm/audit-policy.yaml": dump((audit_policy(),), comment=_AUDIT),
        "kubeadm/encryption.yaml": dump((_encryption(),), comment=_REST),
    }


def _init(design: Design) -> dict[str, Any]:
    return {
        "apiVersion": API,
        "kind": "InitConfiguration",
        "bootstrapTokens": [{"token": "{{ join_token }}", "ttl": "2h0m0s"}],
        "certificateKey": "{{ certificate_key }}",
        "localAPIEndpoint": {"advertiseAddress": "{{ address }}", "bindPort": 6443},
        "nodeRegistration": _registration(design),
        "patches": {"directory": _PATCHES},
    }


def _join(design: Design, cluster: Cluster, role: Role) -> dict[str, Any]:
    found: dict[str, Any] = {
        "apiVersion": API,
        "kind": "JoinConfiguration",
        "discovery": {
            "bootstrapToken": {
                "token": "{{ join_token }}",
                "apiServerEndpoint": cluster.endpoint,
                "caCertHashes": ["{{ ca_certificate_hash }}"],
            }
        },
        "nodeRegistration": _registration(design),
        "patches": {"directory": _PATCHES},
    }
    if role is Role.CONTROL_PLANE:
        endpoint = {"advertiseAddress": "{{ address }}", "bindPort": 6443}
        found["controlPlane"] = {"localAPIEndpoint": endpoint, "certificateKey": "{{ certificate_key }}"}
    if role is Role.STORAGE:
        # From its first moment, so that nothing else lands there before labels and taints are looked at.
        found["nodeRegistration"]["taints"] = [{"key": STORAGE_LABEL, "effect": "NoSchedule"}]
    return found


def _registration(design: Design) -> dict[str, Any]:
    args = [_arg("node-ip", "{{ address }}")]
    if has_cloud_controller(design):
        args.append(_arg("cloud-provider", "external"))
    return {"name": "{{ inventory_hostname }}", "criSocket": SOCKET, "kubeletExtraArgs": args}


def _cluster(design: Design, cluster: Cluster) -> dict[str, Any]:
    seen = [_arg("bind-address", "0.0.0.0")] if cluster.monitoring else []  # noqa: S104 - for Prometheus
    etcd = [_arg("listen-metrics-urls", "http://0.0.0.0:2381")] if cluster.monitoring else []
    quiet = _arg("profiling", "false")
    return {
        "apiVersion": API,
        "kind": "ClusterConfiguration",
        "clusterName": design.name,
        "kubernetesVersion": "{{ kubernetes_release }}",
        "imageRepository": "{{ image_repository }}",
        "controlPlaneEndpoint": cluster.endpoint,
        "networking": {"podSubnet": cluster.pods, "serviceSubnet": cluster.services},
        "apiServer": {"certSANs": _names(design, cluster), **_api_server()},
        "controllerManager": {"extraArgs": [quiet, *seen]},
        "scheduler": {"extraArgs": [quiet, *seen]},
        "etcd": {"local": {"dataDir": "/var/lib/etcd", "extraArgs": etcd}},
        "proxy": {"disabled": has_cilium(design)},
    }


def _names(design: Design, cluster: Cluster) -> list[str]:
    """Return the names that the API servers' certificates carry: any of them may stand before the others."""
    hosts = design.with_role(Role.CONTROL_PLANE)
    found = [cluster.endpoint.rpartition(":")[0], "127.0.0.1"]
    found += [name for host in hosts for name in (host.name, host.address)]
    return list(dict.fromkeys(found))


def _api_server() -> dict[str, Any]:
    return {
        "extraArgs": [
            _arg("enable-admission-plugins", "NodeRestriction"),
            _arg("profiling", "false"),
            _arg("audit-policy-file", AUDIT_POLICY),
            _arg("audit-log-path", f"{_AUDIT_LOGS}/audit.log"),
            _arg("audit-log-maxage", "7"),
            _arg("audit-log-maxbackup", "5"),
            _arg("audit-log-maxsize", "100"),
            _arg("encryption-provider-config", ENCRYPTION),
        ],
        "extraVolumes": [
            _mount("audit-policy", AUDIT_POLICY, "File", read_only=True),
            _mount("audit-logs", _AUDIT_LOGS, "DirectoryOrCreate", read_only=False),
            _mount("encryption", ENCRYPTION, "File", read_only=True),
        ],
    }


def _arg(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value}


def _mount(name: str, path: str, kind: str, *, read_only: bool) -> dict[str, Any]:
    return {"name": name, "hostPath": path, "mountPath": path, "readOnly": read_only, "pathType": kind}


def _kubelet() -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "{{ cgroup_manager }}",
        "serverTLSBootstrap": False,
        "rotateCertificates": True,
        "protectKernelDefaults": False,
        "seccompDefault": True,
        "podPidsLimit": _MOST_THREADS,
        "systemReserved": system_reserved(),
        "evictionHard": {
            "memory.available": f"{EVICTION // MIB}Mi",
            "nodefs.available": "10%",
            "nodefs.inodesFree": "5%",
            "imagefs.available": "15%",
        },
    }


def _proxy(design: Design, cluster: Cluster) -> dict[str, Any]:
    found: dict[str, Any] = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        # Not nftables: every second start of kube-proxy 1.36.2 left its maps empty on a kernel 6.18
        # (docs/decisions/0027-bridge-network.md).
        "mode": "iptables",
        # What comes from elsewhere and leaves for a pod of another node comes back by the same way.
        "clusterCIDR": cluster.pods,
    }
    if cluster.monitoring:
        found["metricsBindAddress"] = "0.0.0.0:10249"
    if design.traits.here:
        # These parameters belong to the machine around a server: nothing of them is set.
        found["conntrack"] = {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        }
    return found


def system_reserved() -> dict[str, str]:
    """Return what the system, kubelet and the runtime keep of every node for themselves."""
    return {"cpu": f"{RESERVED_CPU}m", "memory": f"{RESERVED_MEMORY // MIB}Mi"}


def audit_policy() -> dict[str, Any]:
    """Return the API server's audit policy."""
    events = ("", "events.k8s.io")
    machinery = ["system:nodes", "system:serviceaccounts:kube-system"]
    secret = [
        {"group": "", "resources": ["secrets", "configmaps", "serviceaccounts/token"]},
        {"group": "authentication.k8s.io", "resources": ["tokenreviews"]},
    ]
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "omitManagedFields": True,
        "rules": [
            {
                "level": "None",
                "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*", "/version", "/metrics"],
            },
            {"level": "None", "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}]},
            {"level": "None", "resources": [{"group": group, "resources": ["events"]} for group in events]},
            {"level": "None", "userGroups": machinery, "verbs": ["get", "list", "watch"]},
            {"level": "Metadata", "resources": secret},
            {"level": "None", "verbs": ["get", "list", "watch"]},
            {"level": "Request"},
        ],
    }


def _encryption() -> dict[str, Any]:
    keys = [{"name": "first", "secret": "{{ encryption_key }}"}]
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [
            {"resources": ["secrets"], "providers": [{"secretbox": {"keys": keys}}, {"identity": {}}]}
        ],
    }
