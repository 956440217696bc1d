"""The rendered playbooks, read by the programs that judge and run them."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from rookery.projections.kubernetes.bootstrap import render_bootstrap
from tests.kit.designs import design

PEERS = "control_plane:!control_plane[0]"
BIN = Path(sys.executable).parent

DESIGNS: dict[str, dict[str, Any]] = {
    "kubeadm": {"pattern": "ha-control-plane", "provider": "hetzner"},
    "kubeone": {"provider": "aws", "kubernetes": {"bootstrap": "kubeone"}},
    "bridge": {"provider": "existing", "kubernetes": {"network": "bridge"}},
}
PLAYBOOKS = [
    ("kubeadm", "site.yaml"),
    ("kubeone", "prepare.yaml"),
    ("kubeone", "finish.yaml"),
    ("bridge", "site.yaml"),
]


def write(folder: Path, data: dict[str, Any]) -> Path:
    """Write the bootstrap of a design and return its folder."""
    for file in render_bootstrap(design(data)):
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
    return folder / "00-bootstrap"


def run(folder: Path, *argv: str, more: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run one of Ansible's programs in a folder, as somebody does who has the tree alone; `more` is added to
    its environment."""
    return subprocess.run(
        (str(BIN / argv[0]), *argv[1:]),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        env={
            **os.environ,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "NO_COLOR": "1",
            "HOME": str(folder.parent),
            **(more or {}),
        },
    )


def fill(folder: Path, template: str, told: dict[str, Any], host: str = "worker-a") -> str:
    """Return a template of a role as Ansible fills it for a host, which is told a few variables more."""
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (folder / "told.yaml").write_text(yaml.safe_dump({**here, **told}))
    to = folder.parent / "filled"
    module = ("-m", "ansible.builtin.template", "-a", f"src={template} dest={to}")
    done = run(folder, "ansible", host, *module, "-e", "@told.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    return to.read_text()


@pytest.mark.parametrize("name", list(DESIGNS))
def test_ansible_lint_finds_nothing(name: str, tmp_path: Path) -> None:
    done = run(write(tmp_path, DESIGNS[name]), "ansible-lint", "--offline", "-q", "--format=pep8", "--strict")
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


@pytest.mark.parametrize(("name", "playbook"), PLAYBOOKS)
def test_ansible_reads_each_playbook(name: str, playbook: str, tmp_path: Path) -> None:
    done = run(write(tmp_path, DESIGNS[name]), "ansible-playbook", "--syntax-check", playbook)
    assert (done.returncode, done.stdout.split()) == (0, ["playbook:", playbook]), done.stderr


def test_the_inventory_has_every_server_in_its_groups(tmp_path: Path) -> None:
    done = run(
        write(tmp_path, DESIGNS["kubeadm"]), "ansible", "--list-hosts", "control_plane:!control_plane[0]"
    )
    assert done.stdout == "  hosts (2):\n    cp-2\n    cp-3\n", done.stderr


def test_a_single_control_plane_has_no_peers(tmp_path: Path) -> None:
    folder = write(tmp_path, {"provider": "hetzner"})
    done = run(folder, "ansible", "--list-hosts", PEERS)
    assert "hosts (0)" in done.stdout, done.stderr


CRIO = "roles/crio/templates/crio.conf.j2"


def test_crio_is_what_its_package_says_but_for_what_kubelet_counts_on(tmp_path: Path) -> None:
    folder = write(tmp_path, DESIGNS["kubeadm"])
    assert tomllib.loads(fill(folder, CRIO, {"crio_pause_image": "registry.k8s.io/pause:3.10"})) == {
        "crio": {
            "runtime": {"cgroup_manager": "systemd", "pids_limit": -1},
            "image": {
                "pause_image": "registry.k8s.io/pause:3.10",
                "pinned_images": ["localhost/rookery/*"],
            },
        }
    }


def test_crio_reads_images_that_are_there_and_starts_containers_by_another_program(tmp_path: Path) -> None:
    told = {
        "crio_pause_image": "pause",
        "cgroup_manager": "cgroupfs",
        "image_stores": ["/images/one", "/images/two"],
        "runtime_program": "/usr/local/bin/start",
    }
    found = tomllib.loads(fill(write(tmp_path, DESIGNS["kubeadm"]), CRIO, told))["crio"]
    assert found["storage_driver"] == "overlay"
    assert found["storage_option"] == ["overlay.imagestore=/images/one", "overlay.imagestore=/images/two"]
    assert found["runtime"] == {
        "cgroup_manager": "cgroupfs",
        "conmon_cgroup": "pod",
        "pids_limit": -1,
        "default_runtime": "rookery",
        "runtimes": {
            "rookery": {
                "runtime_path": "/usr/local/bin/start",
                "runtime_type": "oci",
                "runtime_root": "/run/rookery-runtime",
                "monitor_path": "/usr/libexec/crio/conmon",
                "monitor_cgroup": "pod",
            }
        },
    }


@pytest.mark.parametrize("role", ["control_plane", "join"])
@pytest.mark.parametrize(
    ("ignored", "option"), [([], []), (["A", "B"], ["--ignore-preflight-errors=A,B"])], ids=["none", "two"]
)
def test_kubeadm_is_told_which_checks_may_fail(
    role: str, ignored: list[str], option: list[str], tmp_path: Path
) -> None:
    folder = write(tmp_path, DESIGNS["kubeadm"])
    told = yaml.safe_load((folder / "roles" / role / "vars" / "main.yaml").read_text())
    (folder / "told.j2").write_text(f"{{{{ {role}_ignored | to_json }}}}")
    assert yaml.safe_load(fill(folder, "told.j2", {**told, "kubeadm_ignored": ignored})) == option
