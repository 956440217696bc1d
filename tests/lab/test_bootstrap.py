"""The playbooks on real servers: sshd, systemd, apt, udev and drives are real; kubeadm's cluster is not.

Packages of Kubernetes and CRI-O are stand-ins from a signed repository, so what is shown is what roles do to
a server, what they ask of kubeadm and kubectl, and that they come through interruptions.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rookery.drivers.kubernetes.playbook import staying_environment
from rookery.projections.kubernetes.bootstrap.kubeadm import audit_policy
from tests.kit.designs import design
from tests.kit.playbooks import run, write
from tests.lab.cluster import publish_packages
from tests.lab.machines import SHARED, Machines, machines

SPEC: dict[str, Any] = {
    "name": "test-bootstrap",
    "provider": "existing",
    "network": {"public": "10.213.77.0/24"},
    "hosts": {
        "controlPlane": {"count": 2},
        "workers": {"count": 1},
        "storage": {"count": 1, "drives": [{"count": 2, "size": "6GB"}]},
    },
}
CP, STORAGE = "node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/storage"
# Words of commands that change something; those that make a token before an init do not.
CHANGING = {"init", "join", "reset", "create", "label", "taint", "copy", "import"}
IMPORTED = (
    "worker-a: skopeo copy oci-archive:/var/tmp/rookery-apps.tar"
    " containers-storage:localhost/rookery/apps:test"
)
LATER = "control_plane,join,nodes,images"
REJOINED = [
    "cp-1: kubeadm token create",
    "worker-a: kubeadm reset",
    "worker-a: kubeadm join",
    "cp-1: kubectl label node worker-a",
]
HOSTS = ("cp-1", "cp-2", "worker-a", "storage-k")


class Site:
    """The rendered tree of the design, with what its user would add: a key, a mirror, the drives' paths."""

    def __init__(self, servers: Machines) -> None:
        self.servers = servers
        self.tree = write(servers.folder / "tree", SPEC)
        archive = servers.folder / "apps.tar"
        archive.write_bytes(b"an image")
        self.extra: dict[str, Any] = {
            "ansible_ssh_private_key_file": str(servers.key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={servers.folder}/known_hosts",
            "kubernetes_packages": f"file://{SHARED}/kubernetes/",
            "crio_packages": f"file://{SHARED}/cri-o/",
            "registry_mirrors": [{"registry": "quay.io", "mirror": "mirror.example/quay.io"}],
            "kubelet_settings": {"failCgroupV1": False},
            "apps_image": "localhost/rookery/apps:test",
            "apps_image_archive": str(archive),
        }
        (self.tree / "host_vars").mkdir()
        drives = [{"name": name, "device": f"/dev/disk/by-id/test-{name}"} for name in ("vdb", "vdc")]
        (self.tree / "host_vars/storage-k.yaml").write_text(yaml.safe_dump({"drives": drives}))

    def play(
        self,
        *arguments: str,
        tree: Path | None = None,
        playbook: str = "site.yaml",
        staying: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a playbook as `up` does on a lab, where one Python stays on each server, or as by hand."""
        words = ("ansible-playbook", playbook, "--extra-vars", json.dumps(self.extra), *arguments)
        return run(tree or self.tree, *words, more=staying_environment() if staying else None)

    def state(self) -> dict[str, Any]:
        return dict(json.loads((self.servers.shared / "state.json").read_text()))

    def calls(self) -> list[str]:
        """Return what changed the cluster since it was last asked: its host, and the command's words."""
        path = self.servers.shared / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        words = [[word for word in line.split() if not word.startswith("--")] for line in lines]
        return [" ".join(found[:5]) for found in words if CHANGING & set(found)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if shutil.which("ssh") is None:
        pytest.skip("there is no ssh: apt-get install openssh-client")
    with machines(design(SPEC), tmp_path_factory.mktemp("bootstrap")) as servers:
        publish_packages(servers)
        yield Site(servers)


def recap(done: subprocess.CompletedProcess[str]) -> dict[str, tuple[int, int]]:
    """Return how many tasks changed and failed on each host."""
    line = r"^(\S+)\s+: ok=\d+\s+changed=(\d+)\s+unreachable=0\s+failed=(\d+)"
    found = re.findall(line, done.stdout, re.MULTILINE)
    return {host: (int(changed), int(failed)) for host, changed, failed in found}


def test_bare_servers_become_a_cluster_though_kubeadm_is_killed_twice(site: Site) -> None:
    for flag in ("break-init", "break-join-worker-a"):
        (site.servers.shared / flag).touch()
    first = site.play(staying=False)
    assert recap(first)["cp-1"][1] == 1, first.stdout
    assert "killed" in first.stdout
    assert site.calls() == ["cp-1: kubeadm init"]
    second = site.play("--tags", LATER)
    failed = {host: failed for host, (_, failed) in recap(second).items()}
    # The first control plane says at the end that a server is missing, after what could be done was done.
    assert failed == {"cp-1": 1, "cp-2": 0, "storage-k": 0, "worker-a": 1}, second.stdout
    assert "These servers are no members: worker-a." in second.stdout
    began = site.calls()
    assert (began[:5], sorted(began[5:7]), began[7:]) == (
        [
            "cp-1: kubeadm reset",
            "cp-1: kubeadm init",
            "cp-1: kubeadm token create",
            "cp-1: kubeadm init phase upload-certs",
            "cp-2: kubeadm join",
        ],
        ["storage-k: kubeadm join", "worker-a: kubeadm join"],
        ["cp-1: kubectl label node storage-k"],
    )
    third = site.play("--tags", LATER)
    assert all(failed == 0 for _, failed in recap(third).values()), third.stdout
    assert site.calls() == [*REJOINED, IMPORTED]


def test_nodes_have_their_labels_and_taints(site: Site) -> None:
    nodes = site.state()["nodes"]
    roles = {"cp-1": "control-plane", "cp-2": "control-plane", "worker-a": "worker", "storage-k": "storage"}
    for name, role in roles.items():
        assert nodes[name]["metadata"]["labels"] == {
            "kubernetes.io/hostname": name,
            f"node-role.kubernetes.io/{role}": "",
        }
    taints = {name: [taint["key"] for taint in nodes[name]["spec"].get("taints", [])] for name in roles}
    assert taints == {"cp-1": [CP], "cp-2": [CP], "worker-a": [], "storage-k": [STORAGE]}


def test_a_second_run_changes_nothing(site: Site) -> None:
    done = site.play()
    assert recap(done) == dict.fromkeys(HOSTS, (0, 0)), done.stdout
    assert site.calls() == []


def test_servers_are_as_kubernetes_wants_them(site: Site) -> None:
    servers = site.servers
    for host in HOSTS:
        assert servers.run(host, "hostname") == f"{host}\n"
        parameters = ("net.ipv4.ip_forward", "kernel.osrelease")
        assert servers.run(host, "sysctl", "--values", *parameters).startswith("1\n")
        assert "\nfs.aio-max-nr = 1048576\n" in servers.read(host, "/etc/sysctl.d/90-rookery.conf")
        assert servers.read(host, "/etc/modules-load.d/rookery.conf").splitlines()[1:] == [
            *("overlay", "br_netfilter", "rbd", "ceph")
        ]
        assert servers.read(host, "/etc/fstab").splitlines() == [
            "/dev/vda1 / ext4 defaults 0 1",
            "# kubelet wants no swap: /swap.img none swap sw 0 0",
        ]
        for path in ("/etc/hosts", "/etc/cloud/templates/hosts.debian.tmpl"):
            names = servers.read(host, path)
            assert (
                "10.213.77.10 cp-1\n10.213.77.11 cp-2\n10.213.77.128 storage-k\n10.213.77.32 worker-a"
                in names
            )
        units = servers.run(host, "systemctl", "is-enabled", "crio", "kubelet", "chrony").split()
        assert units == ["enabled"] * 3
        assert servers.run(host, "systemctl", "is-active", "crio") == "active\n"
        held = servers.run(host, "apt-mark", "showhold").split()
        assert held == ["cri-o", "kubeadm", "kubectl", "kubelet"]


def test_packages_stay_in_their_minor_version(site: Site) -> None:
    # The repositories have 1.37.0 too.
    query = ("dpkg-query", "--show", "--showformat=${Package} ${Version}\n", "cri-o", "kubeadm", "kubelet")
    assert site.servers.run("worker-a", *query).splitlines() == [
        "cri-o 1.36.2-1.1",
        "kubeadm 1.36.2-1.1",
        "kubelet 1.36.2-1.1",
    ]


def test_crio_is_configured_beside_its_package(site: Site) -> None:
    servers = site.servers
    text = servers.read("worker-a", "/etc/crio/crio.conf.d/20-rookery.conf")
    settings = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert settings == [
        "[crio.runtime]",
        'cgroup_manager = "systemd"',
        "pids_limit = -1",
        "[crio.image]",
        'pause_image = "registry.k8s.io/pause:3.10.2"',
        'pinned_images = ["localhost/rookery/*"]',
    ]
    mirrors = servers.read("worker-a", "/etc/containers/registries.conf.d/50-rookery.conf")
    assert mirrors.splitlines()[2:] == [
        *("[[registry]]", 'location = "quay.io"', "", "[[registry.mirror]]"),
        *('location = "mirror.example/quay.io"', "insecure = false"),
    ]
    assert servers.run("worker-a", "ls", "/etc/cni/net.d") == ""


def test_secrets_are_where_they_belong(site: Site) -> None:
    servers = site.servers
    for host in HOSTS:
        left = set(servers.run(host, "ls", "/etc/kubernetes").split())
        assert left & {"kubeadm-init.yaml", "kubeadm-join.yaml"} == set()
    kept = servers.read("cp-1", "/etc/kubernetes/encryption.yaml")
    assert servers.read("cp-2", "/etc/kubernetes/encryption.yaml") == kept
    assert servers.run("cp-2", "stat", "--format=%a", "/etc/kubernetes/encryption.yaml") == "600\n"
    assert yaml.safe_load(servers.read("cp-2", "/etc/kubernetes/audit-policy.yaml")) == audit_policy()
    config = site.tree / "kubeconfig"
    assert config.stat().st_mode & 0o777 == 0o600
    assert clusters(config) == [{"server": "https://10.213.77.10:6443"}]
    secret = yaml.safe_load(kept)["resources"][0]["providers"][0]["secretbox"]["keys"][0]["secret"]
    site.extra["api_url"] = "https://192.0.2.1:6443"
    for staying in (True, False):
        assert secret not in site.play("--tags", "control_plane", "-vvv", staying=staying).stdout
    del site.extra["api_url"]
    # From outside, at another address than the one that the certificate names.
    assert clusters(config) == [{"server": "https://192.0.2.1:6443", "tls-server-name": "10.213.77.10"}]


def clusters(kubeconfig: Path) -> list[dict[str, str]]:
    return [one["cluster"] for one in yaml.safe_load(kubeconfig.read_text())["clusters"]]


def test_the_image_reaches_workers_only(site: Site) -> None:
    path = "/var/lib/containers/storage/localhost_rookery_apps:test"
    assert site.servers.read("worker-a", path) == "an image"
    assert site.servers.run("storage-k", "ls", "/var/lib/containers", check=False) == ""


def test_drives_have_names_that_last(site: Site) -> None:
    for name in ("vdb", "vdc"):
        device = site.servers.drives["storage-k", name].path
        assert site.servers.run("storage-k", "readlink", "-f", f"/dev/rookery/{name}") == f"{device}\n"


def refusal(site: Site, role: str = "drives") -> str:
    """Return what a role says when it refuses."""
    done = site.play("--tags", role)
    found = re.search(r'"?msg"?: "?(.*)', done.stdout)
    assert found is not None, done.stdout
    return found[1].rstrip('",')


def fill(site: Site, name: str, content: bytes) -> None:
    with Path(site.servers.drives["storage-k", name].path).open("r+b") as device:
        device.write(content)
        device.flush()


def bluestore(fsid: str) -> bytes:
    text = f"bluestore block device\n{'0' * 36}\n".encode()
    # Its sizes and times are bytes that are no text.
    return (text + b"\2\1\xa3\xff\0ceph_fsid$\0\0\0" + fsid.encode()).ljust(4096, b"\0")


def test_drives_with_something_on_them_are_refused(site: Site) -> None:
    subprocess.run(
        ("mkfs.ext4", "-q", "-F", site.servers.drives["storage-k", "vdc"].path),
        check=True,
        capture_output=True,
    )
    device = "/dev/disk/by-id/test-vdc"
    assert refusal(site).startswith(
        f"{device} of storage-k is not empty: it has ext4 that is not of this cluster's storage. If nothing"
        f" of it is needed any more, this makes it empty, for good: wipefs --all {device}; for gb in"
    )
    fill(site, "vdc", bytes(1024 * 1024))


def test_only_the_clusters_own_storage_is_no_obstacle(site: Site) -> None:
    own, other = "11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555"
    state = site.state()
    (site.servers.shared / "state.json").write_text(json.dumps({**state, "fsid": own}))
    fill(site, "vdb", bluestore(own))
    done = site.play("--tags", "drives")
    assert recap(done)["storage-k"] == (0, 0), done.stdout
    fill(site, "vdb", bluestore(other))
    assert "it has ceph_bluestore that is not of this cluster's storage" in refusal(site)
    fill(site, "vdb", bytes(4096))


def test_a_small_drive_and_a_missing_one_are_refused(site: Site) -> None:
    site.extra["smallest_drive"] = 7_000_000_000
    assert "has 6000000000 bytes; Ceph makes no OSD on less than 7000000000." in refusal(site)
    del site.extra["smallest_drive"]
    variables = site.tree / "host_vars/storage-k.yaml"
    text = variables.read_text()
    variables.write_text(text.replace("test-vdc", "test-vdd"))
    assert refusal(site).startswith("storage-k has no drive /dev/disk/by-id/test-vdd. Attach it, or say")
    variables.write_text(text)


def test_a_node_that_was_deleted_joins_again(site: Site) -> None:
    state = site.state()
    del state["nodes"]["worker-a"]
    (site.servers.shared / "state.json").write_text(json.dumps(state))
    site.calls()
    done = site.play("--tags", "control_plane,join,nodes")
    assert {host: failed for host, (_, failed) in recap(done).items()} == dict.fromkeys(HOSTS, 0), done.stdout
    assert site.calls() == REJOINED


def test_a_cluster_that_does_not_answer_is_left_alone(site: Site) -> None:
    state = site.state()
    (site.servers.shared / "state.json").write_text(json.dumps({**state, "dns": False}))
    site.calls()
    assert refusal(site, "control_plane").startswith(
        "The cluster was made on cp-1, and its API server does not answer now: The connection to the server"
        " was refused. Nothing was changed."
    )
    assert site.calls() == []
    (site.servers.shared / "state.json").write_text(json.dumps(state))


def test_kubeones_playbooks_make_of_servers_what_the_others_do(site: Site) -> None:
    """KubeOne itself is not here: what it would have installed, the test leaves as it is."""
    servers = site.servers
    tree = write(servers.folder / "kubeone", {**SPEC, "kubernetes": {"bootstrap": "kubeone"}})
    shutil.copytree(site.tree / "host_vars", tree / "host_vars")
    servers.run("worker-a", "cp", "/usr/bin/kubeadm", "/usr/bin/ctr")
    state = site.state()
    del state["nodes"]["worker-a"]["metadata"]["labels"]["node-role.kubernetes.io/worker"]
    (servers.shared / "state.json").write_text(json.dumps(state))
    site.calls()
    # Nothing that containerd wants is other than what CRI-O wanted.
    assert recap(site.play(tree=tree, playbook="prepare.yaml")) == dict.fromkeys(HOSTS, (0, 0))
    done = site.play(tree=tree, playbook="finish.yaml")
    assert {host: failed for host, (_, failed) in recap(done).items()} == {"cp-1": 0, "worker-a": 0}, (
        done.stdout
    )
    assert site.calls() == [
        "cp-1: kubectl label node worker-a",
        "worker-a: ctr images import /var/tmp/rookery-apps.tar",
        "worker-a: ctr images label localhost/rookery/apps:test",
    ]
    kept = json.loads(servers.read("worker-a", "/var/lib/containerd-images"))
    assert kept == {"localhost/rookery/apps:test": {"size": 8, "io.cri-containerd.pinned": "pinned"}}
    assert "rookery-apps.tar" not in servers.run("worker-a", "ls", "/var/tmp")
    again = site.play(tree=tree, playbook="finish.yaml")
    assert recap(again) == {"cp-1": (0, 0), "worker-a": (0, 0)}, again.stdout
    assert site.calls() == []


def test_modules_are_loaded_where_a_server_can(site: Site) -> None:
    program = site.servers.folder / "worker-a/root/usr/sbin/modprobe"
    program.write_text(
        "#!/bin/sh\n"
        '[ "$1" = --show-depends ] || { echo "$1" >> /srv/test/loaded; exit; }\n'
        'case $2 in br_netfilter) exit 1 ;; ceph) echo "builtin ceph" ;; *) echo "insmod $2" ;; esac\n'
    )
    program.chmod(0o755)
    done = site.play("--tags", "host", "--limit", "worker-a")
    wanted = [name for name in ("overlay", "rbd") if not Path(f"/sys/module/{name}").exists()]
    assert recap(done)["worker-a"] == (1 if wanted else 0, 0), done.stdout
    loaded = site.servers.shared / "loaded"
    assert (loaded.read_text().split() if loaded.exists() else []) == wanted
