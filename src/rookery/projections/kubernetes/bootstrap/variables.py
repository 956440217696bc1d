"""`group_vars/all.yaml`: what roles are told, each with the reason that it is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rookery.apps.pod_image import image_reference
from rookery.design.model import Cluster, Design
from rookery.design.node import SMALLEST_DRIVE
from rookery.projections.kubernetes.bootstrap.inventory import has_cloud_controller
from rookery.projections.kubernetes.emit import as_comment, dump
from rookery.projections.kubernetes.sources import node_repositories

_HEAD = "What the playbooks are told. A host's own values are in inventory.yaml."


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable of all hosts, with why it is there."""

    name: str
    value: Any
    why: str


def render_variables(design: Design, cluster: Cluster, image: str = "") -> str:
    """Return the file: each variable below its reason.

    `image` is what pods name our image by; empty where it is as this version builds it.
    """
    chosen = [*_system(design, cluster), *_servers(design)]
    if cluster.bootstrap == "kubeadm":
        chosen += [*_cluster(cluster), *_packages(cluster), *_runtime()]
    chosen += _images(image)
    parts = [as_comment(_HEAD)]
    parts += [dump(({one.name: one.value},), comment=one.why) for one in chosen]
    return "\n".join(parts)


def _system(design: Design, cluster: Cluster) -> tuple[Variable, ...]:
    return (
        Variable(
            name="system_name",
            value=design.name,
            why="Names what is kept outside the servers: the kubeconfig, the context in it.",
        ),
        Variable(
            name="container_runtime",
            value="crio" if cluster.bootstrap == "kubeadm" else "containerd",
            why="Our own image is imported into this one; KubeOne knows containerd only.",
        ),
        Variable(
            name="cloud_controller",
            value=has_cloud_controller(design),
            why="Whether the provider's controller tells nodes who they are. Nodes wait for it, so it must be"
            " installed with the network.",
        ),
        Variable(
            name="pod_network",
            value=cluster.pods,
            why="Each node gets a part of it for its pods. It must not overlap the servers' network.",
        ),
        Variable(
            name="service_network",
            value=cluster.services,
            why="Addresses of Services, which exist inside the cluster only. It must not overlap either.",
        ),
        Variable(
            name="server_network",
            value=design.network.public,
            why="The servers' own network, compared with the two above before anything is installed.",
        ),
        Variable(
            name="mtu",
            value=design.network.mtu,
            why="Largest packet between servers that the design counts on. An interface with less loses"
            " packets that others send, so the playbook says where that is so. Hetzner's private network has"
            " 1450.",
        ),
    )


def _servers(design: Design) -> tuple[Variable, ...]:
    return (
        Variable(
            name="ansible_user",
            value=design.traits.login,
            why="Who logs in on fresh servers of this provider; tasks become root from there.",
        ),
        Variable(
            name="upgrade_first",
            value=not design.traits.here,
            why="Whether packages are upgraded, and the server restarted where its kernel asks for it, before"
            " it is a member of the cluster. Ceph's kernel clients under Cilium want Ubuntu's 5.15.0-113 or"
            " later. A member is never touched: drain it, then upgrade it by itself.",
        ),
        Variable(
            name="encrypted_drives",
            value=False,
            why="Whether OSDs encrypt their drives, which needs dm_crypt in the kernel.",
        ),
        Variable(
            name="smallest_drive",
            value=SMALLEST_DRIVE,
            why="In bytes: 5 GiB. Rook makes no OSD on less, for ceph-volume rejects it. Such a"
            " drive is refused before it is handed over.",
        ),
    )


def _cluster(cluster: Cluster) -> tuple[Variable, ...]:
    return (
        Variable(
            name="endpoint",
            value=cluster.endpoint,
            why="Where the API server answers, for servers and pods alike. With several control planes it is"
            " the load balancer, which must be there first.",
        ),
        Variable(
            name="api_url",
            value="https://{{ endpoint }}",
            why="Where the API server is reached from here, for the fetched kubeconfig: another address where"
            " this machine is not in the servers' network.",
        ),
        Variable(
            name="kubeconfig_file",
            value="{{ playbook_dir }}/kubeconfig",
            why="Where the administrator's kubeconfig is written on this machine, readable by you alone. It"
            " is a secret: .gitignore here names it.",
        ),
        Variable(
            name="kubelet_settings",
            value={},
            why="What these machines' kubelets need otherwise than kubeadm/init.yaml says, such as"
            " `{failCgroupV1: false}` where the kernel still has cgroup v1. Each server lays it over its own"
            " configuration.",
        ),
    )


def _packages(cluster: Cluster) -> tuple[Variable, ...]:
    kubernetes, crio = node_repositories(cluster.version)
    return (
        Variable(
            name="kubernetes_version",
            value=cluster.version,
            why="Minor version. Packages stay within it and are held: upgrading is a decision.",
        ),
        Variable(
            name="crio_version",
            value=crio.version,
            why="CRI-O's minor version, which follows Kubernetes'.",
        ),
        Variable(
            name="kubernetes_packages",
            value=kubernetes.url,
            why="Where kubeadm, kubelet and kubectl come from: https, http or file. A mirror has"
            " Release.key too.",
        ),
        Variable(
            name="crio_packages",
            value=crio.url,
            why="Where CRI-O comes from, likewise.",
        ),
        Variable(
            name="image_repository",
            value="registry.k8s.io",
            why="Where kubeadm's own images come from: the control plane, CoreDNS, the pause image.",
        ),
        Variable(
            name="registry_mirrors",
            value=[],
            why="Mirrors that are asked before the registries themselves, for closed networks and against"
            " limits on pulls: a list of {registry: quay.io, mirror: mirror.example/quay.io, insecure:"
            " false}.",
        ),
    )


def _runtime() -> tuple[Variable, ...]:
    return (
        Variable(
            name="cgroup_manager",
            value="systemd",
            why="Who keeps control groups of pods, for CRI-O and kubelet alike: systemd, or cgroupfs where"
            " systemd does not have the tree for itself.",
        ),
        Variable(
            name="image_stores",
            value=[],
            why="Folders with images that are there already, in the form of CRI-O's own storage: it reads"
            " them and never writes to them, so servers may share one.",
        ),
        Variable(
            name="runtime_program",
            value="",
            why="Path of a program that starts containers in place of the one that CRI-O brings; empty where"
            " that one will do.",
        ),
        Variable(
            name="kubeadm_ignored",
            value=[],
            why="Checks of kubeadm's that may fail here, by name, such as SystemVerification, which reads the"
            " kernel's configuration.",
        ),
    )


def _images(image: str) -> tuple[Variable, ...]:
    whose = "The name was given" if image else "Its tag is a hash of its content"
    return (
        Variable(
            name="apps_image",
            value=image or image_reference(),
            why=f"Our applications' image. {whose}: what is there already is right.",
        ),
        Variable(
            name="apps_image_archive",
            value="",
            why="The OCI archive on this machine that `rookery image` made; empty where a registry has it.",
        ),
    )
