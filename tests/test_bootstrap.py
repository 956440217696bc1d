"""What Ansible, kubeadm and KubeOne are given: whole values, for the patterns that differ in it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from rookery.projections.kubernetes.bootstrap import render_bootstrap
from tests.kit.designs import design

HA: dict[str, Any] = {
    "pattern": "ha-control-plane",
    "provider": "hetzner",
    "network": {"public": "10.0.0.0/24"},
}
DEFAULT: dict[str, Any] = {"provider": "hetzner", "network": {"public": "10.0.0.0/24"}}
CP, STORAGE = "node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/storage"
WORKER = "node-role.kubernetes.io/worker"


def tree(data: dict[str, Any]) -> dict[str, str]:
    return {file.path: file.content.decode() for file in render_bootstrap(design(data))}


def read(files: dict[str, str], path: str) -> list[Any]:
    return list(yaml.safe_load_all(files[f"00-bootstrap/{path}"]))


def hosts(data: dict[str, Any]) -> dict[str, Any]:
    (found,) = read(tree(data), "inventory.yaml")
    return dict(found["all"]["hosts"])


ROLES = ("control_plane", "crio", "drives", "host", "images", "join", "kubernetes", "nodes")


def test_the_files_of_the_kubeadm_way() -> None:
    files = tree(DEFAULT)
    rendered = [path for path in files if "/roles/" not in path]
    assert rendered == [
        "00-bootstrap/.ansible-lint",
        "00-bootstrap/.gitignore",
        "00-bootstrap/ansible.cfg",
        "00-bootstrap/group_vars/all.yaml",
        "00-bootstrap/inventory.yaml",
        "00-bootstrap/kubeadm/audit-policy.yaml",
        "00-bootstrap/kubeadm/encryption.yaml",
        "00-bootstrap/kubeadm/init.yaml",
        "00-bootstrap/kubeadm/join-control-plane.yaml",
        "00-bootstrap/kubeadm/join-storage.yaml",
        "00-bootstrap/kubeadm/join-worker.yaml",
        "00-bootstrap/site.yaml",
    ]
    assert sorted({path.split("/")[2] for path in files if "/roles/" in path}) == list(ROLES)
    assert list(files) == sorted(files)


def test_the_files_of_the_kubeone_way() -> None:
    files = tree({**DEFAULT, "kubernetes": {"bootstrap": "kubeone"}})
    rendered = [path.removeprefix("00-bootstrap/") for path in files if "/roles/" not in path]
    assert rendered == [
        ".ansible-lint",
        ".gitignore",
        "ansible.cfg",
        "audit-policy.yaml",
        "finish.yaml",
        "group_vars/all.yaml",
        "inventory.yaml",
        "kubeone.yaml",
        "prepare.yaml",
    ]
    roles = {path.split("/")[2] for path in files if "/roles/" in path}
    assert sorted(roles) == ["drives", "host", "images", "nodes"]


def test_a_cluster_that_is_there_needs_no_bootstrap() -> None:
    assert tree({"provider": "existing", "kubernetes": {"bootstrap": "none"}}) == {}


def test_the_same_design_gives_the_same_bytes() -> None:
    assert render_bootstrap(design(HA)) == render_bootstrap(design(HA))


def test_the_inventory_of_the_default_design() -> None:
    (found,) = read(tree(DEFAULT), "inventory.yaml")
    drives = [{"name": name, "size": 20_000_000_000, "class": "ssd"} for name in ("vdb", "vdc")]

    def host(address: str, role: str, taints: list[str], **more: Any) -> dict[str, Any]:
        return {
            "ansible_host": address,
            "address": address,
            "host_roles": [role],
            "node_labels": {f"node-role.kubernetes.io/{role}": ""},
            "node_taints": taints,
            **more,
        }

    storage = {f"storage-{letter}": f"10.0.0.{number}" for number, letter in enumerate("klmn", 128)}
    assert found == {
        "all": {
            "hosts": {
                "cp-1": host("10.0.0.10", "control-plane", [CP]),
                "worker-a": host("10.0.0.32", "worker", []),
                "worker-b": host("10.0.0.33", "worker", []),
                **{name: host(at, "storage", [STORAGE], drives=drives) for name, at in storage.items()},
            },
            "children": {
                "control_plane": {"hosts": {"cp-1": {}}},
                "workers": {"hosts": {"worker-a": {}, "worker-b": {}}},
                "storage": {"hosts": {name: {} for name in storage}},
            },
        }
    }


def test_a_host_that_is_a_worker_too_has_no_taint() -> None:
    hyperconverged = hosts({"pattern": "hyperconverged", "provider": "hetzner"})
    assert hyperconverged["storage-k"]["node_labels"] == {WORKER: "", STORAGE: ""}
    assert (hyperconverged["storage-k"]["node_taints"], hyperconverged["cp-1"]["node_taints"]) == ([], [CP])
    compact = hosts({"pattern": "compact", "provider": "hetzner"})
    assert compact["storage-k"]["node_labels"] == {CP: "", WORKER: "", STORAGE: ""}
    assert compact["storage-k"]["node_taints"] == []


def test_a_control_plane_that_is_storage_too_keeps_its_own_taint() -> None:
    # Rook's pods tolerate it there; two taints would say the same twice.
    shared = hosts(
        {**DEFAULT, "hosts": {"storage": {"also": ["control-plane"]}, "controlPlane": {"count": 0}}}
    )
    assert shared["storage-k"]["node_taints"] == [CP]


def test_variables_each_say_why() -> None:
    text = tree(DEFAULT)["00-bootstrap/group_vars/all.yaml"]
    _, *parts = text.split("\n\n")
    assert all(part.startswith("# ") for part in parts)
    assert yaml.safe_load(text) == {
        "system_name": "rookery-demo",
        "container_runtime": "crio",
        "cloud_controller": True,
        "pod_network": "10.244.0.0/16",
        "service_network": "10.96.0.0/12",
        "server_network": "10.0.0.0/24",
        "mtu": design(DEFAULT).network.mtu,
        "ansible_user": "root",
        "upgrade_first": True,
        "encrypted_drives": False,
        "smallest_drive": 5_368_709_120,
        "endpoint": "10.0.0.2:6443",
        "api_url": "https://{{ endpoint }}",
        "kubeconfig_file": "{{ playbook_dir }}/kubeconfig",
        "kubelet_settings": {},
        "kubernetes_version": "1.36",
        "crio_version": "1.36",
        "kubernetes_packages": "https://pkgs.k8s.io/core:/stable:/v1.36/deb/",
        "crio_packages": "https://download.opensuse.org/repositories/isv:/cri-o:/stable:/v1.36/deb/",
        "image_repository": "registry.k8s.io",
        "registry_mirrors": [],
        "cgroup_manager": "systemd",
        "image_stores": [],
        "runtime_program": "",
        "kubeadm_ignored": [],
        "apps_image": yaml.safe_load(text)["apps_image"],
        "apps_image_archive": "",
    }


def args(**flags: str) -> list[dict[str, str]]:
    return [{"name": name.replace("_", "-"), "value": value} for name, value in flags.items()]


REGISTRATION = {
    "name": "{{ inventory_hostname }}",
    "criSocket": "unix:///var/run/crio/crio.sock",
    "kubeletExtraArgs": args(node_ip="{{ address }}", cloud_provider="external"),
}
LOCAL = {"advertiseAddress": "{{ address }}", "bindPort": 6443}
PATCHES = {"directory": "/etc/kubernetes/patches"}


def test_the_first_control_plane_of_several() -> None:
    init, cluster, kubelet = read(tree(HA), "kubeadm/init.yaml")
    assert init == {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "InitConfiguration",
        "bootstrapTokens": [{"token": "{{ join_token }}", "ttl": "2h0m0s"}],
        "certificateKey": "{{ certificate_key }}",
        "localAPIEndpoint": LOCAL,
        "nodeRegistration": REGISTRATION,
        "patches": PATCHES,
    }
    server = cluster.pop("apiServer")
    seen = args(profiling="false", bind_address="0.0.0.0")
    assert cluster == {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "clusterName": "ha-control-plane",
        "kubernetesVersion": "{{ kubernetes_release }}",
        "imageRepository": "{{ image_repository }}",
        "controlPlaneEndpoint": "10.0.0.2:6443",
        "networking": {"podSubnet": "10.244.0.0/16", "serviceSubnet": "10.96.0.0/12"},
        "controllerManager": {"extraArgs": seen},
        "scheduler": {"extraArgs": seen},
        "etcd": {
            "local": {
                "dataDir": "/var/lib/etcd",
                "extraArgs": args(listen_metrics_urls="http://0.0.0.0:2381"),
            }
        },
        "proxy": {"disabled": True},
    }
    peers = [part for number in (1, 2, 3) for part in (f"cp-{number}", f"10.0.0.{9 + number}")]
    assert server["certSANs"] == ["10.0.0.2", "127.0.0.1", *peers]
    assert server["extraArgs"] == args(
        enable_admission_plugins="NodeRestriction",
        profiling="false",
        audit_policy_file="/etc/kubernetes/audit-policy.yaml",
        audit_log_path="/var/log/kubernetes/audit.log",
        audit_log_maxage="7",
        audit_log_maxbackup="5",
        audit_log_maxsize="100",
        encryption_provider_config="/etc/kubernetes/encryption.yaml",
    )
    mounted = {volume["mountPath"]: volume["readOnly"] for volume in server["extraVolumes"]}
    assert mounted == {
        "/etc/kubernetes/audit-policy.yaml": True,
        "/var/log/kubernetes": False,
        "/etc/kubernetes/encryption.yaml": True,
    }
    assert kubelet == {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "{{ cgroup_manager }}",
        "serverTLSBootstrap": False,
        "rotateCertificates": True,
        "protectKernelDefaults": False,
        "seccompDefault": True,
        "podPidsLimit": 16384,
        "systemReserved": {"cpu": "100m", "memory": "412Mi"},
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "10%",
            "nodefs.inodesFree": "5%",
            "imagefs.available": "15%",
        },
    }


def test_who_joins() -> None:
    files = tree(HA)
    base = {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "JoinConfiguration",
        "discovery": {
            "bootstrapToken": {
                "token": "{{ join_token }}",
                "apiServerEndpoint": "10.0.0.2:6443",
                "caCertHashes": ["{{ ca_certificate_hash }}"],
            }
        },
        "nodeRegistration": REGISTRATION,
        "patches": PATCHES,
    }
    control_plane = {"localAPIEndpoint": LOCAL, "certificateKey": "{{ certificate_key }}"}
    tainted = {**REGISTRATION, "taints": [{"key": STORAGE, "effect": "NoSchedule"}]}
    assert read(files, "kubeadm/join-worker.yaml") == [base]
    assert read(files, "kubeadm/join-control-plane.yaml") == [{**base, "controlPlane": control_plane}]
    assert read(files, "kubeadm/join-storage.yaml") == [{**base, "nodeRegistration": tainted}]


# The fields of kubeadm's v1beta4 that may stand in each kind; kubeadm refuses others.
V1BETA4 = {
    "InitConfiguration": {
        *("bootstrapTokens", "certificateKey", "dryRun", "localAPIEndpoint", "nodeRegistration", "patches"),
        *("skipPhases", "timeouts"),
    },
    "ClusterConfiguration": {
        *("apiServer", "caCertificateValidityPeriod", "certificateValidityPeriod", "certificatesDir"),
        *("clusterName", "controlPlaneEndpoint", "controllerManager", "dns", "encryptionAlgorithm", "etcd"),
        *("featureGates", "imageRepository", "kubernetesVersion", "networking", "proxy", "scheduler"),
    },
    "JoinConfiguration": {
        *("caCertPath", "controlPlane", "discovery", "dryRun", "nodeRegistration", "patches", "skipPhases"),
        "timeouts",
    },
}


@pytest.mark.parametrize("pattern", ["production-minimum", "ha-control-plane", "hyperconverged", "compact"])
@pytest.mark.parametrize("provider", ["hetzner", "aws", "existing"])
def test_kubeadm_knows_every_field(pattern: str, provider: str) -> None:
    files = tree({"pattern": pattern, "provider": provider})
    for path in ("init", "join-control-plane", "join-worker", "join-storage"):
        for document in read(files, f"kubeadm/{path}.yaml"):
            if document["kind"] in V1BETA4:
                assert document["apiVersion"] == "kubeadm.k8s.io/v1beta4"
                assert set(document) - {"apiVersion", "kind"} <= V1BETA4[document["kind"]]
            for component in ("apiServer", "controllerManager", "scheduler"):
                for arg in document.get(component, {}).get("extraArgs", []):
                    assert set(arg) == {"name", "value"}
                    assert isinstance(arg["value"], str)


def test_servers_without_a_cloud_wait_for_no_controller() -> None:
    files = tree({**HA, "provider": "existing"})
    init, *_ = read(files, "kubeadm/init.yaml")
    assert init["nodeRegistration"]["kubeletExtraArgs"] == args(node_ip="{{ address }}")
    assert read(files, "group_vars/all.yaml")[0]["cloud_controller"] is False


def test_without_monitoring_metrics_stay_inside() -> None:
    _, cluster, _ = read(tree({**HA, "kubernetes": {"monitoring": False}}), "kubeadm/init.yaml")
    assert cluster["scheduler"] == {"extraArgs": args(profiling="false")}
    assert cluster["etcd"] == {"local": {"dataDir": "/var/lib/etcd", "extraArgs": []}}


def test_no_secret_is_rendered() -> None:
    """What is secret is a placeholder; the servers fill it in."""
    for path, text in tree(HA).items():
        for name in ("token", "certificateKey", "secret"):
            for value in re.findall(rf"^[ -]*{name}: (.+)$", text, re.MULTILINE):
                assert value.startswith("'{{ "), f"{path}: {name}"


def test_playbooks_prepare_before_they_join() -> None:
    (plays,) = read(tree(HA), "site.yaml")
    assert [(play["hosts"], [role["role"] for role in play["roles"]]) for play in plays] == [
        ("all", ["host"]),
        ("storage", ["drives"]),
        ("all", ["kubernetes", "crio"]),
        ("control_plane[0]", ["control_plane"]),
        ("control_plane:!control_plane[0]", ["join"]),
        ("all:!control_plane", ["join"]),
        ("control_plane[0]", ["nodes"]),
        ("workers", ["images"]),
    ]
    assert [play.get("serial") for play in plays] == [None, None, None, None, 1, None, None, None]


def test_what_kubeone_is_told() -> None:
    (found,) = read(tree({**DEFAULT, "kubernetes": {"bootstrap": "kubeone"}}), "kubeone.yaml")

    def host(name: str, address: str, role: str, taints: list[str], **more: Any) -> dict[str, Any]:
        return {
            "hostname": name,
            "publicAddress": address,
            "privateAddress": address,
            "sshUsername": "root",
            "sshAgentSocket": "env:SSH_AUTH_SOCK",
            "labels": {f"node-role.kubernetes.io/{role}": ""},
            "taints": [{"key": key, "effect": "NoSchedule"} for key in taints],
            **more,
        }

    audit = {"policyFilePath": "audit-policy.yaml", "logMaxAge": 7, "logMaxBackup": 5, "logMaxSize": 100}
    seen = {"flags": {"bind-address": "0.0.0.0"}}
    assert found == {
        "apiVersion": "kubeone.k8c.io/v1beta3",
        "kind": "KubeOneCluster",
        "name": "rookery-demo",
        "versions": {"kubernetes": "1.36.5"},
        "cloudProvider": {"none": {}},
        "apiEndpoint": {"host": "10.0.0.2", "port": 6443, "alternativeNames": ["cp-1", "10.0.0.10"]},
        "containerRuntime": {"containerd": {}},
        "clusterNetwork": {
            "podSubnet": "10.244.0.0/16",
            "serviceSubnet": "10.96.0.0/12",
            "cni": {"external": {}},
            "kubeProxy": {"skipInstallation": True},
        },
        "kubeletConfig": {"systemReserved": {"cpu": "100m", "memory": "412Mi"}},
        "machineController": {"deploy": False},
        "operatingSystemManager": {"deploy": False},
        "features": {
            "staticAuditLog": {"enable": True, "config": audit},
            "encryptionProviders": {"enable": True},
        },
        "controlPlaneComponents": {"controllerManager": seen, "scheduler": seen},
        "controlPlane": {"hosts": [host("cp-1", "10.0.0.10", "control-plane", [CP], isLeader=True)]},
        "staticWorkers": {
            "hosts": [
                host("worker-a", "10.0.0.32", "worker", []),
                host("worker-b", "10.0.0.33", "worker", []),
                *(
                    host(f"storage-{letter}", f"10.0.0.{number}", "storage", [STORAGE])
                    for number, letter in enumerate("klmn", 128)
                ),
            ]
        },
    }


def test_who_logs_in_is_the_providers_user() -> None:
    for provider, user in (("hetzner", "root"), ("aws", "ubuntu"), ("gcp", "ubuntu"), ("existing", "root")):
        files = tree({"provider": provider, "kubernetes": {"bootstrap": "kubeone"}})
        assert read(files, "group_vars/all.yaml")[0]["ansible_user"] == user
        assert read(files, "kubeone.yaml")[0]["controlPlane"]["hosts"][0]["sshUsername"] == user
